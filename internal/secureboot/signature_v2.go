package secureboot

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

var (
	ErrContentLength = errors.New("content signed for V2 must be a multiple of 4096 bytes")
	ErrImageDigest   = errors.New("content changed after signing (digest in the signature block differs)")
	ErrUntrustedKey  = errors.New("signed with a key this device does not trust")
	ErrSignedTwice   = errors.New("file is signed twice: a second signature sector follows the first")
)

// pssV2 is what the ROM expects: SHA-256, MGF1 with SHA-256, 32 bytes of salt.
var pssV2 = &rsa.PSSOptions{SaltLength: sha256.Size, Hash: crypto.SHA256}

// SignV2 returns the 4096-byte signature sector for content, whose length must be
// a multiple of 4096 (else ErrContentLength; PadV2 makes it so). The signature has
// a random salt. It is verified before it is returned. Not RSA-3072: ErrRSAKey.
func SignV2(key crypto.Signer, content []byte) ([]byte, error) {
	if len(content) == 0 || len(content)%SectorLen != 0 {
		return nil, fmt.Errorf("sign: %w, not %d", ErrContentLength, len(content))
	}
	pub, ok := key.Public().(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("sign: %w, but %T", ErrRSAKey, key.Public())
	}
	trusted, err := KeyDigestV2(pub)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	block := BlockV2{Digest: sha256.Sum256(content), Key: pub}
	block.Signature, err = key.Sign(rand.Reader, block.Digest[:], pssV2)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	encoded, err := block.encode()
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	sector := padFF(encoded, SectorLen)
	if err := VerifySectorV2(content, sector, trusted); err != nil {
		return nil, fmt.Errorf("check own signature: %w", err)
	}
	return sector, nil
}

// PadV2 returns file filled with 0xFF to whole sectors, in new memory, as it must
// be before it is signed.
func PadV2(file []byte) []byte {
	return padFF(file, (len(file)+SectorLen-1)/SectorLen*SectorLen)
}

// AppendSignatureV2 returns file, padded to whole sectors, followed by its
// signature sector. A file signed before, V1 or V2, is ErrAlreadySigned; for V2
// strip it first (StripSignatureV2).
func AppendSignatureV2(key crypto.Signer, file []byte) ([]byte, error) {
	if IsSignedV2(file) || LooksSignedV1(file) {
		return nil, ErrAlreadySigned
	}
	content := PadV2(file)
	sector, err := SignV2(key, content)
	if err != nil {
		return nil, err
	}
	return append(content, sector...), nil
}

// IsSignedV2 reports whether the last sector of file is a V2 signature sector
// (magic and CRC; the signature is not verified).
func IsSignedV2(file []byte) bool {
	if len(file) < 2*SectorLen || len(file)%SectorLen != 0 {
		return false
	}
	_, err := ParseBlockV2(file[len(file)-SectorLen:])
	return err == nil
}

// StripSignatureV2 returns the content of a V2-signed file, padding included.
// Unsigned is ErrNoSignature. Of a file signed twice the last sector goes.
func StripSignatureV2(file []byte) ([]byte, error) {
	if !IsSignedV2(file) {
		return nil, ErrNoSignature
	}
	return bytes.Clone(file[:len(file)-SectorLen]), nil
}

// VerifyV2 checks a signed file against the key digest in a device's BLOCK2.
// Errors: a *NoSignatureError (ErrNoSignature), ErrSignedTwice, and those of
// VerifySectorV2.
func VerifyV2(file []byte, trusted [sha256.Size]byte) error {
	n := len(file) - SectorLen
	if n <= 0 || n%SectorLen != 0 {
		return &NoSignatureError{Found: 0xFFFFFFFF}
	}
	if IsSignedV2(file) && IsSignedV2(file[:n]) {
		return ErrSignedTwice
	}
	return VerifySectorV2(file[:n], file[n:], trusted)
}

// VerifySectorV2 checks the first block of a signature sector, the only one ESP-IDF
// looks at on this chip, against the padded content before it. trusted is BLOCK2.
// Errors: a *NoSignatureError (ErrNoSignature), ErrBlockV2, ErrImageDigest,
// ErrUntrustedKey, ErrBadSignature.
func VerifySectorV2(content, sector []byte, trusted [sha256.Size]byte) error {
	block, err := ParseBlockV2(sector)
	if err != nil {
		return err
	}
	if block.Digest != sha256.Sum256(content) {
		return ErrImageDigest
	}
	digest, err := KeyDigestV2(block.Key)
	if err != nil {
		return err
	}
	if digest != trusted {
		return fmt.Errorf("%w: its digest is %x", ErrUntrustedKey, digest)
	}
	if err := rsa.VerifyPSS(block.Key, crypto.SHA256, block.Digest[:], block.Signature, pssV2); err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	return nil
}

// ParsePublicKeyV2 reads an RSA-3072 key from PEM: a public key ("PUBLIC KEY", "RSA
// PUBLIC KEY") or the public half of a private key. Anything else is ErrRSAKey.
func ParsePublicKeyV2(file []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(file)
	if block == nil {
		return nil, fmt.Errorf("%w: no PEM in the file", ErrRSAKey)
	}
	var pub crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		pub, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		pub, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		var signing *SigningKey
		if signing, err = ParseSigningKey(file); err == nil {
			pub = signing.Public()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRSAKey, err)
	}
	key, ok := pub.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w, but %T", ErrRSAKey, pub)
	}
	if _, err := keyFieldsV2(key); err != nil {
		return nil, err
	}
	return key, nil
}
