package board

import (
	"strconv"
	"strings"

	"provision/internal/fault"
	"provision/internal/shift"
)

// check is a line of the self-test.
type check struct {
	shift.CheckFacts
	code fault.Code // of what is wrong; "": nothing, or what the line itself says
}

// checkText is what stands beside the name of a line: a figure, or what is wrong.
func (p painter) checkText(c check) string {
	if key := c.Name + "_slots"; len(c.Slots) > 0 && p.tx.Has(key) {
		var numbers []string
		for _, n := range c.Slots {
			numbers = append(numbers, strconv.Itoa(n))
		}
		return p.tx.Text(key, "n", strings.Join(numbers, ", "))
	}
	return c.Text
}

// checkAdvice is what to do about a line that is not well: what the page of its code
// says, else what is to be done about its kind; empty: the line says it all.
func (p painter) checkAdvice(c check) string {
	if c.State == "ok" {
		return ""
	}
	if _, known := fault.Lookup(c.code); known {
		name, _, do := p.tx.Fault(c.code)
		return string(c.code) + " " + name + ": " + do
	}
	if do := c.Name + "_do"; p.tx.Has(do) {
		return p.tx.Text(do)
	}
	return ""
}

// checkLines is the self-test, a line for each thing as it comes, what came of all,
// and the units that somebody has to see to.
func (p painter) checkLines(w int) []line {
	out := append(wrapped(bold, p.tx.Text("selftest.title"), w), nil)
	bad, warn := 0, 0
	for _, c := range p.checks {
		mark, st := "✓", plain
		switch c.State {
		case "warn":
			mark, st, warn = "!", amber|bold, warn+1
		case "bad":
			mark, st, bad = "✗", amber|bold|inverse, bad+1
		}
		if p.lk.ascii {
			mark = map[string]string{"✓": "v", "!": "!", "✗": "x"}[mark]
		}
		head := line{{st: st, text: " " + mark + " "}, {st: st &^ inverse, text: " " + fill(p.word(c.Name), 26)}}
		out = append(out, besideOrBelow(head, p.checkText(c), w)...)
		out = append(out, indented(plain, p.checkAdvice(c), w)...)
	}
	out = append(out, nil)
	switch {
	case !p.tested:
		out = append(out, wrapped(dim, p.tx.Text("selftest.running"), w)...)
	case bad+warn == 0:
		out = append(out, wrapped(bold, p.tx.Text("selftest.good"), w)...)
	default:
		out = append(out, wrapped(bold, p.tx.Text("selftest.found", "bad", strconv.Itoa(bad), "warn", strconv.Itoa(warn)), w)...)
	}
	return append(out, p.unfinishedLines(w)...)
}

// indent is where what belongs to a line begins below it.
const indent = 5

// indented are the lines of s below the line that it belongs to.
func indented(st style, s string, w int) []line {
	var out []line
	for _, part := range wrap(s, w-indent) {
		out = append(out, text(st, fill("", indent)+part))
	}
	return out
}

// besideOrBelow is head with s behind it, in as many lines as s needs; in a narrow
// window s stands below.
func besideOrBelow(head line, s string, w int) []line {
	at := width(flat(head)) + 1
	if w-at < leastWrap {
		return append([]line{head}, indented(plain, s, w)...)
	}
	parts := wrap(s, w-at)
	if len(parts) == 0 {
		return []line{head}
	}
	out := []line{append(head, span{st: plain, text: " " + parts[0]})}
	for _, more := range parts[1:] {
		out = append(out, text(plain, fill("", at)+more))
	}
	return out
}
