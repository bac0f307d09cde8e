package shift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/label"
	"provision/internal/records"
	"provision/internal/station"
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
	if sl.job.Profile.Label.Print == station.PrintAuto {
		s.print(ev.Serial, sl.number, s.operator(), "")
	}
}

// printDue prints the label of a unit whose label never came out of the printer. It
// reports whether there was one. The caller holds mu.
func (s *Shift) printDue(in Intent) bool {
	serial := in.Text
	if sl := s.slots[in.Slot]; serial == "" && sl != nil {
		serial = s.serialIn(sl)
	}
	due := slices.ContainsFunc(s.due, func(d labelDue) bool { return !d.printed && d.serial == serial })
	if due {
		s.print(serial, in.Slot, s.operator(), "")
	}
	return due
}

// labelled tells something about a label.
func (s *Shift) labelled(kind string, slot int, l LabelFacts, f Fault) {
	l.Due = len(s.due)
	s.tell(f.on(Event{Event: floor.Event{Kind: kind, Slot: slot, Serial: l.Serial}, Label: &l}))
}

// print prints the label of a unit. A printer that fails takes nothing away: the
// label stays due.
func (s *Shift) print(serial string, slot int, person, reason string) {
	scanBack := s.job.Profile.Label.ScanBack
	s.prints.Put(func() {
		ctx, done := context.WithTimeout(s.paper, printTime)
		defer done()
		number, err := s.printOne(ctx, serial, person, reason)
		s.mu.Lock()
		defer s.mu.Unlock()
		l := LabelFacts{Serial: serial, Copy: number}
		var paper printError
		if err == nil || errors.As(err, &paper) {
			s.machine(MachineFacts{Name: PrinterMachine, OK: err == nil})
		}
		if err != nil {
			s.labelled(LabelFailed, slot, l, faultOf(fault.PrinterFailed).with(sentence(err)))
			return
		}
		s.due = slices.DeleteFunc(s.due, func(d labelDue) bool { return d.serial == serial })
		if scanBack {
			s.due = append(s.due, labelDue{serial: serial, slot: slot, copy: number, printed: true})
		}
		s.labelled(LabelPrinted, slot, l, Fault{})
		if !scanBack {
			s.labelled(LabelClosed, slot, l, Fault{})
		}
	})
}

// printError is what the printer, and nobody else, is to blame for.
type printError struct{ error }

func (e printError) Unwrap() error { return e.error }

// errNotPassed: a label says PASS.
var errNotPassed = errors.New("the unit is not complete, so it gets no label")

// printOne prints one label and writes down what came of it. It returns which copy
// it is, also where it did not come out: the number on the paper is the one on record.
// What the label says of the firmware and the job is what the records say of the unit,
// whatever the station makes by now.
func (s *Shift) printOne(ctx context.Context, serial, person, reason string) (int, error) {
	found, err := s.store.Lookup(ctx, serial)
	if err != nil {
		return 0, err
	}
	r := found[0]
	if len(found) != 1 || r.Unit.State != records.StateComplete {
		return 0, fmt.Errorf("%s: %w", serial, errNotPassed)
	}
	fields, err := s.fieldsOf(ctx, r)
	if err != nil {
		return 0, err
	}
	fields.Operator = person
	if fields.Copy, err = s.store.NextCopy(ctx, r.Unit.ID); err != nil {
		return 0, err
	}
	zpl, err := s.cfg.Template.Render(fields)
	if err != nil {
		return 0, err
	}
	// On record before it is printed: a label that nobody knows of is worse than one
	// that is taken for printed and was not. Refused where another station has taken the
	// number meanwhile.
	row := records.Label{UnitID: r.Unit.ID, At: s.now(), Kind: records.LabelPrinted, Copy: fields.Copy, Person: person, Reason: reason}
	if _, err = s.store.SaveLabel(ctx, row); err != nil {
		return 0, err
	}
	if err := s.cfg.Printer.Print(ctx, zpl); err != nil {
		row.At, row.Kind, row.Detail = s.now(), records.LabelFailed, err.Error()
		_, saved := s.store.SaveLabel(context.WithoutCancel(ctx), row)
		return row.Copy, errors.Join(printError{err}, saved)
	}
	return row.Copy, nil
}

// fieldsOf is what the records say of a unit, for its label.
func (s *Shift) fieldsOf(ctx context.Context, r records.Record) (label.Fields, error) {
	f := label.Fields{Serial: r.Unit.Serial, MAC: r.Unit.MAC, At: s.now(), Station: s.cfg.Facts.Station}
	for _, g := range r.Regions {
		if g.Firmware != nil && g.Firmware.Role == "app" {
			f.Product, f.Version = g.Firmware.Project, g.Firmware.Version
		}
	}
	var began time.Time // of the run that passed: the job of that time is the unit's
	for _, run := range r.Runs {
		if run.Verdict == records.Pass {
			began = run.StartedAt
		}
	}
	acts, err := s.store.Acts(ctx, records.ActFilter{Station: s.cfg.Facts.Station, Kind: string(changeJob)}) // the latest first
	for _, a := range acts {
		if !a.At.After(began) {
			f.Job, f.Revision = a.Subject, a.Detail
			break
		}
	}
	return f, err
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
	to := s.target // the slot's barcode was scanned first: it is this slot's label
	i := slices.IndexFunc(s.due, func(d labelDue) bool { return d.printed && strings.EqualFold(d.serial, text) })
	waiting := s.printed()
	if i >= 0 && (to == 0 || to == s.due[i].slot) {
		s.target = 0
		d := s.due[i]
		s.due = slices.Delete(s.due, i, i+1)
		scan.OK = true
		s.read(scan, d.slot, Fault{})
		s.labelled(LabelClosed, d.slot, LabelFacts{Serial: d.serial, Copy: d.copy}, Fault{})
		s.saveLabel(d.serial, records.LabelVerified, "")
		return true
	}
	if i < 0 && !stray || len(waiting) == 0 {
		return false
	}
	d := waiting[0]
	if j := slices.IndexFunc(waiting, func(d labelDue) bool { return d.slot == to }); to != 0 && j >= 0 {
		d = waiting[j]
	}
	s.target = 0
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
