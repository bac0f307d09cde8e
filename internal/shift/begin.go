package shift

import (
	"context"
	"errors"
	"time"

	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/records"
)

// shiftLength is how long a shift may last: a station that is started again within
// it goes on with its counters.
const shiftLength = 10 * time.Hour

// shiftAct is the kind of the act that begins a shift.
const shiftAct = "shift"

// begin tells what the station is and where it stands.
func (s *Shift) begin(ctx context.Context) error {
	began, err := s.beganAt(ctx)
	if err != nil {
		return fault.New(fault.Database, "begin", err)
	}
	open, err := s.store.OpenUnits(ctx)
	if err != nil {
		return fault.New(fault.Database, "begin", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.resumeJob(ctx); err != nil {
		return fault.New(fault.Database, "begin", err)
	}
	if err := s.resumeLabels(ctx, began); err != nil {
		return fault.New(fault.Database, "begin", err)
	}
	f := &s.cfg.Facts
	f.Began, f.Open, f.Slots = began, len(open), s.numbers()
	f.SerialBy = string(s.job.Profile.Unit.Serial.Source)
	facts := *f
	s.auto = f.Hands && f.Mode == DemoMode
	s.tell(Event{Event: floor.Event{Kind: ShiftStarted}, Shift: &facts})
	s.jobChanged(JobSet)
	if s.armed {
		s.jobChanged(Armed)
	}
	s.count()
	s.selfTest()
	return nil
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

// resumeLabels finds the labels that were left open. The caller holds mu.
func (s *Shift) resumeLabels(ctx context.Context, since time.Time) error {
	if s.cfg.Printer == nil || !s.job.Profile.Label.ScanBack {
		return nil
	}
	units, err := s.store.LabelsDue(ctx, s.cfg.Facts.Station, since)
	for _, u := range units {
		s.due = append(s.due, labelDue{serial: u.Serial, printed: true})
	}
	return err
}

// selfTest checks the station, off the loop: it takes seconds.
func (s *Shift) selfTest() {
	if s.cfg.SelfTest == nil {
		return
	}
	s.slow.Put(func() {
		s.cfg.SelfTest(s.context(), func(line CheckFacts, faults ...Fault) {
			ev := Event{Event: floor.Event{Kind: CheckLine}, Check: &line}
			if len(faults) > 0 {
				ev = faults[0].on(ev)
			}
			s.tell(ev)
		})
		s.tell(Event{Event: floor.Event{Kind: CheckEnded}})
	})
}
