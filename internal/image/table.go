package image

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Layout of a partition table. Source: ESP-IDF esp_flash_partitions.h.
const (
	TableLen           = 0xC00  // bytes of rows, MD5 row and 0xFF
	TableSectorLen     = 0x1000 // flash it takes up; a V1 signature stands at TableLen
	DefaultTableOffset = 0x8000

	rowLen   = 32
	labelLen = 16                  // 15 characters and a zero
	maxRows  = TableLen/rowLen - 2 // room for the MD5 row and the 0xFF row that ends the table
)

// PartitionType is a partition's type byte.
type PartitionType uint8

const (
	TypeApp  PartitionType = 0x00
	TypeData PartitionType = 0x01

	typeBootloader PartitionType = 0x02 // in tables of newer ESP-IDF only
	typeTable      PartitionType = 0x03
)

// Subtypes with a meaning of their own here.
const (
	SubtypeFactory = 0x00 // app
	SubtypeOTA0    = 0x10 // app; ota_15 is 0x1F
	SubtypeTest    = 0x20 // app

	SubtypeOTAData   = 0x00 // data
	SubtypePHY       = 0x01 // data
	SubtypeNVS       = 0x02 // data
	SubtypeCoredump  = 0x03 // data
	SubtypeNVSKeys   = 0x04 // data
	SubtypeEFuse     = 0x05 // data, eFuse emulation
	SubtypeUndefined = 0x06 // data, and what an empty field means

	otaSlots = 16
)

// Flags of a partition.
const (
	FlagEncrypted uint32 = 1 << 0
	FlagReadonly  uint32 = 1 << 1
)

// Partition is one row of the table.
type Partition struct {
	Label   string // up to 16 bytes of printable ASCII
	Type    PartitionType
	Subtype uint8
	Offset  uint32 // bytes from the start of flash
	Size    uint32 // bytes
	Flags   uint32
}

// End returns the offset of the first byte after the partition.
func (p Partition) End() uint64 { return uint64(p.Offset) + uint64(p.Size) }

// IsOTAApp reports whether the partition is an OTA slot.
func (p Partition) IsOTAApp() bool {
	return p.Type == TypeApp && p.Subtype >= SubtypeOTA0 && p.Subtype < SubtypeOTA0+otaSlots
}

// Encrypted reports whether a chip with flash encryption on reads the partition
// through the cipher: apps, otadata and NVS keys always, others by their flag.
// Source: ESP-IDF flash_encrypt.c.
func (p Partition) Encrypted() bool {
	return p.Type == TypeApp || p.Flags&FlagEncrypted != 0 ||
		p.Type == TypeData && (p.Subtype == SubtypeOTAData || p.Subtype == SubtypeNVSKeys)
}

// Usage returns the words of the bootloader's log for the partition. Source:
// ESP-IDF bootloader_utility.c.
func (p Partition) Usage() string {
	switch {
	case p.IsOTAApp():
		return "OTA app"
	case p.Type == TypeApp:
		return usageOf(p.Subtype, map[uint8]string{SubtypeFactory: "factory app", SubtypeTest: "test app"}, "Unknown app")
	case p.Type == TypeData:
		return usageOf(p.Subtype, map[uint8]string{SubtypeOTAData: "OTA data", SubtypePHY: "RF data", SubtypeNVS: "WiFi data",
			SubtypeNVSKeys: "NVS keys", SubtypeEFuse: "efuse"}, "Unknown data")
	}
	return "unknown"
}

func usageOf(subtype uint8, words map[uint8]string, otherwise string) string {
	if word, ok := words[subtype]; ok {
		return word
	}
	return otherwise
}

// Table is a partition table, rows in table order.
type Table struct {
	Partitions []Partition
	Unhashed   bool // has no MD5 row; bootloaders built by default refuse it
}

// Find returns the partition with the label.
func (t Table) Find(label string) (Partition, bool) {
	return t.first(func(p Partition) bool { return p.Label == label })
}

// Factory returns the factory app partition.
func (t Table) Factory() (Partition, bool) {
	return t.first(func(p Partition) bool { return p.Type == TypeApp && p.Subtype == SubtypeFactory })
}

// OTAData returns the partition that says which OTA slot is active.
func (t Table) OTAData() (Partition, bool) {
	return t.first(func(p Partition) bool { return p.Type == TypeData && p.Subtype == SubtypeOTAData })
}

func (t Table) first(match func(Partition) bool) (Partition, bool) {
	if i := slices.IndexFunc(t.Partitions, match); i >= 0 {
		return t.Partitions[i], true
	}
	return Partition{}, false
}

// OTASlots returns the OTA app partitions, ota_0 first: index n is the slot that
// otadata calls n.
func (t Table) OTASlots() []Partition {
	var slots []Partition
	for _, p := range t.Partitions {
		if p.IsOTAApp() {
			slots = append(slots, p)
		}
	}
	slices.SortStableFunc(slots, func(a, b Partition) int { return int(a.Subtype) - int(b.Subtype) })
	return slots
}

// Apps returns the app partitions in table order.
func (t Table) Apps() []Partition {
	var apps []Partition
	for _, p := range t.Partitions {
		if p.Type == TypeApp {
			apps = append(apps, p)
		}
	}
	return apps
}

// named is a number with a name, in the order of Espressif's tables.
type named struct {
	value uint8
	name  string
}

type flagName struct {
	bit  uint32
	name string
}

// Names as in CSV files. Source: ESP-IDF gen_esp32part.py and partition-tables.rst.
var (
	typeNames    = []named{{uint8(TypeApp), "app"}, {uint8(TypeData), "data"}, {uint8(typeBootloader), "bootloader"}, {uint8(typeTable), "partition_table"}}
	subtypeNames = map[PartitionType][]named{
		TypeApp: append([]named{{SubtypeFactory, "factory"}, {SubtypeTest, "test"}}, otaNames()...),
		TypeData: {{0x00, "ota"}, {0x01, "phy"}, {0x02, "nvs"}, {0x03, "coredump"}, {0x04, "nvs_keys"}, {0x05, "efuse"},
			{0x06, "undefined"}, {0x80, "esphttpd"}, {0x81, "fat"}, {0x82, "spiffs"}, {0x83, "littlefs"}},
		typeBootloader: {{0x00, "primary"}, {0x01, "ota"}, {0x02, "recovery"}},
		typeTable:      {{0x00, "primary"}, {0x01, "ota"}},
	}
	flagNames = []flagName{{FlagEncrypted, "encrypted"}, {FlagReadonly, "readonly"}}
)

func otaNames() (names []named) {
	for i := range otaSlots {
		names = append(names, named{SubtypeOTA0 + uint8(i), fmt.Sprintf("ota_%d", i)})
	}
	return names
}

// nameFor returns the name of value, or value in decimal as the generator shows it.
func nameFor(value uint8, names []named) string {
	for _, n := range names {
		if n.value == value {
			return n.name
		}
	}
	return fmt.Sprint(value)
}

// TypeName returns the word of a CSV file, or a decimal number.
func (p Partition) TypeName() string { return nameFor(uint8(p.Type), typeNames) }

// SubtypeName returns the word of a CSV file, or a decimal number.
func (p Partition) SubtypeName() string { return nameFor(p.Subtype, subtypeNames[p.Type]) }

// FlagNames returns the names of the flags that have one, joined by colons.
func (p Partition) FlagNames() string {
	var set []string
	for _, f := range flagNames {
		if p.Flags&f.bit != 0 {
			set = append(set, f.name)
		}
	}
	return strings.Join(set, ":")
}

// ErrTable is any refusal of a partition table; the more precise errors of this
// package wrap it.
var ErrTable = errors.New("bad partition table")
