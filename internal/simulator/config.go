package simulator

import (
	"errors"
	"fmt"
	"math/bits"
)

// CodingScheme is the value of the CODING_SCHEME fuses: how BLOCK1..3 are stored.
type CodingScheme uint8

// The coding schemes of the ESP32 (ESP32 TRM, "eFuse Controller").
const (
	CodingNone          CodingScheme = 0 // 256 plain bits
	CodingThreeQuarters CodingScheme = 1 // 24 data bytes in 32
	CodingRepeat        CodingScheme = 2 // 128 bits stored twice
)

// ErrConfig is the cause of every refusal of a Config.
var ErrConfig = errors.New("no such chip")

// Config says which chip to make. The zero value of a field means the value of
// DefaultConfig, except for the revision: zero is revision v0.0.
type Config struct {
	MAC                [6]byte      // factory MAC, OUI first; its CRC is burnt with it
	RevMajor, RevMinor int          // 0, 1, 2 or 3; 0..3
	FlashSize          uint32       // bytes, a power of two, 1 MiB to 16 MiB
	FlashID            uint32       // JEDEC id as RDID gives it: manufacturer in bits 7:0, type, log2(size); 0: a Winbond of FlashSize
	FlashStatus        uint32       // flash status registers 1..3 in bits 7:0, 15:8, 23:16
	CodingScheme       CodingScheme // burnt by the chip maker
	CrystalMHz         int          // 40 or 26
	CLK8MFreq          uint8        // factory RC calibration fuses; 0: not calibrated, as the recorded chip
	ClockErrorPPM      int          // how far the ROM's own estimate of the crystal is off; needs CLK8MFreq
	BootStraps         uint8        // strap register with IO0 high
	DownloadStraps     uint8        // strap register with IO0 low
}

// DefaultConfig is the chip the ROM transcript was recorded from: revision v3.0,
// MAC 24:0a:c4:a1:b2:c3, 4 MiB flash, 40 MHz crystal, blank key blocks. Its straps
// are those of the recorded logs.
func DefaultConfig() Config {
	return Config{
		MAC:            [6]byte{0x24, 0x0a, 0xc4, 0xa1, 0xb2, 0xc3},
		RevMajor:       3,
		FlashSize:      4 << 20,
		CrystalMHz:     40,
		BootStraps:     0x12,
		DownloadStraps: 0x0f,
	}
}

// normal fills in the defaults and refuses what cannot exist (ErrConfig).
func (c Config) normal() (Config, error) {
	d := DefaultConfig()
	if c.MAC == ([6]byte{}) {
		c.MAC = d.MAC
	}
	if c.FlashSize == 0 {
		c.FlashSize = d.FlashSize
	}
	if c.CrystalMHz == 0 {
		c.CrystalMHz = d.CrystalMHz
	}
	if c.BootStraps == 0 {
		c.BootStraps = d.BootStraps
	}
	if c.DownloadStraps == 0 {
		c.DownloadStraps = d.DownloadStraps
	}
	if err := checkFlashSize(c.FlashSize); err != nil {
		return c, err
	}
	if c.FlashID == 0 {
		c.FlashID = defaultFlashID(c.FlashSize)
	}
	switch {
	case c.RevMajor < 0 || c.RevMajor > 3:
		return c, fmt.Errorf("%w: major revision %d, know 0 to 3", ErrConfig, c.RevMajor)
	case c.RevMinor < 0 || c.RevMinor > 3:
		return c, fmt.Errorf("%w: minor revision %d, two fuses hold 0 to 3", ErrConfig, c.RevMinor)
	case c.CrystalMHz != 26 && c.CrystalMHz != 40:
		return c, fmt.Errorf("%w: crystal of %d MHz, know 26 and 40", ErrConfig, c.CrystalMHz)
	case c.CodingScheme > 3:
		return c, fmt.Errorf("%w: coding scheme %d does not fit two fuses", ErrConfig, c.CodingScheme)
	case c.MAC[0]&1 != 0:
		return c, fmt.Errorf("%w: factory MAC %x is a multicast address", ErrConfig, c.MAC)
	}
	return c, nil
}

// checkFlashSize accepts the sizes that one 24-bit address reaches.
func checkFlashSize(size uint32) error {
	if bits.OnesCount32(size) != 1 || size < 1<<20 || size > 16<<20 {
		return fmt.Errorf("%w: flash of %d bytes, need a power of two from 1 MiB to 16 MiB", ErrConfig, size)
	}
	return nil
}

// defaultFlashID is a Winbond W25Q of that size.
func defaultFlashID(size uint32) uint32 {
	return 0xEF | 0x40<<8 | uint32(bits.TrailingZeros32(size))<<16
}

// factoryFuses are the words the chip maker burns: identity and coding scheme.
// Placement: ESP-IDF esp_efuse_table.csv.
func (c Config) factoryFuses() Fuses {
	var f Fuses
	m := c.MAC
	f[0][1] = uint32(m[2])<<24 | uint32(m[3])<<16 | uint32(m[4])<<8 | uint32(m[5])
	f[0][2] = uint32(macCRC(m))<<16 | uint32(m[0])<<8 | uint32(m[1])
	if c.RevMajor >= 1 {
		f[0][3] |= 1 << 15 // CHIP_VER_REV1
	}
	if c.RevMajor >= 2 {
		f[0][5] |= 1 << 20 // CHIP_VER_REV2
	}
	f[0][4] = uint32(c.CLK8MFreq)
	f[0][5] |= uint32(c.RevMinor) << 24 // WAFER_VERSION_MINOR
	f[0][6] = uint32(c.CodingScheme)
	return f
}

// macCRC is the CRC-8 kept beside the factory MAC (polynomial 0x8C reflected, start 0).
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

// The APB_CTRL date register of the recorded chip; bit 31 is the third input of
// the revision and is set from revision 3 on.
const (
	apbCtrlDate     = 0x16042000
	apbCtrlDateRev3 = 0x96042000
)

func (c Config) apbDate() uint32 {
	if c.RevMajor >= 3 {
		return apbCtrlDateRev3
	}
	return apbCtrlDate
}

// revision decodes what the fuses and the date register say together, as ESP-IDF
// efuse_hal_get_major_chip_version does. An unknown pattern reads as 0.
func revision(f Fuses, apbDate uint32) (major, minor int) {
	pattern := f[0][3]>>15&1 | f[0][5]>>20&1<<1 | apbDate>>31<<2
	major = map[uint32]int{0: 0, 1: 1, 3: 2, 7: 3}[pattern]
	return major, int(f[0][5] >> 24 & 3)
}
