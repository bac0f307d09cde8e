package simulator

import (
	"encoding/binary"
	"hash/crc32"
)

// otaEntry is the part of an otadata sector the bootloader looks at. Source: ESP-IDF
// esp_flash_partitions.h.
type otaEntry struct {
	seq, state, crc uint32
}

const (
	otaEntryLen = 32
	otaBlank    = 0xFFFFFFFF
	otaNew      = 0
	otaPending  = 1
	otaValid    = 2
	otaInvalid  = 3
	otaAborted  = 4
)

// usable says whether the entry may select a slot at all, valid whether its CRC
// holds too.

func (e otaEntry) usable() bool {
	return e.seq != otaBlank && e.state != otaInvalid && e.state != otaAborted
}
func (e otaEntry) valid() bool   { return e.usable() && e.checksum() == e.crc }
func (e otaEntry) initial() bool { return e.seq == otaBlank || e.checksum() != e.crc }
func (e otaEntry) checksum() uint32 {
	return crc32.Update(0xFFFFFFFF, crc32.IEEETable, binary.LittleEndian.AppendUint32(nil, e.seq))
}

// bytes is the entry as it stands in flash; the label between is erased.
func (e otaEntry) bytes() []byte {
	b := binary.LittleEndian.AppendUint32(nil, e.seq)
	for range 20 {
		b = append(b, 0xFF)
	}
	b = binary.LittleEndian.AppendUint32(b, e.state)
	return binary.LittleEndian.AppendUint32(b, e.crc)
}

// otaData reads the entries of both sectors.
func (b *boot) otaData(at uint32) (e [2]otaEntry) {
	for i := range e {
		raw := b.flash.read(int(at)+i*norSector, otaEntryLen)
		e[i] = otaEntry{
			seq:   binary.LittleEndian.Uint32(raw),
			state: binary.LittleEndian.Uint32(raw[24:]),
			crc:   binary.LittleEndian.Uint32(raw[28:]),
		}
	}
	return e
}

// selectApp is which app the bootloader tries first. Source: ESP-IDF 5.1
// bootloader_utility_get_selected_boot_partition.
func (b *boot) selectApp(t bootTable) int {
	if t.otadata == nil {
		return factoryIndex
	}
	if t.otadata.Size < 2*norSector {
		b.fail(tagBoot, "ota_info partition size %d is too small (minimum %d bytes)", t.otadata.Size, 2*norSector)
		b.end(CauseBadPartitionTable)
		return invalidIndex
	}
	e := b.otaData(t.otadata.Offset)
	if b.features.rollback {
		b.abortPending(t, &e)
	}
	if b.features.antiRollback {
		return b.selectRecent(t, e)
	}
	if !e[0].usable() && !e[1].usable() || t.slots == 0 {
		if t.factory != nil {
			b.info(tagBoot, "Defaulting to factory image")
			return factoryIndex
		}
		b.info(tagBoot, "No factory image, trying OTA 0")
		b.freshOTA = e[0].initial() && e[1].initial()
		return 0
	}
	active, ok := newest(e)
	switch {
	case ok:
		return b.selectSlot(t, e[active], active)
	case t.factory != nil:
		b.fail(tagBoot, "ota data partition invalid, falling back to factory")
	default:
		b.fail(tagBoot, "ota data partition invalid and no factory, will try all partitions")
	}
	return factoryIndex
}

// newest is the valid entry with the larger sequence number.
func newest(e [2]otaEntry) (int, bool) {
	switch v0, v1 := e[0].valid(), e[1].valid(); {
	case v0 && v1 && e[1].seq > e[0].seq:
		return 1, true
	case v0:
		return 0, true
	default:
		return 1, v1
	}
}

// noteSlot writes the first otadata entry of a device that has never had one and
// boots without a factory app. It reports false when the chip stopped.
func (b *boot) noteSlot(t bootTable, index int) bool {
	if index < 0 || !b.freshOTA {
		return true
	}
	e := otaEntry{seq: uint32(index) + 1, state: otaValid}
	e.crc = e.checksum()
	if !b.writeOTAEntry(t, 0, e) {
		return false
	}
	b.info(tagBoot, "Set actual ota_seq=%d in otadata[0]", e.seq)
	if p, ok := t.app(index); ok && b.features.antiRollback {
		return b.raiseSecureVersion(p)
	}
	return true
}
