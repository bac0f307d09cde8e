package shift_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/fixture"
	"provision/internal/floor"
	"provision/internal/shift"
)

// page asks for something and returns the page that answers it.
func (r *rig) page(kind shift.IntentKind, slot int, text string) *shift.Page {
	r.t.Helper()
	n := r.count(shift.PageShown)
	r.do(kind, slot, text)
	r.until("a page is shown", func() bool { return r.count(shift.PageShown) > n })
	return r.last(shift.PageShown).Page
}

// value is the text of a fact, "" without it.
func value(p *shift.Page, key string) string {
	for _, f := range p.Facts {
		if f.Key == key {
			return f.Text
		}
	}
	return ""
}

func table(p *shift.Page, title string) *shift.Table {
	for i := range p.Tables {
		if p.Tables[i].Title == title {
			return &p.Tables[i]
		}
	}
	return &shift.Table{}
}

// TestPages: a record and a history for everybody, the details behind the lock.
func TestPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 2, fixture.Good, fixture.Foreign)
		r.hire()
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Pass)
		r.fix.Insert(2)
		r.becomes(2, shift.Park)

		p := r.page(shift.Lookup, 0, "sn-000001")
		if p.Kind != "record" || value(p, "record.serial") != "SN-000001" || value(p, "record.state") != "unit.complete" || value(p, "record.firmware") != "demo 1.0.0" {
			t.Errorf("the record is %+v", p)
		}
		if rows := table(p, "record.runs").Rows; len(rows) != 1 || rows[0][3] != "PASS" {
			t.Errorf("its runs are %v", rows)
		}
		if p := r.page(shift.Lookup, 0, "SN-999999"); p.Kind != "none" || p.Title != "SN-999999" {
			t.Errorf("a stranger's page is %+v", p)
		}
		if p := r.page(shift.History, 0, ""); len(p.Tables) != 1 || len(p.Tables[0].Rows) != 2 || p.Tables[0].Rows[0][4] != "E205" {
			t.Errorf("the history is %+v", p)
		}
		if p := r.page(shift.Explain, 2, ""); p.Kind != "fault" || p.Title != "E205" {
			t.Errorf("slot 2 is explained by %+v", p)
		}
		if p := r.page(shift.Explain, 0, "e301"); p.Kind != "fault" || p.Title != "E301" {
			t.Errorf("e301 is explained by %+v", p)
		}

		r.lead()
		r.do(shift.Details, 1, "")
		if ev := r.last(shift.Trouble); ev.Code != fault.NotAllowed {
			t.Errorf("details for a lead: %q", ev.Code)
		}
		r.signIn("eve")
		p = r.page(shift.Details, 1, "")
		var fuses []string
		for _, row := range table(p, "record.fuses").Rows {
			fuses = append(fuses, strings.Join(row, " "))
		}
		all := strings.Join(fuses, "\n")
		if !strings.Contains(all, "ABS_DONE_0") || !strings.Contains(all, "FLASH_CRYPT_CNT") {
			t.Errorf("the fuses are %q", all)
		}
		if len(table(p, "record.plan").Rows) == 0 || len(table(p, "record.log").Rows) < 20 {
			t.Errorf("plan %v, log of %d lines", table(p, "record.plan").Rows, len(table(p, "record.log").Rows))
		}
		if p := r.page(shift.Details, 1, ""); p == nil {
			t.Error("reading used the engineer's sign-in up")
		}
		r.end()
	})
}

// TestLookupByBarcode: after the command the next scan is looked up, whatever it is.
func TestLookupByBarcode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1)
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Pass)
		mac := r.last(floor.SlotVerdict).MAC
		r.scan("CMD-LOOKUP")
		if ev := r.scan(mac); ev.Scan.Meaning != "lookup" {
			t.Errorf("read as %+v", ev.Scan)
		}
		r.until("the record is shown", func() bool { return r.count(shift.PageShown) == 1 })
		if p := r.last(shift.PageShown).Page; p.Title != "SN-000001" {
			t.Errorf("shown is %q", p.Title)
		}
		r.end()
	})
}

// TestQuarantine: anybody may set a unit aside, with a reason.
func TestQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1)
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Pass)
		r.do(shift.Quarant, 1, "")
		if c := r.last(shift.ChoiceAsked).Choice; slices.Contains(c.Keys, "reason.scrapped") {
			t.Error("anybody may scrap a unit")
		}
		r.decide(shift.Quarant, 1, "reason.other")
		r.becomes(1, shift.Park)
		u, err := r.store.UnitBySerial(t.Context(), "SN-000001")
		must(t, err)
		if u.State != "parked" {
			t.Errorf("the unit is %s", u.State)
		}
		r.replace(1)
		r.becomes(1, shift.Pass)
		r.end()
	})
}

// TestDispositions: a lead decides what becomes of a unit; one that is released is to
// be put in again, and its slot says so.
func TestDispositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1)
		r.hire()
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Pass)
		r.lead()
		r.decide(shift.Quarant, 1, "reason.scrapped")
		r.becomes(1, shift.Park)
		r.until("the lead's sign-in is used up", func() bool { return r.count(shift.PersonOut) == 1 })
		if acts := r.acts("park"); len(acts) != 1 || acts[0].Person != "Cleo" || acts[0].Reason != "reason.scrapped" {
			t.Errorf("on record: %+v", acts)
		}
		r.lead()
		r.decide(shift.Release, 1, "reason.reworked")
		r.becomes(1, shift.Redo)
		r.out(1)
		if st := r.state(1); st != shift.Redo {
			t.Errorf("the slot is %s after the unit went; the next one is still this one", st)
		}
		r.fix.Insert(1) // the same one
		r.becomes(1, shift.Done)
		r.end()
	})
}

// TestExplainEmptySlot: why nothing can be seen in a slot is explained while it is so,
// also where the unit before it had a fault of its own.
func TestExplainEmptySlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scans, 1, fixture.Foreign, fixture.Good)
		open := r.cfg.Floor.Slots[0].Open
		var missing atomic.Bool
		r.cfg.Floor.Slots[0].Open = func(ctx context.Context) (esptool.Port, error) {
			if missing.Load() {
				return nil, esptool.ErrPortMissing
			}
			return open(ctx)
		}
		explained := func(want string) {
			t.Helper()
			if p := r.page(shift.Explain, 1, ""); p.Title != want {
				t.Errorf("f explains %q, want %q", p.Title, want)
			}
		}
		// unplug takes the cable out, and back in when f was pressed.
		unplug := func(want string) {
			t.Helper()
			n := r.count(floor.SlotFault)
			missing.Store(true)
			r.until("the port is missed", func() bool { return r.count(floor.SlotFault) > n })
			explained(want)
			n = r.count(floor.SlotWaits)
			missing.Store(false)
			r.until("the port is back", func() bool { return r.count(floor.SlotWaits) > n })
		}
		r.start()
		unplug("E104")
		explained("")
		r.scan("SN-000001")
		r.fix.Insert(1)
		r.becomes(1, shift.Park)
		r.out(1)
		unplug("E205") // its verdict stands
		r.fix.Insert(1)
		r.becomes(1, shift.Scan)
		r.out(1)
		unplug("E104")
		r.end()
	})
}

// TestSelfTest is run at the start and whenever it is asked for.
func TestSelfTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1)
		r.cfg.SelfTest = checks
		r.start()
		r.until("it has run", func() bool { return r.count(shift.CheckEnded) == 1 })
		r.do(shift.SelfTest, 0, "")
		r.until("it has run again", func() bool { return r.count(shift.CheckEnded) == 2 })
		if n := r.count(shift.CheckLine); n != 4 {
			t.Errorf("%d lines, want 4", n)
		}
		if n := r.count(shift.MachineState); n != 2 { // disk and printer, once each: they did not change
			t.Errorf("machines are told %d times, want 2", n)
		}
		r.end()
	})
}
