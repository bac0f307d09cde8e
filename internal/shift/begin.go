package shift

import (
	"context"
	"errors"
	"time"

	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/records"
	"provision/internal/station"
)

// shiftLength is how long a shift may last: a station that is started again within
// it goes on with its counters.
const shiftLength = 10 * time.Hour

// shiftAct is the kind of the act that begins a shift.
const shiftAct = "shift"

// begin finds out where the station stands, and tells it.
func (s *Shift) begin(ctx context.Context) error {
	was, err := s.past(ctx)
	if err != nil {
		return fault.New(fault.Database, "begin", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.cfg.Facts
	f.Began, f.Open, f.Slots = was.began, was.open, s.numbers()
	f.SerialBy = string(s.job.Profile.Unit.Serial.Source)
	s.describeJob(was.made, was.left)
	s.due = was.due
	facts := *f
	s.auto = f.Hands && f.Mode == DemoMode
	s.tell(Event{Event: floor.Event{Kind: ShiftStarted}, Shift: &facts})
	s.jobChanged(JobSet)
	if s.armed {
		s.jobChanged(Armed)
	}
	s.standStill(was)
	s.count()
	s.selfTest()
	for _, d := range was.due {
		s.labelled(LabelDue, 0, LabelFacts{Serial: d.serial}, Fault{})
		if !d.printed && s.job.Profile.Label.Print == station.PrintAuto {
			s.print(d.serial, 0, s.operator(), "")
		}
	}
	return nil
}

// past is what the records know of a station that starts.
type past struct {
	began   time.Time
	open    int // units that are begun and not finished
	made    int // of the job
	left    int // serial numbers
	due     []labelDue
	stopped map[int]bool // slots
	off     map[int]bool
	locked  fault.Code
}

// past asks the records, in which it notes a new shift and another job.
func (s *Shift) past(ctx context.Context) (was past, err error) {
	if was.began, err = s.beganAt(ctx); err != nil {
		return was, err
	}
	open, err := s.store.OpenUnits(ctx)
	if err != nil {
		return was, err
	}
	was.open = len(open)
	if err := s.sameJob(ctx); err != nil {
		return was, err
	}
	if was.made, err = s.madeOf(ctx, s.job.Profile.Job.ID); err != nil {
		return was, err
	}
	if was.left, err = s.countSerials(ctx, s.job); err != nil {
		return was, err
	}
	if was.due, err = s.labelsDue(ctx); err != nil {
		return was, err
	}
	return was, s.stops(ctx, &was)
}

// sameJob notes it when the station starts with another job than it worked on last.
func (s *Shift) sameJob(ctx context.Context) error {
	id := s.job.Profile.Job.ID
	last, err := s.store.LatestAct(ctx, s.cfg.Facts.Station, string(changeJob))
	if err == nil && last.Subject == id && last.Detail == s.job.Profile.Job.Revision {
		return nil
	}
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		return err
	}
	return s.store.SaveAct(ctx, records.Act{At: s.now(), Station: s.cfg.Facts.Station, Kind: string(changeJob), Subject: id, Detail: s.job.Profile.Job.Revision})
}

// Acts of the station itself: what stands still, until a person changes it.
const (
	actStop    = "stop" // a slot
	actLock    = "lock" // the station
	actInclude = "include"
)

// mostActs is how far back it is looked for what stands still.
const mostActs = 5000

// stops finds what stood still when the station was closed: starting it again must
// not be a way round the lead.
func (s *Shift) stops(ctx context.Context, was *past) error {
	acts, err := s.store.Acts(ctx, records.ActFilter{Station: s.cfg.Facts.Station, Limit: mostActs}) // the latest first
	if err != nil {
		return err
	}
	was.stopped, was.off = map[int]bool{}, map[int]bool{}
	know := func(m map[int]bool, slot int, on bool) {
		if _, ok := m[slot]; !ok {
			m[slot] = on
		}
	}
	decided := false
	for _, a := range acts {
		switch a.Kind {
		case actStop:
			know(was.stopped, a.Slot, true)
		case string(Exclude):
			know(was.off, a.Slot, true)
		case actInclude:
			know(was.off, a.Slot, false)
		case actLock:
			if !decided {
				was.locked, decided = fault.Code(a.Reason), true
			}
		case string(Unlock):
			know(was.stopped, a.Slot, false)
			decided = decided || a.Slot == 0
		}
	}
	return nil
}

// standStill puts the station where it was. The caller holds mu.
func (s *Shift) standStill(was past) {
	for _, n := range s.numbers() {
		sl := s.slots[n]
		sl.stopped, sl.off = was.stopped[n], was.off[n]
		if sl.stopped || sl.off {
			s.tell(s.rest(sl))
		}
	}
	if was.locked != "" {
		s.locked = &lock{faultOf(was.locked)}
		s.tell(s.locked.on(Event{Event: floor.Event{Kind: StationLocked}}))
	}
}

// rollOver begins the next shift's counters when one has lasted long enough. The
// caller holds mu.
func (s *Shift) rollOver(now time.Time) {
	if began := s.cfg.Facts.Began; began.IsZero() || now.Sub(began) < shiftLength {
		return
	}
	s.cfg.Facts.Began = now
	s.keep(records.Act{Kind: shiftAct})
	s.count()
}

// beganAt is when this shift began: now, unless it was only interrupted.
func (s *Shift) beganAt(ctx context.Context) (time.Time, error) {
	now := s.now()
	a, err := s.store.LatestAct(ctx, s.cfg.Facts.Station, shiftAct)
	switch {
	case err == nil && now.Sub(a.At) < shiftLength && !a.At.After(now):
		return a.At, nil
	case err != nil && !errors.Is(err, records.ErrNotFound):
		return now, err
	}
	return now, s.store.SaveAct(ctx, records.Act{At: now, Station: s.cfg.Facts.Station, Kind: shiftAct})
}

// labelTime is how long a label that was never scanned back is asked for.
const labelTime = 7 * 24 * time.Hour

// labelsDue finds the labels that were left open.
func (s *Shift) labelsDue(ctx context.Context) (due []labelDue, err error) {
	if s.cfg.Printer == nil || !s.job.Profile.Label.ScanBack {
		return nil, nil
	}
	units, err := s.store.LabelsDue(ctx, s.cfg.Facts.Station, s.now().Add(-labelTime))
	for _, u := range units {
		last, err := s.store.LastCopy(ctx, u.ID)
		if err != nil {
			return nil, err
		}
		due = append(due, labelDue{serial: u.Serial, copy: last, printed: last > 0})
	}
	return due, err
}

// keep puts it on record that something happened at the station. That it fails stops
// nobody: it is told.
func (s *Shift) keep(a records.Act) {
	a.At, a.Station = s.now(), s.cfg.Facts.Station
	s.slow.Put(func() {
		ctx, done := context.WithTimeout(s.context(), patience)
		defer done()
		if err := s.store.SaveAct(ctx, a); err != nil {
			s.tell(faultOf(fault.Database).on(Event{Event: floor.Event{Kind: Trouble, Slot: a.Slot}}))
		}
	})
}

// selfTest checks the station, beside everything else: it takes seconds. The caller
// holds mu.
func (s *Shift) selfTest() {
	if s.cfg.SelfTest == nil {
		return
	}
	work := s.work
	s.tests.Put(func() {
		s.cfg.SelfTest(work, func(line CheckFacts, faults ...Fault) {
			ev := Event{Event: floor.Event{Kind: CheckLine}, Check: &line}
			if len(faults) > 0 {
				ev = faults[0].on(ev)
			}
			s.tell(ev)
			s.checked(line)
		})
		s.tell(Event{Event: floor.Event{Kind: CheckEnded}})
	})
}
