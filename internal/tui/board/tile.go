package board

import (
	"strconv"
	"strings"

	"provision/internal/fault"
	"provision/internal/shift"
)

// note is one thing that a tile tells besides its word.
type note struct {
	st   style
	text string
}

// notes are what a tile tells of s, the most important first. The first one says
// what to do.
func (p painter) notes(s slot) []note {
	urgent := bold
	if s.state == shift.Off || s.state == shift.Skip || s.waitsForJob(p.model) {
		urgent = plain
	}
	out := []note{{urgent, p.action(s)}}
	if waits := s.waitsForJob(p.model) || s.waitsForBadge(p.model); s.code != "" && !waits {
		name, _, _ := p.tx.Fault(s.code)
		out = append(out, note{plain, string(s.code) + " " + name})
	} else if s.link != "" && !s.working() && !s.state.Final() {
		name, _, _ := p.tx.Fault(s.link)
		out = append(out, note{amber, string(s.link) + " " + name})
	}
	if key := labelKey(s.stage); key != "" {
		st := blue | bold
		if s.stage == shift.LabelClosed {
			st = plain
		}
		out = append(out, note{st, p.tx.Text(key)})
	}
	if unit := p.unit(s); unit != "" {
		out = append(out, note{plain, unit})
	}
	if s.state.Final() && s.elapsed(p.now) > 0 {
		out = append(out, note{dim, p.tx.Text("tile.took", "s", strconv.Itoa(s.elapsed(p.now)))})
	}
	return out
}

// action is the one sentence of what to do.
func (p painter) action(s slot) string {
	switch {
	case s.gone && s.state != shift.Redo: // which is put back in
		return p.tx.Text("tile.next")
	case s.waitsForJob(p.model):
		return p.tx.Text("tile.wait_lead")
	case s.waitsForBadge(p.model):
		return p.tx.Text("note.need_operator")
	case s.code != "" && s.state != shift.Pass && s.state != shift.Done && !s.working():
		if _, known := fault.Lookup(s.code); known || s.do == "" {
			_, _, do := p.tx.Fault(s.code)
			return do
		}
		return s.do
	}
	return p.tx.Text("act." + string(s.state))
}

// unit names the unit in s by its serial number. Who reads hex sees the address of a
// unit that has no number yet.
func (p painter) unit(s slot) string {
	if s.serial == "" && p.role() == engineer {
		return s.mac
	}
	return s.serial
}

// labelKey says where the label of a unit is.
func labelKey(stage string) string {
	switch stage {
	case shift.LabelDue:
		return "tile.label_due"
	case shift.LabelPrinted:
		return "tile.label_scan"
	case shift.LabelFailed:
		return "tile.label_failed"
	case shift.LabelWrong:
		return "tile.label_wrong"
	case shift.LabelClosed:
		return "tile.label_closed"
	}
	return ""
}

// stepText is how far the run is in steps; empty before the first one.
func (p painter) stepText(s slot) string {
	if s.step == "" {
		return ""
	}
	name := p.tx.Step(s.step)
	if s.total == 0 || s.steps > s.total {
		return name
	}
	return p.tx.Text("tile.step", "n", strconv.Itoa(s.steps), "m", strconv.Itoa(s.total), "name", name)
}

// leftText is the time that is left; empty when it is not known.
func (p painter) leftText(s slot) string {
	if n := s.left(p.now); n > 0 && s.working() {
		return p.tx.Text("tile.left", "s", strconv.Itoa(n))
	}
	return ""
}

// progress is a bar in w columns with how far and how long behind it, as much of
// that as leaves room for the bar. The first of tails that fits is taken.
func (p painter) progress(s slot, w int, tails ...string) string {
	for _, tail := range tails {
		if width(tail)+1+leastBar <= w {
			return p.bar(s, w-width(tail)-1) + " " + tail
		}
	}
	return p.bar(s, w)
}

// tails are what can stand behind a bar, the most telling first.
func (p painter) tails(s slot) []string {
	percent := strconv.Itoa(int(s.work.Percent)) + " %"
	left := p.leftText(s)
	if left == "" {
		return []string{percent + "  " + p.elapsedText(s), percent}
	}
	return []string{percent + "  " + left + "  " + p.elapsedText(s), percent + "  " + left, left, p.aside(s), percent}
}

func (p painter) elapsedText(s slot) string {
	if s.began.IsZero() {
		return ""
	}
	return p.tx.Text("tile.took", "s", strconv.Itoa(s.elapsed(p.now)))
}

// leastBar is the shortest bar that tells anything.
const leastBar = 6

// bar is how far s is, drawn in w columns.
func (p painter) bar(s slot, w int) string {
	if w < leastBar {
		return ""
	}
	full, empty := "█", "░"
	if p.lk.ascii {
		full, empty = "#", "."
	}
	n := min(w, max(0, int(s.work.Percent/100*float64(w))))
	return strings.Repeat(full, n) + strings.Repeat(empty, w-n)
}

// aside is what stands at the right end of the row with the word.
func (p painter) aside(s slot) string {
	switch {
	case s.working():
		if n := s.left(p.now); n > 0 {
			return p.tx.Text("tile.seconds", "s", strconv.Itoa(n))
		}
	case s.code != "" && !s.waitsForJob(p.model) && !s.waitsForBadge(p.model):
		return string(s.code)
	}
	return ""
}

// wordRow draws the row that bears the word: across the whole width, number first.
// It reports whether the time or code at its end had room.
func (p painter) wordRow(a area, s slot) bool {
	st := s.bar(p.model)
	a.sub(0, 0, a.w, 1).fill(st, ' ')
	number := strconv.Itoa(s.number)
	if len(number) < 2 {
		number = " " + number
	}
	word := s.word(p.model, p.tx)
	x := a.put(0, 0, st, number+" "+s.face(p.model).shapeIn(p.lk)+" ")
	x = a.put(x, 0, st|bold, p.lk.cut(word, a.w-x))
	side := p.aside(s)
	if side == "" || x+1+width(side) >= a.w {
		return false
	}
	a.right(0, st, side+" ", p.lk)
	return true
}

// gridTile is a frame, the row with the word, and as many notes as there are rows.
func (p painter) gridTile(a area, s slot) {
	p.box(a, p.frameStyle(s), p.frameKind(s))
	a = a.inner(1, 1)
	tails := p.tails(s)
	if p.wordRow(a, s) && s.working() {
		percent := strconv.Itoa(int(s.work.Percent)) + " %"
		tails = []string{percent + "  " + p.elapsedText(s), percent}
	}
	a = a.sub(1, 1, a.w-2, a.h-1)
	y := 0
	if s.working() {
		a.line(y, s.face(p.model).st, p.progress(s, a.w, tails...), p.lk)
		y++
	}
	notes := p.gridNotes(s, a.w, a.h-y)
	for i, n := range notes {
		lines := wrap(n.text, a.w)
		if after := len(notes) - i - 1; i > 0 && y+len(lines)+after > a.h {
			lines = []string{n.text} // cut, so that there is a row for what comes after
		}
		for _, text := range lines {
			a.line(y, n.st, text, p.lk)
			y++
		}
	}
}

// gridNotes are the notes of a tile with w columns and h rows for them. While it
// works, the step takes the place of the advice that the word gives already. Advice
// that is too long gives way to the short one of the state: half a sentence is none.
func (p painter) gridNotes(s slot, w, h int) []note {
	notes := p.notes(s)
	if len(wrap(notes[0].text, w)) > h && !s.gone && !s.waitsForJob(p.model) {
		notes[0].text = p.tx.Text("act." + string(s.state))
	}
	if step := p.stepText(s); s.working() && step != "" {
		return append([]note{{plain, step}}, append(notes[1:], notes[0])...)
	}
	return notes
}

// frameStyle is the colour of the frame of a tile.
func (p painter) frameStyle(s slot) style {
	if s.state == shift.Ready {
		return plain
	}
	return s.face(p.model).st &^ bold
}

// frameKind makes the frames of what a person must look at stand out.
func (p painter) frameKind(s slot) int {
	if s.waitsForJob(p.model) || s.waitsForBadge(p.model) {
		return thin
	}
	switch s.state {
	case shift.Fail, shift.Park, shift.Lock, shift.Hold, shift.Redo:
		return thick
	}
	return thin
}

// listTile is a slot in one row.
func (p painter) listTile(a area, s slot) {
	st := s.bar(p.model)
	word := p.wordWidth()
	number := strconv.Itoa(s.number)
	if len(number) < 2 {
		number = " " + number
	}
	head := a.sub(0, 0, word+len("12 x  "), 1)
	head.fill(st, ' ')
	x := head.put(0, 0, st, number+" "+s.face(p.model).markIn(p.lk)+" ")
	head.put(x, 0, st|bold, s.word(p.model, p.tx))
	rest := a.sub(head.w+1, 0, a.w-head.w-2, 1)
	if s.working() && rest.w >= leastBar+4 {
		rest.line(0, s.face(p.model).st, p.listProgress(s, rest.w), p.lk)
		return
	}
	x = 0
	for _, n := range p.listNotes(s) {
		if room := rest.w - x; width(n.text) <= room || n.st&bold == 0 && room >= leastNote {
			x = rest.put(x, 0, n.st, p.lk.cut(n.text, room)) + 2
		}
	}
}

// leastNote is the room for a note that may be cut: a code and the beginning of its
// name. What to do is told as a whole or not at all: the word says it too.
const leastNote = 12

// listProgress is a short bar, the time left and the unit.
func (p painter) listProgress(s slot, w int) string {
	const most = 20
	if w <= most+10 {
		return p.progress(s, w, p.tails(s)...)
	}
	out := p.bar(s, most) + " " + strconv.Itoa(int(s.work.Percent)) + " %"
	for _, more := range []string{p.leftText(s), s.serial, p.stepText(s)} {
		if more != "" && width(out+"  "+more) <= w {
			out += "  " + more
		}
	}
	return out
}

// listNotes are the notes of a row: short ones first, what to do where it fits.
func (p painter) listNotes(s slot) []note {
	notes := p.notes(s)
	short := notes[1:]
	if s.gone || len(short) == 0 {
		return notes
	}
	return append(append([]note(nil), short...), notes[0])
}
