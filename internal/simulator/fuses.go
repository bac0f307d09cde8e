package simulator

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Fuses are the true words of the chip's eFuses, whatever the protection bits
// let software see: block, then word; bit 0 is the LSB. BLOCK0 has seven words and
// its eighth is always zero. With the 3/4 coding scheme BLOCK1..3 are the coded bits.
type Fuses [4][8]uint32

// fusesSize is the length of efuse.bin: 7+8+8+8 words.
const fusesSize = 124

// errShape is a fuse file of the wrong length.
var errShape = errors.New("not a fuse file")

// Bytes is the content of efuse.bin, as Espressif's QEMU keeps it: the words of
// BLOCK0 (7), BLOCK1, BLOCK2 and BLOCK3 (8 each), little-endian.
func (f Fuses) Bytes() []byte {
	out := make([]byte, 0, fusesSize)
	for block, words := range f {
		for _, w := range words[:blockWords(block)] {
			out = binary.LittleEndian.AppendUint32(out, w)
		}
	}
	return out
}

// parseFuses is the inverse of Bytes.
func parseFuses(b []byte) (Fuses, error) {
	var f Fuses
	if len(b) != fusesSize {
		return f, fmt.Errorf("%w: %d bytes, want %d", errShape, len(b), fusesSize)
	}
	for block := range f {
		for i := range blockWords(block) {
			f[block][i] = binary.LittleEndian.Uint32(b)
			b = b[4:]
		}
	}
	return f, nil
}

// blockWords is the number of 32-bit words in an eFuse block.
func blockWords(block int) int {
	if block == 0 {
		return 7
	}
	return 8
}

// The fields of BLOCK0 that the chip itself obeys. The rest is data to it.

func (f Fuses) wrDis() uint32          { return f[0][0] & 0xFFFF }
func (f Fuses) rdDis() uint32          { return f[0][0] >> 16 & 0xF }
func (f Fuses) cryptCnt() uint32       { return f[0][0] >> 20 & 0x7F }
func (f Fuses) uartDownloadDis() bool  { return f[0][0]>>27&1 != 0 }
func (f Fuses) disCache() bool         { return f[0][3]>>3&1 != 0 }
func (f Fuses) cryptConfig() uint8     { return uint8(f[0][5] >> 28) }
func (f Fuses) coding() CodingScheme   { return CodingScheme(f[0][6] & 3) }
func (f Fuses) consoleDisabled() bool  { return f[0][6]>>2&1 != 0 }
func (f Fuses) absDone0() bool         { return f[0][6]>>4&1 != 0 }
func (f Fuses) absDone1() bool         { return f[0][6]>>5&1 != 0 }
func (f Fuses) clk8mFreq() uint32      { return f[0][4] & 0xFF }
func (f Fuses) blockHidden(b int) bool { return b > 0 && f.rdDis()>>(b-1)&1 != 0 }
func (f Fuses) blockFrozen(b int) bool { return b > 0 && f.wrDis()>>(6+b)&1 != 0 }
func (f Fuses) or(g Fuses) Fuses       { f.add(g); return f }
func (f Fuses) encryptionOn() bool     { return popcount(f.cryptCnt())%2 == 1 }
func (f *Fuses) add(g Fuses)           { f.each(func(b, w int, v *uint32) { *v |= g[b][w] }) }
func (f Fuses) without(g Fuses) (r Fuses) {
	r = f
	r.each(func(b, w int, v *uint32) { *v &^= g[b][w] })
	return r
}

// each visits every word in burn order: BLOCK0 word 0 first.
func (f *Fuses) each(visit func(block, word int, v *uint32)) {
	for b := range f {
		for w := range blockWords(b) {
			visit(b, w, &f[b][w])
		}
	}
}
