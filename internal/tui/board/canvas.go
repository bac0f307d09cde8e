package board

import (
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// widths says how many columns a character takes. Characters of ambiguous width
// (lines, blocks) are narrow whatever the language of the system: the terminals
// that people use draw them so.
var widths = &runewidth.Condition{StrictEmojiNeutral: true}

// width is the number of columns of s, as put draws it.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(printable(r))
	}
	return n
}

func runeWidth(r rune) int {
	if r < 0x7f {
		return 1
	}
	return widths.RuneWidth(r)
}

// printable is r, or a question mark for what would move the cursor or change the
// terminal: what was scanned is drawn as well, and may hold anything.
func printable(r rune) rune {
	if r < ' ' || r == unicode.ReplacementChar || !unicode.IsPrint(r) {
		return '?'
	}
	return r
}

// cell is one character of the screen. The second half of a wide one has no rune.
type cell struct {
	r  rune
	st style
}

// canvas is a screen being drawn: exactly h lines, none wider than w.
type canvas struct {
	w, h  int
	cells []cell
}

func newCanvas(w, h int) *canvas {
	c := &canvas{w: max(w, 1), h: max(h, 1)}
	c.cells = make([]cell, c.w*c.h)
	for i := range c.cells {
		c.cells[i].r = ' '
	}
	return c
}

// all is the area of the whole canvas.
func (c *canvas) all() area { return area{c: c, w: c.w, h: c.h} }

// String is the canvas as text for a terminal, without blanks at the ends of lines.
func (c *canvas) String(pal palette) string {
	var b strings.Builder
	b.Grow(len(c.cells) * 2)
	for y := range c.h {
		if y > 0 {
			b.WriteByte('\n')
		}
		line := c.cells[y*c.w : (y+1)*c.w]
		for len(line) > 0 && line[len(line)-1] == (cell{r: ' '}) {
			line = line[:len(line)-1]
		}
		current := plain
		for _, x := range line {
			if x.r == 0 {
				continue
			}
			if x.st != current {
				if current != plain {
					b.WriteString(reset)
				}
				b.WriteString(pal.code(x.st))
				current = x.st
			}
			b.WriteRune(x.r)
		}
		if current != plain {
			b.WriteString(reset)
		}
	}
	return b.String()
}

// area is a rectangle of a canvas. What is drawn never leaves it.
type area struct {
	c          *canvas
	x, y, w, h int
}

// sub is a part of a: its corner counted from a's, cut to what a holds.
func (a area) sub(x, y, w, h int) area {
	x, y = min(max(x, 0), max(a.w, 0)), min(max(y, 0), max(a.h, 0))
	return area{c: a.c, x: a.x + x, y: a.y + y, w: max(0, min(w, a.w-x)), h: max(0, min(h, a.h-y))}
}

// inner is a without a border of dx columns and dy rows.
func (a area) inner(dx, dy int) area { return a.sub(dx, dy, a.w-2*dx, a.h-2*dy) }

// put draws s in row y from column x and returns the column after it. What does
// not fit is left out, a wide character as a whole.
func (a area) put(x, y int, st style, s string) int {
	if y < 0 || y >= a.h {
		return x
	}
	for _, r := range s {
		r = printable(r)
		n := runeWidth(r)
		if n == 0 {
			continue
		}
		if x+n > a.w {
			break
		}
		if x >= 0 {
			a.set(x, y, r, n, st)
		}
		x += n
	}
	return x
}

// set writes a character of n columns, and blanks what it cuts in half.
func (a area) set(x, y int, r rune, n int, st style) {
	row := a.c.cells[(a.y+y)*a.c.w : (a.y+y+1)*a.c.w]
	i := a.x + x
	if row[i].r == 0 && i > 0 {
		row[i-1].r = ' '
	}
	if end := i + n; end < len(row) && row[end].r == 0 {
		row[end].r = ' '
	}
	row[i] = cell{r, st}
	if n == 2 {
		row[i+1] = cell{0, st}
	}
}

// fill covers a with one character.
func (a area) fill(st style, r rune) {
	for y := range a.h {
		for x := range a.w {
			a.set(x, y, r, 1, st)
		}
	}
}

// line draws s in row y, cut to the width of a where it must be.
func (a area) line(y int, st style, s string, lk look) { a.put(0, y, st, lk.cut(s, a.w)) }

// centre draws s in the middle of row y.
func (a area) centre(y int, st style, s string, lk look) {
	s = lk.cut(s, a.w)
	a.put((a.w-width(s))/2, y, st, s)
}

// right draws s at the right end of row y.
func (a area) right(y int, st style, s string, lk look) {
	s = lk.cut(s, a.w)
	a.put(a.w-width(s), y, st, s)
}
