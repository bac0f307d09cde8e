package board

import (
	"slices"
	"strconv"

	"provision/internal/shift"
)

// painter draws one model in one language on one kind of terminal.
type painter struct {
	model
	lk look
	tx words
}

// Smallest window that anything is drawn in.
const (
	leastWidth  = 40
	leastHeight = 10
)

// The size that every terminal has.
const (
	commonWidth  = 80
	commonHeight = 24
)

// render draws m as exactly height lines of at most width columns. It reads only
// the model.
func (m model) render(width, height int, lk look, tx words) string {
	c := newCanvas(width, height)
	p := painter{m, lk, tx}
	p.screen(c.all())
	return c.String(lk.palette)
}

// screen draws everything. A station that stands still has a frame round it.
func (p painter) screen(a area) {
	outer := a
	if p.locked != nil {
		a = a.inner(1, 1)
	}
	head, foot := bands(outer.h)
	body := a.sub(0, head, a.w, a.h-head-foot)
	plan := p.plan(body)
	if outer.w < leastWidth || outer.h < leastHeight || !plan.fits {
		p.tooSmall(outer)
		return
	}
	if p.locked != nil {
		p.box(outer, faceOf(shift.Lock).st, thick)
	}
	p.header(a.sub(0, 0, a.w, head))
	p.body(body, plan)
	p.footer(a.sub(0, a.h-foot, a.w, foot))
}

// bands is how many rows the header and the footer have in a window of h rows.
func bands(h int) (head, foot int) {
	switch {
	case h < 16:
		return 1, 1
	case h < 30:
		return 2, 2
	}
	return 3, 3
}

// body draws what is between header and footer: the most urgent question, else what
// was asked for, else the floor.
func (p painter) body(a area, plan plan) {
	if cover := p.cover(); cover != nil {
		rows := p.strip(a)
		cover(a.sub(0, rows+1, a.w, a.h-rows-1))
		return
	}
	p.floor(a, plan)
}

// cover is what hides the floor, all but a strip of it; nil: nothing does.
func (p painter) cover() func(area) {
	switch {
	case p.asking.kind == leave:
		return p.drawLeave
	case p.pin != nil:
		return p.drawPIN
	case p.choice != nil:
		return p.drawChoice
	case p.asking.kind != nothing:
		return p.drawPrompt
	case p.scan != nil && (p.view == floorView || !p.scan.OK):
		return p.drawScan
	case p.view != floorView:
		return p.drawView
	case p.locked != nil:
		return p.drawLock
	}
	return nil
}

// tooSmall asks for a larger window.
func (p painter) tooSmall(a area) {
	w, h := p.needs(a.w)
	title := wrap(p.tx.Text("small.title"), a.w)
	lines := slices.Concat(title,
		wrap(p.tx.Text("small.needed", "w", strconv.Itoa(w), "h", strconv.Itoa(h)), a.w),
		wrap(p.tx.Text("small.present", "w", strconv.Itoa(a.w), "h", strconv.Itoa(a.h)), a.w))
	top := max(0, (a.h-len(lines))/2)
	for i, s := range lines {
		st := plain
		if i < len(title) {
			st = bold
		}
		a.centre(top+i, st, s, p.lk)
	}
}

// needs is the smallest window that the slots fit into: as wide as this one, unless
// that makes it higher than a common terminal.
func (p painter) needs(w int) (int, int) {
	w = max(w, leastWidth, p.listWidth()+2)
	for h := leastHeight; ; h++ {
		if h > commonHeight && w < commonWidth {
			return p.needs(commonWidth)
		}
		head, foot := bands(h)
		inset := 0
		if p.locked != nil {
			inset = 1
		}
		if p.plan(area{w: w - 2*inset, h: h - head - foot - 2*inset}).fits {
			return w, h
		}
	}
}

// Kinds of frames.
const (
	thin = iota
	thick
)

var frames = [...][6]rune{
	thin:  {'┌', '┐', '└', '┘', '─', '│'},
	thick: {'╔', '╗', '╚', '╝', '═', '║'},
}

var asciiFrames = [...][6]rune{
	thin:  {'+', '+', '+', '+', '-', '|'},
	thick: {'#', '#', '#', '#', '=', '#'},
}

// box draws a frame along the border of a.
func (p painter) box(a area, st style, kind int) {
	if a.w < 2 || a.h < 2 {
		return
	}
	f := frames[kind]
	if p.lk.ascii {
		f = asciiFrames[kind]
	}
	for x := 1; x < a.w-1; x++ {
		a.set(x, 0, f[4], 1, st)
		a.set(x, a.h-1, f[4], 1, st)
	}
	for y := 1; y < a.h-1; y++ {
		a.set(0, y, f[5], 1, st)
		a.set(a.w-1, y, f[5], 1, st)
	}
	a.set(0, 0, f[0], 1, st)
	a.set(a.w-1, 0, f[1], 1, st)
	a.set(0, a.h-1, f[2], 1, st)
	a.set(a.w-1, a.h-1, f[3], 1, st)
}

// rule draws a line across row y.
func (p painter) rule(a area, y int) {
	r := '─'
	if p.lk.ascii {
		r = '-'
	}
	a.sub(0, y, a.w, 1).fill(dim, r)
}
