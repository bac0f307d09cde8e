package shift_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/label"
	"provision/internal/records"
	"provision/internal/shift"
)

const labels = sequence + "[label]\nprinter = \"tcp://printer:9100\"\n"

func labelRig(t *testing.T, slots int) (*rig, *virtualPrinter) {
	t.Helper()
	r, p := newRig(t, labels, slots), &virtualPrinter{}
	r.cfg.Printer, r.cfg.Template = p, label.Default()
	return r, p
}

// TestLabel is printed after PASS is on record, and closed by scanning it.
func TestLabel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := labelRig(t, 1)
		r.start()
		r.fix.Insert(1)
		r.until("the label is printed", func() bool { return r.count(shift.LabelPrinted) == 1 })
		if got := p.codes(); !slices.Equal(got, []string{"SN-000001"}) {
			t.Errorf("the label's code says %q", got)
		}
		if ev := r.scan("ZZ-FOREIGN"); ev.Scan.OK || ev.Code != fault.LabelMismatch {
			t.Errorf("a stray label: %+v %s", ev.Scan, ev.Code)
		}
		if ev := r.scan("SN-000001"); !ev.Scan.OK || ev.Scan.Meaning != "label" || ev.Slot != 1 {
			t.Errorf("the unit's label: %+v", ev.Scan)
		}
		r.until("it is closed", func() bool { return r.count(shift.LabelClosed) == 1 })
		u, err := r.store.UnitBySerial(t.Context(), "SN-000001")
		must(t, err)
		r.until("all of it is on record", func() bool {
			rows, err := r.store.LabelsOf(t.Context(), u.ID)
			must(t, err)
			var kinds []records.LabelKind
			for _, l := range rows {
				kinds = append(kinds, l.Kind)
			}
			return slices.Equal(kinds, []records.LabelKind{records.LabelPrinted, records.LabelMismatch, records.LabelVerified})
		})
		if r.last(shift.LabelClosed).Label.Due != 0 {
			t.Errorf("%d labels are due", r.last(shift.LabelClosed).Label.Due)
		}
		if r.count(shift.PageShown) > 0 {
			t.Error("a record covers the slots, and nobody asked for it")
		}
		r.end()
	})
}

// TestPrinterFails: the PASS stands and the label stays due until it is printed; a
// second one takes a lead.
func TestPrinterFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := labelRig(t, 1)
		p.broken = errors.New("no paper")
		r.hire()
		r.start()
		r.fix.Insert(1)
		r.until("printing fails", func() bool { return r.count(shift.LabelFailed) == 1 })
		if r.state(1) != shift.Pass || r.last(shift.LabelFailed).Code != fault.PrinterFailed {
			t.Errorf("the slot is %s, the label %s", r.state(1), r.last(shift.LabelFailed).Code)
		}
		if m := r.last(shift.MachineState).Machine; m == nil || m.Name != shift.PrinterMachine || m.OK {
			t.Errorf("the printer is told as %+v", m)
		}
		p.mu.Lock()
		p.broken = nil
		p.mu.Unlock()
		r.do(shift.Reprint, 1, "") // it never came out: nobody has to decide that
		r.until("it is printed", func() bool { return r.count(shift.LabelPrinted) == 1 })
		if failed, out := r.last(shift.LabelFailed).Label.Copy, r.last(shift.LabelPrinted).Label.Copy; failed != 1 || out != 2 {
			t.Errorf("copy %d failed and copy %d came out, want 1 and 2", failed, out)
		}
		if m := r.last(shift.MachineState).Machine; !m.OK {
			t.Error("the printer prints again, and nobody is told")
		}
		r.do(shift.Reprint, 1, "")
		if ev := r.last(shift.Trouble); ev.Code != fault.NotAllowed {
			t.Errorf("a reprint without a lead: %q", ev.Code)
		}
		r.lead()
		r.decide(shift.Reprint, 1, "reason.label_damaged")
		r.until("it is printed again", func() bool { return r.count(shift.LabelPrinted) == 2 })
		if c := r.last(shift.LabelPrinted).Label.Copy; c != 3 {
			t.Errorf("the reprint is copy %d, want 3", c)
		}
		r.end()
		u, err := r.store.UnitBySerial(t.Context(), "SN-000001")
		must(t, err)
		if last, err := r.store.LastCopy(t.Context(), u.ID); err != nil || last != 3 {
			t.Errorf("copy %d, %v on record; the last that came out says 3", last, err)
		}
		for i, want := range []string{"COPY 2", "COPY 3"} {
			if !bytes.Contains(p.labels[i], []byte(want)) {
				t.Errorf("label %d does not say %s:\n%s", i+1, want, p.labels[i])
			}
		}
	})
}

// TestLabelsDueOutliveTheScreen: a label that was not scanned back is still due when
// the station is started again.
func TestLabelsDueOutliveTheScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := labelRig(t, 1)
		r.start()
		r.fix.Insert(1)
		r.until("the label is printed", func() bool { return r.count(shift.LabelPrinted) == 1 })
		r.out(1)
		r.s.Do(shift.Intent{Kind: shift.Quit})
		must(t, <-r.over)
		time.Sleep(time.Minute)
		r.events, r.over = nil, make(chan error, 1)
		r.start()
		if ev := r.scan("SN-000001"); !ev.Scan.OK || ev.Scan.Meaning != "label" {
			t.Errorf("the label: %+v", ev.Scan)
		}
		r.end()
	})
}

// TestLabelNeedsPass: what failed gets no label.
func TestLabelNeedsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, labels, 1, "foreign")
		p := &virtualPrinter{}
		r.cfg.Printer, r.cfg.Template = p, label.Default()
		r.start()
		r.fix.Insert(1)
		r.until("it is judged", func() bool { return r.count(floor.SlotVerdict) == 1 })
		time.Sleep(time.Minute)
		if r.count(shift.LabelDue) != 0 || len(p.codes()) != 0 {
			t.Error("a label for a unit that was set aside")
		}
		r.end()
	})
}
