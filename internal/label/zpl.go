package label

import (
	"strconv"
	"strings"
)

// command is one ZPL command: a prefix, a name of two characters, and everything
// up to the next command. ^ starts a format command, which is about the label; ~
// starts a control command, which the printer obeys at once.
type command struct {
	prefix byte
	name   string // upper case; "A" for ^A with its font in param; "": there is none
	param  string // as written
	line   int    // that the command starts in, from 1
}

func (c command) String() string { return string(c.prefix) + c.name + c.param }

// params returns the comma-separated parameters, at least n of them. Line ends count
// for nothing in ZPL and are dropped.
func (c command) params(n int) []string {
	list := strings.Split(oneLine(c.param), ",")
	for len(list) < n {
		list = append(list, "")
	}
	return list
}

// split cuts text into commands. before is what stands in front of the first one.
func split(text string) (before string, list []command) {
	start := nextPrefix(text, 0)
	before = text[:start]
	line := 1 + strings.Count(before, "\n")
	for start < len(text) {
		end := nextPrefix(text, start+1)
		c := command{prefix: text[start], line: line}
		c.name, c.param = nameOf(text[start+1 : end])
		list = append(list, c)
		line += strings.Count(text[start:end], "\n")
		start = end
	}
	return before, list
}

// nextPrefix returns where the next command starts at or after from, or len(text). A
// ~ without a letter behind it is a character: designers write it as a parameter.
func nextPrefix(text string, from int) int {
	for i := from; i < len(text); i++ {
		if text[i] == '^' || text[i] == '~' && i+1 < len(text) && letter(text[i+1]) {
			return i
		}
	}
	return len(text)
}

func nameOf(s string) (name, param string) {
	switch {
	case s != "" && (s[0] == 'A' || s[0] == 'a'): // ^A0, ^AB, ^A@: the font is a parameter
		return "A", s[1:]
	case len(s) >= 2 && letter(s[0]) && (letter(s[1]) || s[1] >= '0' && s[1] <= '9'):
		return strings.ToUpper(s[:2]), s[2:]
	}
	return "", s
}

func letter(b byte) bool { return b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' }

// oneLine drops the control characters of s; a printer skips them in data as well.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return -1
		}
		return r
	}, s)
}

// draft is what the commands since the last printed field say about the next one.
type draft struct {
	x, y  int    // ^FO, field origin, or ^FT, its baseline; in dots
	mark  byte   // of ^FH: what stands before two hexadecimal digits in the data; 0: none
	code  string // "BX", "BC" ...: the data becomes a bar code; "": text
	param []string
	taboo string // characters that a text block takes for itself
}

// note adds what c says, and reports whether c carries the data that end the draft:
// ^FD, field data, or ^FV, the same for data that change from label to label.
func (d *draft) note(c command) (data bool) {
	if c.prefix != '^' {
		return false
	}
	switch c.name {
	case "FD", "FV":
		return true
	case "XA", "XZ", "FS": // start of a label, its end, end of a field
		*d = draft{}
	case "FO", "FT":
		p := c.params(2)
		d.x, _ = strconv.Atoi(p[0])
		d.y, _ = strconv.Atoi(p[1])
	case "FH":
		d.mark = '_'
		if s := oneLine(c.param); s != "" {
			d.mark = s[0]
		}
	case "FB": // block of text: \& starts a line
		d.taboo = `\`
	case "TB": // block of text: what stands in <> is an order
		d.taboo = "<>"
	case "BY": // defaults of later bar codes, not one itself
	default:
		if strings.HasPrefix(c.name, "B") {
			d.code, d.param = c.name, c.params(7)
		}
	}
	return false
}
