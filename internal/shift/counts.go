package shift

import (
	"context"
	"time"

	"provision/internal/floor"
	"provision/internal/records"
)

// count asks the records for the counters and tells them, off the loop.
func (s *Shift) count() {
	s.slow.Put(func() {
		ctx, done := context.WithTimeout(s.context(), patience)
		defer done()
		now := s.now()
		c, err := s.store.ShiftCounts(ctx, s.cfg.Facts.Station, s.began())
		if err != nil {
			return // counters are a comfort; a database that fails stops the runs themselves
		}
		lately, err := s.store.LastHour(ctx, s.cfg.Facts.Station, now)
		if err != nil {
			return
		}
		counts := countsOf(c, lately, now)
		s.tell(Event{Event: floor.Event{Kind: CountsMade}, Counts: &counts})
	})
}

// began is when the shift began.
func (s *Shift) began() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Facts.Began
}

func (s *Shift) context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ctx
}

// countsOf puts the records' counters into words of the screen.
func countsOf(c records.Counts, lately int, now time.Time) Counts {
	out := Counts{
		Since: c.Since, In: c.In, First: c.First, Retested: c.Retested, Failed: c.Failed, Parked: c.Parked, Errors: c.Errors,
		PerHour: perHour(lately, now.Sub(c.Since)), FPY: c.FPY,
	}
	for _, sl := range c.Slots {
		out.Slots = append(out.Slots, SlotCounts{Slot: sl.Slot, Runs: sl.Runs, Passed: sl.Passed, Failed: sl.Failed, Trend: sl.Trend})
	}
	suspect(out.Slots)
	return out
}

// perHour is the rate of the last hour, or of a shorter shift. The first minutes say
// little: ten are the least that is divided by.
func perHour(passed int, age time.Duration) float64 {
	age = min(max(age, 10*time.Minute), time.Hour)
	return float64(passed) * float64(time.Hour) / float64(age)
}

// What makes a slot suspect: enough failures to mean something, and more than twice
// the share of all other slots together.
const (
	suspectFailures = 3
	suspectFactor   = 2
)

// suspect marks the slots that fail more than their neighbours: the fixture is more
// likely to blame than the units. A slot that is alone is never suspect.
func suspect(slots []SlotCounts) {
	runs, failed := 0, 0
	for _, sl := range slots {
		runs, failed = runs+sl.Runs, failed+sl.Failed
	}
	for i, sl := range slots {
		others, failedThere := runs-sl.Runs, failed-sl.Failed
		if sl.Failed < suspectFailures || others == 0 {
			continue
		}
		slots[i].Suspect = sl.Failed*others > suspectFactor*failedThere*sl.Runs
	}
}
