package board

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"provision/internal/shift"
)

// span is a piece of a row of the header or the footer. Where there is no room for
// all, the pieces with the largest drop go first.
type span struct {
	st   style
	text string
	drop int
}

const gap = 2 // columns between two spans

// row draws left at the left end of row y and right at its right end.
func (p painter) row(a area, y int, left, right []span) {
	left, right = present(left), present(right)
	between := gap
	if len(right) == 0 {
		between = 0
	}
	for spansWidth(left)+spansWidth(right)+between > a.w {
		if !dropOne(&left, &right) {
			break
		}
	}
	x := 0
	for _, s := range left {
		x = a.put(x, y, s.st, p.lk.cut(s.text, a.w-x)) + gap
	}
	x = max(x, a.w-spansWidth(right))
	for _, s := range right {
		x = a.put(x, y, s.st, p.lk.cut(s.text, a.w-x)) + gap
	}
}

func present(spans []span) []span {
	return slices.DeleteFunc(slices.Clone(spans), func(s span) bool { return s.text == "" })
}

func spansWidth(spans []span) int {
	n := 0
	for i, s := range spans {
		if i > 0 {
			n += gap
		}
		n += width(s.text)
	}
	return n
}

// dropOne takes the least important span of both sides away; false when one is
// left that must stay.
func dropOne(left, right *[]span) bool {
	from, at, worst := left, -1, 0
	for _, side := range []*[]span{left, right} {
		for i, s := range *side {
			if s.drop > worst {
				from, at, worst = side, i, s.drop
			}
		}
	}
	if at < 0 {
		return false
	}
	*from = slices.Delete(*from, at, at+1)
	return true
}

// header is who and what, in one to three rows: the station and its people, then
// the counters, then a line below.
func (p painter) header(a area) {
	p.row(a, 0, p.stationSpans(), p.personSpans())
	if a.h > 1 {
		p.row(a, 1, p.countSpans(a.w), nil)
	}
	if a.h > 2 {
		p.rule(a, 2)
	}
}

func (p painter) stationSpans() []span {
	out := []span{{bold, p.facts.Station, 0}}
	if p.facts.Mode == shift.DemoMode || p.facts.Mode == shift.Training {
		out = append([]span{{bold | inverse, " " + p.tx.Text("head."+string(p.facts.Mode)) + " ", 0}}, out...)
	}
	if p.job.ID == "" {
		return append(out, span{plain, p.tx.Text("head.no_job"), 5})
	}
	job := p.job.ID
	if p.job.Revision != "" {
		job += " " + p.tx.Text("head.revision", "r", p.job.Revision)
	}
	out = append(out, span{plain, job, 2})
	if p.job.Quota > 0 {
		left := max(0, p.job.Quota-p.job.Made)
		out = append(out, span{plain, p.tx.Text("head.quota", "n", strconv.Itoa(left), "m", strconv.Itoa(p.job.Quota)), 3})
	}
	if p.job.SerialLeft >= 0 {
		out = append(out, span{plain, p.tx.Text("head.serials", "n", strconv.Itoa(p.job.SerialLeft)), 6})
	}
	return out
}

func (p painter) personSpans() []span {
	var out []span
	if p.person.Name != "" {
		out = append(out, span{plain, p.person.Name, 4})
	}
	if p.lead.Name != "" {
		who := p.tx.Text("role."+p.lead.Role) + " " + p.lead.Name
		if n := p.seconds(p.lead.Until); n > 0 {
			who += " " + p.tx.Text("tile.seconds", "s", strconv.Itoa(n))
		}
		out = append(out, span{bold | inverse, " " + who + " ", 1})
	}
	if len(out) == 0 {
		out = append(out, span{bold, p.tx.Text("head.nobody"), 4})
	}
	return out
}

// countSpans are the counters of the shift, in full words where there is room.
func (p painter) countSpans(w int) []span {
	c := p.counts
	values := []struct {
		key  string
		text string
		drop int
	}{
		{"in", strconv.Itoa(c.In), 1},
		{"first", strconv.Itoa(c.First), 2},
		{"retested", strconv.Itoa(c.Retested), 5},
		{"failed", strconv.Itoa(c.Failed), 1},
		{"parked", strconv.Itoa(c.Parked), 7},
		{"errors", strconv.Itoa(c.Errors), 6},
		{"per_hour", p.perHour(), 4},
		{"fpy", p.yield(), 3},
	}
	for _, table := range []string{"counts.", "short."} {
		var out []span
		for _, v := range values {
			out = append(out, span{plain, p.tx.Text(table+v.key) + " " + v.text, v.drop})
		}
		if spansWidth(out) <= w || table == "short." {
			return out
		}
	}
	return nil
}

func (p painter) perHour() string {
	out := fmt.Sprintf("%.0f", p.counts.PerHour)
	if p.facts.Target > 0 {
		out += "/" + strconv.Itoa(p.facts.Target)
	}
	return out
}

func (p painter) yield() string {
	if p.counts.In == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*p.counts.FPY)
}

// footer is what the station's machines say, what happened last, and the keys.
func (p painter) footer(a area) {
	y := 0
	if a.h > 2 {
		p.rule(a, 0)
		y = 1
	}
	if a.h == 1 {
		if said := p.saying(); said.st != plain {
			p.row(a, 0, []span{said}, nil)
			return
		}
		p.keyRow(a, 0)
		return
	}
	said := p.saying()
	if p.trouble != nil && width(said.text) > a.w {
		// The keys can wait: what to do is told as a whole.
		for i, text := range wrap(said.text, a.w) {
			a.line(y+i, said.st, text, p.lk)
		}
		return
	}
	p.row(a, y, []span{said}, p.machineSpans())
	p.keyRow(a, y+1)
}

// saying is the line that changes: a remark of the screen, else a trouble of the
// station, else the last event.
func (p painter) saying() span {
	switch {
	case p.notice != "":
		return span{bold, p.tx.Text(p.notice), 0}
	case p.trouble != nil:
		return span{amber | bold, p.reasonText(p.trouble), 0}
	}
	return span{plain, p.lastText(), 0}
}

// reasonText is a reason in one line: what it is called and what to do. Where there
// is nothing to do but to know why, the station's own sentence says it: one of the
// catalogue, or an English one; in other languages the name of the code has to do.
func (p painter) reasonText(r *reason) string {
	if r.code == "" {
		return strings.TrimSpace(r.text + " " + r.do)
	}
	name, _, do := p.tx.Fault(r.code)
	head := string(r.code) + " " + name
	switch {
	case r.do != "" || r.text == "":
		return head + ": " + do
	case p.tx.Has(r.text):
		return p.tx.Text(r.text)
	case p.tx.Lang() == "en":
		return head + ": " + r.text
	}
	return head
}

// lastText is the last event in a few words.
func (p painter) lastText() string {
	h := p.last
	n := strconv.Itoa(h.slot)
	switch h.kind {
	case "":
		return ""
	case "state":
		out := p.tx.Text("last.state", "n", n, "word", p.tx.Text("state."+string(h.state)))
		for _, more := range []string{h.serial, string(h.code)} {
			if more != "" {
				out += " " + more
			}
		}
		return out
	}
	return p.tx.Text("last."+h.kind, "name", h.name, "serial", h.serial, "n", n)
}

// machineSpans are the labels that are open and the machines beside the slots: those
// that somebody has to see to stand out, and the others give way to them.
func (p painter) machineSpans() []span {
	scanner, printer := p.facts.Scanner, p.tx.Text("foot.no_printer")
	if scanner == "keyboard" {
		scanner = p.tx.Text("foot.keyboard")
	}
	scanner = p.tx.Text("foot.scanner", "name", scanner)
	if p.facts.Printer != "" {
		printer = p.tx.Text("foot.printer", "name", p.facts.Printer)
	}
	disk := p.machine(shift.DiskMachine).Text
	if disk != "" {
		disk = p.tx.Text("foot.disk", "free", disk)
	}
	var out []span
	if p.due > 0 {
		out = append(out, span{blue | bold, p.tx.Text("foot.labels", "n", strconv.Itoa(p.due)), 1})
	}
	for _, m := range []struct {
		name, text string
		drop       int
	}{{shift.ScannerMachine, scanner, 2}, {shift.PrinterMachine, printer, 3}, {shift.DiskMachine, disk, 4}} {
		if p.machine(m.name).OK {
			out = append(out, span{dim, m.text, m.drop})
		} else {
			out = append(out, span{amber | bold | inverse, " " + p.tx.Text("foot.bad_"+m.name) + " ", 0})
		}
	}
	return out
}

// keyRow shows the keys that the person who is signed in can use, as many as fit.
func (p painter) keyRow(a area, y int) {
	x := 0
	for _, k := range p.offers() {
		hint := p.tx.Text(k.hint)
		if x+2+width(hint) > a.w {
			continue
		}
		x = a.put(x, y, bold, string(k.key))
		x = a.put(x+1, y, dim, hint) + 2
	}
}

// strip draws one small cell for each slot and returns how many rows it took: what
// covers the floor hides no verdict.
func (p painter) strip(a area) int {
	if len(p.slots) == 0 {
		return 0
	}
	const bare = len("12x ")
	cell := p.wordWidth() + len("12 x  ")
	if rows := (len(p.slots) + max(1, a.w/cell) - 1) / max(1, a.w/cell); rows > 1 && rows > a.h/8 {
		cell = bare
	}
	perRow := max(1, a.w/cell)
	for i, s := range p.slots {
		part := a.sub(i%perRow*cell, i/perRow, cell-1, 1)
		st := s.bar(p.model)
		part.fill(st, ' ')
		text := fmt.Sprintf("%2d%s", s.number, s.face(p.model).markIn(p.lk))
		if cell > bare {
			text = fmt.Sprintf("%2d %s %s", s.number, s.face(p.model).markIn(p.lk), s.word(p.model, p.tx))
		}
		part.put(0, 0, st, text)
	}
	return (len(p.slots) + perRow - 1) / perRow
}
