package label

import (
	"slices"
	"strings"
)

// allow refuses the commands that would make a label something else than this
// package takes it for, and keeps count of labels.
func (p *parser) allow(c command) error {
	switch string(c.prefix) + c.name {
	case "^XA":
		if p.inside {
			return wrong(c.line, "a label starts (^XA) before the last one ended (^XZ)")
		}
		p.inside = true
		p.labels++
	case "^XZ":
		if !p.inside {
			return wrong(c.line, "a label ends (^XZ) that was not started (^XA)")
		}
		p.inside = false
	case "^CC", "^CT", "^CD", "~CC", "~CT", "~CD": // other characters for ^, ~ and the comma
		return wrong(c.line, "take %c%s out: commands start with ^ or ~ and have commas", c.prefix, c.name)
	case "^CI": // character set; 28 is UTF-8
		if c.params(1)[0] != "28" {
			return wrong(c.line, "take ^CI%s out: labels are sent as UTF-8, which is ^CI28", c.params(1)[0])
		}
		p.utf8 = true
	case "^MC": // map clear; N leaves the last label's picture under the next one
		if slices.Contains([]string{"N", "n"}, c.params(1)[0]) {
			return wrong(c.line, "take ^MCN out: the next label would show this one's values too")
		}
	case "^PQ": // quantity: labels, labels between pauses, copies of each number
		q := c.params(3)
		if q[0] != "" && q[0] != "1" || q[2] != "" && strings.Trim(q[2], "01") != "" {
			return wrong(c.line, "^PQ asks for more than one label; a unit has one")
		}
	}
	return nil
}

// checkCode refuses a bar code that would not hold exactly the value of its field.
func (d *draft) checkCode(e element, line int) error {
	name := firstField(e.parts)
	if len(e.parts) != 1 {
		return wrong(line, "a bar code holds more than {%s}; a field in a bar code stands alone", name)
	}
	switch d.code {
	case "BX": // orientation, height of a module, quality, columns, rows, format, escape character
		if d.param[2] != "200" {
			return wrong(line, "the Data Matrix of {%s} has to have quality 200: ^BXN,5,200", name)
		}
	case "BC": // orientation, height, line of text, above, check digit, mode
		if !slices.Contains([]string{"", "N"}, d.param[4]) || !slices.Contains([]string{"", "N"}, d.param[5]) {
			return wrong(line, "the Code 128 of {%s} has to be without check digit and mode: ^BCN,80,Y,N,N", name)
		}
	default:
		return wrong(line, "{%s} stands in a bar code ^%s; use ^BX (Data Matrix) or ^BC (Code 128)", name, d.code)
	}
	return nil
}

// rewrite returns the bar code command of the draft as Render needs it: a Data Matrix
// says what its escape character is, because it depends on the printer (a tilde, or
// an underscore on old ones).
func (d *draft) rewrite() string {
	if d.code == "BX" {
		d.param[6] = string(mark)
	}
	return "^" + d.code + strings.Join(d.param, ",")
}
