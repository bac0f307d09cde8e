package fault

import "slices"

// Class groups codes by what is to blame. It is the code's first digit in words.
type Class string

const (
	Link     Class = "link"     // E1xx: port, cable, fixture, reset lines
	Part     Class = "part"     // E2xx: wrong, foreign or unsuitable chip
	Fuse     Class = "fuse"     // E3xx: eFuses
	Flash    Class = "flash"    // E4xx: flash contents
	Identity Class = "identity" // E5xx: serial numbers and MAC addresses
	Records  Class = "records"  // E6xx: database, disk, key custody
	Boot     Class = "boot"     // E7xx: what the unit said when it started
	Profile  Class = "profile"  // E8xx: profile and image files
	Station  Class = "station"  // E9xx: this program itself
)

// Page is what is known about one code. Says and Do are read by people who do
// not read hex: plain words, one sentence each.
type Page struct {
	Code      Code
	Class     Class
	Name      string // short, fits a tile
	Says      string // what happened
	Do        string // the one action
	Transient bool   // the same attempt may succeed when simply repeated
	Verdict   Verdict
}

// Lookup returns the page of code; false if no such code was ever published.
func Lookup(code Code) (Page, bool) {
	i, found := slices.BinarySearchFunc(pages, code, func(p Page, c Code) int {
		switch {
		case p.Code < c:
			return -1
		case p.Code > c:
			return 1
		}
		return 0
	})
	if !found {
		return Page{}, false
	}
	return pages[i], true
}

// All returns every page, in the order of the codes. The slice is the caller's.
func All() []Page { return slices.Clone(pages) }
