package flashcrypt

import "encoding/binary"

// The tweak XORs bits of the flash offset into the key. Key bit 0 is the most
// significant bit of key byte 0. Walking the 256 key bits from there, the offset
// bits repeat 23, 22 ... 5, every fourth run starting late (at 14, 12, 10, 8).
// Source: ESP32 TRM, "Flash Encryption and Decryption".
const (
	highBit = 23 // offsets above 16 MiB do not reach the tweak
	lowBit  = 5  // both blocks of a 32-byte unit share one key
)

// runStarts are the offset bits at which the sixteen runs start; all end at lowBit.
var runStarts = [16]int{23, 23, 23, 14, 23, 23, 23, 12, 23, 23, 23, 10, 23, 23, 23, 8}

// confEnds: FLASH_CRYPT_CONFIG bit i enables the key bits below confEnds[i]
// (and from confEnds[i-1] on).
var confEnds = [4]int{67, 132, 195, 256}

// words is a 256-bit key as four big-endian words, so that XOR takes four steps.
type words [4]uint64

func toWords(key *[32]byte) (w words) {
	for i := range w {
		w[i] = binary.BigEndian.Uint64(key[8*i:])
	}
	return w
}

func (w words) bytes() (key [32]byte) {
	for i, v := range w {
		binary.BigEndian.PutUint64(key[8*i:], v)
	}
	return key
}

// masks holds, for each offset bit from lowBit to highBit, the key bits it flips.
type masks [highBit - lowBit + 1]words

// newMasks lays out the tweak for one value of FLASH_CRYPT_CONFIG.
func newMasks(conf uint8) (m masks) {
	keyBit, part := 0, 0
	for _, start := range runStarts {
		for bit := start; bit >= lowBit; bit-- {
			if keyBit == confEnds[part] {
				part++
			}
			if conf>>part&1 == 1 {
				m[bit-lowBit][keyBit/64] |= 1 << (63 - keyBit%64)
			}
			keyBit++
		}
	}
	return m
}

// tweak returns key as it is for the unit at offset (its low five bits are
// ignored).
func (m *masks) tweak(key words, offset uint32) words {
	for i := range m {
		if offset>>(lowBit+i)&1 == 1 {
			for j := range key {
				key[j] ^= m[i][j]
			}
		}
	}
	return key
}
