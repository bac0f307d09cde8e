package board

import (
	"cmp"
	"math"
	"time"

	"provision/internal/fault"
	"provision/internal/floor"
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

	stage  string // of the label: the kind of its last event; empty: none
	gone   bool   // the unit is out; its verdict stays until the next one is there
	coming string // MAC of the next unit, of which no more is known yet
	held   bool   // fuses of this unit are being burnt, or were
}

// stepsBesides are the steps of a run after its plan that are no region and no
// burn: keys, the proof of the flash, the record.
const stepsBesides = 3

// apply is s after ev, which is about it.
func (s slot) apply(ev shift.Event) slot {
	switch ev.Kind {
	case flow.RunStarted:
		if s.coming == "" { // the same unit once more
			s = slot{number: s.number, state: s.state, mac: s.mac, serial: s.serial, began: ev.Time}
		} else {
			s = s.next()
			s.began = ev.Time
		}
	case floor.SlotUnit:
		s.coming = ev.MAC
	case floor.SlotFault:
		s.link = ev.Code
	case floor.SlotWaits:
		s.link = ""
	case floor.SlotIdle:
		s.code, s.do = ev.Code, ev.Do
	case floor.SlotEmpty:
		s.gone, s.coming = true, ""
	case flow.PlanMade:
		s.total = planned(ev.Plan, s.steps)
	case flow.StepStarted, flow.StepSkipped:
		s.step, s.steps = ev.Step, s.steps+1
	case flow.RunFinished, floor.SlotVerdict:
		s.ended = ev.Time
		s.code, s.do = ev.Code, ev.Do
	case shift.LabelDue, shift.LabelPrinted, shift.LabelFailed, shift.LabelClosed, shift.LabelWrong:
		if ev.Label == nil || ev.Label.Serial != s.serial || s.coming != "" {
			return s // of a unit that was here before
		}
		s.stage = ev.Kind
	}
	if ev.Work != nil {
		s.work, s.worked = *ev.Work, ev.Time
	}
	if ev.State != "" {
		s = s.enter(ev)
	}
	if ev.Run != "" || ev.Kind == floor.SlotVerdict || ev.Kind == shift.UnitParked {
		s.mac, s.serial = cmp.Or(ev.MAC, s.mac), cmp.Or(ev.Serial, s.serial)
	}
	return s
}

// next is s for the unit that has come, without anything of the one before.
func (s slot) next() slot { return slot{number: s.number, state: s.state, mac: s.coming} }

// enter is s in the state of ev. A new state brings its own reason, and the first
// one after a unit has come puts the verdict of the unit before away.
func (s slot) enter(ev shift.Event) slot {
	if s.coming != "" {
		s = s.next()
	}
	if s.state != ev.State || ev.Code != "" {
		s.code, s.do = ev.Code, ev.Do
	}
	s.state = ev.State
	switch {
	case s.state == shift.Ready || s.state == shift.Off:
		s = slot{number: s.number, state: s.state, link: s.link}
	case !s.state.Final():
		s.gone = false
	}
	s.held = s.held || s.state == shift.Hold
	return s
}

// planned is the number of steps of a run, as its plan says; in the events of older
// runs, which do not say it, counted from what it names. began steps were there before.
func planned(p *flow.Plan, began int) int {
	if p == nil {
		return 0
	}
	if p.Steps > 0 {
		return began + p.Steps
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
