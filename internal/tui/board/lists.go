package board

import (
	"fmt"
	"strconv"
	"strings"
)

// The screen's own pages: the counters, the keys. The self-test is in check.go.

// counterLines are the counters of the shift and of each slot.
func (p painter) counterLines(w int) []line {
	c := p.counts
	out := append(wrapped(bold, p.tx.Text("counters.title", "t", p.since()), w), nil)
	for _, f := range []struct{ key, value string }{
		{"in", strconv.Itoa(c.In)}, {"first", strconv.Itoa(c.First)}, {"retested", strconv.Itoa(c.Retested)},
		{"failed", strconv.Itoa(c.Failed)}, {"parked", strconv.Itoa(c.Parked)}, {"errors", strconv.Itoa(c.Errors)},
		{"per_hour", p.perHour()}, {"fpy", p.yield()},
	} {
		out = append(out, line{{st: dim, text: fill(p.tx.Text("counts."+f.key), max(w/3, 28))}, {st: bold, text: f.value}})
	}
	out = append(out, nil, text(dim, p.slotRow(p.tx.Text("table.slot"), p.tx.Text("table.runs"),
		p.tx.Text("counters.passed"), p.tx.Text("counters.failed"))+p.tx.Text("counts.trend")))
	for _, s := range c.Slots {
		l := line{{st: plain, text: p.slotRow(strconv.Itoa(s.Slot), strconv.Itoa(s.Runs), strconv.Itoa(s.Passed), strconv.Itoa(s.Failed))}}
		out = append(out, append(l, trend(s.Trend)...))
		if s.Suspect {
			out = append(out, text(amber|bold, "   ^ "+p.tx.Text("counters.suspect")))
		}
	}
	return append(append(out, nil), wrapped(dim, p.tx.Text("counters.letters"), w)...)
}

// since is when the counters began, by the clock on the wall.
func (p painter) since() string {
	t := p.counts.Since
	if t.IsZero() {
		t = p.facts.Began
	}
	return t.In(p.now.Location()).Format("15:04")
}

func (p painter) slotRow(cells ...string) string {
	var b strings.Builder
	for _, c := range cells {
		b.WriteString(fill(p.lk.cut(c, 10), 11))
	}
	return b.String()
}

// trend is the last runs of a slot, one letter each; what did not pass stands out.
func trend(runs string) line {
	var l line
	for _, r := range runs {
		st := plain
		if r != 'P' && r != 'D' {
			st = bold | inverse
		}
		l = append(l, span{st: st, text: string(r)})
	}
	return l
}

// helpLines are all keys and command barcodes, and who may use them.
func (p painter) helpLines(w int) []line {
	out := append(wrapped(bold, p.tx.Text("help.title"), w), nil)
	out = append(out, wrapped(plain, p.tx.Text("help.scan"), w)...)
	out = append(out, nil)
	for _, k := range hotkeys {
		st := plain
		if rank(p.role()) < rank(k.need) {
			st = dim
		}
		l := line{{st: bold, text: fill(" "+string(k.key), 4)}, {st: st, text: fill(p.lk.cut(p.tx.Text("help."+strings.TrimPrefix(k.hint, "key.")), w-4), min(w-4, 44))}}
		if k.need != nobody && k.need != operator {
			l = append(l, span{st: dim, text: " " + p.tx.Text("role."+k.need)})
		}
		if k.bar != "" {
			l = append(l, span{st: dim, text: fmt.Sprintf("  %s %s", p.tx.Text("help.barcode"), k.bar)})
		}
		out = append(out, l)
	}
	for _, tip := range p.tips {
		out = append(append(out, nil), wrapped(plain, tip, w)...)
	}
	return append(append(out, nil), wrapped(dim, p.tx.Text("help.close"), w)...)
}
