package secureboot

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
)

// ErrPublicKey means bytes that are no usable verification key.
var ErrPublicKey = errors.New("not a Secure Boot V1 public key (ECDSA P-256)")

const publicKeyLenV1 = 64

// PublicKeyV1 is an app-verification key as a V1 bootloader holds it and as
// "espsecure extract_public_key" writes it: X then Y of a P-256 point, 32 bytes
// each, big-endian.
type PublicKeyV1 [publicKeyLenV1]byte

// NewPublicKeyV1 converts the public half of a signer. Any key that is not ECDSA
// on P-256 is ErrPublicKey.
func NewPublicKeyV1(pub crypto.PublicKey) (key PublicKeyV1, err error) {
	ec, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return key, fmt.Errorf("%w, but %T", ErrPublicKey, pub)
	}
	if ec.Curve != elliptic.P256() {
		return key, fmt.Errorf("%w, but a point on %s", ErrPublicKey, ec.Curve.Params().Name)
	}
	point, err := ec.Bytes() // 04 X Y
	if err != nil {
		return key, fmt.Errorf("%w: %w", ErrPublicKey, err)
	}
	copy(key[:], point[1:])
	return key, nil
}

// ParsePublicKeyV1 reads a verification key from a file's content: 64 raw bytes,
// a PEM public key, or the public half of a PEM private key. Anything else, and a
// point off the curve, is ErrPublicKey.
func ParsePublicKeyV1(file []byte) (key PublicKeyV1, err error) {
	if len(file) == publicKeyLenV1 {
		copy(key[:], file)
		_, err := key.ECDSA()
		return key, err
	}
	block, _ := pem.Decode(file)
	if block == nil {
		return key, fmt.Errorf("%w: neither 64 raw bytes nor PEM", ErrPublicKey)
	}
	if block.Type == "PUBLIC KEY" {
		pub, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return key, fmt.Errorf("%w: %w", ErrPublicKey, err)
		}
		return NewPublicKeyV1(pub)
	}
	signing, err := ParseSigningKey(file)
	if err != nil {
		return key, fmt.Errorf("%w: %w", ErrPublicKey, err)
	}
	return NewPublicKeyV1(signing.Public())
}

// ECDSA returns the key for crypto/ecdsa. A point off the curve is ErrPublicKey.
func (k PublicKeyV1) ECDSA() (*ecdsa.PublicKey, error) {
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, k[:]...))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPublicKey, err)
	}
	return pub, nil
}

// Fingerprint returns the SHA-256 of the 64 bytes in hex: the name of this key in
// records and messages.
func (k PublicKeyV1) Fingerprint() string {
	sum := sha256.Sum256(k[:])
	return hex.EncodeToString(sum[:])
}

// MarshalPEM returns the key as a PEM "PUBLIC KEY".
func (k PublicKeyV1) MarshalPEM() ([]byte, error) {
	pub, err := k.ECDSA()
	if err != nil {
		return nil, err
	}
	return marshalPublicPEM(pub)
}

func marshalPublicPEM(pub crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// Located is a verification key found inside a binary.
type Located struct {
	Offset int // bytes from the start of the binary
	Key    PublicKeyV1
}

// FindPublicKeys returns every 64-byte window of blob that is a point on P-256, in
// order of offset: the verification keys a V1 bootloader was built with. Random
// bytes are a point with probability 2^-256, so a hit is a key. The bootloader of
// a build without app verification has none.
func FindPublicKeys(blob []byte) []Located {
	var found []Located
	point := [1 + publicKeyLenV1]byte{4}
	for i := 0; i+publicKeyLenV1 <= len(blob); i++ {
		copy(point[1:], blob[i:])
		if _, err := ecdh.P256().NewPublicKey(point[:]); err == nil {
			found = append(found, Located{Offset: i, Key: PublicKeyV1(point[1:])})
		}
	}
	return found
}

// Contains reports whether blob holds key: whether this bootloader can accept
// apps signed with it.
func Contains(blob []byte, key PublicKeyV1) bool { return bytes.Contains(blob, key[:]) }
