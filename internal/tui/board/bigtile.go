package board

import (
	"strconv"
	"strings"

	"provision/internal/shift"
)

// letterTile is a slot with its word in block letters, for up to four slots.
func (p painter) letterTile(a area, s slot) {
	p.box(a, p.frameStyle(s), p.frameKind(s))
	a = a.inner(2, 1)
	p.letterHead(a, s)
	a = a.sub(0, 1, a.w, a.h-1)
	foot := p.letterFoot(s, a.w)
	big, kept := p.bigWord(a, s, foot)
	p.drawBig(a.sub(0, 0, a.w, a.h-kept), s, big)
	for i, n := range foot[:kept] {
		a.centre(a.h-kept+i, n.st, n.text, p.lk)
	}
}

// letterHead is the row above the letters: number, shape, unit.
func (p painter) letterHead(a area, s slot) {
	st := s.face(p.model).st
	x := a.put(0, 0, bold, p.tx.Text("tile.slot", "n", strconv.Itoa(s.number)))
	a.put(x+1, 0, st, s.face(p.model).shapeIn(p.lk))
	if unit := p.unit(s); unit != "" && x+6+width(unit) <= a.w {
		a.right(0, plain, unit, p.lk)
	}
}

// letterFoot are the rows below the letters, the first the most important.
func (p painter) letterFoot(s slot, w int) []note {
	var out []note
	if s.working() {
		out = append(out, note{s.face(p.model).st, p.progress(s, min(w, max(60, w*2/3)), p.tails(s)...)})
		if step := p.stepText(s); step != "" {
			out = append(out, note{plain, p.lk.cut(step, w)})
		}
	}
	for _, n := range p.notes(s) {
		if n.text == p.unit(s) {
			continue // stands in the head
		}
		for _, text := range wrap(n.text, w) {
			out = append(out, note{n.st, text})
		}
	}
	return out
}

// bigWord is the word of s in block letters, and how many rows of notes stand below
// it. Letters of five rows are worth the notes that are only figures; then the
// letters get smaller before notes go, and the first note is never given up. nil:
// the word has no block letters, or no room for them.
func (p painter) bigWord(a area, s slot, foot []note) (big []string, kept int) {
	word := s.word(p.model, p.tx)
	figures := 0
	for _, n := range foot {
		if n.st == dim {
			figures++
		}
	}
	least := small
	if len(p.slots) == 1 {
		least = tall
	}
	for _, try := range []struct{ rows, kept, gap int }{
		{tall, len(foot) - figures, 1}, {least, min(1, len(foot)), 1}, {least, min(1, len(foot)), 0},
	} {
		for kept = min(len(foot), a.h-try.rows); kept >= try.kept; kept-- {
			if big = letters(word, a.w, a.h-kept-try.gap, p.lk); len(big) >= try.rows {
				return big, kept
			}
		}
	}
	kept = min(len(foot), max(0, a.h-1))
	return nil, kept
}

// drawBig draws block letters in the middle of a, or, without any, the word wide
// and inverse.
func (p painter) drawBig(a area, s slot, big []string) {
	st := s.face(p.model).st
	if s.state == shift.Hold && !p.blink() {
		st |= inverse
		a.inner(0, min(1, a.h/8)).fill(st, ' ')
	}
	if big == nil {
		p.wideWord(a, s.bar(p.model), s.word(p.model, p.tx))
		return
	}
	top := (a.h - len(big)) / 2
	for y, row := range big {
		left := len(row) - len(strings.TrimLeft(row, " "))
		a.put(left, top+y, st, row[left:])
	}
}

// wideWord is a word in a band across a, its characters apart where there is room.
func (p painter) wideWord(a area, st style, word string) {
	rows := 1
	if a.h >= tall {
		rows = small
	}
	band := a.sub(0, (a.h-rows)/2, a.w, rows)
	band.fill(st, ' ')
	if apart := strings.Join(strings.Split(word, ""), " "); width(apart) <= band.w {
		word = apart
	}
	band.centre(rows/2, st|bold, word, p.lk)
}
