package flashcrypt

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	BlockSize = 16      // bytes; offsets and lengths are multiples of it
	UnitSize  = 32      // bytes of flash that share one tweaked key
	ConfAll   = 0xF     // FLASH_CRYPT_CONFIG with the whole key tweaked: what ESP-IDF burns
	FlashMax  = 1 << 24 // bytes of flash the tweak can tell apart
)

// Refusals. All are found before a byte of dst is written.
var (
	ErrKeyLength = errors.New("flash encryption key must be 32 bytes (24 with 3/4 coding)")
	ErrConf      = errors.New("FLASH_CRYPT_CONFIG must be 0x0 to 0xf")
	ErrOffset    = errors.New("flash offset must be a multiple of 16")
	ErrLength    = errors.New("length must be a multiple of 16")
	ErrRange     = errors.New("region ends beyond the 16 MiB that flash encryption covers")
	ErrShortDst  = errors.New("destination is shorter than the source")
)

// Cipher is one flash encryption key with one FLASH_CRYPT_CONFIG. It is safe for
// concurrent use. It prints as [secret] in fmt, slog and JSON: the key sits
// behind a func because fmt prints private fields of other types without asking
// Format.
type Cipher struct {
	keyAt func(offset uint32) words
}

// New makes a Cipher. key is in key-file order, 32 bytes, or 24 on a chip with
// 3/4 coding (else ErrKeyLength); it is copied. conf is FLASH_CRYPT_CONFIG as
// burnt in the chip, 0 to 0xF (else ErrConf).
func New(key []byte, conf uint8) (*Cipher, error) {
	if len(key) != 32 && len(key) != 24 {
		return nil, fmt.Errorf("%w, not %d", ErrKeyLength, len(key))
	}
	if conf > ConfAll {
		return nil, fmt.Errorf("%w, not %#x", ErrConf, conf)
	}
	var full [32]byte
	if n := copy(full[:], key); n == 24 {
		copy(full[24:], key[8:16]) // the hardware repeats the middle third
	}
	base, m := toWords(&full), newMasks(conf)
	return &Cipher{keyAt: func(offset uint32) words { return m.tweak(base, offset) }}, nil
}

// EncryptAt writes to dst what flash must hold at offset for the chip to read
// src there. offset (bytes from the start of flash) and len(src) are multiples
// of 16, else ErrOffset, ErrLength; see PadFF. dst is at least as long as src
// (else ErrShortDst) and may be src itself.
func (c *Cipher) EncryptAt(dst, src []byte, offset uint32) error {
	// The hardware runs AES backwards: reading flash is the AES encryption.
	return c.crypt(dst, src, offset, cipher.Block.Decrypt)
}

// DecryptAt writes to dst what the chip reads at offset when flash holds src.
// Alignment, errors and overlap are as for EncryptAt.
func (c *Cipher) DecryptAt(dst, src []byte, offset uint32) error {
	return c.crypt(dst, src, offset, cipher.Block.Encrypt)
}

func (c *Cipher) crypt(dst, src []byte, offset uint32, apply func(b cipher.Block, dst, src []byte)) error {
	if err := check(dst, src, offset); err != nil {
		return err
	}
	var (
		unit   cipher.Block
		keyed  words
		aesErr error
		buf    [BlockSize]byte
	)
	for i := 0; i < len(src); i += BlockSize {
		// Key expansion dominates: do it once a unit, and not at all where the
		// tweak did not change the key (FLASH_CRYPT_CONFIG below 0xF).
		if key := c.keyAt(offset + uint32(i)); unit == nil || key != keyed {
			k := key.bytes()
			if unit, aesErr = aes.NewCipher(k[:]); aesErr != nil {
				return fmt.Errorf("expand flash encryption key: %w", aesErr)
			}
			keyed = key
		}
		reverse(buf[:], src[i:])
		apply(unit, buf[:], buf[:])
		reverse(dst[i:], buf[:])
	}
	return nil
}

func check(dst, src []byte, offset uint32) error {
	switch {
	case offset%BlockSize != 0:
		return fmt.Errorf("%w, not %#x", ErrOffset, offset)
	case len(src)%BlockSize != 0:
		return fmt.Errorf("%w, not %d", ErrLength, len(src))
	case uint64(offset)+uint64(len(src)) > FlashMax:
		return fmt.Errorf("%w: %d bytes at %#x", ErrRange, len(src), offset)
	case len(dst) < len(src):
		return fmt.Errorf("%w: %d for %d bytes", ErrShortDst, len(dst), len(src))
	}
	return nil
}

// reverse sets the first 16 bytes of dst to those of src, last byte first. The
// two may be the same bytes.
func reverse(dst, src []byte) {
	low, high := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])
	binary.BigEndian.PutUint64(dst, high)
	binary.BigEndian.PutUint64(dst[8:], low)
}

// Format prints [secret] for every verb.
func (Cipher) Format(f fmt.State, _ rune) { io.WriteString(f, "[secret]") }

// MarshalJSON prints "[secret]".
func (Cipher) MarshalJSON() ([]byte, error) { return []byte(`"[secret]"`), nil }

// Encrypt is New and EncryptAt in one, for a single region.
func Encrypt(dst, src, key []byte, offset uint32, conf uint8) error {
	c, err := New(key, conf)
	if err != nil {
		return err
	}
	return c.EncryptAt(dst, src, offset)
}

// Decrypt is New and DecryptAt in one, for a single region.
func Decrypt(dst, src, key []byte, offset uint32, conf uint8) error {
	c, err := New(key, conf)
	if err != nil {
		return err
	}
	return c.DecryptAt(dst, src, offset)
}

// PadFF returns a copy of data filled with 0xFF (what erased flash reads as) to
// a multiple of align bytes, at least 1. Padding is the caller's decision and
// always FF, so that the ciphertext of a file is the same each time it is made
// (espsecure pads with random bytes).
func PadFF(data []byte, align int) []byte {
	n := (len(data) + align - 1) / align * align
	padded := make([]byte, n)
	for i := copy(padded, data); i < n; i++ {
		padded[i] = 0xFF
	}
	return padded
}
