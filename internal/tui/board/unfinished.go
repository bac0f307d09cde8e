package board

import (
	"cmp"
	"strings"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/shift"
)

// unfinishedLines are all units that the self-test found unfinished, each with its next
// action: a table for each kind of them, below everything else, since they may be many.
func (p painter) unfinishedLines(w int) []line {
	var out []line
	for _, c := range p.checks {
		if len(c.Units) == 0 {
			continue
		}
		t := shift.Table{Title: c.Name}
		for _, u := range c.Units {
			t.Rows = append(t.Rows, []string{unitName(u), p.outlook(u)})
		}
		out = append(out, p.tableLines(t, w)...)
	}
	return out
}

// unitName is what a person finds a unit by.
func unitName(u flow.Outlook) string { return cmp.Or(u.Serial, u.MAC) }

// outlook is where a unit stands and its next action. The station says so in English; in
// another language it is the action of its kind, or of its code.
func (p painter) outlook(u flow.Outlook) string {
	switch {
	case p.tx.Lang() == "en":
		stands, _, _ := strings.Cut(u.Stands, "\n")
		return strings.TrimSpace(u.Code+" "+stands) + "; " + u.Next
	case u.State == "parked":
		name, _, do := p.tx.Fault(fault.Code(u.Code))
		return u.Code + " " + name + "; " + do
	}
	return p.tx.Text("check.open_unit_next")
}
