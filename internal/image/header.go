package image

import (
	"encoding/binary"
	"fmt"
)

// Layout of an image's header. Source: ESP-IDF esp_app_format.h.
const (
	Magic       = 0xE9
	HeaderLen   = 24
	MaxSegments = 16

	segmentHeaderLen = 8        // u32 load address, u32 length
	maxSegmentLen    = 16 << 20 // and beyond: the bootloader refuses it
	hashLen          = 32
	wpPinUnused      = 0xEE
)

// ChipID says which chip an image is for.
type ChipID uint16

// ESP32 is the classic ESP32, the only chip this package accepts images for.
const ESP32 ChipID = 0

// chipNames. Source: ESP-IDF esp_app_format.h, esp_chip_id_t.
var chipNames = map[ChipID]string{
	0x00: "ESP32", 0x02: "ESP32-S2", 0x05: "ESP32-C3", 0x09: "ESP32-S3", 0x0C: "ESP32-C2",
	0x0D: "ESP32-C6", 0x10: "ESP32-H2", 0x12: "ESP32-P4", 0x14: "ESP32-C61", 0x17: "ESP32-C5",
}

func (c ChipID) String() string {
	if name, ok := chipNames[c]; ok {
		return name
	}
	return fmt.Sprintf("unknown chip %#04x", uint16(c))
}

// FlashMode is how the flash is wired and read.
type FlashMode uint8

const (
	QIO FlashMode = iota
	QOUT
	DIO
	DOUT
)

func (m FlashMode) String() string { return nameOf(int(m), "QIO", "QOUT", "DIO", "DOUT") }

// FlashFreq is the flash clock, a code of four bits.
type FlashFreq uint8

const (
	Freq40MHz FlashFreq = 0x0
	Freq26MHz FlashFreq = 0x1
	Freq20MHz FlashFreq = 0x2
	Freq80MHz FlashFreq = 0xF
)

func (f FlashFreq) String() string {
	if f == Freq80MHz {
		return "80MHz"
	}
	return nameOf(int(f), "40MHz", "26MHz", "20MHz")
}

// FlashSize is the flash size the image was built for, a code of four bits: 2 to
// the code, in MiB.
type FlashSize uint8

const (
	Size1MB FlashSize = iota
	Size2MB
	Size4MB
	Size8MB
	Size16MB
)

const maxFlashSize = 7 // 128 MB

func (s FlashSize) String() string {
	if s > maxFlashSize {
		return fmt.Sprintf("unknown (%#x)", uint8(s))
	}
	return fmt.Sprintf("%dMB", 1<<s)
}

// Bytes returns the size in bytes, 0 for an unknown code.
func (s FlashSize) Bytes() uint32 {
	if s > maxFlashSize {
		return 0
	}
	return 1 << 20 << s
}

func nameOf(i int, names ...string) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown (%#x)", i)
}

// Header is the first 24 bytes of an image.
type Header struct {
	SegmentCount int
	FlashMode    FlashMode
	FlashFreq    FlashFreq
	FlashSize    FlashSize
	Entry        uint32 // address
	WPPin        uint8  // 0xEE: unused
	PinDrive     [3]byte
	Chip         ChipID
	MinRevMajor  uint8  // superseded by MinRev
	MinRev       uint16 // oldest chip revision it runs on: major*100 + minor
	MaxRev       uint16 // newest; 0 and 0xFFFF: any
	Reserved     [4]byte
	HashAppended bool // a SHA-256 follows the checksum
}

func decodeHeader(b []byte) Header {
	return Header{
		SegmentCount: int(b[1]),
		FlashMode:    FlashMode(b[2]),
		FlashFreq:    FlashFreq(b[3] & 0xF),
		FlashSize:    FlashSize(b[3] >> 4),
		Entry:        binary.LittleEndian.Uint32(b[4:]),
		WPPin:        b[8],
		PinDrive:     [3]byte(b[9:]),
		Chip:         ChipID(binary.LittleEndian.Uint16(b[12:])),
		MinRevMajor:  b[14],
		MinRev:       binary.LittleEndian.Uint16(b[15:]),
		MaxRev:       binary.LittleEndian.Uint16(b[17:]),
		Reserved:     [4]byte(b[19:]),
		HashAppended: b[23] == 1,
	}
}

func (h Header) encode() []byte {
	b := make([]byte, HeaderLen)
	b[0], b[1], b[2] = Magic, uint8(h.SegmentCount), uint8(h.FlashMode)
	b[3] = uint8(h.FlashSize)<<4 | uint8(h.FlashFreq)&0xF
	binary.LittleEndian.PutUint32(b[4:], h.Entry)
	b[8] = h.WPPin
	copy(b[9:], h.PinDrive[:])
	binary.LittleEndian.PutUint16(b[12:], uint16(h.Chip))
	b[14] = h.MinRevMajor
	binary.LittleEndian.PutUint16(b[15:], h.MinRev)
	binary.LittleEndian.PutUint16(b[17:], h.MaxRev)
	copy(b[19:], h.Reserved[:])
	if h.HashAppended {
		b[23] = 1
	}
	return b
}

// RunsOn reports whether a chip of revision rev (major*100 + minor) may run the
// image, as the bootloader decides it. Images of older tools fill only the major
// minimum; of newer ones, MinRev counts.
func (h Header) RunsOn(rev int) bool {
	oldest, newest := int(h.MinRev), int(h.MaxRev)
	if oldest == 0 {
		oldest = int(h.MinRevMajor) * 100
	}
	if newest == 0 {
		newest = 0xFFFF
	}
	return oldest <= rev && rev <= newest
}
