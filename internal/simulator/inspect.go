package simulator

import (
	"bytes"
	"fmt"
	"os"
)

// Fuses are the true fuse words, behind any read protection.
func (c *Chip) Fuses() Fuses {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.efuse.fuses
}

// Preburn blows fuses as a chip maker or a former owner did: no registers, no
// protection, no faults. They take effect at the next reset or reload.
func (c *Chip) Preburn(f Fuses) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f[0][7] = 0
	c.efuse.fuses.add(f)
	c.efuse.changed(c.efuse.fuses)
	if c.mode == modeOff {
		c.efuse.reload()
	}
	return c.broken
}

// Flash is a copy of n bytes of flash from off, raw. The range must lie in the chip.
func (c *Chip) Flash(off, n int) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.inFlash(off, n); err != nil {
		return nil, err
	}
	return c.nor.read(uint32(off), n), nil
}

// SetFlash overwrites flash content, as a gang programmer would before the chip is
// soldered: bits may go either way.
func (c *Chip) SetFlash(off int, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.inFlash(off, len(p)); err != nil {
		return err
	}
	c.nor.write(uint32(off), p)
	c.nor.changed(uint32(off), len(p))
	return c.broken
}

// SetFlashFrom is SetFlash with all that another chip's flash holds, which is as
// large.
func (c *Chip) SetFlashFrom(other *Chip) error {
	if c.FlashSize() != other.FlashSize() {
		return fmt.Errorf("flash of %d bytes into one of %d: %w", other.FlashSize(), c.FlashSize(), os.ErrInvalid)
	}
	sectors := other.Sectors()
	other.mu.Lock()
	plain := other.plain.clone()
	other.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plain = plain // of use once the same key is burnt
	c.nor.blank(c.nor.size)
	for _, s := range sectors {
		c.nor.sectors[s.Offset/norSector] = s.Data
	}
	c.nor.changed(0, c.FlashSize())
	return c.broken
}

// Sector is 4 KiB of flash.
type Sector struct {
	Offset int
	Data   []byte
}

// Sectors is a copy of all flash that is not erased, by offset.
func (c *Chip) Sectors() []Sector {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Sector
	for i, data := range c.nor.sectors {
		if data != nil && !bytes.Equal(data, erasedSector) {
			out = append(out, Sector{i * norSector, bytes.Clone(data)})
		}
	}
	return out
}

func (c *Chip) inFlash(off, n int) error {
	if off < 0 || n < 0 || off+n > c.FlashSize() {
		return fmt.Errorf("flash of %d bytes has no range %#x+%#x: %w", c.FlashSize(), off, n, os.ErrInvalid)
	}
	return nil
}

// FlashSize is the true size of the flash in bytes.
func (c *Chip) FlashSize() int { return int(c.nor.size) }

// MAC is the factory MAC as burnt.
func (c *Chip) MAC() [6]byte {
	f := c.Fuses()
	return [6]byte{
		byte(f[0][2] >> 8), byte(f[0][2]),
		byte(f[0][1] >> 24), byte(f[0][1] >> 16), byte(f[0][1] >> 8), byte(f[0][1]),
	}
}

// Revision is the chip revision as the fuses and the date register give it.
func (c *Chip) Revision() (major, minor int) { return revision(c.Fuses(), c.board.apbDate) }

// Counters says how much has happened since the chip was opened.
func (c *Chip) Counters() Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults.count
}
