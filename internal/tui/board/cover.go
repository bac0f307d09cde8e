package board

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"provision/internal/shift"
)

// What covers the floor: questions, and what was scanned. A strip of the slots
// stays above each of them.

// seconds is how many seconds are left until t, rounded up; 0: none, or t is not
// set.
func (p painter) seconds(t time.Time) int {
	if t.IsZero() || !t.After(p.now) {
		return 0
	}
	return int((t.Sub(p.now) + time.Second - 1) / time.Second)
}

// column draws lines from row y on, each wrapped, and returns the row after them.
func (p painter) column(a area, y int, st style, texts ...string) int {
	for _, text := range texts {
		for _, line := range wrap(text, a.w-2) {
			a.put(1, y, st, line)
			y++
		}
	}
	return y
}

// large draws text in block letters, or in bold, and returns the row after it.
func (p painter) large(a area, y int, st style, text string, rows int) int {
	if big := letters(text, a.w-2, min(rows, a.h-y), p.lk); big != nil {
		for _, row := range big {
			a.put(1, y, st, row)
			y++
		}
		return y
	}
	return p.column(a, y, st|inverse, " "+strings.Join(wrap(text, a.w-4), " ")+" ")
}

// drawScan shows what was read, and what came of it.
func (p painter) drawScan(a area) {
	b := p.scan
	st := blue | bold
	if !b.OK {
		st = amber | bold
	}
	what := p.tx.Text("meaning." + b.Meaning)
	if b.slot > 0 {
		what += "   " + p.tx.Text("tile.slot", "n", strconv.Itoa(b.slot))
	}
	y := p.column(a, 0, bold, p.tx.Text("scan.read")+": "+what)
	y = p.large(a, y+1, st, b.Text, a.h-y-5)
	if b.OK {
		return
	}
	name, says, do := p.refusal(b.why)
	y = p.column(a, y+1, amber|bold, string(b.why.code)+" "+name)
	y = p.column(a, y, plain, says)
	p.column(a, y, bold, do)
}

// refusal is why a scan was refused and what to do: in the sentences of its code, or
// in one that says more, where that is a word of the catalogue or the screen speaks
// English like the station.
func (p painter) refusal(r reason) (name, says, do string) {
	name, says, do = p.tx.Fault(r.code)
	switch {
	case p.tx.Has(r.text):
		return name, p.tx.Text(r.text), ""
	case p.tx.Lang() == "en" && r.text != "":
		says = r.text
	}
	return name, says, do
}

// drawPIN asks for a PIN and shows a dot for each character.
func (p painter) drawPIN(a area) {
	who := p.pin.Name
	if p.pin.Role != "" {
		who = p.tx.Text("role."+p.pin.Role) + " " + who
	}
	dot := "●"
	if p.lk.ascii {
		dot = "*"
	}
	y := p.column(a, 1, bold, p.tx.Text("pin.ask", "name", strings.TrimSpace(who)))
	n := min(len([]rune(p.typed)), (a.w-4)/2) // as many as there is room for: a PIN may be longer
	dots := strings.TrimRight(strings.Repeat(dot+" ", max(0, n)), " ")
	a.put(1, y+1, bold, "> "+dots+"_")
	y += 3
	if p.refuse {
		y = p.column(a, y, amber|bold, p.tx.Text("pin.refused"))
	}
	p.column(a, y+1, dim, p.tx.Text("pin.keys"))
}

// drawChoice shows what is to be decided, what to look at first, and the answers.
// What is for ever stands out where it is decided.
func (p painter) drawChoice(a area) {
	c := p.choice
	head := title(p.tx.Text("action." + c.Action))
	if c.Subject != "" {
		head += ": " + c.Subject
	}
	if n := p.seconds(c.Until); n > 0 {
		head += "   " + p.tx.Text("tile.left", "s", strconv.Itoa(n))
	}
	y := p.column(a, 0, bold, head)
	answers := min(len(c.Keys), 9)
	room := max(0, a.h-y-answers-2)
	p.scrolled(a.sub(0, y, a.w, room), p.choiceFacts(a.w-2))
	y = min(y+room, y+len(p.choiceFacts(a.w-2))+1)
	for i, key := range c.Keys[:answers] {
		a.put(1, y+i, bold|inverse, " "+strconv.Itoa(i+1)+" ")
		a.put(5, y+i, bold, p.lk.cut(p.tx.Text(key), a.w-6))
	}
	a.put(1, a.h-1, dim, p.lk.cut(p.tx.Text("choice.keys"), a.w-2))
}

func (p painter) choiceFacts(w int) []line {
	out := p.factLines(p.choice.Facts, w)
	told := slices.ContainsFunc(p.choice.Facts, func(f shift.Fact) bool { return permanent(f.Key) })
	if told || p.choice.Action != string(shift.Arm) {
		return out
	}
	for _, text := range p.job.Permanent {
		out = append(out, p.forEver(text, w)...)
	}
	return out
}

// drawPrompt asks for the number of a slot, for a yes, or for what to look up.
func (p painter) drawPrompt(a area) {
	switch p.asking.kind {
	case number:
		y := p.column(a, 1, bold, p.tx.Text("ask."+string(p.asking.act)))
		a.put(1, y+1, bold, p.tx.Text("ask.slot")+" > "+p.typed+"_")
		p.column(a, y+3, dim, p.tx.Text("ask.slot_keys"))
	case yes:
		y := p.column(a, 1, bold, p.tx.Text("ask.yes_"+string(p.asking.act), "n", strconv.Itoa(p.asking.slot)))
		p.column(a, y+1, plain, p.tx.Text("ask.yes_keys"))
	case lookup, code:
		name := map[promptKind]string{lookup: "ask.lookup", code: "ask.code"}[p.asking.kind]
		y := p.column(a, 1, bold, p.tx.Text(name))
		y = p.column(a, y+1, bold, "> "+p.typed+"_")
		p.column(a, y+1, dim, p.tx.Text(name+"_keys"))
	}
}

// drawLeave asks before the station is closed while units are at work.
func (p painter) drawLeave(a area) {
	y := p.column(a, 1, bold, p.tx.Text("leave.units", "n", strconv.Itoa(p.atWork())))
	y = p.column(a, y+1, plain, p.tx.Text("leave.finish"))
	y = p.column(a, y, plain, p.tx.Text("leave.now"))
	p.column(a, y, plain, p.tx.Text("leave.stay"))
}

// drawLock says that the whole station stands still, why, and what to do. The units
// that are still at work are in the strip above: they go on.
func (p painter) drawLock(a area) {
	st := faceOf(shift.Lock).st
	name, says, do := p.tx.Fault(p.locked.code)
	var below []note
	add := func(st style, text string) {
		for _, s := range wrap(text, a.w-2) {
			below = append(below, note{st, s})
		}
	}
	add(bold, string(p.locked.code)+" "+name)
	add(plain, says)
	add(bold, do)
	if n := p.atWork(); n > 0 {
		add(amber|bold, p.tx.Text("lock.at_work", "n", strconv.Itoa(n)))
	}
	room := max(0, a.h-len(below)-1)
	word := p.tx.Text("state.LOCK")
	top := a.sub(0, 0, a.w, room)
	if big := letters(word, a.w-2, room, p.lk); big != nil {
		y := (room - len(big)) / 2
		for i, row := range big {
			top.put(1, y+i, st, row)
		}
	} else {
		p.wideWord(top, st|inverse, word)
	}
	for i, n := range below {
		a.centre(room+i, n.st, n.text, p.lk)
	}
}
