package efuse

import (
	"encoding/binary"
	"fmt"
	"io"
)

// KeyBlock is what a key block is to hold, as the chip reads it. It never prints:
// it holds a func, because fmt would print private fields of another type. The zero
// KeyBlock is a key that is not at hand: not made yet, or destroyed.
type KeyBlock struct{ read func() [8]uint32 }

// NewKeyBlock keeps the words of a key block, from KeyWords.
func NewKeyBlock(words [8]uint32) KeyBlock {
	return KeyBlock{read: func() [8]uint32 { return words }}
}

// Known reports whether the key is at hand.
func (k KeyBlock) Known() bool { return k.read != nil }

// Reveal returns the words; zeros when the key is not at hand.
func (k KeyBlock) Reveal() [8]uint32 {
	if k.read == nil {
		return [8]uint32{}
	}
	return k.read()
}

// Format prints that there is a secret, whatever the verb.
func (k KeyBlock) Format(f fmt.State, _ rune) { io.WriteString(f, "[secret]") }

// MarshalJSON says that there is a secret.
func (k KeyBlock) MarshalJSON() ([]byte, error) { return []byte(`"[secret]"`), nil }

// KeyWords returns a flash encryption or Secure Boot V1 key as its block reads. key
// is in the order AES and the key file use; the block holds it reversed, so that
// word 0 is the last four bytes, big-endian. Under scheme 3/4 the key has 24 bytes
// and words 6 and 7 are zero. A key of another length is ErrKeyLength.
func KeyWords(key []byte, scheme Scheme) (words [8]uint32, err error) {
	if n := scheme.KeyLen(); n == 0 || len(key) != n {
		return words, fmt.Errorf("key of %d bytes, coding scheme %s takes %d: %w", len(key), scheme, n, ErrKeyLength)
	}
	for i := range len(key) / 4 {
		words[i] = binary.BigEndian.Uint32(key[len(key)-4*i-4:])
	}
	return words, nil
}
