package simulator

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"

	"provision/internal/image"
)

const (
	tableRowLen  = 32
	tableRows    = image.TableLen / tableRowLen
	rowMagic     = 0x50AA
	rowMagicMD5  = 0xEBEB
	rowMD5Offset = 16

	firstTableOffset = image.DefaultTableOffset
	lastTableOffset  = 0x20000
)

// bootTable is the partition table as the bootloader remembers it.
type bootTable struct {
	rows    []image.Partition
	factory *image.Partition
	test    *image.Partition
	otadata *image.Partition
	ota     [16]*image.Partition
	slots   int // number of OTA app rows
}

// app is the partition that an index stands for.
func (t bootTable) app(index int) (image.Partition, bool) {
	var p *image.Partition
	switch {
	case index == factoryIndex:
		p = t.factory
	case index >= 0 && index < min(t.slots, len(t.ota)):
		p = t.ota[index]
	}
	if p == nil || p.Size == 0 {
		return image.Partition{}, false
	}
	return *p, true
}

// partitionTable reads and prints the table. The words and the order of the checks
// are those of ESP-IDF flash_partitions.c and bootloader_utility.c.
func (b *boot) partitionTable() (bootTable, bool) {
	b.tableAt = b.findTable()
	raw := b.flash.read(b.tableAt, image.TableLen)
	rows, complaint, ok := readTable(raw, b.loaded.FlashSize.Bytes(), b.features.refusesBlankTable)
	if !ok {
		b.end(CauseBadPartitionTable)
		complaint(b)
		b.fail(tagBoot, "Failed to verify partition table")
		return bootTable{}, false
	}
	if len(rows) == 0 {
		b.end(CauseNoPartitionTable)
	}
	b.info(tagBoot, "Partition Table:")
	b.info(tagBoot, "## Label            Usage          Type ST Offset   Length")
	for i, p := range rows {
		b.info(tagBoot, "%2d %-16s %-16s %02x %02x %08x %08x", i, p.Label, p.Usage(), uint8(p.Type), p.Subtype, p.Offset, p.Size)
	}
	b.info(tagBoot, "End of partition table")
	return arrange(rows), true
}

// findTable is the offset the bootloader was built for. A bootloader does not say;
// the first place a table can be at that holds a valid one is taken, else the first
// that begins like one, else the first of all.
func (b *boot) findTable() int {
	if b.features.tableOffset != 0 {
		return b.features.tableOffset
	}
	start := max(firstTableOffset, (bootloaderAt+len(b.loaded.bytes)+norSector-1)/norSector*norSector)
	found := 0
	for at := start; at <= lastTableOffset; at += norSector {
		raw := b.flash.read(at, image.TableLen)
		if t, err := image.ParseTable(raw); err == nil && len(t.Partitions) > 0 {
			return at
		}
		if found == 0 && binary.LittleEndian.Uint16(raw) == rowMagic {
			found = at
		}
	}
	if found == 0 {
		found = start
	}
	return found
}

// readTable walks the rows as esp_partition_table_verify does. When it fails,
// complaint prints why.
func readTable(raw []byte, flashSize uint32, refuseBlank bool) (rows []image.Partition, complaint func(*boot), ok bool) {
	hashed := false
	refuse := func(format string, args ...any) ([]image.Partition, func(*boot), bool) {
		return nil, func(b *boot) { b.fail(tagParts, format, args...) }, false
	}
	for n := range tableRows {
		row := raw[n*tableRowLen : (n+1)*tableRowLen]
		switch magic := binary.LittleEndian.Uint16(row); {
		case magic == rowMagic:
			p := tableRow(row)
			if p.End() > uint64(flashSize) {
				return refuse("partition %d invalid - offset 0x%x size 0x%x exceeds flash chip size 0x%x", n, p.Offset, p.Size, flashSize)
			}
			rows = append(rows, p)
		case magic == rowMagicMD5 && hashed:
			return refuse("Only one MD5 checksum is allowed")
		case magic == rowMagicMD5:
			if sum := md5.Sum(raw[:n*tableRowLen]); !bytes.Equal(row[rowMD5Offset:], sum[:]) {
				return refuse("Incorrect MD5 checksum")
			}
			hashed = true
		case magic == 0xFFFF && row[2] == 0xFF && row[3] == 0xFF && (n > 0 || !refuseBlank):
			return rows, nil, true
		default:
			return refuse("partition %d invalid magic number 0x%x", n, magic)
		}
	}
	return refuse("partition table has no terminating entry, not valid")
}

// tableRow decodes one row.
func tableRow(row []byte) image.Partition {
	label, _, _ := bytes.Cut(row[12:28], []byte{0})
	return image.Partition{
		Type:    image.PartitionType(row[2]),
		Subtype: row[3],
		Offset:  binary.LittleEndian.Uint32(row[4:]),
		Size:    binary.LittleEndian.Uint32(row[8:]),
		Label:   string(label),
		Flags:   binary.LittleEndian.Uint32(row[28:]),
	}
}

// arrange sorts the rows by what the bootloader does with them; a later row of the
// same kind wins, as there.
func arrange(rows []image.Partition) bootTable {
	t := bootTable{rows: rows}
	for i := range rows {
		p := &rows[i]
		switch {
		case p.Type == image.TypeApp && p.Subtype == image.SubtypeFactory:
			t.factory = p
		case p.Type == image.TypeApp && p.Subtype == image.SubtypeTest:
			t.test = p
		case p.IsOTAApp():
			t.ota[p.Subtype&0xF] = p
			t.slots++
		case p.Type == image.TypeData && p.Subtype == image.SubtypeOTAData:
			t.otadata = p
		}
	}
	return t
}
