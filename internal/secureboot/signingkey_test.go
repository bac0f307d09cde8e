package secureboot

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"
)

func TestParseSigningKeyForms(t *testing.T) {
	ec := signingKey(t, vectors(t).SignaturesV1[0].PEM)
	der, err := x509.MarshalPKCS8PrivateKey(ec.reveal())
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	// openssl ecparam -genkey puts the curve's name in front.
	params := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: unhex(t, "06082a8648ce3d030107")})
	for name, file := range map[string][]byte{
		"PKCS 8":  pkcs8,
		"openssl": append(params, vectors(t).SignaturesV1[0].PEM...),
	} {
		key, err := ParseSigningKey(file)
		if err != nil || publicKeyV1(t, key) != publicKeyV1(t, ec) || key.Version() != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if key := signingKey(t, vectors(t).SignaturesV2[0].PEM); key.Version() != 2 {
		t.Error("an RSA key does not sign for V2")
	}
}

func TestSigningKeyRoundTrip(t *testing.T) {
	fresh, err := GenerateSigningKeyV1()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []*SigningKey{fresh, signingKey(t, vectors(t).SignaturesV2[0].PEM)} {
		text, err := key.MarshalPEM()
		if err != nil {
			t.Fatal(err)
		}
		again, err := signingKey(t, string(text)).MarshalPEM()
		if err != nil || !bytes.Equal(text, again) {
			t.Errorf("V%d key changed on its way through PEM: %v", key.Version(), err)
		}
	}
	if text, err := signingKey(t, vectors(t).SignaturesV1[0].PEM).MarshalPEM(); err != nil || string(text) != vectors(t).SignaturesV1[0].PEM {
		t.Errorf("PEM differs from espsecure's: %s, %v", text, err)
	}
}

func TestParseSigningKeyRefusals(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384DER, err := x509.MarshalECPrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	legacy := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: p384DER})
	for _, v := range []struct {
		name string
		file []byte
		want error
	}{
		{"empty", nil, ErrSigningKey},
		{"public only", block("PUBLIC KEY", []byte{1}), ErrSigningKey},
		{"damaged SEC 1", block("EC PRIVATE KEY", p384DER[:20]), ErrSigningKey},
		{"damaged PKCS 8", block("PRIVATE KEY", []byte{0x30}), ErrSigningKey},
		{"P-384", block("EC PRIVATE KEY", p384DER), ErrSigningKey},
		{"RSA-2048", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small)), ErrSigningKey},
		{"passphrase", block("ENCRYPTED PRIVATE KEY", []byte{1}), ErrEncryptedPEM},
		{"old passphrase", legacy, ErrEncryptedPEM},
	} {
		if _, err := ParseSigningKey(v.file); !errors.Is(err, v.want) {
			t.Errorf("%s: %v, want %v", v.name, err, v.want)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	file := vectors(f)
	f.Add([]byte(file.SignaturesV1[0].PEM))
	f.Add([]byte(file.SignaturesV2[0].PEM))
	f.Add([]byte(file.SignaturesV1[0].PublicKey))
	f.Fuzz(func(t *testing.T, data []byte) {
		if key, err := ParseSigningKey(data); err == nil {
			if _, err := key.MarshalPEM(); err != nil {
				t.Errorf("a key that was read cannot be written: %v", err)
			}
		}
		if key, err := ParsePublicKeyV1(data); err == nil {
			if again, err := ParsePublicKeyV1(key[:]); err != nil || again != key {
				t.Errorf("public key changed: %v", err)
			}
		}
	})
}
