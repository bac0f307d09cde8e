package shift

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/flow"
	"provision/internal/records"
)

// historyLength is how many runs a history shows.
const historyLength = 200

// logLength is how many events of a run a detail page shows.
const logLength = 500

// Beginnings of words of the catalogue: what records say in a word of their own is
// read in the language of the screen.
const (
	unitState  = "unit."
	labelState = "label."
	didAct     = "action."
)

// show answers a question with a page that is made off the loop.
func (s *Shift) show(make func(ctx context.Context) (Page, error)) {
	s.slow.Put(func() {
		ctx, done := context.WithTimeout(s.context(), patience)
		defer done()
		p, err := make(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.trouble(0, faultOf(fault.Database).with(sentence(err)))
			return
		}
		s.tell(Event{Event: floor.Event{Kind: PageShown}, Page: &p})
	})
}

// lookUp shows the record of what a person has at hand.
func (s *Shift) lookUp(query string) {
	s.show(func(ctx context.Context) (Page, error) {
		found, err := s.store.Lookup(ctx, query)
		switch {
		case errors.Is(err, records.ErrNotFound):
			return Page{Kind: "none", Title: query}, nil
		case err != nil && !errors.Is(err, records.ErrTooMany):
			return Page{}, err
		case len(found) == 1:
			return recordPage(found[0]), nil
		}
		return foundPage(query, found), nil
	})
}

// foundPage lists several units.
func foundPage(query string, found []records.Record) Page {
	t := Table{Heads: []string{"table.serial", "table.mac", "table.state", "table.started"}}
	for _, r := range found {
		t.Rows = append(t.Rows, []string{r.Unit.Serial, r.Unit.MAC, unitState + string(r.Unit.State), clock(r.Unit.CreatedAt)})
	}
	return Page{Kind: "history", Title: query, Tables: []Table{t}}
}

// recordPage is everything about one unit that concerns an operator.
func recordPage(r records.Record) Page {
	u := r.Unit
	p := Page{Kind: "record", Title: first(u.Serial, u.MAC)}
	p.fact("record.serial", u.Serial)
	p.fact("record.mac", u.MAC)
	p.fact("record.state", unitState+string(u.State))
	p.fact("record.station", u.Station)
	p.fact("record.started", clock(u.CreatedAt))
	p.fact("record.parked", strings.TrimSpace(u.ParkCode+" "+u.ParkReason))
	for _, g := range r.Regions {
		if f := g.Firmware; f != nil && f.Role == "app" {
			p.fact("record.firmware", strings.TrimSpace(f.Project+" "+f.Version))
		}
	}
	p.Tables = append(p.Tables, runsTable("record.runs", r.Runs))
	if len(r.Labels) > 0 {
		t := Table{Title: "record.labels", Heads: []string{"table.started", "table.labels", "table.person", "table.reason"}}
		for _, l := range r.Labels {
			t.Rows = append(t.Rows, []string{clock(l.At), fmt.Sprintf("%s%s %d", labelState, l.Kind, l.Copy), l.Person, first(l.Reason, l.Detail)})
		}
		p.Tables = append(p.Tables, t)
	}
	if len(r.Acts)+len(r.Parkings) > 0 {
		p.Tables = append(p.Tables, decisions(r))
	}
	return p
}

// decisions are what people did about a unit.
func decisions(r records.Record) Table {
	t := Table{Title: "record.acts", Heads: []string{"table.started", "table.acts", "table.person", "table.reason"}}
	for _, k := range r.Parkings {
		t.Rows = append(t.Rows, []string{clock(k.At), didAct + k.Action, k.Person, strings.TrimSpace(k.Code + " " + k.Reason)})
	}
	for _, a := range r.Acts {
		t.Rows = append(t.Rows, []string{clock(a.At), didAct + a.Kind, a.Person, a.Reason})
	}
	return t
}

func runsTable(title string, runs []records.Run) Table {
	t := Table{Title: title, Heads: []string{"table.started", "table.slot", "table.serial", "table.verdict", "table.code", "table.operator"}}
	for _, r := range runs {
		t.Rows = append(t.Rows, []string{clock(r.StartedAt), strconv.Itoa(r.Slot), first(r.Serial, r.MAC), string(r.Verdict), r.Code, r.Operator})
	}
	return t
}

// history shows the station's latest runs.
func (s *Shift) history() {
	s.show(func(ctx context.Context) (Page, error) {
		runs, err := s.store.Runs(ctx, records.RunFilter{Station: s.cfg.Facts.Station, Limit: historyLength})
		return Page{Kind: "history", Tables: []Table{runsTable("", runs)}}, err
	})
}

// details shows an engineer what is known about the unit in a slot: its fuses, its
// plan and the log of its last run. It asks the records, not the unit.
func (s *Shift) details(n int) {
	sl := s.slots[n]
	if sl == nil || sl.mac == "" {
		s.trouble(n, Fault{Code: fault.NotAllowed, Text: "refuse.no_unit"})
		return
	}
	mac := sl.mac
	s.show(func(ctx context.Context) (Page, error) {
		found, err := s.store.Lookup(ctx, mac)
		if errors.Is(err, records.ErrNotFound) {
			return Page{Kind: "none", Title: mac}, nil
		}
		if err != nil {
			return Page{}, err
		}
		r := found[0]
		p := recordPage(r)
		p.Kind, p.Tables = "details", nil
		p.fact("record.chip", strings.TrimSpace(r.Unit.ChipPackage+" "+r.Unit.ChipRevision))
		p.fact("record.flash", r.Unit.FlashID)
		for _, k := range r.Keys {
			p.fact("record.keys", fmt.Sprintf("%s BLOCK%d %s %s", k.Purpose, k.Block, k.Fingerprint[:min(16, len(k.Fingerprint))], k.State))
		}
		p.Tables = append(p.Tables, fuses(r)...)
		if len(r.Runs) == 0 {
			return p, nil
		}
		events, err := s.store.Events(ctx, r.Runs[len(r.Runs)-1].ID)
		p.Tables = append(p.Tables, plan(events)...)
		p.Tables = append(p.Tables, runLog(events))
		return p, err
	})
}

// fuses are the fields of a complete unit as it left, or the burns of one that is
// not complete.
func fuses(r records.Record) []Table {
	if len(r.Unit.FinalWords) > 0 {
		var w efuse.Words
		for _, b := range r.Unit.FinalWords {
			if b.Block < len(w) {
				copy(w[b.Block][:], b.Words[:])
			}
		}
		t := Table{Title: "record.fuses"}
		for _, f := range efuse.Summary(w) {
			t.Rows = append(t.Rows, []string{f.Name, f.Text})
		}
		return []Table{t}
	}
	if len(r.Burns) == 0 {
		return nil
	}
	t := Table{Title: "record.fuses"}
	for _, b := range r.Burns {
		state := "ok"
		switch {
		case b.ObservedAt.IsZero():
			state = "not read back"
		case !b.OK:
			state = "reads back wrong"
		}
		t.Rows = append(t.Rows, []string{clock(b.IntendedAt), b.Step, "BLOCK" + strconv.Itoa(b.Block), state})
	}
	return []Table{t}
}

// plan is what the last run meant to burn.
func plan(events []records.Event) []Table {
	for _, ev := range events {
		if ev.Kind != flow.PlanMade {
			continue
		}
		var body flow.Event
		if json.Unmarshal(ev.Body, &body) != nil || body.Plan == nil {
			return nil
		}
		t := Table{Title: "record.plan"}
		for _, b := range body.Plan.Burns {
			t.Rows = append(t.Rows, []string{b.Name, strings.Join(b.Bits, " "), b.Meaning})
		}
		return []Table{t}
	}
	return nil
}

// runLog is what happened in a run.
func runLog(events []records.Event) Table {
	t := Table{Title: "record.log"}
	for _, ev := range events[max(0, len(events)-logLength):] {
		var body flow.Event
		_ = json.Unmarshal(ev.Body, &body) // a body of another version: its text is left out
		t.Rows = append(t.Rows, []string{ev.Time.Format("15:04:05.000"), ev.Kind, ev.Step, strings.TrimSpace(ev.Code + " " + body.Text)})
	}
	return t
}

// explain shows the page of a fault code.
func (s *Shift) explain(in Intent) {
	code := fault.Code(strings.ToUpper(strings.TrimSpace(in.Text)))
	if sl := s.slots[in.Slot]; code == "" && sl != nil {
		code = sl.fault()
	}
	if code == "" && s.locked != nil {
		code = s.locked.Code
	}
	if _, ok := fault.Lookup(code); !ok {
		s.tell(Event{Event: floor.Event{Kind: PageShown, Slot: in.Slot}, Page: &Page{Kind: "none", Title: string(code)}})
		return
	}
	s.tell(Event{Event: floor.Event{Kind: PageShown, Slot: in.Slot}, Page: &Page{Kind: "fault", Title: string(code)}})
}

func (p *Page) fact(key, text string) {
	if text != "" {
		p.Facts = append(p.Facts, Fact{key, text})
	}
}

// clock is a time as pages show it, in UTC like all records.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
