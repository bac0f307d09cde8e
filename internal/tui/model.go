package tui

import (
	"time"

	"provision/internal/fault"
	"provision/internal/flow"
)

// line is one step as the screen shows it.
type line struct {
	step  string
	state lineState
	note  string
}

type lineState int

const (
	working lineState = iota
	passed
	skipped // found done: nothing was changed
	failed
	stopped // by a person or the system: the unit is not to blame
)

// model is one unit's run as far as its events have told. It is a value: apply
// returns the next one.
type model struct {
	title   string
	station string // what of it was found in order
	unit    string // what the chip is, once it has said so
	lines   []line
	work    flow.Progress
	hands   bool // DO NOT REMOVE: a fuse is being burnt
	notes   []string
	boot    []string
	verdict flow.Event // the last event of the run; Kind is empty until then
	started time.Time
	now     time.Time
}

// apply returns m after ev. It is pure: state in, state out.
func (m model) apply(ev flow.Event) model {
	m.now = ev.Time
	switch ev.Kind {
	case flow.RunStarted:
		m.started = ev.Time
		if s := ev.Station; s != nil && s.Health != nil {
			m.station = s.Health.String()
		}
	case flow.UnitIdentified:
		m.unit = ev.Text
	case flow.UnitClassified, flow.SerialReserved, flow.KeysSealed, flow.KeysDestroyed, flow.BootSeen:
		m = m.note(ev.Text)
	case flow.Warning:
		m.notes = append(m.notes[:len(m.notes):len(m.notes)], ev.Text)
	case flow.StepStarted:
		m.lines = append(m.lines[:len(m.lines):len(m.lines)], line{step: ev.Step})
		m = m.progress(ev)
	case flow.StepProgress:
		m = m.progress(ev)
	case flow.BurnIntended:
		m.hands = true
	case flow.BurnObserved:
		m.hands = false
	case flow.StepPassed:
		m = m.end(ev, passed).progress(ev)
	case flow.StepSkipped:
		m = m.end(ev, skipped).progress(ev)
	case flow.BootLine:
		m.boot = append(m.boot[:len(m.boot):len(m.boot)], ev.Text)
	case flow.RunFailed:
		m = m.end(ev, failure(ev))
	case flow.RunFinished:
		m.verdict, m.hands = ev, false
	}
	return m
}

// note adds a remark to the step that is running.
func (m model) note(text string) model {
	if len(m.lines) == 0 {
		return m
	}
	m.lines = append([]line(nil), m.lines...)
	m.lines[len(m.lines)-1].note = text
	return m
}

// end closes the step of ev. A step that was found done has no start.
func (m model) end(ev flow.Event, s lineState) model {
	m.lines = append([]line(nil), m.lines...)
	if n := len(m.lines); n > 0 && m.lines[n-1].step == ev.Step && m.lines[n-1].state == working {
		m.lines[n-1].state = s
		if note := s.note(ev); note != "" {
			m.lines[n-1].note = note
		}
		return m
	}
	if ev.Step != "" {
		m.lines = append(m.lines, line{step: ev.Step, state: s, note: s.note(ev)})
	}
	return m
}

// failure is how the step ended in which a run failed.
func failure(ev flow.Event) lineState {
	if ev.Code == fault.Interrupted {
		return stopped
	}
	return failed
}

// note is what stands beside a step that ended so. Why it failed is in the verdict,
// in words that are not for engineers.
func (s lineState) note(ev flow.Event) string {
	switch s {
	case failed:
		return "failed"
	case stopped:
		return "stopped"
	}
	return ev.Text
}

func (m model) progress(ev flow.Event) model {
	if ev.Work != nil {
		m.work = *ev.Work
	}
	return m
}
