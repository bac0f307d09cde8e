package label

import (
	"fmt"
	"strings"
)

// mark is the character that stands before two hexadecimal digits in the data that
// Render writes (^FH), and the escape character of its Data Matrix codes (^BX).
const mark = '_'

// escape writes data so that nothing in it can be taken for a command or an order:
// ^, ~, the mark itself and control characters become a mark and two hexadecimal
// digits, which ^FH_ turns back inside the printer, after commands were told apart.
// Bytes above 0x7F are UTF-8 (^CI28) and stay.
func escape(data string) string {
	var b strings.Builder
	for i := range len(data) {
		switch c := data[i]; {
		case c == '^' || c == '~' || c == mark || c < ' ' || c == 0x7F:
			fmt.Fprintf(&b, "%c%02X", mark, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape undoes what ^FH with this mark does; 0: no ^FH. A mark without two
// hexadecimal digits behind it stays.
func unescape(data string, mark byte) string {
	if mark == 0 {
		return data
	}
	var b strings.Builder
	for i := 0; i < len(data); i++ {
		if data[i] == mark && i+2 < len(data) {
			hi, lo := hexDigit(data[i+1]), hexDigit(data[i+2])
			if hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(data[i])
	}
	return b.String()
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// A bar code has orders of its own inside its data, which the printer looks for
// after ^FH was undone. These tables write the characters they are made of.
var (
	// ^BX of quality 200: an order starts with the escape character, twice it is itself.
	matrixEscape   = strings.NewReplacer("_", "__")
	matrixUnescape = strings.NewReplacer("__", "_")
	// ^BC: > starts an order. These three characters have orders that print them.
	code128Escape   = strings.NewReplacer("^", "><", ">", ">0", "~", ">=")
	code128Unescape = strings.NewReplacer("><", "^", ">0", ">", ">=", "~")
)

// symbolEscape returns data as the bar code command wants it; "" is text.
func symbolEscape(code, data string) string {
	switch code {
	case "BX":
		return matrixEscape.Replace(data)
	case "BC":
		return code128Escape.Replace(data)
	}
	return data
}

// symbolUnescape returns what a scanner reads of a bar code with these parameters.
// Orders stay as they are written.
func (d *draft) symbolUnescape(data string) string {
	switch {
	case d.code == "BX" && d.param[2] == "200":
		switch d.param[6] {
		case "_":
			return matrixUnescape.Replace(data)
		case "": // printers use a tilde unless they are told
			return strings.ReplaceAll(data, "~~", "~")
		}
		return strings.ReplaceAll(data, d.param[6]+d.param[6], d.param[6])
	case d.code == "BC":
		return code128Unescape.Replace(data)
	}
	return data
}
