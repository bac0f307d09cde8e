package secureboot

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"slices"
)

// Layout of one V2 signature block; up to three stand at the head of the 4096-byte
// signature sector, the rest of which is 0xFF. Integers are little-endian.
// Source: ESP-IDF docs/security/secure-boot-v2.rst.
const (
	BlockLenV2 = 1216

	versionFieldV2 = 0x000002E7 // magic E7, version 2, two zero bytes
	modulusLenV2   = 384        // RSA-3072

	offDigestV2    = 4    // SHA-256 of the padded content
	offModulusV2   = 36   // n
	offExponentV2  = 420  // e, u32
	offRinvV2      = 424  // 2^6144 mod n, spares the ROM a division
	offMPrimeV2    = 808  // -1/n mod 2^32, likewise
	offSignatureV2 = 812  // RSA-PSS, byte-reversed
	offCRCV2       = 1196 // CRC-32 (IEEE) of all bytes before
	crcEndV2       = 1200 // 16 zero bytes follow
)

var (
	ErrBlockV2 = errors.New("secure boot V2 signature block is damaged")
	ErrRSAKey  = errors.New("not a Secure Boot V2 key (RSA-3072)")
)

// BlockV2 is one decoded V2 signature block.
type BlockV2 struct {
	Digest    [sha256.Size]byte // of the content, padded to whole sectors
	Key       *rsa.PublicKey
	Signature []byte // RSA-PSS, big-endian, 384 bytes
}

// ParseBlockV2 decodes the block at the start of data. No E7 02 there is a
// *NoSignatureError (ErrNoSignature); a wrong CRC, or key constants that do not
// belong to the modulus, is ErrBlockV2. Nothing is verified.
func ParseBlockV2(data []byte) (*BlockV2, error) {
	if len(data) < BlockLenV2 {
		return nil, &NoSignatureError{Found: 0xFFFFFFFF}
	}
	data = data[:BlockLenV2]
	if version := binary.LittleEndian.Uint32(data); version != versionFieldV2 {
		return nil, &NoSignatureError{Found: version}
	}
	if crc := crc32.ChecksumIEEE(data[:offCRCV2]); crc != binary.LittleEndian.Uint32(data[offCRCV2:]) {
		return nil, fmt.Errorf("%w: CRC is %#08x", ErrBlockV2, crc)
	}
	block := &BlockV2{
		Digest: [sha256.Size]byte(data[offDigestV2:]),
		Key: &rsa.PublicKey{
			N: new(big.Int).SetBytes(reversed(data[offModulusV2 : offModulusV2+modulusLenV2])),
			E: int(binary.LittleEndian.Uint32(data[offExponentV2:])),
		},
		Signature: reversed(data[offSignatureV2 : offSignatureV2+modulusLenV2]),
	}
	want, err := keyFieldsV2(block.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlockV2, err)
	}
	if !bytes.Equal(want, data[offModulusV2:offSignatureV2]) {
		return nil, fmt.Errorf("%w: key constants do not belong to the modulus", ErrBlockV2)
	}
	return block, nil
}

// encode returns the block as it stands in flash.
func (b *BlockV2) encode() ([]byte, error) {
	key, err := keyFieldsV2(b.Key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, BlockLenV2)
	out = binary.LittleEndian.AppendUint32(out, versionFieldV2)
	out = append(out, b.Digest[:]...)
	out = append(out, key...)
	out = append(out, reversed(b.Signature)...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	return append(out, make([]byte, BlockLenV2-crcEndV2)...), nil
}

// KeyDigestV2 returns the SHA-256 over the key fields of a signature block: what
// BLOCK2 holds, in this order, not reversed. Not RSA-3072: ErrRSAKey.
func KeyDigestV2(pub *rsa.PublicKey) (digest [sha256.Size]byte, err error) {
	fields, err := keyFieldsV2(pub)
	if err != nil {
		return digest, err
	}
	return sha256.Sum256(fields), nil
}

// keyFieldsV2 returns bytes 36 to 811 of a block: n, e and the two constants that
// the ROM's big-number unit needs.
func keyFieldsV2(pub *rsa.PublicKey) ([]byte, error) {
	if pub.N.BitLen() != modulusLenV2*8 || pub.N.Bit(0) == 0 || pub.E < 3 || int64(pub.E) > 0xFFFFFFFF {
		return nil, fmt.Errorf("%w, but %d bits with exponent %d", ErrRSAKey, pub.N.BitLen(), pub.E)
	}
	word := new(big.Int).Lsh(big.NewInt(1), 32)
	rinv := new(big.Int).Lsh(big.NewInt(1), 2*modulusLenV2*8)
	rinv.Mod(rinv, pub.N)
	inverse := new(big.Int).ModInverse(pub.N, word) // exists: n is odd
	mPrime := new(big.Int).Sub(word, inverse)

	out := make([]byte, 0, offSignatureV2-offModulusV2)
	out = append(out, reversed(pub.N.FillBytes(make([]byte, modulusLenV2)))...)
	out = binary.LittleEndian.AppendUint32(out, uint32(pub.E))
	out = append(out, reversed(rinv.FillBytes(make([]byte, modulusLenV2)))...)
	return binary.LittleEndian.AppendUint32(out, uint32(mPrime.Uint64())), nil
}

func reversed(b []byte) []byte {
	r := bytes.Clone(b)
	slices.Reverse(r)
	return r
}
