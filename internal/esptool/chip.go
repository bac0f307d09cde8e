package esptool

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Registers that identify the chip. Source: ESP32 TRM, "eFuse Controller" and
// "SYSCON"; layout of BLOCK0: ESP-IDF esp_efuse_table.csv.
const (
	regEfuseBLK0 = 0x3FF5A000 // words 0..6 follow
	regAPBDate   = 0x3FF6607C // bit 31: third revision bit
)

// blk0Words is the length of eFuse BLOCK0 in 32-bit words.
const blk0Words = 7

// Chip is what an ESP32 says about itself.
type Chip struct {
	Revision     Revision
	Package      int    // CHIP_PACKAGE with CHIP_PACKAGE_4BIT as bit 3
	PackageName  string // "ESP32-D0WD"; "" for a number that is not known
	SingleCore   bool   // DISABLE_APP_CPU
	MAC          [6]byte
	MACCRC       byte   // as burnt beside the MAC
	MACCRCOK     bool   // MACCRC fits MAC
	CodingScheme int    // 0 none, 1 3/4, 2 repeat, 3 as none
	CrystalMHz   int    // 26 or 40; 0: the measured one is neither, or could be both; burn nothing
	CrystalHz    uint32 // as measured, taking a port without a speed for 115200
	FlashPins    uint32 // pin word for AttachFlash; 0: the default pins
	BLK0         [blk0Words]uint32
}

// Revision is a chip revision, v3.0 as {3, 0, true}.
type Revision struct {
	Major, Minor int
	Known        bool // false: the major bits have a pattern no ESP32 has; Major is -1
}

// Full is the revision as ESP-IDF counts it: 100 times major plus minor, -1 when it
// is not known.
func (r Revision) Full() int {
	if !r.Known {
		return -1
	}
	return 100*r.Major + r.Minor
}

// String returns "v3.0", or "unknown revision".
func (r Revision) String() string {
	if !r.Known {
		return "unknown revision"
	}
	return fmt.Sprintf("v%d.%d", r.Major, r.Minor)
}

// Identify reads who the chip is. Replies have no checksum, so each register is read
// until two reads in a row agree; one that does not settle is ErrUnstable. A MAC
// whose CRC is wrong is no error here: see MACCRCOK.
func (d *Device) Identify(ctx context.Context) (Chip, error) {
	id, err := d.readIdentity(ctx)
	if err != nil {
		return Chip{}, fmt.Errorf("identify: %w", err)
	}
	chip := id.chip()
	chip.CrystalHz = d.crystalHz
	chip.CrystalMHz = d.crystalMHz
	d.flash.pins = chip.FlashPins
	return chip, nil
}

// identity is the registers Identify looks at.
type identity struct {
	blk0    [blk0Words]uint32
	apbDate uint32
}

// readIdentity reads them.
func (d *Device) readIdentity(ctx context.Context) (identity, error) {
	var id identity
	var err error
	for i := range id.blk0 {
		if id.blk0[i], err = d.readSettled(ctx, regEfuseBLK0+4*uint32(i)); err != nil {
			return identity{}, err
		}
	}
	id.apbDate, err = d.readSettled(ctx, regAPBDate)
	return id, err
}

// readSettled reads a register that does not change until two reads in a row agree,
// maxTries reads at most.
func (d *Device) readSettled(ctx context.Context, addr uint32) (uint32, error) {
	last, err := d.ReadReg(ctx, addr)
	for try := 1; err == nil && try < maxTries; try++ {
		var value uint32
		if value, err = d.ReadReg(ctx, addr); err == nil && value == last {
			return value, nil
		}
		last = value
	}
	if err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("register %#08x: %w", addr, ErrUnstable)
}

// chip decodes the registers.
func (id identity) chip() Chip {
	w := id.blk0
	c := Chip{
		Revision:     id.revision(),
		Package:      int(w[3]>>9&7 | w[3]>>2&1<<3),
		SingleCore:   w[3]&1 != 0,
		MACCRC:       byte(w[2] >> 16),
		CodingScheme: int(w[6] & 3),
		FlashPins:    pinWord(w),
		BLK0:         w,
	}
	binary.BigEndian.PutUint16(c.MAC[:2], uint16(w[2]))
	binary.BigEndian.PutUint32(c.MAC[2:], w[1])
	c.MACCRCOK = macCRC(c.MAC) == c.MACCRC
	c.PackageName = packageName(c.Package, c.Revision, c.SingleCore)
	return c
}

// revision puts the three major bits together; they were added one by one, so only
// four patterns occur.
func (id identity) revision() Revision {
	bits := id.blk0[3]>>15&1 | id.blk0[5]>>20&1<<1 | id.apbDate>>31<<2
	r := Revision{Major: -1, Minor: int(id.blk0[5] >> 24 & 3)}
	if major, ok := map[uint32]int{0b000: 0, 0b001: 1, 0b011: 2, 0b111: 3}[bits]; ok {
		r.Major, r.Known = major, true
	}
	return r
}

// packageName returns the name Espressif sells the chip under, "" if not known.
// Source: ESP-IDF chip package numbers; ESP32 series datasheet for the V3 names.
func packageName(number int, rev Revision, singleCore bool) string {
	v3 := rev.Known && rev.Major == 3
	switch number {
	case 0:
		return coreName("0WDQ6", v3, singleCore)
	case 1:
		return coreName("0WD", v3, singleCore)
	case 2:
		return "ESP32-D2WD"
	case 4:
		return "ESP32-U4WDH"
	case 5:
		if v3 {
			return "ESP32-PICO-V3"
		}
		return "ESP32-PICO-D4"
	case 6:
		return "ESP32-PICO-V3-02"
	case 7:
		return "ESP32-D0WDR2-V3"
	}
	return ""
}

// coreName adds to a bare package name the letter for one or two cores and -V3.
func coreName(bare string, v3, singleCore bool) string {
	name := "ESP32-D" + bare
	if singleCore {
		name = "ESP32-S" + bare
	}
	if v3 {
		name += "-V3"
	}
	return name
}

// macCRC is the CRC-8 burnt beside the MAC: Dallas/Maxim, reflected polynomial 0x8C,
// from 0, over the six bytes in the order they are written down.
func macCRC(mac [6]byte) byte {
	var crc byte
	for _, b := range mac {
		crc ^= b
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0x8C
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

// pinWord returns the SPI_ATTACH pin word for the flash pads in eFuse BLOCK0, 0 when
// none are set. Chips with flash in the package have them.
func pinWord(w [blk0Words]uint32) uint32 {
	clk, q, d, cs := pad(w[5]), pad(w[5]>>5), pad(w[5]>>10), pad(w[5]>>15)
	hd := pad(w[3] >> 4)
	return hd<<24 | cs<<18 | d<<12 | q<<6 | clk
}

// pad is the GPIO number of a five-bit pad field: 30 and 31 mean 32 and 33.
func pad(field uint32) uint32 {
	n := field & 31
	if n >= 30 {
		n += 2
	}
	return n
}
