package scanner

import "time"

// DuplicateWindow is how long the same text read again is the same scan: a scanner
// that is held over a label reads it many times.
const DuplicateWindow = 2 * time.Second

// maxDuplicates bounds what is remembered. Nobody scans more labels in a window.
const maxDuplicates = 32

// Duplicates remembers what was read a moment ago.
type Duplicates struct {
	seen []reading // oldest first
}

// NewDuplicates returns Duplicates that have read nothing.
func NewDuplicates() *Duplicates { return &Duplicates{} }

type reading struct {
	text string
	at   time.Time
}

// Seen notes a text that was read and reports whether it was read in the
// DuplicateWindow before. Each reading, dropped or not, begins the window anew.
func (d *Duplicates) Seen(text string, at time.Time) bool {
	again := false
	kept := d.seen[:0]
	for _, r := range d.seen {
		fresh := at.Sub(r.at) <= DuplicateWindow
		if r.text == text {
			again = fresh
		} else if fresh {
			kept = append(kept, r)
		}
	}
	if len(kept) == maxDuplicates {
		kept = append(kept[:0], kept[1:]...)
	}
	d.seen = append(kept, reading{text, at})
	return again
}
