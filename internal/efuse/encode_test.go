package efuse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// What the chip maker and other tools put into fuses and this package only reads: for
// chips to test with, and to compare with what espefuse burns.

// factoryMACWords returns words 1 and 2 of BLOCK0 for a factory MAC with its CRC:
// what the chip maker burns.
func factoryMACWords(mac [6]byte) (word1, word2 uint32) {
	return binary.BigEndian.Uint32(mac[2:]), uint32(MACCRC(mac))<<16 | uint32(binary.BigEndian.Uint16(mac[:2]))
}

// customMACWords returns BLOCK3 as it reads with a custom MAC: byte 0 the CRC, bytes
// 1 to 6 the MAC in printed order, byte 23 the version, 1 (ESP-IDF,
// esp_efuse_table.csv).
func customMACWords(mac [6]byte) (words [8]uint32) {
	var block [32]byte
	block[0] = MACCRC(mac)
	copy(block[1:], mac[:])
	block[23] = 1
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(block[4*i:])
	}
	return words
}

// digestWords returns a Secure Boot V2 public-key digest as BLOCK2 reads: byte 0 is
// the low byte of word 0, not reversed.
func digestWords(digest [32]byte) (words [8]uint32) {
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(digest[4*i:])
	}
	return words
}

var errEncoding = errors.New("3/4 code check failed")

// encodeThreeQuarters returns the words to be stored for 24 bytes of data: after
// each six bytes their XOR, and the sum of their bit counts weighted 1 to 6. Words
// are little-endian (ESP32 TRM, "3/4 coding scheme"). A group is burnt once only:
// adding bits later breaks its check bytes.
func encodeThreeQuarters(data [24]byte) (words [8]uint32) {
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

// decodeThreeQuarters returns the 24 bytes stored in words, as the chip does when
// it loads them. A group whose check bytes do not fit is errEncoding; the bytes
// are returned uncorrected.
func decodeThreeQuarters(words [8]uint32) (data [24]byte, err error) {
	var stored [32]byte
	for i, w := range words {
		binary.LittleEndian.PutUint32(stored[4*i:], w)
	}
	for group := range 4 {
		in := stored[8*group : 8*group+8]
		copy(data[6*group:], in[:6])
		if x, m := checkBytes(in[:6]); x != in[6] || m != in[7] {
			err = fmt.Errorf("group %d of the block: %w", group, errEncoding)
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
