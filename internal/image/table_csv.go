package image

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ErrCSV means a line of a partition CSV that cannot be read; it is an ErrTable.
var ErrCSV = fmt.Errorf("%w: CSV", ErrTable)

// CSVError says which line, the first being 1. Unwrap returns what is wrong: ErrCSV,
// or one of the errors Check finds.
type CSVError struct {
	Line int
	Err  error
}

func (e *CSVError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *CSVError) Unwrap() error { return e.Err }

// ParseCSV reads a partition table in ESP-IDF's CSV form: name, type, subtype,
// offset, size, flags. An empty offset is the next one free and aligned; numbers
// are decimal or 0x hex, with K or M after them; flags are joined by colons. Lines
// that are empty or start with # are skipped. A partition may not start before the
// one above it ends.
//
// The table returned has passed Check but for advice. Errors: a *CSVError, the
// findings of Check joined, ErrTableFull. Unlike Espressif's generator, environment
// variables and negative sizes are not understood.
func ParseCSV(text string, l Layout) (Table, error) {
	var t Table
	next := uint64(l.firstFree())
	for i, line := range strings.Split(strings.TrimPrefix(text, "\uFEFF"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		p, err := parseLine(line, next)
		if err != nil {
			return Table{}, &CSVError{Line: i + 1, Err: err}
		}
		if uint64(p.Offset) < next && !p.belowTable() {
			return Table{}, &CSVError{Line: i + 1, Err: startsTooEarly(t, p, next)}
		}
		next = max(next, p.End())
		t.Partitions = append(t.Partitions, p)
	}
	if len(t.Partitions) > maxRows {
		return Table{}, fmt.Errorf("%w: %d (at most %d)", ErrTableFull, len(t.Partitions), maxRows)
	}
	if err := refusal(t.Check(l)); err != nil {
		return Table{}, err
	}
	return t, nil
}

func startsTooEarly(t Table, p Partition, next uint64) error {
	if len(t.Partitions) == 0 {
		return &Finding{Label: p.Label, Err: ErrBelowTable, Detail: fmt.Sprintf("offset %#x is below %#x", p.Offset, next)}
	}
	return &Finding{Label: p.Label, Err: ErrOverlap, Detail: fmt.Sprintf("it starts at %#x, those above it end at %#x", p.Offset, next)}
}

// parseLine reads one line; next is the first offset free for it.
func parseLine(line string, next uint64) (Partition, error) {
	fields := strings.Split(line, ",")
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	const columns = 6
	if extra := strings.Join(fields[min(len(fields), columns):], ""); extra != "" {
		return Partition{}, fmt.Errorf("%w: more than %d fields", ErrCSV, columns)
	}
	fields = append(fields, make([]string, columns)...)
	p := Partition{Label: fields[0]}
	err := errors.Join(
		parseKind(&p, fields[1], fields[2]),
		parseSize(&p, fields[4]),
		parseFlags(&p, fields[5]),
	)
	if err != nil {
		return Partition{}, err
	}
	if err := parseOffset(&p, fields[3], next); err != nil {
		return Partition{}, err
	}
	return p, nil
}

func parseKind(p *Partition, kind, subtype string) error {
	n, err := parseName(kind, typeNames)
	if err != nil {
		return fmt.Errorf("type: %w", err)
	}
	p.Type = PartitionType(n)
	if subtype == "" && p.Type != TypeApp {
		p.Subtype = SubtypeUndefined
		return nil
	}
	if p.Subtype, err = parseName(subtype, subtypeNames[p.Type]); err != nil {
		return fmt.Errorf("subtype: %w", err)
	}
	return nil
}

func parseSize(p *Partition, field string) (err error) {
	if p.Size, err = parseNumber(field); err != nil {
		return fmt.Errorf("size: %w", err)
	}
	return nil
}

func parseFlags(p *Partition, field string) error {
	if field == "" {
		return nil
	}
	for word := range strings.SplitSeq(field, ":") {
		i := slices.IndexFunc(flagNames, func(f flagName) bool { return f.name == strings.TrimSpace(word) })
		if i < 0 {
			return fmt.Errorf("%w: unknown flag %q", ErrCSV, word)
		}
		p.Flags |= flagNames[i].bit
	}
	return nil
}

// parseOffset needs the type, which decides the alignment of an automatic offset.
func parseOffset(p *Partition, field string, next uint64) (err error) {
	if field != "" {
		if p.Offset, err = parseNumber(field); err != nil {
			return fmt.Errorf("offset: %w", err)
		}
		return nil
	}
	if p.belowTable() {
		return fmt.Errorf("%w: a partition of type %s needs its offset written out", ErrCSV, p.TypeName())
	}
	align := uint64(p.offsetAlign())
	offset := (next + align - 1) / align * align
	if offset > math.MaxUint32 {
		return fmt.Errorf("%w: no room left below 4 GiB", ErrCSV)
	}
	p.Offset = uint32(offset)
	return nil
}

func parseName(field string, names []named) (uint8, error) {
	for _, n := range names {
		if n.name == strings.ToLower(field) {
			return n.value, nil
		}
	}
	n, err := parseNumber(field)
	if err != nil {
		return 0, err
	}
	if n > math.MaxUint8 {
		return 0, fmt.Errorf("%w: %q does not fit a byte", ErrCSV, field)
	}
	return uint8(n), nil
}

func parseNumber(field string) (uint32, error) {
	digits, unit := strings.ToLower(field), uint64(1)
	switch {
	case strings.HasSuffix(digits, "kb"), strings.HasSuffix(digits, "mb"):
		return 0, fmt.Errorf("%w: %q is no number; sizes are written like %s", ErrCSV, field, strings.ToUpper(digits[:len(digits)-1]))
	case strings.HasSuffix(digits, "k"):
		digits, unit = digits[:len(digits)-1], 1<<10
	case strings.HasSuffix(digits, "m"):
		digits, unit = digits[:len(digits)-1], 1<<20
	}
	base := 10
	if hex, found := strings.CutPrefix(digits, "0x"); found {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n*unit > math.MaxUint32 {
		return 0, fmt.Errorf("%w: %q is no number below 4 GiB", ErrCSV, field)
	}
	return uint32(n * unit), nil
}

// CSV returns the table as text, laid out as Espressif's generator decodes tables:
// offsets in hex, sizes in M or K where they come out even. Flags without a name
// are lost.
func (t Table) CSV() string {
	var b strings.Builder
	b.WriteString("# ESP-IDF Partition Table\n# Name, Type, SubType, Offset, Size, Flags\n")
	for _, p := range t.Partitions {
		fmt.Fprintf(&b, "%s,%s,%s,%#x,%s,%s\n", p.Label, p.TypeName(), p.SubtypeName(), p.Offset, FormatSize(p.Size), p.FlagNames())
	}
	return b.String()
}

// FormatSize writes a number of bytes as CSV files do: 1M, 24K, or hex.
func FormatSize(n uint32) string {
	switch {
	case n%(1<<20) == 0:
		return fmt.Sprintf("%dM", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%dK", n>>10)
	}
	return fmt.Sprintf("%#x", n)
}
