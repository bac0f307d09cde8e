package judge

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"provision/internal/simulator"
)

// words are those of one eFuse block: word 0 first, bit 0 the LSB.
type words = [8]uint32

// The fuses of BLOCK0 that are judged, by word (ESP32 TRM, "eFuse Controller";
// ESP-IDF esp_efuse_table.csv).
const (
	wrDisCryptCnt = 1 << 2 // word 0
	wrDisCache    = 1 << 3
	wrDisBlock1   = 1 << 7
	wrDisBlock2   = 1 << 8
	rdDisBlock1   = 1 << 16
	rdDisBlock2   = 1 << 17
	cryptCnt      = 0x7F << 20
	uartDis       = 1 << 27

	consoleDis = 1 << 2 // word 6
	absDone0   = 1 << 4
	absDone1   = 1 << 5
	jtagDis    = 1 << 6
	dlDisable  = 7 << 7
)

// hides and freezes are the protection bits of each key block, in word 0.
var (
	hides   = [3]uint32{1: rdDisBlock1, 2: rdDisBlock2}
	freezes = [3]uint32{1: wrDisBlock1, 2: wrDisBlock2}
)

// without are the bits of a that are not in b.
func without(a, b words) words {
	for i := range a {
		a[i] &^= b[i]
	}
	return a
}

func join(a, b words) words {
	for i := range a {
		a[i] |= b[i]
	}
	return a
}

// enables reports whether words of BLOCK0 have a fuse that switches a feature on.
func enables(w words) bool { return w[0]&cryptCnt != 0 || w[6]&absDone0 != 0 }

// encrypts reports whether FLASH_CRYPT_CNT has an odd number of bits.
func encrypts(w words) bool { return bits.OnesCount32(w[0]&cryptCnt)%2 == 1 }

// frozenOdd reports whether firmware has frozen a counter that is odd and not full:
// as final as a full one (ESP-IDF flash_encrypt.c).
func frozenOdd(w words) bool {
	return w[0]&wrDisCryptCnt != 0 && encrypts(w) && w[0]&cryptCnt != cryptCnt
}

// secured reports whether somebody has burnt what secures a chip. Factories set some
// protection bits of fuses that nobody here burns, and switch ROM BASIC off.
func secured(f simulator.Fuses) bool {
	const factory = 0xF<<3 | 1<<9 | 1<<11
	w := f[0]
	return f[1] != words{} || f[2] != words{} ||
		w[0]&0xFFFF&^factory != 0 || w[0]&(0xF<<16|cryptCnt|uartDis) != 0 ||
		w[5]>>28 != 0 || w[6]&(absDone0|absDone1|jtagDis|dlDisable|1<<3) != 0
}

// readable are the fuses as software sees them: hidden blocks read as zeros.
func readable(f simulator.Fuses) simulator.Fuses {
	for block, bit := range hides {
		if f[0][0]&bit != 0 {
			f[block] = words{}
		}
	}
	return f
}

// keyOf is the key that a whole block holds, in the order of a key file: the block
// has it reversed (espefuse burn_key).
func keyOf(w words) []byte {
	key := make([]byte, 0, 32)
	for _, v := range w {
		key = binary.LittleEndian.AppendUint32(key, v)
	}
	slices.Reverse(key)
	return key
}

// wordsOf is the inverse of keyOf for a key of 32 bytes.
func wordsOf(key []byte) (w words) {
	back := slices.Clone(key)
	slices.Reverse(back)
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(back[4*i:])
	}
	return w
}
