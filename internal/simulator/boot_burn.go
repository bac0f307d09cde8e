package simulator

import (
	"fmt"
	"io"

	"provision/internal/flashcrypt"
)

// What firmware does to fuses and flash. Each of these reports false when the chip
// stopped in the middle: an injected fault, or files that cannot be written.

// bits of BLOCK0 that ESP-IDF burns by itself, as (word, mask).
var (
	fuseRdDis1         = fuse(0, 1<<16)
	fuseRdDis2         = fuse(0, 1<<17)
	fuseWrDisCryptCnt  = fuse(0, 1<<2)
	fuseWrDisCache     = fuse(0, 1<<3)
	fuseWrDis1         = fuse(0, 1<<7)
	fuseWrDis2         = fuse(0, 1<<8)
	fuseCryptConfig    = fuse(5, 0xF<<28)
	fuseConsoleDisable = fuse(6, 1<<2)
	fuseAbsDone0       = fuse(6, 1<<4)
	fuseJTAGDisable    = fuse(6, 1<<6)
	fuseDLEncrypt      = fuse(6, 1<<7)
	fuseDLDecrypt      = fuse(6, 1<<8)
	fuseDLCache        = fuse(6, 1<<9)
)

func fuse(word int, mask uint32) (f Fuses) {
	f[0][word] = mask
	return f
}

// idfBurnTries is how often ESP-IDF repeats a burn whose bits did not take.
const idfBurnTries = 3

// burn is esp_efuse_utility_burn_chip: block by block, BLOCK0 last, since it holds the
// protection of the others.
func (b *boot) burn(want Fuses) bool {
	for block := 3; block >= 0; block-- {
		if want[block] == ([8]uint32{}) {
			continue
		}
		if !b.burnBlock(block, want[block]) {
			return false
		}
	}
	return true
}

// burnBlock burns one block, with ESP-IDF's repeats. A recorded log says "all write
// block bits are set" where a blank block could be said to be equal; so does this.
func (b *boot) burnBlock(block int, words [8]uint32) bool {
	for try := 1; try <= idfBurnTries; try++ {
		b.info(tagEfuse, "BURN BLOCK%d", block)
		if !b.pulse(block, words) {
			return false
		}
		if b.chip.efuse.fuses.covers(block, words) {
			b.info(tagEfuse, "BURN BLOCK%d - OK (all write block bits are set)", block)
			return true
		}
		b.fail(tagEfuse, "BURN BLOCK%d - ERROR (written bits != read bits)", block)
		b.warn(tagEfuse, "BLOCK%d: next retry to fix an error [%d/%d]...", block, try, idfBurnTries)
	}
	b.fail(tagEfuse, "Written data are incorrect")
	return true
}

// covers says whether all bits of words are set in a block.
func (f Fuses) covers(block int, words [8]uint32) bool {
	for i, w := range words {
		if f[block][i]&w != w {
			return false
		}
	}
	return true
}

// pulse is one program command and the reload after it. Firmware has set the timing
// for its own clock, which is not the loader's: that is taken as done.
func (b *boot) pulse(block int, words [8]uint32) bool {
	if !b.chip.running() {
		return false
	}
	e := &b.chip.efuse
	e.wdata = Fuses{}
	e.wdata[block] = words
	b.chip.pace.spend(b.chip.pace.burn())
	if e.program() {
		b.chip.cutPower()
		return false
	}
	e.wdata = Fuses{}
	e.reload()
	return b.chip.running()
}

// batch burns several fields at once, as ESP-IDF's batch mode reports it.
func (b *boot) batch(want Fuses) bool {
	if !b.burn(want) {
		return false
	}
	b.info(tagEfuse, "Batch mode. Prepared fields are committed")
	return true
}

// randomKey fills the words of a key block from the chip's noise source, coded as the
// chip's coding scheme wants it.
func (b *boot) randomKey(block int) (Fuses, bool) {
	var f Fuses
	raw := make([]byte, 32)
	if !b.noise(raw) {
		return f, false
	}
	if b.chip.efuse.fuses.coding() == CodingThreeQuarters {
		f[block] = encodeThreeQuarters([24]byte(raw))
		return f, true
	}
	for i := range f[block] {
		f[block][i] = le32(raw[4*i:])
	}
	return f, true
}

func (b *boot) noise(p []byte) bool {
	if _, err := io.ReadFull(b.chip.random, p); err != nil {
		b.chip.keep(fmt.Errorf("random source of the virtual chip: %w", err))
		return false
	}
	return true
}

func (b *boot) eraseSector(at uint32) bool {
	ok := b.chip.running() && !b.chip.eraseSector(at)
	b.flash.forget()
	return ok && b.chip.running()
}

// writeFlash programs p at a multiple of 16 bytes, through the encryption hardware
// when cipher is set.
func (b *boot) writeFlash(at uint32, p []byte, cipher *flashcrypt.Cipher) bool {
	if !b.chip.running() {
		return false
	}
	if cipher != nil {
		out := make([]byte, len(p))
		if err := cipher.EncryptAt(out, p, at); err != nil {
			panic("simulator: encrypt flash: " + err.Error()) // firmware writes whole blocks only
		}
		p = out
	}
	cut := b.chip.programFlash(at, p)
	b.flash.forget()
	return !cut && b.chip.running()
}
