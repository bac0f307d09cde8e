package scanner

import "unicode"

// Event is what came of the characters: a Scan, a Key or a Broken.
type Event interface{ event() }

// Scan is a whole barcode, cleaned: no prefix, no terminator, no invisible
// characters but GS.
type Scan struct{ Text string }

// Key is a key pressed by hand. The Enter key is EnterKey, whether the terminal
// calls it CR or LF; the Tab key is '\t'.
type Key struct{ Rune rune }

// Broken is a scan that cannot be used: its end did not come, its beginning may be
// lost, or it is too long or too short. Text is what there is of it, cleaned, for
// the record; it must not be acted on.
type Broken struct{ Text string }

func (Scan) event()   {}
func (Key) event()    {}
func (Broken) event() {}

// EnterKey is the Rune of a Key that is the Enter key.
const EnterKey = '\r'

// MaxLength is the longest scan, in characters.
const MaxLength = 256

// groupSeparator is GS: a barcode of GS1 sends it for FNC1, between its fields.
// Source: GS1 General Specifications, "FNC1 as a field separator".
const groupSeparator = 0x1D

// kept reports whether a character of a scan is part of its text. What cannot be
// seen is not: control characters other than GS, and Unicode's format characters.
func kept(r rune) bool { return r == groupSeparator || unicode.IsGraphic(r) }

// cleaned returns the characters of a scan that are its text.
func cleaned(raw []rune) []rune {
	var text []rune
	for _, r := range raw {
		if kept(r) {
			text = append(text, r)
		}
	}
	return text
}

// terminator reports whether r ends a scan.
func terminator(r rune) bool { return r == '\r' || r == '\n' || r == '\t' }
