package secureboot

import (
	"bytes"
	"crypto/aes"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	IVLenV1          = 128    // bytes, random, in the open at flash offset 0x0
	DigestLenV1      = 64     // bytes, at flash offset 0x80
	SectorLen        = 4096   // one flash sector
	BootloaderOffset = 0x1000 // where the classic ESP32 expects its bootloader

	digestUnit    = 128 // the hardware digests whole units of IV and bootloader
	headerLen     = 24  // image header
	imageMagic    = 0xE9
	hashAppended  = 23 // offset of the header's "SHA-256 follows the image" flag
	appendedSHA   = 32
	aesBlock      = 16
	keyLenV1      = 32
	keyLenV1Coded = 24 // with 3/4 coding
)

var (
	ErrKeyLength     = errors.New("secure boot key must be 32 bytes (24 with 3/4 coding)")
	ErrIVLength      = errors.New("secure boot IV must be 128 bytes")
	ErrNotBootloader = errors.New("not a bootloader image")
	ErrDigest        = errors.New("secure boot digest does not match the bootloader")
)

// DigestV1 returns the Secure Boot V1 digest of a bootloader file as it is stored
// in flash at 0x80. key is in key-file order (BLOCK2 holds it reversed), 32 bytes
// or 24 with 3/4 coding; iv is 128 bytes. Flash after the file is taken to be
// erased. Errors: ErrKeyLength, ErrIVLength, ErrNotBootloader (no image header;
// the rest of the image is not examined).
func DigestV1(key, iv, bootloader []byte) ([DigestLenV1]byte, error) {
	return DigestFlashV1(key, iv, bootloader, len(bootloader))
}

// DigestFlashV1 returns the digest the chip computes when flash from 0x1000 on
// holds flash and the image there, appended SHA-256 included, is length bytes
// long. Bytes the chip would read beyond the end of flash count as erased (0xFF).
// Errors are those of DigestV1.
func DigestFlashV1(key, iv, flash []byte, length int) (digest [DigestLenV1]byte, err error) {
	if len(iv) != IVLenV1 {
		return digest, fmt.Errorf("%w, not %d", ErrIVLength, len(iv))
	}
	full, err := expandKey(key)
	if err != nil {
		return digest, err
	}
	n, err := digestedLen(flash, length)
	if err != nil {
		return digest, err
	}
	input := append(bytes.Clone(iv), padFF(flash[:min(n, len(flash))], n)...)
	return hashV1(full, input)
}

// expandKey checks the length of a key-file key and fills a 24-byte key up as
// the hardware does, by repeating its middle third.
func expandKey(key []byte) (full [keyLenV1]byte, err error) {
	switch len(key) {
	case keyLenV1:
	case keyLenV1Coded:
		copy(full[keyLenV1Coded:], key[8:16])
	default:
		return full, fmt.Errorf("%w, not %d", ErrKeyLength, len(key))
	}
	copy(full[:], key)
	return full, nil
}

// digestedLen returns how many bytes from 0x1000 on the digest covers: the image
// without its appended SHA-256, rounded up to whole units. That the rounding may
// take in some of the SHA-256 again is what the hardware does.
func digestedLen(flash []byte, length int) (int, error) {
	if length < headerLen || len(flash) < headerLen || flash[0] != imageMagic {
		return 0, fmt.Errorf("%w: no image header", ErrNotBootloader)
	}
	if flash[hashAppended] == 1 {
		length -= appendedSHA
	}
	if length < headerLen {
		return 0, fmt.Errorf("%w: header promises a SHA-256, but the file is too short for one", ErrNotBootloader)
	}
	return (length + digestUnit - 1) / digestUnit * digestUnit, nil
}

// hashV1 runs input (whole AES blocks) through the hardware's pipeline: each
// block byte-reversed, AES-256 encrypted, its four 32-bit words emitted last word
// first into SHA-512; the words of the sum are byte-swapped at the end.
func hashV1(key [keyLenV1]byte, input []byte) (digest [DigestLenV1]byte, err error) {
	cipher, err := aes.NewCipher(key[:])
	if err != nil {
		return digest, fmt.Errorf("expand secure boot key: %w", err)
	}
	emitted := make([]byte, len(input))
	for i := 0; i < len(input); i += aesBlock {
		out := emitted[i : i+aesBlock]
		for j := range out {
			out[j] = input[i+aesBlock-1-j]
		}
		cipher.Encrypt(out, out)
		a, b := binary.BigEndian.Uint64(out), binary.BigEndian.Uint64(out[8:])
		binary.BigEndian.PutUint64(out, b<<32|b>>32)
		binary.BigEndian.PutUint64(out[8:], a<<32|a>>32)
	}
	sum := sha512.Sum512(emitted)
	for i := 0; i < DigestLenV1; i += 4 {
		binary.LittleEndian.PutUint32(digest[i:], binary.BigEndian.Uint32(sum[i:]))
	}
	return digest, nil
}

// DigestSectorV1 returns the 4096 bytes for flash offset 0x0: IV, digest, 0xFF.
// Arguments and errors are those of DigestV1.
func DigestSectorV1(key, iv, bootloader []byte) ([]byte, error) {
	digest, err := DigestV1(key, iv, bootloader)
	if err != nil {
		return nil, err
	}
	return padFF(append(bytes.Clone(iv), digest[:]...), SectorLen), nil
}

// BootRegionV1 returns flash from 0x0 on: the digest sector, then the whole
// bootloader file. (espsecure's digest_bootloader cuts the file at the end of the
// digested part, and with it the tail of some appended SHA-256.) Arguments and
// errors are those of DigestV1.
func BootRegionV1(key, iv, bootloader []byte) ([]byte, error) {
	sector, err := DigestSectorV1(key, iv, bootloader)
	if err != nil {
		return nil, err
	}
	return append(sector, bootloader...), nil
}

// VerifyDigestV1 checks what a chip with key would check at reset: sector is
// flash from 0x0 on (192 bytes or more), flash is what follows from 0x1000 on,
// length is that of the image there with its appended SHA-256. All of it as the
// chip reads it, so decrypted where flash encryption is on. A wrong key, IV or
// bootloader is ErrDigest: the chip prints "secure boot check fail".
func VerifyDigestV1(key, sector, flash []byte, length int) error {
	if len(sector) < IVLenV1+DigestLenV1 {
		return fmt.Errorf("%w: digest sector has only %d bytes", ErrDigest, len(sector))
	}
	digest, err := DigestFlashV1(key, sector[:IVLenV1], flash, length)
	if err != nil {
		return err
	}
	if !bytes.Equal(digest[:], sector[IVLenV1:IVLenV1+DigestLenV1]) {
		return ErrDigest
	}
	return nil
}

// padFF returns data followed by 0xFF up to n bytes, in new memory.
func padFF(data []byte, n int) []byte {
	padded := make([]byte, n)
	for i := copy(padded, data); i < n; i++ {
		padded[i] = 0xFF
	}
	return padded
}
