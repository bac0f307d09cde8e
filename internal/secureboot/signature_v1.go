package secureboot

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// BlockLenV1 is the length of the block appended to a signed app or partition
// table: u32 version (0, little-endian), then r and s, 32 bytes each, big-endian.
const BlockLenV1 = 68

const scalarLen = 32

var (
	ErrNoSignature   = errors.New("no secure boot signature")
	ErrBadSignature  = errors.New("signature does not match: signed with another key, or changed after signing")
	ErrAlreadySigned = errors.New("file is already signed")
)

// NoSignatureError is ErrNoSignature with what stands where the signature's
// version should. A V1 bootloader prints the same value as "image has invalid
// signature version field".
type NoSignatureError struct {
	Found uint32
}

func (e *NoSignatureError) Error() string {
	text := fmt.Sprintf("%v: version field is %#08x", ErrNoSignature, e.Found)
	switch e.Found {
	case 0xFFFFFFFF:
		return text + " (nothing was appended to the image)"
	case versionFieldV2:
		return text + " (the image is signed for Secure Boot V2)"
	}
	return text
}

// Is makes errors.Is(err, ErrNoSignature) hold.
func (e *NoSignatureError) Is(target error) bool { return target == ErrNoSignature }

// SignV1 returns the signature block for content: ECDSA over the SHA-256 of all of
// it. A *SigningKey or *ecdsa.PrivateKey signs deterministically (RFC 6979), so the
// same input gives the same file; a token uses its own randomness. The block is
// verified before it is returned. A key that is not P-256 is ErrPublicKey.
func SignV1(key crypto.Signer, content []byte) (block [BlockLenV1]byte, err error) {
	pub, err := NewPublicKeyV1(key.Public())
	if err != nil {
		return block, fmt.Errorf("sign: %w", err)
	}
	random := io.Reader(rand.Reader)
	switch key.(type) {
	case *SigningKey, *ecdsa.PrivateKey:
		random = nil // asks for RFC 6979
	}
	sum := sha256.Sum256(content)
	der, err := key.Sign(random, sum[:], crypto.SHA256)
	if err != nil {
		return block, fmt.Errorf("sign: %w", err)
	}
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) != 0 {
		return block, fmt.Errorf("sign: signer returned something that is no DER signature: %w", errors.Join(ErrBadSignature, err))
	}
	if !inRange(sig.R) || !inRange(sig.S) {
		return block, fmt.Errorf("sign: signer returned r or s out of range: %w", ErrBadSignature)
	}
	sig.R.FillBytes(block[4 : 4+scalarLen])
	sig.S.FillBytes(block[4+scalarLen:])
	if err := VerifyBlockV1(content, block[:], pub); err != nil {
		return block, fmt.Errorf("check own signature: %w", err)
	}
	return block, nil
}

// AppendSignatureV1 returns file followed by its signature block, in new memory. A
// file that ends in what looks like a signature, V1 or V2, is ErrAlreadySigned
// unless again is set: signing twice makes a device verify the first block, over
// other bytes than the second one covers.
func AppendSignatureV1(key crypto.Signer, file []byte, again bool) ([]byte, error) {
	if !again && (LooksSignedV1(file) || IsSignedV2(file)) {
		return nil, ErrAlreadySigned
	}
	block, err := SignV1(key, file)
	if err != nil {
		return nil, err
	}
	return append(bytes.Clone(file), block[:]...), nil
}

// VerifyV1 checks a signed file: its last 68 bytes are the signature of the rest.
// Errors: a *NoSignatureError (ErrNoSignature), ErrBadSignature, ErrPublicKey.
// Where the image's end is known, VerifyBlockV1 judges as the device does.
func VerifyV1(file []byte, pub PublicKeyV1) error {
	if IsSignedV2(file) {
		return &NoSignatureError{Found: versionFieldV2}
	}
	if len(file) < BlockLenV1 {
		return &NoSignatureError{Found: 0xFFFFFFFF}
	}
	content, block := SplitV1(file)
	return VerifyBlockV1(content, block, pub)
}

// SplitV1 parts a signed file into content and signature block, without looking
// at either. file must have BlockLenV1 bytes or more.
func SplitV1(file []byte) (content, block []byte) {
	n := len(file) - BlockLenV1
	return file[:n:n], file[n:]
}

// VerifyBlockV1 checks block against content as the bootloader does with what it
// finds right after an image. Bytes of block beyond 68 are ignored; missing ones
// are taken as erased flash. Errors are those of VerifyV1. Whether ErrBadSignature
// is a wrong key or a changed file, only the image's own checksum and hash tell.
func VerifyBlockV1(content, block []byte, pub PublicKeyV1) error {
	key, err := pub.ECDSA()
	if err != nil {
		return err
	}
	block = padFF(block[:min(len(block), BlockLenV1)], BlockLenV1)
	if version := binary.LittleEndian.Uint32(block); version != 0 {
		return &NoSignatureError{Found: version}
	}
	r, s := scalars(block)
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	sum := sha256.Sum256(content)
	if !ecdsa.VerifyASN1(key, sum[:], der) {
		return ErrBadSignature
	}
	return nil
}

// LooksSignedV1 reports whether file ends in a plausible V1 signature by any key:
// version 0, and r and s that are neither out of range nor tiny. An unsigned
// image has four zero bytes in that place now and then; where it was padded for
// signing, the zeros go on through r, and r comes out tiny. For a sure answer ask
// where the image ends, or verify.
func LooksSignedV1(file []byte) bool {
	if len(file) <= BlockLenV1 {
		return false
	}
	_, block := SplitV1(file)
	if binary.LittleEndian.Uint32(block) != 0 {
		return false
	}
	const implausible = 192 // bits; a real r or s is this short once in 2^64
	r, s := scalars(block)
	return inRange(r) && inRange(s) && r.BitLen() > implausible && s.BitLen() > implausible
}

// scalars returns r and s of a block.
func scalars(block []byte) (r, s *big.Int) {
	return new(big.Int).SetBytes(block[4 : 4+scalarLen]), new(big.Int).SetBytes(block[4+scalarLen : BlockLenV1])
}

// inRange reports 1 <= v < order of P-256.
func inRange(v *big.Int) bool {
	return v != nil && v.Sign() > 0 && v.Cmp(elliptic.P256().Params().N) < 0
}
