package scanner

import (
	"strings"
	"unicode"
)

// LayoutTest is the text of the barcode that shows whether scanner and terminal
// agree about the keyboard: letters that a German keyboard swaps, both cases, the
// punctuation of our barcodes, and all digits, which a French one shifts.
const LayoutTest = "LAYOUT-Yz/yZ-0123456789"

// IsLayoutTest reports whether what was read comes of the barcode with LayoutTest: a
// keyboard that is set wrongly takes one letter of its first word for another.
func IsLayoutTest(read string) bool {
	want, got := []rune(LayoutTest), []rune(read)
	if len(want) != len(got) {
		return false
	}
	word := strings.IndexByte(LayoutTest, '-')
	alike := 0
	for i := range word {
		if unicode.ToUpper(got[i]) == want[i] {
			alike++
		}
	}
	return alike >= word-1
}

// Layout says what is wrong with the keyboard layout, what is to be put right
// first if it is more than one thing.
type Layout string

// The findings.
const (
	LayoutOK    Layout = "ok"
	YZSwapped   Layout = "yz_swapped"  // one side is set to a German keyboard
	CapsLock    Layout = "caps_lock"   // capital and small letters are exchanged
	Punctuation Layout = "punctuation" // letters and digits are right, "-" or "/" is not
	OtherLayout Layout = "other"       // another layout, or another barcode
)

// CheckLayout judges what was read of the barcode with LayoutTest.
func CheckLayout(read string) Layout {
	want, got := []rune(LayoutTest), []rune(read)
	if len(want) != len(got) {
		return OtherLayout
	}
	var letters, inverted, swapped, digits, marks int
	for i, w := range want {
		g := got[i]
		switch {
		case unicode.IsLetter(w):
			letters++
			if unicode.IsUpper(w) != unicode.IsUpper(g) {
				inverted++
			}
			if unicode.ToLower(g) == unicode.ToLower(swapYZ(w)) && swapYZ(w) != w {
				swapped++
			} else if unicode.ToLower(g) != unicode.ToLower(w) {
				return OtherLayout
			}
		case unicode.IsDigit(w) && g != w:
			digits++
		case g != w:
			marks++
		}
	}
	switch {
	case inverted == letters:
		return CapsLock // digits and punctuation may follow the lock
	case inverted > 0 || digits > 0 || swapped > 0 && swapped < swappable:
		return OtherLayout
	case swapped > 0:
		return YZSwapped // "-" and "/" are elsewhere on that keyboard too
	case marks > 0:
		return Punctuation
	}
	return LayoutOK
}

// swappable is how many letters of LayoutTest are Y or Z.
const swappable = 5

// swapYZ returns the letter that is where r is on a keyboard with Y and Z swapped.
func swapYZ(r rune) rune {
	switch r {
	case 'Y':
		return 'Z'
	case 'Z':
		return 'Y'
	case 'y':
		return 'z'
	case 'z':
		return 'y'
	}
	return r
}
