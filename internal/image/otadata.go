package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Layout of otadata: two flash sectors, an entry of 32 bytes at the start of each,
// so that one survives while the other is rewritten. Source: ESP-IDF
// esp_flash_partitions.h, esp_ota_select_entry_t.
const (
	OTADataLen  = otaDataLen
	otaEntryLen = 32
	otaSeqBlank = 0xFFFFFFFF
)

// ErrOTADataLength means fewer bytes than an otadata partition has.
var ErrOTADataLength = errors.New("otadata must be 8192 bytes")

// OTAState is how far the app in a slot has proved itself.
type OTAState uint32

const (
	OTANew       OTAState = 0
	OTAPending   OTAState = 1
	OTAValid     OTAState = 2
	OTAInvalid   OTAState = 3
	OTAAborted   OTAState = 4
	OTAUndefined OTAState = 0xFFFFFFFF
)

func (s OTAState) String() string {
	if s == OTAUndefined {
		return "undefined"
	}
	return nameOf(int(s), "new", "pending", "valid", "invalid", "aborted")
}

// OTAEntry is one of the two entries.
type OTAEntry struct {
	Seq   uint32   // counts updates from 1 on; 0xFFFFFFFF: never written
	Label [20]byte // not used by ESP-IDF: 0xFF
	State OTAState
	CRC   uint32 // of Seq alone
}

// NewOTAEntry returns an entry with the right CRC.
func NewOTAEntry(seq uint32, state OTAState) OTAEntry {
	e := OTAEntry{Seq: seq, State: state, CRC: otaCRC(seq)}
	copy(e.Label[:], endRow)
	return e
}

// otaCRC is CRC-32 the way the ROM computes it when started with 0xFFFFFFFF, which
// is not what zlib's crc32 gives by default.
func otaCRC(seq uint32) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], seq)
	return crc32.Update(0xFFFFFFFF, crc32.IEEETable, b[:])
}

// Unset reports an entry that names no slot: blank, or its app failed. Two of them
// make the bootloader start the factory app, or ota_0 without one, in silence.
func (e OTAEntry) Unset() bool {
	return e.Seq == otaSeqBlank || e.State == OTAInvalid || e.State == OTAAborted
}

// Usable reports an entry that the bootloader may follow: set, with a good CRC.
func (e OTAEntry) Usable() bool { return !e.Unset() && e.CRC == otaCRC(e.Seq) }

// OTAData is the content of an otadata partition.
type OTAData [2]OTAEntry

// BlankOTAData is an erased otadata partition, in plain. (Where flash encryption is
// on it has to be written encrypted: raw 0xFF decrypts to noise.)
func BlankOTAData() OTAData { return OTAData{blankOTAEntry(), blankOTAEntry()} }

func blankOTAEntry() OTAEntry { return decodeOTAEntry(endRow) }

// SelectSlot returns otadata of which the first entry chooses slot (0 is ota_0).
func SelectSlot(slot int, state OTAState) OTAData {
	return OTAData{NewOTAEntry(uint32(slot)+1, state), blankOTAEntry()}
}

// ParseOTAData decodes the partition as the chip reads it. Every content is
// something; only fewer than OTADataLen bytes are ErrOTADataLength.
func ParseOTAData(data []byte) (OTAData, error) {
	if len(data) < OTADataLen {
		return OTAData{}, fmt.Errorf("%w, not %d", ErrOTADataLength, len(data))
	}
	return OTAData{decodeOTAEntry(data), decodeOTAEntry(data[sectorLen:])}, nil
}

func decodeOTAEntry(b []byte) OTAEntry {
	return OTAEntry{
		Seq:   binary.LittleEndian.Uint32(b),
		Label: [20]byte(b[4:]),
		State: OTAState(binary.LittleEndian.Uint32(b[24:])),
		CRC:   binary.LittleEndian.Uint32(b[28:]),
	}
}

// Binary returns the OTADataLen bytes of the partition.
func (d OTAData) Binary() []byte {
	out := bytes.Repeat([]byte{0xFF}, OTADataLen)
	for i, e := range d {
		b := out[i*sectorLen : i*sectorLen+otaEntryLen]
		binary.LittleEndian.PutUint32(b, e.Seq)
		copy(b[4:], e.Label[:])
		binary.LittleEndian.PutUint32(b[24:], uint32(e.State))
		binary.LittleEndian.PutUint32(b[28:], e.CRC)
	}
	return out
}

// ActiveSlot returns the slot the bootloader will try first in a table with slots
// OTA slots: that of the usable entry with the larger Seq. ok is false when no
// entry is usable, or there are no slots.
func (d OTAData) ActiveSlot(slots int) (slot int, ok bool) {
	if slots < 1 || !d[0].Usable() && !d[1].Usable() {
		return 0, false
	}
	active := d[0]
	if !d[0].Usable() || d[1].Usable() && d[1].Seq > d[0].Seq {
		active = d[1]
	}
	return int((active.Seq - 1) % uint32(slots)), true
}
