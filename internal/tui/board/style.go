package board

import (
	"strings"
)

// style is how a cell looks: a colour and what else is done to it. Words and
// shapes say the same, so that a terminal without colours loses nothing.
type style uint16

// Colours have one meaning each.
const (
	plain   style = iota
	green         // PASS, and nothing else
	red           // FAIL and the station's lock, and nothing else
	amber         // a unit is worked on, or something is wrong that is not the unit
	yellow        // try again
	magenta       // quarantine
	blue          // scan
	grey          // finished before, not ours
	colours = 0x0f
)

// What is done besides colour.
const (
	bold style = 1 << (4 + iota)
	dim
	inverse
)

// palette turns styles into what the terminal understands.
type palette struct{ mono bool }

const reset = "\x1b[0m"

var colourCodes = [...]string{green: "32", red: "31", amber: "33", yellow: "93", magenta: "35", blue: "94", grey: "37"}

// code is the sequence that begins st.
func (p palette) code(st style) string {
	var parts []string
	if st&bold != 0 {
		parts = append(parts, "1")
	}
	if st&dim != 0 {
		parts = append(parts, "2")
	}
	if st&inverse != 0 {
		parts = append(parts, "7")
	}
	if c := st & colours; c != plain && !p.mono {
		parts = append(parts, colourCodes[c])
	}
	if len(parts) == 0 {
		return ""
	}
	return "\x1b[" + strings.Join(parts, ";") + "m"
}

// look is what the terminal can show.
type look struct {
	palette
	ascii bool // no lines, blocks and ticks: a terminal or font without them
}

// cut is s in at most w columns, with a mark where something is missing.
func (lk look) cut(s string, w int) string {
	if width(s) <= w {
		return s
	}
	mark := "…"
	if lk.ascii {
		mark = "~"
	}
	if w < 1 {
		return ""
	}
	return s[:fitting(s, w-1)] + mark
}

// wrap breaks s into lines of at most w columns: between words, between the
// characters of languages without spaces, and inside a word that is too long.
func wrap(s string, w int) []string {
	if w < 2 {
		return nil
	}
	var out []string
	line := ""
	for _, word := range pieces(s) {
		bare := strings.TrimRight(word, " ")
		if line != "" && width(line)+width(bare) > w {
			out, line = append(out, strings.TrimRight(line, " ")), ""
		}
		for width(bare) > w {
			n := fitting(bare, w)
			out, bare, word = append(out, bare[:n]), bare[n:], word[n:]
		}
		line += word
	}
	if line = strings.TrimRight(line, " "); line != "" {
		out = append(out, line)
	}
	return out
}

// fitting is how many bytes of s fit into w columns.
func fitting(s string, w int) int {
	n := 0
	for i, r := range s {
		if n += runeWidth(printable(r)); n > w {
			return i
		}
	}
	return len(s)
}

// pieces are what s may be broken into, each with the blanks after it.
func pieces(s string) []string {
	var out []string
	begin, runes := 0, []rune(s)
	for i := range runes {
		if i > begin && breakable(runes[i-1], runes[i]) {
			out = append(out, string(runes[begin:i]))
			begin = i
		}
	}
	if begin < len(runes) {
		out = append(out, string(runes[begin:]))
	}
	return out
}

// breakable reports whether a line may end between a and b. Chinese punctuation
// stays with what it ends.
func breakable(a, b rune) bool {
	if b == ' ' {
		return false
	}
	if a == ' ' {
		return true
	}
	if strings.ContainsRune("，。：；！？、）", b) || strings.ContainsRune("（", a) {
		return false
	}
	return runeWidth(a) == 2 || runeWidth(b) == 2
}
