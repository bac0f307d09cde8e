package image

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Layout is what a partition table has to fit.
type Layout struct {
	TableOffset  uint32 // where the table stands; 0: DefaultTableOffset
	FlashSize    uint32 // bytes; 0: not known, not checked
	SecureBootV1 bool   // apps are verified in 64 KiB pages
}

func (l Layout) tableOffset() uint32 { return cmp.Or(l.TableOffset, DefaultTableOffset) }

// firstFree is the lowest offset a partition may have: after the table's sector.
func (l Layout) firstFree() uint32 { return l.tableOffset() + TableSectorLen }

// What Check finds; each is an ErrTable too.
var (
	ErrOverlap       = fmt.Errorf("%w: partitions overlap", ErrTable)
	ErrBelowTable    = fmt.Errorf("%w: partition overlaps the partition table", ErrTable)
	ErrAlignment     = fmt.Errorf("%w: partition is not aligned", ErrTable)
	ErrFlashSize     = fmt.Errorf("%w: partition ends beyond the flash", ErrTable)
	ErrDuplicate     = fmt.Errorf("%w: two partitions have one name", ErrTable)
	ErrPartitionSize = fmt.Errorf("%w: partition has a wrong size", ErrTable)
	ErrPartitionFlag = fmt.Errorf("%w: partition has a wrong flag", ErrTable)
	ErrOTA           = fmt.Errorf("%w: OTA cannot work", ErrTable)
	ErrNoApp         = fmt.Errorf("%w: no app partition", ErrTable)
	ErrNoMD5         = fmt.Errorf("%w: no MD5 row", ErrTable)
)

// Finding is one thing wrong with a table. Unwrap returns one of the errors above.
type Finding struct {
	Label  string // of the partition; "" for the table as a whole
	Err    error
	Detail string
	Advice bool // Espressif's generator accepts it; a device may not do what is meant
}

func (f *Finding) Error() string {
	if f.Label == "" {
		return fmt.Sprintf("%v: %s", f.Err, f.Detail)
	}
	return fmt.Sprintf("%v: %s: %s", f.Err, f.Label, f.Detail)
}

func (f *Finding) Unwrap() error { return f.Err }

// Check returns everything wrong with the table, in table order, then what
// concerns several partitions; nil when there is nothing.
func (t Table) Check(l Layout) []*Finding {
	var found []*Finding
	for _, p := range t.Partitions {
		found = append(found, p.check(l)...)
	}
	found = append(found, t.checkNames()...)
	found = append(found, t.checkOverlaps()...)
	found = append(found, t.checkOTA()...)
	if len(t.Apps()) == 0 {
		found = append(found, &Finding{Err: ErrNoApp, Detail: "nothing can start", Advice: true})
	}
	if t.Unhashed {
		found = append(found, &Finding{Err: ErrNoMD5, Detail: "a bootloader built by default refuses the table", Advice: true})
	}
	return found
}

// refusal joins the findings that are more than advice.
func refusal(found []*Finding) error {
	var errs []error
	for _, f := range found {
		if !f.Advice {
			errs = append(errs, f)
		}
	}
	return errors.Join(errs...)
}

// Alignments. Source: ESP-IDF gen_esp32part.py.
const (
	appAlign  = 0x10000 // of an app's offset; of its size with Secure Boot V1
	sectorLen = 0x1000  // of everything else
)

func (p Partition) offsetAlign() uint32 {
	if p.Type == TypeApp {
		return appAlign
	}
	return sectorLen
}

func (p Partition) sizeAlign(l Layout) uint32 {
	switch {
	case p.Type == TypeApp && l.SecureBootV1:
		return appAlign
	case p.Type == TypeApp:
		return sectorLen
	}
	return 1
}

// belowTable reports whether the partition may lie below the table: those that
// describe bootloader and table themselves.
func (p Partition) belowTable() bool { return p.Type == typeBootloader || p.Type == typeTable }

// check looks at one partition alone.
func (p Partition) check(l Layout) (found []*Finding) {
	add := func(err error, format string, args ...any) {
		found = append(found, &Finding{Label: p.Label, Err: err, Detail: fmt.Sprintf(format, args...)})
	}
	if !p.labelIsGood() {
		add(ErrTableLabel, "a name has 1 to %d printable characters, no comma, no space at its ends, no # in front", labelLen-1)
	}
	if align := p.offsetAlign(); p.Offset%align != 0 {
		add(ErrAlignment, "offset %#x is not a multiple of %#x", p.Offset, align)
	}
	if align := p.sizeAlign(l); p.Size%align != 0 {
		add(ErrAlignment, "size %#x is not a multiple of %#x", p.Size, align)
	}
	if p.Size == 0 {
		add(ErrPartitionSize, "it is 0")
	}
	if p.Offset < l.firstFree() && !p.belowTable() {
		add(ErrBelowTable, "offset %#x is below %#x", p.Offset, l.firstFree())
	}
	if l.FlashSize != 0 && p.End() > uint64(l.FlashSize) {
		add(ErrFlashSize, "it ends at %#x, the flash at %#x", p.End(), l.FlashSize)
	}
	if p.Type == TypeData {
		found = append(found, p.checkData()...)
	}
	return found
}

// labelIsGood reports whether the label fits its field and survives CSV.
func (p Partition) labelIsGood() bool {
	return p.Label != "" && len(p.Label) < labelLen && text([]byte(p.Label)) == p.Label && strings.TrimSpace(p.Label) == p.Label &&
		!strings.Contains(p.Label, ",") && !strings.HasPrefix(p.Label, "#")
}

const (
	otaDataLen   = 0x2000
	nvsFewest    = 0x3000 // one page must stay free while another is rewritten
	nvsKeysLeast = 0x1000
)

// checkData looks at the data partitions that ESP-IDF has rules for.
func (p Partition) checkData() (found []*Finding) {
	readonly := p.Flags&FlagReadonly != 0
	switch {
	case p.Subtype == SubtypeOTAData && p.Size != otaDataLen:
		found = append(found, &Finding{Label: p.Label, Err: ErrPartitionSize, Detail: fmt.Sprintf("otadata must be %#x, is %#x", otaDataLen, p.Size)})
	case p.Subtype == SubtypeNVS && p.Size < nvsFewest && !readonly:
		found = append(found, &Finding{Label: p.Label, Err: ErrPartitionSize, Detail: fmt.Sprintf("nvs that is written to needs %#x, has %#x", nvsFewest, p.Size)})
	case p.Subtype == SubtypeNVSKeys && p.Size < nvsKeysLeast:
		found = append(found, &Finding{Label: p.Label, Err: ErrPartitionSize, Detail: fmt.Sprintf("nvs_keys needs %#x, has %#x", nvsKeysLeast, p.Size)})
	}
	if readonly && (p.Subtype == SubtypeOTAData || p.Subtype == SubtypeCoredump) {
		found = append(found, &Finding{Label: p.Label, Err: ErrPartitionFlag, Detail: "it cannot be readonly: the device writes to it"})
	}
	if p.Subtype == SubtypeNVSKeys && p.Flags&FlagEncrypted == 0 {
		found = append(found, &Finding{Label: p.Label, Err: ErrPartitionFlag, Detail: "nvs_keys should carry the flag encrypted", Advice: true})
	}
	return found
}

func (t Table) checkNames() (found []*Finding) {
	seen := make(map[string]bool)
	for _, p := range t.Partitions {
		if seen[p.Label] {
			found = append(found, &Finding{Label: p.Label, Err: ErrDuplicate, Detail: "names must be unique"})
		}
		seen[p.Label] = true
	}
	return found
}

func (t Table) checkOverlaps() (found []*Finding) {
	byOffset := slices.Clone(t.Partitions)
	slices.SortStableFunc(byOffset, func(a, b Partition) int { return cmp.Compare(a.Offset, b.Offset) })
	var reach Partition // the one that ends last so far
	for i, p := range byOffset {
		if i > 0 && uint64(p.Offset) < reach.End() {
			found = append(found, &Finding{Label: p.Label, Err: ErrOverlap,
				Detail: fmt.Sprintf("it starts at %#x, %s ends at %#x", p.Offset, reach.Label, reach.End())})
		}
		if i == 0 || p.End() > reach.End() {
			reach = p
		}
	}
	return found
}

// checkOTA looks at what must fit together for an update over the air.
func (t Table) checkOTA() (found []*Finding) {
	selectors := 0
	for _, p := range t.Partitions {
		if p.Type == TypeData && p.Subtype == SubtypeOTAData {
			selectors++
		}
	}
	slots := t.OTASlots()
	if selectors > 1 {
		found = append(found, &Finding{Err: ErrOTA, Detail: fmt.Sprintf("%d otadata partitions", selectors)})
	}
	if len(slots) > 0 && selectors == 0 {
		found = append(found, &Finding{Err: ErrOTA, Detail: "OTA slots, but no otadata partition to choose between them", Advice: true})
	}
	for i, p := range slots {
		if int(p.Subtype) != SubtypeOTA0+i {
			found = append(found, &Finding{Label: p.Label, Err: ErrOTA, Detail: fmt.Sprintf("slots must be numbered from ota_0 on; this is %s, expected ota_%d", p.SubtypeName(), i), Advice: true})
			break
		}
	}
	return found
}
