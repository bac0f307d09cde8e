package label

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

// narrowest is the least width of a preview, in columns: the frame and a few characters.
const narrowest = 12

// Preview returns the label as lines of characters in a frame that is width columns
// wide: texts and bar codes from top to bottom and from left to right, one or more
// lines each. It shows what Render would refuse too, with a ? for a character that
// cannot be printed. Pictures and lines are left out.
func (t *Template) Preview(f Fields, width int) string {
	width = max(width, narrowest)
	order := slices.Clone(t.elements)
	slices.SortStableFunc(order, func(a, b element) int {
		return cmp.Or(cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x))
	})
	edge := "+" + strings.Repeat("-", width-2) + "+"
	lines := []string{edge}
	for _, e := range order {
		for _, row := range wrap(e.shown(f), width-4) {
			lines = append(lines, "| "+runewidth.FillRight(row, width-4)+" |")
		}
	}
	return strings.Join(append(lines, edge), "\n")
}

// shown returns the element as a person reads it; "" when it shows nothing.
func (e element) shown(f Fields) string {
	var b strings.Builder
	for _, p := range e.parts {
		b.WriteString(p.text)
		if p.field != "" {
			b.WriteString(f.value(p.field))
		}
	}
	s := strings.Map(func(r rune) rune {
		if unprintable(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(b.String(), "?"))
	if strings.TrimSpace(s) == "" || e.code == "" {
		return strings.TrimSpace(s)
	}
	switch e.code {
	case "BX":
		return "[DataMatrix: " + s + "]"
	case "BC":
		return "[Code 128: " + s + "]"
	}
	return "[bar code: " + s + "]"
}

// wrap cuts s into rows of at most width columns.
func wrap(s string, width int) []string {
	var rows []string
	for s != "" {
		row := runewidth.Truncate(s, width, "")
		if row == "" { // marks on one letter without end: show them as they are
			row = s
		}
		rows = append(rows, row)
		s = s[len(row):]
	}
	return rows
}
