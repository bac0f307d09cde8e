package ota

import "provision/internal/image"

// Memory an app can be loaded to. Source: ESP-IDF soc/esp32 soc.h.
var loadable = [][2]uint32{
	{0x3FFAE000, 0x40000000}, // DRAM
	{0x40080000, 0x400AA000}, // IRAM
	{0x400C0000, 0x400C2000}, // RTC fast, as instructions
	{0x3FF80000, 0x3FF82000}, // RTC fast, as data
	{0x50000000, 0x50002000}, // RTC slow
}

// Where a running bootloader keeps its data. Source: ESP-IDF bootloader.ld, dram_seg.
const bootDataStart, bootDataEnd = 0x3FFF0000, 0x3FFF6000

// badLoad is what the bootloader has against loading n bytes to an address; empty for
// nothing, or when the segment is not loaded at all.
func badLoad(address, n uint32) string {
	if n == 0 || (image.Segment{Address: address}).Mapped() || address < 0x10000000 {
		return ""
	}
	for _, r := range loadable {
		if address >= r[0] && uint64(address)+uint64(n) <= uint64(r[1]) {
			return clobbers(address, n)
		}
	}
	return "bad load address range"
}

// clobbers is the complaint about a segment that would overwrite the bootloader.
func clobbers(address, n uint32) string {
	if address < bootDataEnd && uint64(address)+uint64(n) > bootDataStart && address >= loadable[0][0] {
		return "overlaps bootloader data"
	}
	return ""
}
