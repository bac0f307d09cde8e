package flow

import "time"

// progressPeriod keeps slow terminals and SSH links quiet: 4 Hz at most.
const progressPeriod = 250 * time.Millisecond

// meter estimates how much of a run is left. Every step has an estimated cost;
// what steps of the same kind really took corrects the rest. Kinds are apart
// because they depend on different things: flash on the speed of the line, burns
// on its delay, what the unit does by itself on the unit alone.
type meter struct {
	kinds   [3]pace // everything else, burns, and the unit's own work
	current Step
	since   time.Time // when current began
	last    time.Time // of the last progress event
}

// pace is what is known about the steps of one kind.
type pace struct {
	planned time.Duration // estimated cost of all of them
	done    time.Duration // of those that are done
	took    time.Duration // what these really took
}

// seen is how much of a kind must be done before it corrects the estimate.
const seen = 500 * time.Millisecond

// rest is the time left, given that part of the estimate was reached after took
// beyond what is done.
func (p pace) rest(part, took time.Duration) time.Duration {
	left := p.planned - p.done - part
	if reached := p.done + part; reached >= seen {
		return time.Duration(float64(left) * float64(p.took+took) / float64(reached))
	}
	return left
}

func newMeter(steps []Step) *meter {
	m := &meter{}
	for _, s := range steps {
		m.kind(s).planned += s.Cost
	}
	return m
}

func (m *meter) kind(s Step) *pace {
	switch {
	case s.Limit > 0:
		return &m.kinds[2]
	case s.Burns:
		return &m.kinds[1]
	}
	return &m.kinds[0]
}

func (m *meter) start(s Step, now time.Time) *Progress {
	m.current, m.since = s, now
	return m.at(0, 0, now)
}

// finish counts s as done.
func (m *meter) finish(s Step, now time.Time) *Progress {
	k := m.kind(s)
	k.done += s.Cost
	k.took += now.Sub(m.since)
	m.current, m.since = Step{}, now
	return m.at(0, 0, now)
}

// skip takes s off the plan: it was found done.
func (m *meter) skip(s Step, now time.Time) *Progress {
	m.kind(s).planned -= s.Cost
	m.current, m.since = Step{}, now
	return m.at(0, 0, now)
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
	var part time.Duration
	if total > 0 {
		part = time.Duration(float64(m.current.Cost) * float64(done) / float64(total))
	}
	p := &Progress{Done: done, Total: total}
	var planned, reached, rest time.Duration
	for i := range m.kinds {
		k := &m.kinds[i]
		planned, reached = planned+k.planned, reached+k.done
		if k == m.kind(m.current) {
			reached += part
			rest += k.rest(part, now.Sub(m.since))
		} else {
			rest += k.rest(0, 0)
		}
	}
	if planned > 0 {
		p.Percent, p.Remaining = min(100, 100*float64(reached)/float64(planned)), max(0, rest.Seconds())
	}
	return p
}
