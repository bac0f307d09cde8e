package simulator

import (
	"provision/internal/image"
	"provision/internal/secureboot"
)

const (
	bootloaderAt = 0x1000 // where the mask ROM of this chip looks for the bootloader
	digestAt     = 0x0    // Secure Boot V1: IV and digest

	// maxBootloader bounds a segment of the bootloader: more does not fit the RAM it
	// is loaded to.
	maxBootloader = 0x20000
)

// bootloader is what the ROM has loaded.
type bootloader struct {
	header
	bytes []byte // the image as the chip reads it, to the end of checksum or hash
}

// rom is the mask ROM's part of a boot. It returns the bootloader it jumps to. Where it
// reads none the watchdog of the RTC resets the chip (0.4 s later: esp-idf issue 4589),
// which does the same again for ever: here once, and then it is silent.
func (b *boot) rom(cause resetCause) (bootloader, bool) {
	late := 0
	if cause == resetPowerOn {
		late = b.chip.faults.faults.LateFlash
	}
	for start := 0; ; start++ {
		b.late = start < late
		told := len(b.verdict.Lines)
		loaded, ok := b.romOnce(cause)
		if start > late {
			b.verdict.Lines = b.verdict.Lines[:told]
		}
		if !b.unread || start >= max(late, 1) {
			return loaded, ok
		}
		if b.prompt {
			b.chip.print(">")
		}
		b.unread, b.prompt, b.verdict.Cause = false, false, ""
		cause = resetWatchdog
	}
}

// romOnce is one start of the ROM.
func (b *boot) romOnce(cause resetCause) (bootloader, bool) {
	b.banner(cause)
	if b.chip.efuse.fuses.disCache() {
		b.end(CauseCacheDisabled)
		return bootloader{}, false
	}
	h := b.flash.header(bootloaderAt)
	if h.magic != image.Magic || b.late {
		b.noHeader()
		return bootloader{}, false
	}
	b.pins(h)
	end, sum, ok := b.loadByROM(h)
	if !ok {
		b.romGivesUp(CauseBootloaderCorrupt)
		return bootloader{}, false
	}
	length := withChecksum(end)
	if h.HashAppended {
		length += hashLen
	}
	loaded := bootloader{h, b.flash.read(bootloaderAt, length)}
	if !b.secureBootCheck(length) {
		return bootloader{}, false
	}
	if stored := loaded.bytes[withChecksum(end)-1]; stored != sum {
		b.line("csum err:0x%02x!=0x%02x", sum, stored)
		b.romGivesUp(CauseBootloaderCorrupt)
		return bootloader{}, false
	}
	b.line("entry 0x%08x", h.Entry)
	return loaded, true
}

func (b *boot) banner(cause resetCause) {
	text := banner(b.chip.romDate(), cause, b.chip.strap)
	b.chip.print(text)
	b.verdict.Lines = append(b.verdict.Lines, textLines(text)...)
}

// noHeader is the ROM's complaint about flash that does not start with E9 where the
// bootloader should be.
func (b *boot) noHeader() {
	b.end(CauseInvalidHeader)
	b.unread = true
	if b.chip.rom3() {
		word := b.flash.word(bootloaderAt)
		if b.late {
			word = 0xFFFFFFFF
		}
		b.line("invalid header: 0x%08x", word)
		return
	}
	b.line("flash read err, %x", bootloaderAt)
	b.romGivesUp(CauseInvalidHeader)
}

// romGivesUp ends a start at the BASIC prompt, or, where CONSOLE_DEBUG_DISABLE has
// closed that, without one. The watchdog ends both (esp-idf issue 113).
func (b *boot) romGivesUp(cause Cause) {
	b.end(cause)
	b.unread = true
	if b.chip.efuse.fuses.consoleDisabled() {
		b.line("ets_main.c 371 ")
		return
	}
	b.line("Falling back to built-in command interpreter.")
	b.line("OK")
	b.prompt = true
}

// pins prints how the ROM sets up the flash pins and clock.
func (b *boot) pins(h header) {
	d := h.PinDrive
	b.line("configsip: 0, SPIWP:0x%02x", h.WPPin)
	b.line("clk_drv:0x%02x,q_drv:0x%02x,d_drv:0x%02x,cs0_drv:0x%02x,hd_drv:0x%02x,wp_drv:0x%02x",
		d[0]&0xF, d[0]>>4, d[1]&0xF, d[1]>>4, d[2]&0xF, d[2]>>4)
	divider := map[image.FlashFreq]int{image.Freq80MHz: 1, image.Freq40MHz: 2, image.Freq26MHz: 3, image.Freq20MHz: 4}[h.FlashFreq]
	b.line("mode:%s, clock div:%d", h.FlashMode, divider)
}

// loadByROM goes through the segments. It returns their end and their checksum, or
// false when a segment cannot be loaded.
func (b *boot) loadByROM(h header) (end int, sum byte, ok bool) {
	end, sum = image.HeaderLen, checksumSeed
	for i := range h.SegmentCount {
		addr, n := b.flash.word(bootloaderAt+end), b.flash.word(bootloaderAt+end+4)
		b.line("load:0x%08x,len:%d", addr, n)
		if n > maxBootloader {
			return 0, 0, false
		}
		end += segmentHeaderLen
		sum = xor(sum, b.flash.read(bootloaderAt+end, int(n)))
		if i+1 < h.SegmentCount {
			b.straddle(end, int(n))
		}
		end += int(n)
	}
	return end, sum, true
}

// straddle prints what the ROM does when a segment of n bytes from start leaves too
// little of its last 16-byte block for the next segment's header. The meaning of the
// numbers is read off logs of real chips.
func (b *boot) straddle(start, n int) {
	const block = 16
	tail := (start + n) % block
	room := block - tail
	if room >= segmentHeaderLen {
		return
	}
	head := max(0, start-(start+n-tail)) // the segment may begin in its last block
	b.line("ho %d tail %d room %d", head, tail-head, room)
}

// secureBootCheck is what the ROM checks of a bootloader of that length before it
// jumps, once ABS_DONE_0 or ABS_DONE_1 is burnt. V2 exists from revision 3 on and
// then comes first.
func (b *boot) secureBootCheck(length int) bool {
	f := b.chip.efuse.fuses
	switch {
	case f.absDone1() && b.chip.rom3():
		return b.checkV2(length)
	case f.absDone0():
		return b.checkV1(length)
	}
	return true
}

// checkV1 holds the digest in sector 0 against the bootloader, both as the chip
// reads them, with the key in BLOCK2.
func (b *boot) checkV1(length int) bool {
	key := keyInFileOrder(b.chip.efuse.fuses, 2)
	sector := b.flash.read(digestAt, secureboot.IVLenV1+secureboot.DigestLenV1)
	following := b.flash.read(bootloaderAt, length+secureboot.IVLenV1)
	if err := secureboot.VerifyDigestV1(key, sector, following, length); err != nil {
		b.line("secure boot check fail")
		b.line("ets_main.c 371 ")
		b.end(CauseSecureBootFail)
		return false
	}
	return true
}
