package image

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"fmt"
)

// Refusals of ParseTable and Binary; each is an ErrTable too.
var (
	ErrTableBlank = fmt.Errorf("%w: nothing there", ErrTable)
	ErrTableMagic = fmt.Errorf("%w: a row has no magic number", ErrTable)
	ErrTableMD5   = fmt.Errorf("%w: wrong MD5", ErrTable)
	ErrTableEnd   = fmt.Errorf("%w: no end marker", ErrTable)
	ErrTableLabel = fmt.Errorf("%w: a label is not printable or too long", ErrTable)
	ErrTableFull  = fmt.Errorf("%w: too many partitions", ErrTable)
)

var (
	tableMagic = []byte{0xAA, 0x50}
	md5Magic   = append([]byte{0xEB, 0xEB}, bytes.Repeat([]byte{0xFF}, 14)...)
	endRow     = bytes.Repeat([]byte{0xFF}, rowLen)
)

// ParseTable reads the partition table at the start of data, a table file or
// flash; at most TableLen bytes are looked at. Rows end with a row of 0xFF; one
// MD5 row over all rows before it may stand among them, and must hold. A table
// without one is Unhashed. Whether the partitions make sense, Check tells. Errors:
// ErrTableBlank, ErrTableMagic, ErrTableMD5, ErrTableEnd, ErrTableLabel.
func ParseTable(data []byte) (Table, error) {
	t := Table{Unhashed: true}
	data = data[:min(len(data), TableLen)]
	for at := 0; at+rowLen <= len(data); at += rowLen {
		row := data[at : at+rowLen]
		switch {
		case bytes.Equal(row, endRow) && at == 0:
			return Table{}, ErrTableBlank
		case bytes.Equal(row, endRow):
			return t, nil
		case bytes.HasPrefix(row, md5Magic):
			if sum := md5.Sum(data[:at]); !t.Unhashed || !bytes.Equal(sum[:], row[len(md5Magic):]) {
				return Table{}, fmt.Errorf("%w in row %d", ErrTableMD5, at/rowLen)
			}
			t.Unhashed = false
		case bytes.HasPrefix(row, tableMagic):
			p, err := decodeRow(row)
			if err != nil {
				return Table{}, fmt.Errorf("row %d: %w", at/rowLen, err)
			}
			t.Partitions = append(t.Partitions, p)
		default:
			return Table{}, fmt.Errorf("%w: row %d starts %x", ErrTableMagic, at/rowLen, row[:2])
		}
	}
	return Table{}, ErrTableEnd
}

func decodeRow(row []byte) (Partition, error) {
	p := Partition{
		Type:    PartitionType(row[2]),
		Subtype: row[3],
		Offset:  binary.LittleEndian.Uint32(row[4:]),
		Size:    binary.LittleEndian.Uint32(row[8:]),
		Flags:   binary.LittleEndian.Uint32(row[28:]),
	}
	label, _, _ := bytes.Cut(row[12:12+labelLen], []byte{0})
	if text(label) != string(label) {
		return Partition{}, fmt.Errorf("%w: %q", ErrTableLabel, label)
	}
	p.Label = string(label)
	return p, nil
}

// Binary returns the table as it stands in flash: TableLen bytes, with the MD5 row
// unless Unhashed. Errors: ErrTableFull, ErrTableLabel.
func (t Table) Binary() ([]byte, error) {
	if len(t.Partitions) > maxRows {
		return nil, fmt.Errorf("%w: %d (at most %d)", ErrTableFull, len(t.Partitions), maxRows)
	}
	out := make([]byte, 0, TableLen)
	for _, p := range t.Partitions {
		if len(p.Label) > labelLen || text([]byte(p.Label)) != p.Label {
			return nil, fmt.Errorf("%w: %q", ErrTableLabel, p.Label)
		}
		row := make([]byte, rowLen)
		copy(row, tableMagic)
		row[2], row[3] = uint8(p.Type), p.Subtype
		binary.LittleEndian.PutUint32(row[4:], p.Offset)
		binary.LittleEndian.PutUint32(row[8:], p.Size)
		copy(row[12:], p.Label)
		binary.LittleEndian.PutUint32(row[28:], p.Flags)
		out = append(out, row...)
	}
	if !t.Unhashed {
		sum := md5.Sum(out)
		out = append(append(out, md5Magic...), sum[:]...)
	}
	return append(out, bytes.Repeat([]byte{0xFF}, TableLen-len(out))...), nil
}
