package simulator

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
	data   []byte
	id     uint32 // as RDID shifts it out, first byte in bits 7:0
	status uint32 // status registers 1..3 in bits 7:0, 15:8, 23:16

	stuck map[uint32]byte // worn cells: bits that no longer erase
	// erasing and programming are asked before each sector erase and page
	// program whether the power goes half-way through it.
	erasing, programming func() (cut bool)
	changed              func(off uint32, n int) // these bytes have changed: keep them
	statusChanged        func()                  // likewise the status registers
}

// read copies n bytes from off, wrapping at the end of the chip.
func (f *norFlash) read(off uint32, n int) []byte {
	out := make([]byte, 0, n)
	for n > 0 {
		off %= uint32(len(f.data))
		part := f.data[off:]
		if len(part) > n {
			part = part[:n]
		}
		out = append(out, part...)
		off += uint32(len(part))
		n -= len(part)
	}
	return out
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
	off = off % uint32(len(f.data)) / norSector * norSector
	sector := f.data[off : off+norSector]
	cut = f.erasing()
	if cut {
		sector = sector[:norSector/2]
	}
	for i := range sector {
		sector[i] = 0xFF &^ f.stuck[off+uint32(i)]
	}
	f.changed(off, len(sector))
	return cut
}

// program clears the bits that are zero in p, page by page. A cut leaves half of
// the page programmed.
func (f *norFlash) program(off uint32, p []byte) (cut bool) {
	if f.protected() {
		return false
	}
	for len(p) > 0 {
		off %= uint32(len(f.data))
		n := min(len(p), int(norPage-off%norPage))
		if cut = f.programming(); cut {
			n /= 2
		}
		for i, b := range p[:n] {
			f.data[off+uint32(i)] &= b
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
	off %= uint32(len(f.data))
	f.stuck[off] |= 1
	f.data[off] &^= 1
	f.changed(off, 1)
}
