package efuse

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Scheme is the code in which BLOCK1 to BLOCK3 are stored. The chip maker sets it.
type Scheme uint8

// The values of CODING_SCHEME. The ROM treats 3 as none; such a chip is odd enough
// to be refused all the same.
const (
	SchemeNone          Scheme = 0
	SchemeThreeQuarters Scheme = 1
	SchemeRepeat        Scheme = 2
)

// String names the scheme as Espressif does.
func (s Scheme) String() string {
	switch s {
	case SchemeNone:
		return "None"
	case SchemeThreeQuarters:
		return "3/4"
	case SchemeRepeat:
		return "Repeat"
	}
	return fmt.Sprintf("unknown (%d)", uint8(s))
}

// KeyLen is the length in bytes of a key in a block of this scheme; 0 where keys
// are not supported.
func (s Scheme) KeyLen() int {
	switch s {
	case SchemeNone:
		return 32
	case SchemeThreeQuarters:
		return 24
	}
	return 0
}

// Scheme returns CODING_SCHEME. It reads as None when RD_DIS bit 3 hides it.
func (w Words) Scheme() Scheme {
	return Scheme(w.Field("CODING_SCHEME"))
}

// EncodeThreeQuarters returns the words to be stored for 24 bytes of data: after
// each six bytes their XOR, and the sum of their bit counts weighted 1 to 6. Words
// are little-endian (ESP32 TRM, "3/4 coding scheme"). A group is burnt once only:
// adding bits later breaks its check bytes.
func EncodeThreeQuarters(data [24]byte) (words [8]uint32) {
	var stored [32]byte
	for group := range 4 {
		in, out := data[6*group:6*group+6], stored[8*group:]
		copy(out, in)
		out[6], out[7] = checkBytes(in)
	}
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(stored[4*i:])
	}
	return words
}

// DecodeThreeQuarters returns the 24 bytes stored in words, as the chip does when
// it loads them. A group whose check bytes do not fit is ErrEncoding; the bytes
// are returned uncorrected.
func DecodeThreeQuarters(words [8]uint32) (data [24]byte, err error) {
	var stored [32]byte
	for i, w := range words {
		binary.LittleEndian.PutUint32(stored[4*i:], w)
	}
	for group := range 4 {
		in := stored[8*group : 8*group+8]
		copy(data[6*group:], in[:6])
		if x, m := checkBytes(in[:6]); x != in[6] || m != in[7] {
			err = fmt.Errorf("group %d of the block: %w", group, ErrEncoding)
		}
	}
	return data, err
}

// checkBytes returns the two check bytes of a group of six.
func checkBytes(group []byte) (xor, sum byte) {
	for i, b := range group {
		xor ^= b
		sum += byte((i + 1) * bits.OnesCount8(b)) // at most 168
	}
	return xor, sum
}
