package efuse

import (
	"cmp"
	"fmt"
)

// Revision is the version of the silicon.
type Revision struct{ Major, Minor int }

// String writes it as Espressif does: "v3.0".
func (r Revision) String() string { return fmt.Sprintf("v%d.%d", r.Major, r.Minor) }

// ParseRevision reads what String writes, and nothing else (ErrRevision).
func ParseRevision(text string) (r Revision, err error) {
	if n, _ := fmt.Sscanf(text, "v%d.%d", &r.Major, &r.Minor); n != 2 || text != r.String() {
		return Revision{}, fmt.Errorf("revision %q: %w", text, ErrRevision)
	}
	return r, nil
}

// Compare orders revisions: -1 when r is the older.
func (r Revision) Compare(other Revision) int {
	return cmp.Or(cmp.Compare(r.Major, other.Major), cmp.Compare(r.Minor, other.Minor))
}

// AddrAPBDate is the register whose bit 31 is the third input of the major revision
// (ESP-IDF, efuse_hal.c): it is not a fuse.
const AddrAPBDate = 0x3FF6607C

// Revision combines the revision fuses with the value of AddrAPBDate. Four of the
// eight patterns have a meaning; the others are ErrRevision.
func (w Words) Revision(apbDate uint32) (Revision, error) {
	r := Revision{Minor: int(w.Field("WAFER_VERSION_MINOR"))}
	switch bits := w.Field("CHIP_VER_REV1") | w.Field("CHIP_VER_REV2")<<1 | uint64(apbDate>>31)<<2; bits {
	case 0:
		r.Major = 0
	case 1:
		r.Major = 1
	case 3:
		r.Major = 2
	case 7:
		r.Major = 3
	default:
		return Revision{}, fmt.Errorf("revision bits %03b: %w", bits, ErrRevision)
	}
	return r, nil
}
