package esptool

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Sizes of the flash and of the ROM's commands on it, in bytes.
const (
	SectorSize = 4096    // the smallest unit of erasing
	MaxFlash   = 1 << 24 // the ROM sends 24-bit addresses: beyond, they wrap to 0
	pageSize   = 256
	eraseUnit  = 64 << 10 // the block NOR chips erase at once, and WriteFlash's chunk
	readSlow   = 64       // READ_FLASH_SLOW always answers with this many
)

// Times the flash may take, per million bytes, on top of a floor: the hard ones end
// the wait, the soft ones are what good flash needs. Sources: timeouts of
// Espressif's own tools; datasheets' erase times (a sector: 45 ms, 400 ms at worst).
const (
	flashSoft      = 300 * time.Millisecond
	eraseHard      = 3 * time.Second
	erasePerMB     = 40 * time.Second
	eraseSoftPerMB = 12 * time.Second
	md5Hard        = 3 * time.Second
	md5PerMB       = 8 * time.Second
	md5SoftPerMB   = 3 * time.Second
)

// Causes for which a flash call is refused before anything is sent, or fails after.
var (
	ErrAlign       = errors.New("flash address is not at a sector boundary")
	ErrRange       = errors.New("beyond the end of the flash")
	ErrNotAttached = errors.New("flash is not attached")
	ErrContent     = errors.New("flash does not hold what was written")
)

// perMB is floor plus the time for size bytes at each per million.
func perMB(floor, each time.Duration, size int) time.Duration {
	return floor + each*time.Duration(size)/1_000_000
}

// AttachFlash connects the flash at pins (Chip.FlashPins; 0: the default pins) and
// tells the ROM its size in bytes, without which it believes in 2 MiB. Flash beyond
// 16 MiB cannot be addressed. Every other flash call needs it first.
func (d *Device) AttachFlash(ctx context.Context, pins, size uint32) error {
	if size == 0 || size > MaxFlash || size%eraseUnit != 0 {
		return fmt.Errorf("attach flash of %d bytes: %w (64 KiB to 16 MiB)", size, ErrRange)
	}
	if err := d.spiAttach(ctx, pins); err != nil {
		return err
	}
	if err := d.setParams(ctx, size); err != nil {
		return fmt.Errorf("attach flash of %d bytes: %w", size, err)
	}
	d.flash.pins, d.flash.size = pins, size
	return nil
}

// setParams tells the ROM the geometry of the flash.
func (d *Device) setParams(ctx context.Context, size uint32) error {
	const id, statusMask = 0, 0xFFFF
	_, _, err := d.repeatable(ctx, request{
		op:   opSPISetParams,
		body: words(id, size, eraseUnit, SectorSize, pageSize, statusMask),
		soft: registerSoft, hard: registerHard,
	})
	return err
}

// checkRegion refuses a region the ROM would wrap or does not know about.
func (d *Device) checkRegion(offset uint32, size int) error {
	switch {
	case d.flash.size == 0:
		return ErrNotAttached
	case size < 0 || uint64(offset)+uint64(size) > uint64(d.flash.size):
		return fmt.Errorf("%w: region %#x..%#x, flash has %#x bytes", ErrRange, offset, uint64(offset)+uint64(max(size, 0)), d.flash.size)
	}
	return nil
}

// EraseFlash erases size bytes from offset, both multiples of SectorSize (else
// ErrAlign). It may be cut short by ctx between blocks of 64 KiB.
func (d *Device) EraseFlash(ctx context.Context, offset, size uint32) error {
	if offset%SectorSize != 0 || size%SectorSize != 0 {
		return fmt.Errorf("erase flash %#x, %#x bytes: %w", offset, size, ErrAlign)
	}
	if err := d.checkRegion(offset, int(size)); err != nil {
		return fmt.Errorf("erase flash: %w", err)
	}
	for end := offset + size; offset < end; {
		n := min(eraseUnit-offset%eraseUnit, end-offset) // whole blocks where possible
		err := d.revived(ctx, func() error {
			_, _, err := d.repeatable(ctx, flashBegin(offset, int(n)))
			return err
		})
		if err != nil {
			return fmt.Errorf("erase flash at %#x: %w", offset, err)
		}
		offset += n
	}
	return nil
}

// FlashMD5 returns the MD5 of size bytes of flash from offset, as the chip computes
// it over the raw content: on an encrypted device over ciphertext. The answer has no
// checksum of its own: one that differs from what was hoped for is worth asking for
// again.
func (d *Device) FlashMD5(ctx context.Context, offset, size uint32) ([16]byte, error) {
	var sum [16]byte
	if err := d.checkRegion(offset, int(size)); err != nil {
		return sum, fmt.Errorf("md5 of flash: %w", err)
	}
	err := d.revived(ctx, func() (err error) {
		sum, err = d.md5Once(ctx, offset, size)
		for try := 1; errors.Is(err, ErrGarbled) && try < maxTries; try++ {
			d.stats.Resends++
			sum, err = d.md5Once(ctx, offset, size)
		}
		return err
	})
	if err != nil {
		return [16]byte{}, fmt.Errorf("md5 of flash %#x, %#x bytes: %w", offset, size, err)
	}
	return sum, nil
}

// md5Once asks until an answer comes, which wraps ErrGarbled when it is no MD5.
func (d *Device) md5Once(ctx context.Context, offset, size uint32) (sum [16]byte, err error) {
	digits, _, err := d.repeatable(ctx, request{
		op: opSPIFlashMD5, body: words(offset, size, 0, 0), result: hex.EncodedLen(len(sum)),
		soft: perMB(flashSoft, md5SoftPerMB, int(size)), hard: perMB(md5Hard, md5PerMB, int(size)),
	})
	if err != nil {
		return sum, err
	}
	if _, err := hex.Decode(sum[:], digits); err != nil {
		return sum, fmt.Errorf("%w: %w", ErrGarbled, err)
	}
	return sum, nil
}

// ReadFlash returns n bytes of raw flash content from offset. The ROM hands out 64
// bytes a time: about 4 KiB a second at 115200 baud. What it returns has passed no
// checksum; FlashMD5 of the same region tells.
func (d *Device) ReadFlash(ctx context.Context, offset uint32, n int) ([]byte, error) {
	if err := d.checkRegion(offset, n); err != nil {
		return nil, fmt.Errorf("read flash: %w", err)
	}
	data := make([]byte, 0, n)
	for len(data) < n {
		at, want := offset+uint32(len(data)), min(readSlow, n-len(data))
		err := d.revived(ctx, func() error {
			piece, _, err := d.repeatable(ctx, request{
				op: opReadFlashSlow, body: words(at, uint32(want)), result: readSlow,
				soft: registerSoft, hard: registerHard,
			})
			if err == nil {
				data = append(data, piece[:want]...)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read flash at %#x: %w", at, err)
		}
	}
	return data, nil
}

// revived runs a flash command that may be repeated, and once more after a reset if
// the link was lost and the lines allow it. Register calls never reset by
// themselves: what was written to a register would be gone unnoticed.
func (d *Device) revived(ctx context.Context, do func() error) error {
	err := do()
	if !errors.Is(err, ErrLinkLost) || !d.CanReset() || ctx.Err() != nil {
		return err
	}
	if rerr := d.Reconnect(ctx); rerr != nil {
		return errors.Join(err, rerr)
	}
	return do()
}
