package simulator

import "bytes"

// Geometry of the serial NOR flash.
const (
	norPage   = 256
	norSector = 4096
)

// Bits of the flash status register 1.
const (
	statusWEL = 1 << 1                    // write enable latch
	statusBP  = 1<<2 | 1<<3 | 1<<4 | 1<<5 // block protection: any bit refuses writes, as all ranges do here
)

// norFlash is the flash chip: erase sets a sector's bits, program clears bits,
// nothing else changes them. Addresses wrap at its size, as the unconnected upper
// address bits of a real one do.
type norFlash struct {
	size    uint32
	sectors [][]byte // nil: erased, and never written since

	id     uint32 // as RDID shifts it out, first byte in bits 7:0
	status uint32 // status registers 1..3 in bits 7:0, 15:8, 23:16

	stuck map[uint32]byte // worn cells: bits that no longer erase
	// erasing and programming are asked before each sector erase and page
	// program whether the power goes half-way through it.
	erasing, programming func() (cut bool)
	changed              func(off uint32, n int) // these bytes have changed: keep them
	statusChanged        func()                  // likewise the status registers
}

// erasedSector is what a sector holds that was never written.
var erasedSector = bytes.Repeat([]byte{0xFF}, norSector)

// load takes over the content of a whole chip, whose size it sets.
func (f *norFlash) load(content []byte) {
	f.blank(uint32(len(content)))
	for i := range f.sectors {
		if part := content[i*norSector : (i+1)*norSector]; !bytes.Equal(part, erasedSector) {
			f.sectors[i] = part
		}
	}
}

// blank makes it an erased chip of a size.
func (f *norFlash) blank(size uint32) {
	f.size, f.sectors = size, make([][]byte, size/norSector)
}

// written is the sector that holds off, to be written into.
func (f *norFlash) written(off uint32) []byte {
	s := &f.sectors[off/norSector]
	if *s == nil {
		*s = bytes.Clone(erasedSector)
	}
	return *s
}

// read copies n bytes from off, wrapping at the end of the chip.
func (f *norFlash) read(off uint32, n int) []byte {
	out := make([]byte, 0, n)
	for n > 0 {
		off %= f.size
		part := f.sectors[off/norSector]
		if part == nil {
			part = erasedSector
		}
		part = part[off%norSector:]
		if len(part) > n {
			part = part[:n]
		}
		out = append(out, part...)
		off += uint32(len(part))
		n -= len(part)
	}
	return out
}

// write puts p at off whatever is there, as far as the chip goes.
func (f *norFlash) write(off uint32, p []byte) {
	for len(p) > 0 && off < f.size {
		n := copy(f.written(off)[off%norSector:], p)
		off += uint32(n)
		p = p[n:]
	}
}

// protected says whether the block-protect bits are set: the chip then takes
// writes and erases without doing them.
func (f *norFlash) protected() bool { return f.status&statusBP != 0 }

// eraseSector erases the 4 KiB sector that holds off. A cut leaves its first half
// erased.
func (f *norFlash) eraseSector(off uint32) (cut bool) {
	if f.protected() {
		return false
	}
	off = off % f.size / norSector * norSector
	n := norSector
	if cut = f.erasing(); cut {
		n /= 2
		copy(f.written(off)[:n], erasedSector)
	} else {
		f.sectors[off/norSector] = nil
	}
	for at, bits := range f.stuck {
		if at >= off && at < off+uint32(n) {
			f.written(at)[at%norSector] &^= bits
		}
	}
	f.changed(off, n)
	return cut
}

// program clears the bits that are zero in p, page by page. A cut leaves half of
// the page programmed.
func (f *norFlash) program(off uint32, p []byte) (cut bool) {
	if f.protected() {
		return false
	}
	for len(p) > 0 {
		off %= f.size
		n := min(len(p), int(norPage-off%norPage))
		if cut = f.programming(); cut {
			n /= 2
		}
		page := f.written(off)[off%norSector:]
		for i, b := range p[:n] {
			page[i] &= b
		}
		f.changed(off, n)
		if cut {
			return true
		}
		p = p[n:]
		off += uint32(n)
	}
	return false
}

// wear makes the lowest bit of the byte at off a dead cell.
func (f *norFlash) wear(off uint32) {
	off %= f.size
	f.stuck[off] |= 1
	f.written(off)[off%norSector] &^= 1
	f.changed(off, 1)
}
