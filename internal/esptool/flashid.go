package esptool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Registers of the SPI1 controller, through which the ROM reaches the flash.
// Source: ESP32 TRM, "SPI Controller".
const (
	regSPI1CMD      = 0x3FF42000
	regSPI1USR      = 0x3FF4201C
	regSPI1USR2     = 0x3FF42024
	regSPI1MISODLEN = 0x3FF4202C // bits to read, minus one
	regSPI1W0       = 0x3FF42080
)

const (
	spiCMDUser     = 1 << 18
	spiUSRCommand  = 1 << 31
	spiUSRMISO     = 1 << 28
	spiUSR2Cmd8Bit = 7 << 28 // command length, minus one
)

// Commands of a NOR flash chip. Source: JEDEC JESD216 and vendors' datasheets.
const (
	norReadID      = 0x9F
	norReadStatus1 = 0x05
	norReadStatus2 = 0x35
	norReadStatus3 = 0x15
)

// spiPolls bounds the wait for an SPI command of some ten bits.
const spiPolls = 10

// Causes of an unusable flash chip.
var (
	ErrNoFlash        = errors.New("flash does not answer")
	ErrFlashSize      = errors.New("flash does not tell its size in a way that is known")
	ErrFlashProtected = errors.New("flash is write-protected by its status register")
)

// FlashID is the JEDEC id and the status registers of a flash chip.
type FlashID struct {
	Manufacturer byte
	Type         byte
	CapacityLog2 byte    // log2 of the size in bytes for nearly all makers
	Status       [3]byte // status registers 1, 2, 3; 2 and 3 mean little on some chips
}

// Size returns the size in bytes, 0 when CapacityLog2 is not one between 64 KiB and
// 128 MiB (FlashID returns none such).
func (f FlashID) Size() uint32 {
	if f.CapacityLog2 < 16 || f.CapacityLog2 > 27 {
		return 0
	}
	return 1 << f.CapacityLog2
}

// Manufacturers whose status registers differ in what matters here.
const (
	makerMacronix   = 0xC2
	makerISSI       = 0x9D
	makerWinbond    = 0xEF
	makerGigaDevice = 0xC8
)

// Protection returns an error wrapping ErrFlashProtected when block-protect bits are
// set: then erase and write report success and change nothing. Sources: datasheets
// W25Q32JV, GD25Q32C, MX25L3233F, IS25LP032D.
func (f FlashID) Protection() error {
	blockProtect := byte(0x1C) // BP2..BP0; higher bits only shape the range
	if f.Manufacturer == makerMacronix || f.Manufacturer == makerISSI {
		blockProtect = 0x3C // BP3..BP0
	}
	const complement = 0x40 // CMP: all but the range named by BP is protected
	free := byte(0)
	if (f.Manufacturer == makerWinbond || f.Manufacturer == makerGigaDevice) && f.Status[1]&complement != 0 {
		free = blockProtect
	}
	if f.Status[0]&blockProtect == free {
		return nil
	}
	return fmt.Errorf("%w: status registers %02x %02x %02x", ErrFlashProtected, f.Status[0], f.Status[1], f.Status[2])
}

// FlashID reads the id and status registers of the flash chip, each until two reads
// in a row agree: the answers cross the line without a checksum. If no
// AttachFlash came before, the flash is attached with the pins Identify found, or
// the default ones. Errors wrap ErrNoFlash (all zeros or all ones: no power, wrong
// pins, or IO12 high at reset, which selects 1.8 V), ErrFlashSize (some parts count
// their size in another way: what they hold is not guessed at), ErrUnstable, or are
// those of ReadReg.
func (d *Device) FlashID(ctx context.Context) (FlashID, error) {
	if !d.flash.attached {
		if err := d.spiAttach(ctx, d.flash.pins); err != nil {
			return FlashID{}, fmt.Errorf("flash id: %w", err)
		}
	}
	id, err := d.norSteady(ctx, norReadID, 3)
	switch {
	case err != nil:
		return FlashID{}, fmt.Errorf("flash id: %w", err)
	case id == 0, id == 0xFFFFFF:
		return FlashID{}, fmt.Errorf("flash id: %w: id reads %06x; check flash power and that IO12 is low at reset", ErrNoFlash, id)
	}
	f := FlashID{Manufacturer: byte(id), Type: byte(id >> 8), CapacityLog2: byte(id >> 16)}
	if f.Size() == 0 {
		return FlashID{}, fmt.Errorf("flash id %02x %02x %02x: %w", f.Manufacturer, f.Type, f.CapacityLog2, ErrFlashSize)
	}
	for i, cmd := range [...]byte{norReadStatus1, norReadStatus2, norReadStatus3} {
		status, err := d.norSteady(ctx, cmd, 1)
		if err != nil {
			return FlashID{}, fmt.Errorf("flash status register %d: %w", i+1, err)
		}
		f.Status[i] = byte(status)
	}
	return f, nil
}

// norSteady is norRead until two reads in a row agree, four at most (ErrUnstable).
func (d *Device) norSteady(ctx context.Context, cmd byte, n int) (uint32, error) {
	last, err := d.norRead(ctx, cmd, n)
	for range 3 {
		if err != nil {
			return 0, err
		}
		var again uint32
		if again, err = d.norRead(ctx, cmd, n); err == nil && again == last {
			return last, nil
		}
		last = again
	}
	return 0, errors.Join(err, fmt.Errorf("%w: command %02x answers %06x in the end", ErrUnstable, cmd, last))
}

// norRead sends one command byte to the flash chip and returns n bytes (1 to 4) of
// answer, the first in the low bits. The registers it borrows are put back, also
// after an error. Reading commands change nothing, so the whole sequence is
// repeated when an answer on the way is lost.
func (d *Device) norRead(ctx context.Context, cmd byte, n int) (answer uint32, err error) {
	usr, err := d.ReadReg(ctx, regSPI1USR)
	if err != nil {
		return 0, err
	}
	usr2, err := d.ReadReg(ctx, regSPI1USR2)
	if err != nil {
		return 0, err
	}
	defer func() {
		if errors.Is(err, ErrLinkLost) {
			return
		}
		whole := context.WithoutCancel(ctx) // two registers: each command has its own limit
		err = errors.Join(err, d.again(func() error {
			return d.WriteRegs(whole, []uint32{regSPI1USR, regSPI1USR2}, []uint32{usr, usr2})
		}))
	}()
	err = d.again(func() error {
		answer, err = d.norReadOnce(ctx, cmd, n)
		return err
	})
	return answer, err
}

// norReadOnce is one run through the SPI1 sequence of norRead.
func (d *Device) norReadOnce(ctx context.Context, cmd byte, n int) (uint32, error) {
	err := d.WriteRegs(ctx,
		[]uint32{regSPI1MISODLEN, regSPI1USR, regSPI1USR2, regSPI1W0, regSPI1CMD},
		[]uint32{uint32(8*n - 1), spiUSRCommand | spiUSRMISO, spiUSR2Cmd8Bit | uint32(cmd), 0, spiCMDUser})
	if err != nil {
		return 0, err
	}
	for range spiPolls {
		busy, err := d.ReadReg(ctx, regSPI1CMD)
		if err != nil {
			return 0, err
		}
		if busy&spiCMDUser == 0 {
			answer, err := d.ReadReg(ctx, regSPI1W0)
			return answer & (1<<(8*n) - 1), err
		}
	}
	return 0, fmt.Errorf("%w: SPI controller is still busy with command %#02x", ErrNoFlash, cmd)
}

// again runs do, up to maxTries times, while it fails for lost answers.
func (d *Device) again(do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || try == maxTries || !errors.Is(err, ErrNoReply) {
			return err
		}
		d.stats.Resends++
	}
}

// spiAttach connects the SPI1 controller to the flash pins.
func (d *Device) spiAttach(ctx context.Context, pins uint32) error {
	const legacy = 0 // second word: reserved, 0
	_, _, err := d.repeatable(ctx, request{
		op: opSPIAttach, body: words(pins, legacy), soft: 3 * registerSoft, hard: 3 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("attach flash: %w", err)
	}
	d.flash.attached = true
	return nil
}
