package secureboot

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"
)

func signingKey(t testing.TB, pem string) *SigningKey {
	t.Helper()
	key, err := ParseSigningKey([]byte(pem))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicKeyV1(t testing.TB, key *SigningKey) PublicKeyV1 {
	t.Helper()
	pub, err := NewPublicKeyV1(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

func TestSignatureV1Vectors(t *testing.T) {
	file := vectors(t)
	for i, v := range file.SignaturesV1 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			key := signingKey(t, v.PEM)
			pub := publicKeyV1(t, key)
			if !bytes.Equal(pub[:], v.PublicKey) {
				t.Errorf("public key %x, want %x (%s)", pub, v.PublicKey, file.Origin)
			}
			if err := VerifyV1(v.Signed, pub); err != nil {
				t.Errorf("verify espsecure's signature: %v", err)
			}
			tampered := bytes.Clone(v.Signed)
			tampered[100] ^= 1
			if err := VerifyV1(tampered, pub); !errors.Is(err, ErrBadSignature) {
				t.Errorf("tampered: %v", err)
			}
			signed, err := AppendSignatureV1(key, v.Image, false)
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifyV1(signed, pub); err != nil || !bytes.Equal(signed, v.Signed) {
				t.Errorf("own signature: %v; block %x, want %x (%s)", err, signed[len(v.Image):], v.Signed[len(v.Image):], file.Origin)
			}
			if _, err := AppendSignatureV1(key, v.Signed, false); !errors.Is(err, ErrAlreadySigned) {
				t.Errorf("signing a signed file: %v", err)
			}
			if twice, err := AppendSignatureV1(key, v.Signed, true); err != nil || len(twice) != len(v.Signed)+BlockLenV1 {
				t.Errorf("signing a signed file when asked to: %v", err)
			}
		})
	}
}

// The known answer of SelfTest, from the signing side: RFC 6979, so bit for bit.
func TestSignV1Deterministic(t *testing.T) {
	raw, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat(unhex(t, "0123456789abcdef"), 4))
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"plain": raw, "wrapped": newSigningKey(raw)} {
		block, err := SignV1(key, counting(0, 64))
		if err != nil || hex.EncodeToString(block[:]) != knownSignature {
			t.Errorf("%s key: %x, %v; want %s", name, block, err, knownSignature)
		}
	}
	if pub := publicKeyV1(t, newSigningKey(raw)); hex.EncodeToString(pub[:]) != knownPublicKey {
		t.Errorf("public key %x", pub)
	}
}

func TestVerifyV1Causes(t *testing.T) {
	v := vectors(t).SignaturesV1[0]
	pub, other := PublicKeyV1(v.PublicKey), PublicKeyV1(vectors(t).SignaturesV1[1].PublicKey)
	word := func(w uint32) []byte { return append(unhex(t, fmt.Sprintf("%08x", w)), make([]byte, 64)...) }
	zeroR := bytes.Clone(v.Signed)
	clear(zeroR[len(v.Image)+4 : len(v.Image)+36])
	for _, c := range []struct {
		name  string
		file  []byte
		pub   PublicKeyV1
		want  error
		found uint32
	}{
		{"good", v.Signed, pub, nil, 0},
		{"wrong key", v.Signed, other, ErrBadSignature, 0},
		{"left-overs", append(bytes.Clone(v.Image), word(0x7a0cb6f6)...), pub, ErrNoSignature, 0xf6b60c7a},
		{"erased flash", padFF(v.Image, len(v.Image)+BlockLenV1), pub, ErrNoSignature, 0xFFFFFFFF},
		{"short file", v.Image[:40], pub, ErrNoSignature, 0xFFFFFFFF},
		{"signed for V2", vectors(t).SignaturesV2[0].Signed, pub, ErrNoSignature, 0x000002E7},
		{"r is zero", zeroR, pub, ErrBadSignature, 0},
		{"key off the curve", v.Signed, PublicKeyV1{1}, ErrPublicKey, 0},
	} {
		err := VerifyV1(c.file, c.pub)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		var no *NoSignatureError
		if errors.As(err, &no) && no.Found != c.found {
			t.Errorf("%s: version field %#08x, want %#08x", c.name, no.Found, c.found)
		}
	}
}

func TestVerifyBlockV1(t *testing.T) {
	v := vectors(t).SignaturesV1[0]
	content, block := SplitV1(v.Signed)
	if err := VerifyBlockV1(content, append(bytes.Clone(block), 1, 2, 3), PublicKeyV1(v.PublicKey)); err != nil {
		t.Errorf("flash after the block must not matter: %v", err)
	}
	if err := VerifyBlockV1(content, nil, PublicKeyV1(v.PublicKey)); !errors.Is(err, ErrNoSignature) {
		t.Errorf("no block at all: %v", err)
	}
	if err := VerifyBlockV1(content, block[:60], PublicKeyV1(v.PublicKey)); !errors.Is(err, ErrBadSignature) {
		t.Errorf("cut block: %v", err)
	}
}

// An image padded for signing ends in zeros, checksum and SHA-256: its tail has the
// shape of a block with version 0, and must still be signable.
func TestPaddedImageIsNotSigned(t *testing.T) {
	tail := append(make([]byte, 35), 0xC5)
	padded := append(counting(1, 200), append(tail, counting(0x40, 32)...)...)
	if LooksSignedV1(padded) {
		t.Error("an unsigned padded image looks signed")
	}
	key, err := GenerateSigningKeyV1()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := AppendSignatureV1(key, padded, false)
	if err != nil || !LooksSignedV1(signed) {
		t.Errorf("signed: %v, looks signed: %v", err, LooksSignedV1(signed))
	}
}

// tokenSigner is a signer like a PKCS#11 token: another type, its own answers.
type tokenSigner struct {
	pub crypto.PublicKey
	der []byte
	err error
}

func (s tokenSigner) Public() crypto.PublicKey { return s.pub }
func (s tokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return s.der, s.err
}

func TestSignV1BadSigner(t *testing.T) {
	key := signingKey(t, vectors(t).SignaturesV1[0].PEM)
	broken := errors.New("token unplugged")
	foreign, err := key.Sign(nil, make([]byte, 32), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name   string
		signer tokenSigner
		want   error
	}{
		{"fails", tokenSigner{key.Public(), nil, broken}, broken},
		{"not DER", tokenSigner{key.Public(), []byte{1, 2, 3}, nil}, ErrBadSignature},
		{"out of range", tokenSigner{key.Public(), unhex(t, "3006020100020101"), nil}, ErrBadSignature},
		{"signed something else", tokenSigner{key.Public(), foreign, nil}, ErrBadSignature},
		{"no EC key", tokenSigner{big.NewInt(1), nil, nil}, ErrPublicKey},
	} {
		if _, err := SignV1(v.signer, []byte("content")); !errors.Is(err, v.want) {
			t.Errorf("%s: %v, want %v", v.name, err, v.want)
		}
	}
}

func TestFindPublicKeys(t *testing.T) {
	list := vectors(t).SignaturesV1
	a, b := PublicKeyV1(list[0].PublicKey), PublicKeyV1(list[1].PublicKey)
	blob := slices.Concat(counting(0, 77), a[:], make([]byte, 100), b[:], a[:10])
	want := []Located{{77, a}, {77 + 64 + 100, b}}
	if got := FindPublicKeys(blob); !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
	if got := FindPublicKeys(blob[:100]); got != nil {
		t.Errorf("found %v in a blob without a whole key", got)
	}
	if !Contains(blob, b) || Contains(blob[:200], b) {
		t.Error("Contains is wrong")
	}
}

func BenchmarkFindPublicKeys(b *testing.B) {
	blob := bytes.Repeat(counting(0, 251), 100) // a usual bootloader's size
	b.SetBytes(int64(len(blob)))
	for b.Loop() {
		if FindPublicKeys(blob) != nil {
			b.Fatal("found a key in a counting pattern")
		}
	}
}

func TestParsePublicKeyV1(t *testing.T) {
	v := vectors(t).SignaturesV1[0]
	want := PublicKeyV1(v.PublicKey)
	key := signingKey(t, v.PEM)
	public, err := key.MarshalPublicPEM()
	if err != nil {
		t.Fatal(err)
	}
	if same, err := want.MarshalPEM(); err != nil || !bytes.Equal(same, public) {
		t.Errorf("PublicKeyV1.MarshalPEM = %s, %v", same, err)
	}
	for name, file := range map[string][]byte{"raw": v.PublicKey, "public PEM": public, "private PEM": []byte(v.PEM)} {
		if got, err := ParsePublicKeyV1(file); err != nil || got != want {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	rsaPublic, err := signingKey(t, vectors(t).SignaturesV2[0].PEM).MarshalPublicPEM()
	if err != nil {
		t.Fatal(err)
	}
	offCurve := want
	offCurve[0] ^= 1
	for name, file := range map[string][]byte{
		"empty": nil, "63 bytes": v.PublicKey[:63], "off the curve": offCurve[:], "RSA": rsaPublic,
		"damaged": []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
	} {
		if _, err := ParsePublicKeyV1(file); !errors.Is(err, ErrPublicKey) {
			t.Errorf("%s: %v, want ErrPublicKey", name, err)
		}
	}
	if len(want.Fingerprint()) != 64 || want.Fingerprint() == offCurve.Fingerprint() {
		t.Errorf("fingerprint %s", want.Fingerprint())
	}
}

func TestSigningKeyIsSecret(t *testing.T) {
	key := signingKey(t, vectors(t).SignaturesV1[0].PEM)
	// The private scalar of that key: hex, its first bytes as a list, the decimal number.
	secret := "121f1a10c7b08768ad2a9b0d1f93503e5ff297d955e367ee8865f1f13fe75446"
	decimal := new(big.Int).SetBytes(unhex(t, secret)).String()
	var out strings.Builder
	holder := struct{ inner *SigningKey }{key}
	byValue := struct{ inner SigningKey }{*key}
	fmt.Fprintf(&out, "%v %+v %#v %s %x %v %+v %#v %+v %#v", key, key, key, key, key, *key, holder, holder, byValue, byValue)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", key)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "key", key)
	lower := strings.ToLower(out.String())
	for _, leak := range []string{secret[:8], "18 31 26 16", decimal[:12]} {
		if strings.Contains(lower, leak) {
			t.Errorf("signing key printed (%q): %s", leak, lower)
		}
	}
	if !strings.Contains(lower, "[secret]") {
		t.Errorf("signing key printed as %s", lower)
	}
}

func FuzzVerifyV1(f *testing.F) {
	v := vectors(f).SignaturesV1[0]
	pub := PublicKeyV1(v.PublicKey)
	f.Add([]byte(v.Signed))
	f.Add([]byte(v.Image))
	f.Add(make([]byte, BlockLenV1))
	f.Fuzz(func(t *testing.T, file []byte) {
		if VerifyV1(file, pub) == nil && !bytes.Equal(file, v.Signed) {
			t.Fatalf("accepted %x", file)
		}
	})
}
