package board

import (
	"math"
	"time"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/shift"
)

// slot is what is drawn of one slot, and no more.
type slot struct {
	number int
	state  shift.State
	mac    string
	serial string

	code fault.Code // why the state is what it is
	do   string     // what to do about it, for a code without a page
	link fault.Code // why nothing can be seen here

	began  time.Time // of the run; zero: none was seen
	ended  time.Time // of the run; zero: it goes on
	step   string
	steps  int // begun or skipped in this run
	total  int // of all, as far as the plan tells; 0: not known
	work   flow.Progress
	worked time.Time // when work was told

	label shift.LabelFacts
	stage string // of the label: the kind of its last event; empty: none
	gone  bool   // the unit is out; its verdict stays until the next one is there
}

// stepsBesides are the steps of a run after its plan that are no region and no
// burn: keys, the proof of the flash, the record.
const stepsBesides = 3

// apply is s after ev, which is about it.
func (s slot) apply(ev shift.Event) slot {
	switch ev.Kind {
	case flow.RunStarted:
		s = slot{number: s.number, state: s.state, mac: s.mac, serial: s.serial, began: ev.Time}
	case "slot.unit":
		s = slot{number: s.number, state: s.state}
	case "slot.fault":
		s.link = ev.Code
	case "slot.waits":
		s.link = ""
	case "slot.empty":
		s.gone = true
	case flow.PlanMade:
		s.total = planned(ev.Plan, s.steps)
	case flow.StepStarted, flow.StepSkipped:
		s.step, s.steps = ev.Step, s.steps+1
	case flow.RunFinished, "slot.verdict":
		s.ended = ev.Time
		s.code, s.do = ev.Code, ev.Do
	case shift.SlotAsks:
		s.serial = ""
	case shift.LabelDue, shift.LabelPrinted, shift.LabelFailed, shift.LabelClosed, shift.LabelWrong:
		s.stage = ev.Kind
		if ev.Label != nil {
			s.label = *ev.Label
		}
	}
	if ev.Work != nil {
		s.work, s.worked = *ev.Work, ev.Time
	}
	if ev.MAC != "" {
		s.mac = ev.MAC
	}
	if ev.Serial != "" {
		s.serial = ev.Serial
	}
	if ev.State != "" {
		s = s.enter(ev)
	}
	return s
}

// enter is s in the state of ev. A new state brings its own reason.
func (s slot) enter(ev shift.Event) slot {
	if s.state != ev.State || ev.Code != "" {
		s.code, s.do = ev.Code, ev.Do
	}
	s.state = ev.State
	if !s.state.Final() {
		s.gone = false
	}
	if s.state == shift.Ready || s.state == shift.Off {
		s = slot{number: s.number, state: s.state, link: s.link}
	}
	return s
}

// planned is the number of steps of a run, counted from what its plan names. began
// steps were there before it.
func planned(p *flow.Plan, began int) int {
	if p == nil {
		return 0
	}
	n := began + len(p.Regions) + len(p.Burns) + stepsBesides
	if p.Boot != "" {
		n++
	}
	return n
}

// working reports whether the unit in s must stay where it is.
func (s slot) working() bool { return s.state == shift.Run || s.state == shift.Hold }

// left is the number of seconds that the run will still take, rounded up; 0: not
// known.
func (s slot) left(now time.Time) int {
	if s.work.Remaining <= 0 {
		return 0
	}
	return max(1, int(math.Ceil(s.work.Remaining-max(0, now.Sub(s.worked).Seconds()))))
}

// elapsed is the number of whole seconds since the run began.
func (s slot) elapsed(now time.Time) int {
	if s.began.IsZero() {
		return 0
	}
	if !s.ended.IsZero() {
		now = s.ended
	}
	return max(0, int(now.Sub(s.began).Seconds()))
}
