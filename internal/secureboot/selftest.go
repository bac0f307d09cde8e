package secureboot

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrSelfTest means that this program, on this machine, does not compute what the
// hardware does. Nothing may be written with it.
var ErrSelfTest = errors.New("secure boot self-test failed")

// knownImage is a hand-made bootloader of 144 bytes: header, one segment of 00..63
// (hex) for 0x3fff0018, zero padding, checksum. No SHA-256 is appended.
const knownImage = "e901022000000840ee0000000000000000ffff0000000000" + "1800ff3f64000000" +
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" +
	"202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f" +
	"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263" +
	"0000000000000000000000" + "ef"

// knownDigest belongs to knownImage with the IV 00..7f and the key 80..9f.
const knownDigest = "d64cd9b12edacd17fcdb301ce6250823f058e46b66ae7d80d88114bcfa3c7344" +
	"b9cf5f036c8f5a6e821c6c89f27d4591bd41a27151b3ba715b5702f44153003f"

// The ECDSA answer: private scalar 0123456789abcdef four times over, message 00..3f.
const (
	knownPublicKey = "d8cd12ea5c67f2f8a00c1124893edcfa6754c4d6cede6be13bdf2295c810a97f" +
		"a5a89d2d2a360c0ca9a4d6c7c9ed4b28d3e199d6627f2e696d689c310a5b0f48"
	knownSignature = "00000000" + "1538496ec9458570494dce85bf1c66d8127b4c03812b14d9fb169b37592dd2c2" +
		"363c643a22d2736a51ed5a743e9d3aaebab4f3916908bb445a6077d44e56aac6"
)

// SelfTest checks the V1 digest and V1 verification against known answers of
// espsecure 4.8.1. A station runs it once before it trusts either. The error is
// ErrSelfTest.
func SelfTest() error {
	image, err := hex.DecodeString(knownImage)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSelfTest, err)
	}
	digest, err := DigestV1(counting(0x80, keyLenV1), counting(0, IVLenV1), image)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSelfTest, err)
	}
	if hex.EncodeToString(digest[:]) != knownDigest {
		return fmt.Errorf("%w: bootloader digest differs from the known answer", ErrSelfTest)
	}
	raw, err := hex.DecodeString(knownPublicKey + knownSignature)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSelfTest, err)
	}
	err = VerifyBlockV1(counting(0, 64), raw[publicKeyLenV1:], PublicKeyV1(raw))
	if err != nil {
		return fmt.Errorf("%w: known signature: %w", ErrSelfTest, err)
	}
	if VerifyBlockV1(counting(1, 64), raw[publicKeyLenV1:], PublicKeyV1(raw)) == nil {
		return fmt.Errorf("%w: a signature over other bytes was accepted", ErrSelfTest)
	}
	return nil
}

// counting returns n bytes first, first+1, ...
func counting(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}
