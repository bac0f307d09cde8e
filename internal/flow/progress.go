package flow

import "time"

// progressPeriod keeps slow terminals and SSH links quiet: 4 Hz at most.
const progressPeriod = 250 * time.Millisecond

// meter estimates how much of a run is left. Every step has an estimated cost;
// what the finished ones really took corrects the rest.
type meter struct {
	total, done time.Duration // estimated cost of all steps, and of the finished ones
	began       time.Time     // when the first step that had work began
	current     Step
	last        time.Time // of the last progress event
}

func newMeter(steps []Step) *meter {
	m := &meter{}
	for _, s := range steps {
		m.total += s.Cost
	}
	return m
}

func (m *meter) start(s Step, now time.Time) *Progress {
	if m.began.IsZero() {
		m.began = now
	}
	m.current = s
	return m.at(0, 0, now)
}

// finish counts s as done. It has no clock: the estimate of what remains is
// renewed by the next start.
func (m *meter) finish(s Step) *Progress {
	m.done += s.Cost
	m.current = Step{}
	if m.total == 0 {
		return nil
	}
	return &Progress{Percent: percent(m.done, m.total), Remaining: (m.total - m.done).Seconds()}
}

// due reports whether a progress event may be sent at now.
func (m *meter) due(now time.Time) bool {
	if now.Sub(m.last) < progressPeriod {
		return false
	}
	m.last = now
	return true
}

// at is the progress when done of total units of the current step are finished.
func (m *meter) at(done, total int, now time.Time) *Progress {
	p := &Progress{Done: done, Total: total}
	if m.total == 0 {
		return p
	}
	reached := m.done
	if total > 0 {
		reached += time.Duration(float64(m.current.Cost) * float64(done) / float64(total))
	}
	rest := m.total - reached
	// Trust the estimates until enough was seen to correct them.
	if elapsed := now.Sub(m.began); reached > m.total/20 {
		rest = time.Duration(float64(rest) * float64(elapsed) / float64(reached))
	}
	p.Percent, p.Remaining = percent(reached, m.total), rest.Seconds()
	return p
}

func percent(part, whole time.Duration) float64 {
	return min(100, 100*float64(part)/float64(whole))
}
