package simulator

import (
	"encoding/binary"
	"math/bits"
)

// decodeThreeQuarters is what the controller does on a reload with coding scheme
// 3/4: each of four groups of 8 stored bytes holds 6 data bytes, their XOR, and
// the sum of (i+1)*popcount(data[i]). The 24 data bytes come out in words 0..5,
// words 6 and 7 read zero. bad has bit g set when the check bytes of group g
// disagree. Errors are reported, not corrected.
func decodeThreeQuarters(stored [8]uint32) (data [8]uint32, bad uint32) {
	raw := wordBytes(stored)
	var out [32]byte
	for g := range 4 {
		group := raw[8*g : 8*g+8]
		copy(out[6*g:], group[:6])
		var xor byte
		var sum int
		for i, b := range group[:6] {
			xor ^= b
			sum += (i + 1) * bits.OnesCount8(b)
		}
		if group[6] != xor || group[7] != byte(sum) {
			bad |= 1 << g
		}
	}
	for i := range data {
		data[i] = binary.LittleEndian.Uint32(out[4*i:])
	}
	return data, bad
}

// encodeThreeQuarters is the inverse for 24 data bytes: the eight words to burn.
func encodeThreeQuarters(data [24]byte) (stored [8]uint32) {
	var out [32]byte
	for g := range 4 {
		group := out[8*g : 8*g+8]
		copy(group, data[6*g:6*g+6])
		for i, b := range group[:6] {
			group[6] ^= b
			group[7] += byte((i + 1) * bits.OnesCount8(b))
		}
	}
	for i := range stored {
		stored[i] = binary.LittleEndian.Uint32(out[4*i:])
	}
	return stored
}

// wordBytes are the bytes of a block, word 0 first, little-endian.
func wordBytes(words [8]uint32) (out [32]byte) {
	for i, w := range words {
		binary.LittleEndian.PutUint32(out[4*i:], w)
	}
	return out
}

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

func popcount(v uint32) int { return bits.OnesCount32(v) }
