package shift

import (
	"context"
	"slices"
	"strings"
	"time"

	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/label"
	"provision/internal/records"
)

// labelDue is a label that is to be printed, or scanned back.
type labelDue struct {
	serial  string
	slot    int
	copy    int
	printed bool
}

// printTime is how long a printer may take with one label.
const printTime = 10 * time.Second

// labelFor sees to the label of a unit that passed; its PASS is on record already.
// The caller holds mu.
func (s *Shift) labelFor(sl *slot, ev floor.Event) {
	if s.cfg.Printer == nil {
		return
	}
	s.due = append(s.due, labelDue{serial: ev.Serial, slot: sl.number})
	s.labelled(LabelDue, sl.number, LabelFacts{Serial: ev.Serial}, Fault{})
	if s.job.Profile.Label.Print == "auto" {
		s.print(ev.Serial, sl.number, s.operator(), "")
	}
}

// labelled tells something about a label.
func (s *Shift) labelled(kind string, slot int, l LabelFacts, f Fault) {
	l.Due = len(s.due)
	s.tell(f.on(Event{Event: floor.Event{Kind: kind, Slot: slot, Serial: l.Serial}, Label: &l}))
}

// print prints the label of a unit. A printer that fails takes nothing away: the
// label stays due.
func (s *Shift) print(serial string, slot int, person, reason string) {
	j := s.job
	s.prints.Put(func() {
		ctx, done := context.WithTimeout(s.context(), printTime)
		defer done()
		copies, err := s.printOne(ctx, j.Profile.Job.ID, j.Profile.Job.Revision, productOf(j), serial, person, reason)
		s.mu.Lock()
		defer s.mu.Unlock()
		l := LabelFacts{Serial: serial, Copy: copies}
		if err != nil {
			s.labelled(LabelFailed, slot, l, faultOf(fault.PrinterFailed).with(sentence(err)))
			return
		}
		i := slices.IndexFunc(s.due, func(d labelDue) bool { return d.serial == serial })
		if !j.Profile.Label.ScanBack {
			if i >= 0 {
				s.due = slices.Delete(s.due, i, i+1)
			}
		} else if i >= 0 {
			s.due[i].printed, s.due[i].copy = true, copies
		} else {
			s.due = append(s.due, labelDue{serial: serial, slot: slot, copy: copies, printed: true})
		}
		s.labelled(LabelPrinted, slot, l, Fault{})
		if !j.Profile.Label.ScanBack {
			s.labelled(LabelClosed, slot, l, Fault{})
		}
	})
}

// printOne prints one label and writes down what came of it. It returns which copy
// it is.
func (s *Shift) printOne(ctx context.Context, jobID, revision string, product [2]string, serial, person, reason string) (int, error) {
	u, err := s.store.UnitBySerial(ctx, serial)
	if err != nil {
		return 0, err
	}
	row := records.Label{UnitID: u.ID, At: s.now(), Kind: records.LabelPrinted, Person: person, Reason: reason}
	if row.Copy, err = s.store.NextCopy(ctx, u.ID); err != nil {
		return 0, err
	}
	zpl, err := s.cfg.Template.Render(label.Fields{
		Serial: u.Serial, MAC: u.MAC, Job: jobID, Revision: revision, Product: product[0], Version: product[1],
		At: s.now(), Station: s.cfg.Facts.Station, Operator: person, Copy: row.Copy,
	})
	if err == nil {
		err = s.cfg.Printer.Print(ctx, zpl)
	}
	if err != nil {
		row.Kind, row.Detail = records.LabelFailed, err.Error()
	}
	if _, saved := s.store.SaveLabel(context.WithoutCancel(ctx), row); err == nil {
		err = saved
	}
	return row.Copy, err
}

// printed are the labels that wait to be scanned back.
func (s *Shift) printed() (out []labelDue) {
	for _, d := range s.due {
		if d.printed {
			out = append(out, d)
		}
	}
	return out
}

// labelRead takes a scan as that of a fresh label, if it is one: it closes its unit.
// A stray text, while a label is expected, is a wrong label. It reports whether the
// scan is dealt with. The caller holds mu.
func (s *Shift) labelRead(text string, stray bool) bool {
	scan := ScanFacts{Text: text, Meaning: meansLabel}
	i := slices.IndexFunc(s.due, func(d labelDue) bool { return d.printed && strings.EqualFold(d.serial, text) })
	if i >= 0 {
		d := s.due[i]
		s.due = slices.Delete(s.due, i, i+1)
		scan.OK = true
		s.read(scan, d.slot, Fault{})
		s.labelled(LabelClosed, d.slot, LabelFacts{Serial: d.serial, Copy: d.copy}, Fault{})
		s.saveLabel(d.serial, records.LabelVerified, "")
		return true
	}
	waiting := s.printed()
	if !stray || len(waiting) == 0 {
		return false
	}
	d := waiting[0]
	f := faultOf(fault.LabelMismatch)
	s.read(scan, d.slot, f)
	s.labelled(LabelWrong, d.slot, LabelFacts{Serial: d.serial, Copy: d.copy, Read: text}, f)
	s.saveLabel(d.serial, records.LabelMismatch, "read "+text)
	return true
}

// saveLabel writes down what a scan said about a label.
func (s *Shift) saveLabel(serial string, kind records.LabelKind, detail string) {
	at, person := s.now(), s.operator()
	s.slow.Put(func() {
		ctx, done := context.WithTimeout(s.context(), patience)
		defer done()
		u, err := s.store.UnitBySerial(ctx, serial)
		if err == nil {
			_, err = s.store.SaveLabel(ctx, records.Label{UnitID: u.ID, At: at, Kind: kind, Person: person, Detail: detail})
		}
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.trouble(0, faultOf(fault.Database).with("The label's scan is not on record: "+err.Error()))
		}
	})
}
