package board

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"provision/internal/catalog"
	"provision/internal/shift"
)

// Plain returns a sink that writes one sentence to w for every event that matters
// to a person, for screen readers and for terminals that are none. It keeps what a
// screen keeps; calls must come one at a time. An error of w is not told: whoever
// reads has gone away.
func Plain(w io.Writer, texts *catalog.Catalog) func(shift.Event) {
	var m model
	return func(ev shift.Event) {
		before := m
		m = m.apply(ev)
		for _, s := range sentences(before, painter{m, look{}, texts}, ev) {
			_, _ = fmt.Fprintln(w, s)
		}
	}
}

// sentences say what ev changed from before to p.
func sentences(before model, p painter, ev shift.Event) []string {
	switch ev.Kind {
	case shift.ShiftStarted:
		return []string{p.tx.Text("plain.began", "name", p.facts.Station)}
	case shift.ShiftEnded:
		return []string{p.tx.Text("plain.ended")}
	case shift.StationLocked:
		return []string{p.tx.Text("state.LOCK") + ". " + p.faultText(p.locked)}
	case shift.Trouble:
		return []string{p.reasonText(p.trouble)}
	case shift.ScanRead:
		return p.scanSentences(ev)
	case shift.PINAsked:
		return []string{p.tx.Text("pin.ask", "name", p.pin.Name)}
	case shift.PINRefused:
		return []string{p.tx.Text("pin.refused")}
	case shift.ChoiceAsked:
		return p.choiceSentences()
	case shift.CheckLine:
		if ev.Check != nil {
			return p.checkSentences(check{*ev.Check, ev.Code})
		}
	case shift.MachineState:
		return p.machineSentences(before, ev)
	case shift.CountsMade:
		if before.counts.In != p.counts.In {
			return []string{p.tx.Text("plain.counts", "in", strconv.Itoa(p.counts.In), "first", strconv.Itoa(p.counts.First), "failed", strconv.Itoa(p.counts.Failed))}
		}
	case shift.PageShown:
		var out []string
		for _, l := range p.pageLines(100) {
			if s := strings.TrimSpace(flat(l)); s != "" {
				out = append(out, s)
			}
		}
		return out
	}
	return p.slotSentences(before, ev)
}

// checkSentences are a line of the self-test, what to do about it, and its units.
func (p painter) checkSentences(c check) []string {
	head := p.tx.Text("plain.check", "name", p.word(c.Name), "state", p.tx.Text("plain."+c.State))
	said := []string{strings.TrimSpace(head + " " + p.checkText(c))}
	if do := p.checkAdvice(c); do != "" {
		said = append(said, do)
	}
	for _, u := range c.Units {
		said = append(said, unitName(u)+": "+p.outlook(u))
	}
	return said
}

// slotSentences tell a new state of a slot, and otherwise what is worth a line.
func (p painter) slotSentences(before model, ev shift.Event) []string {
	if i := p.index(ev.Slot); i >= 0 {
		s, old := p.slots[i], before.slots[i]
		same := s.state == old.state && s.gone == old.gone && s.stage == old.stage && s.code == old.code
		again := s.working() && old.held && s.held || s.state == shift.Run && old.state == shift.Run
		if same || again {
			return nil
		}
		out := p.tx.Text("plain.slot", "n", strconv.Itoa(s.number), "word", s.word(p.model, p.tx), "act", p.action(s))
		if s.code != "" {
			name, _, _ := p.tx.Fault(s.code)
			out += " " + string(s.code) + " " + name + "."
		}
		if key := labelKey(s.stage); key != "" && s.stage != old.stage {
			out += " " + p.tx.Text(key)
		}
		if s.serial != "" {
			out += " " + p.tx.Text("plain.unit", "serial", s.serial)
		}
		return []string{out}
	}
	if h := told(ev); h.kind != "" {
		return []string{p.lastText() + "."}
	}
	return nil
}

// machineSentences tell of a machine that somebody has to see to, and that it is well
// again.
func (p painter) machineSentences(before model, ev shift.Event) []string {
	if ev.Machine == nil || ev.Machine.OK && before.machine(ev.Machine.Name).OK {
		return nil
	}
	state := map[bool]string{true: "plain.ok", false: "plain.bad"}[ev.Machine.OK]
	return []string{p.tx.Text("plain.check", "name", p.word("check."+ev.Machine.Name), "state", p.tx.Text(state))}
}

func (p painter) faultText(r *reason) string {
	if r.code == "" {
		return r.text + " " + r.do
	}
	name, says, do := p.tx.Fault(r.code)
	return string(r.code) + " " + name + ". " + says + " " + do
}

func (p painter) scanSentences(ev shift.Event) []string {
	if ev.Scan == nil {
		return nil
	}
	out := p.tx.Text("scan.read") + ": " + p.tx.Text("meaning."+ev.Scan.Meaning) + " " + ev.Scan.Text + "."
	if !ev.Scan.OK {
		name, says, do := p.refusal(*reasonOf(ev))
		out += " " + strings.TrimSpace(string(ev.Code)+" "+name+". "+says+" "+do)
	}
	return []string{out}
}

func (p painter) choiceSentences() []string {
	if p.choice == nil {
		return nil
	}
	out := []string{strings.TrimSpace(title(p.tx.Text("action."+p.choice.Action)) + " " + p.choice.Subject)}
	for _, l := range p.choiceFacts(100) {
		out = append(out, flat(l))
	}
	for i, key := range p.choice.Keys {
		out = append(out, strconv.Itoa(i+1)+" "+p.tx.Text(key))
	}
	return out
}

// flat is a line without its styles.
func flat(l line) string {
	out := ""
	for _, s := range l {
		out += s.text
	}
	return out
}
