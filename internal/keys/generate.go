package keys

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// ErrWeak is key material that no working random source makes.
var ErrWeak = errors.New("random source is broken")

// minLen is the shortest key this package makes or seals: 128 bits.
const minLen = 16 // bytes

// Generate reads a key of n bytes (16 or more) from random, which is
// crypto/rand.Reader in earnest. ErrWeak for zeros, repetitions and other
// patterns of a source that is stuck.
func Generate(random io.Reader, n int) (Secret, error) {
	if n < minLen {
		return Secret{}, fmt.Errorf("generate key of %d bytes: at least %d are needed", n, minLen)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		clear(b)
		return Secret{}, fmt.Errorf("generate key of %d bytes: %w", n, err)
	}
	if weak(b) {
		clear(b)
		return Secret{}, fmt.Errorf("generate key of %d bytes: %w", n, ErrWeak)
	}
	return NewSecret(b), nil
}

// weak reports whether b repeats itself with any period up to half its length,
// or is made of fewer than a quarter as many byte values as it has bytes. A
// random 16 bytes do so once in 2^64 or less.
func weak(b []byte) bool {
	for period := 1; period <= len(b)/2; period++ {
		if repeats(b, period) {
			return true
		}
	}
	var seen [256]bool
	values := 0
	for _, v := range b {
		if !seen[v] {
			seen[v] = true
			values++
		}
	}
	return values < min(len(b), 256)/4
}

func repeats(b []byte, period int) bool {
	for i := period; i < len(b); i++ {
		if b[i] != b[i-period] {
			return false
		}
	}
	return true
}

// Fingerprint names a key without telling it: 64 hex digits of SHA-256 over a
// fixed label, purpose and key, each with its length in front (8 bytes,
// big-endian). Safe to print and keep, since the key is as long as it is random;
// never use it on part of a key, which could be guessed.
func Fingerprint(purpose string, key Secret) string {
	h := sha256.New()
	for _, part := range [][]byte{[]byte("provision key fingerprint v1"), []byte(purpose), key.Reveal()} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
