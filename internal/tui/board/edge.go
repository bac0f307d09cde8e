package board

import (
	"fmt"
	"slices"
	"strconv"

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
