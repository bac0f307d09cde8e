package secureboot

import (
	"bytes"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"
)

func TestSignatureV2Vectors(t *testing.T) {
	file := vectors(t)
	for i, v := range file.SignaturesV2 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			key := signingKey(t, v.PEM)
			trusted, err := KeyDigestV2(key.Public().(*rsa.PublicKey))
			if err != nil || !bytes.Equal(trusted[:], v.KeyDigest) {
				t.Errorf("key digest %x, %v; want %x (%s)", trusted, err, v.KeyDigest, file.Origin)
			}
			if err := VerifyV2(v.Signed, trusted); err != nil {
				t.Errorf("verify espsecure's signature: %v", err)
			}
			block, err := ParseBlockV2(v.Signed[len(v.Signed)-SectorLen:])
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := block.encode()
			if err != nil || !bytes.Equal(padFF(encoded, SectorLen), v.Signed[len(v.Signed)-SectorLen:]) {
				t.Errorf("decoded and encoded again, the sector differs: %v", err)
			}
			signed, err := AppendSignatureV2(key, v.Image)
			if err != nil || len(signed) != v.SignedLen {
				t.Fatalf("sign: %d bytes, %v; want %d", len(signed), err, v.SignedLen)
			}
			if err := VerifyV2(signed, trusted); err != nil {
				t.Errorf("own signature: %v", err)
			}
			// All but the salted signature and the CRC over it is fixed.
			at := len(signed) - SectorLen
			if !bytes.Equal(signed[:at+offSignatureV2], v.Signed[:at+offSignatureV2]) || !bytes.Equal(signed[at+crcEndV2:], v.Signed[at+crcEndV2:]) {
				t.Error("own file differs from espsecure's beyond signature and CRC")
			}
			if _, err := AppendSignatureV2(key, v.Signed); !errors.Is(err, ErrAlreadySigned) {
				t.Errorf("signing a signed file: %v", err)
			}
			content, err := StripSignatureV2(v.Signed)
			if err != nil || !bytes.Equal(content, PadV2(v.Image)) {
				t.Errorf("strip: %v", err)
			}
		})
	}
}

func TestVerifyV2Causes(t *testing.T) {
	v, other := vectors(t).SignaturesV2[0], vectors(t).SignaturesV2[1]
	trusted := [32]byte(v.KeyDigest)
	at := len(v.Signed) - SectorLen
	edit := func(change func(file []byte)) []byte {
		file := bytes.Clone(v.Signed)
		change(file)
		return file
	}
	fixCRC := func(file []byte) {
		binary.LittleEndian.PutUint32(file[at+offCRCV2:], crc32.ChecksumIEEE(file[at:at+offCRCV2]))
	}
	for _, c := range []struct {
		name string
		file []byte
		want error
	}{
		{"good", v.Signed, nil},
		{"unsigned", PadV2(v.Image), ErrNoSignature},
		{"ragged length", v.Signed[:len(v.Signed)-1], ErrNoSignature},
		{"empty", nil, ErrNoSignature},
		{"untrusted key", other.Signed, ErrUntrustedKey},
		{"content changed", edit(func(f []byte) { f[50] ^= 1 }), ErrImageDigest},
		{"block damaged", edit(func(f []byte) { f[at+900] ^= 1 }), ErrBlockV2},
		{"even modulus", edit(func(f []byte) { f[at+offModulusV2] ^= 1; fixCRC(f) }), ErrBlockV2},
		{"wrong constants", edit(func(f []byte) { f[at+offRinvV2] ^= 1; fixCRC(f) }), ErrBlockV2},
		{"wrong signature", edit(func(f []byte) { f[at+offSignatureV2] ^= 1; fixCRC(f) }), ErrBadSignature},
		{"signed twice", append(bytes.Clone(v.Signed), v.Signed[at:]...), ErrSignedTwice},
	} {
		if err := VerifyV2(c.file, trusted); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestSignV2Refusals(t *testing.T) {
	file := vectors(t)
	if _, err := SignV2(signingKey(t, file.SignaturesV2[0].PEM), make([]byte, 100)); !errors.Is(err, ErrContentLength) {
		t.Errorf("ragged content: %v", err)
	}
	if _, err := SignV2(signingKey(t, file.SignaturesV1[0].PEM), make([]byte, SectorLen)); !errors.Is(err, ErrRSAKey) {
		t.Errorf("EC key: %v", err)
	}
	if _, err := AppendSignatureV2(signingKey(t, file.SignaturesV2[0].PEM), file.SignaturesV1[0].Signed); !errors.Is(err, ErrAlreadySigned) {
		t.Errorf("V1-signed file: %v", err)
	}
	if _, err := StripSignatureV2(PadV2(file.SignaturesV2[0].Image)); !errors.Is(err, ErrNoSignature) {
		t.Errorf("strip an unsigned file: %v", err)
	}
}

func TestParsePublicKeyV2(t *testing.T) {
	v := vectors(t).SignaturesV2[0]
	public, err := signingKey(t, v.PEM).MarshalPublicPEM()
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"public": public, "private": []byte(v.PEM)} {
		key, err := ParsePublicKeyV2(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if digest, err := KeyDigestV2(key); err != nil || !bytes.Equal(digest[:], v.KeyDigest) {
			t.Errorf("%s: %x, %v", name, digest, err)
		}
	}
	for name, file := range map[string][]byte{"empty": nil, "EC": []byte(vectors(t).SignaturesV1[0].PEM), "raw": vectors(t).SignaturesV1[0].PublicKey} {
		if _, err := ParsePublicKeyV2(file); !errors.Is(err, ErrRSAKey) {
			t.Errorf("%s: %v, want ErrRSAKey", name, err)
		}
	}
}

func FuzzParseBlockV2(f *testing.F) {
	for _, v := range vectors(f).SignaturesV2 {
		f.Add([]byte(v.Signed[len(v.Signed)-SectorLen:]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// Give the fuzzer a way past the CRC.
		if len(data) >= BlockLenV2 {
			data = bytes.Clone(data)
			binary.LittleEndian.PutUint32(data[offCRCV2:], crc32.ChecksumIEEE(data[:offCRCV2]))
		}
		block, err := ParseBlockV2(data)
		if err != nil {
			return
		}
		encoded, err := block.encode()
		if err != nil || !bytes.Equal(encoded[:crcEndV2], data[:crcEndV2]) {
			t.Fatalf("decoded and encoded again, the block differs: %v", err)
		}
	})
}
