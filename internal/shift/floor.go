package shift

import (
	"context"
	"fmt"
	"time"

	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/records"
)

// progressPeriod is how often a slot's progress is passed on: four times a second is
// as fast as an eye needs.
const progressPeriod = 250 * time.Millisecond

// fromFloor takes the floor's events, one at a time, in their order.
func (s *Shift) fromFloor(ev floor.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.slots[ev.Slot]
	if sl == nil {
		s.tell(Event{Event: ev})
		return
	}
	out := Event{Event: ev}
	switch ev.Kind {
	case floor.SlotFault:
		sl.link = ev.Code
	case floor.SlotUnit:
		sl.link = ""
	case floor.SlotWaits:
		sl.link = ""
		if !sl.judged {
			s.tell(out)
			out = s.rest(sl)
		}
	case floor.SlotIdle:
		if sl.waiting == "" { // it was answered meanwhile
			break
		}
		if sl.waiting == Scan {
			out.Kind = SlotAsks
		}
		out.Text = "" // the floor's own words do not know why
		if sl.why.Code != "" {
			out = sl.why.on(out)
		}
		s.enter(sl, &out, sl.waiting, false)
	case floor.SlotEmpty:
		s.emptied(sl, &out)
	case flow.RunStarted:
		s.enter(sl, &out, Run, false)
	case flow.BurnIntended:
		s.enter(sl, &out, Hold, false)
	case flow.StepStarted, flow.StepProgress:
		if !sl.passOn(ev) {
			return
		}
	case floor.SlotVerdict:
		s.verdict(sl, &out)
		return
	}
	s.tell(out)
}

// passOn thins progress out; the start of a step and its last report always pass.
func (sl *slot) passOn(ev floor.Event) bool {
	if ev.Kind != flow.StepProgress || ev.Work == nil || ev.Work.Done >= ev.Work.Total {
		return true
	}
	now := ev.Time.UnixNano() / int64(progressPeriod)
	pass := now != sl.shown
	sl.shown = now
	return pass
}

// enter puts a slot into a state and writes it into the event, when it is another
// one. The caller holds mu.
func (s *Shift) enter(sl *slot, ev *Event, st State, judged bool) {
	if sl.state == st && !judged && !sl.judged {
		ev.Slot = sl.number
		return
	}
	sl.state, sl.judged = st, judged
	ev.State, ev.Slot = st, sl.number
	if s.cfg.Hands != nil {
		s.cfg.Hands.Saw(sl.number, st, false)
	}
}

// emptied is a unit that went out. Its verdict stays; what was asked of it is
// asked no longer, and a number that was scanned for it waits for it.
func (s *Shift) emptied(sl *slot, ev *Event) {
	if ev.MAC != sl.mac {
		return // another one is there by now
	}
	sl.present, sl.waiting = false, ""
	s.giveBack(sl)
	if !sl.judged || sl.state == Lock || sl.off || sl.stopped {
		s.tell(*ev)
		*ev = s.rest(sl)
	}
	if s.cfg.Hands != nil {
		s.cfg.Hands.Saw(sl.number, sl.state, true)
	}
}

// rest puts an empty slot into the state it has without a unit.
func (s *Shift) rest(sl *slot) Event {
	ev := Event{Event: floor.Event{Kind: SlotOn, Slot: sl.number}}
	st := Ready
	switch {
	case sl.off:
		ev.Kind, st = SlotOff, Off
	case sl.stopped:
		ev = faultOf(fault.SlotStopped).on(ev)
		ev.Kind, st = SlotStopped, Lock
	}
	s.enter(sl, &ev, st, false)
	return ev
}

// patience is how long the records may take with a question of the shift's own.
const patience = 2 * time.Second

// verdict shows how the work on a unit ended, counts it, and stops what has to stop.
// The caller holds mu.
func (s *Shift) verdict(sl *slot, ev *Event) {
	state := stateOf(*ev)
	if sl.parked != "" {
		state = Park
		*ev = faultOf(fault.FailedTooOften).on(*ev)
	}
	sl.last = ev.Event
	s.enter(sl, ev, state, true)
	s.tell(*ev)
	if sl.parked != "" {
		s.tell(Event{Event: floor.Event{Kind: UnitParked, Slot: sl.number, MAC: ev.MAC, Serial: ev.Serial, Code: ev.Code, Text: sl.parked}})
	}
	switch {
	case state == Pass:
		s.succeeded(sl)
		s.labelFor(sl, ev.Event)
		s.jobChanged(JobSet)
	case ev.Code != "" && ev.Code != fault.Interrupted && blames(ev.Code):
		s.failure(sl, ev.Event)
	}
	s.count()
}

// stateOf is what a verdict asks of the person.
func stateOf(ev Event) State {
	page, _ := fault.Lookup(ev.Code)
	switch ev.Verdict {
	case string(records.Pass):
		return Pass
	case string(records.Done):
		return Done
	case string(records.Park):
		return Park
	case string(records.Fail):
		if page.Transient {
			return Redo // not yet known to be bad
		}
		return Fail
	}
	if page.Transient || page.Class == fault.Link {
		return Redo
	}
	return Lock
}

// mayTryAgain reports whether a run ended so that the same unit may be tried again.
func mayTryAgain(r flow.Result) bool {
	return r.Code != "" && r.Code != fault.Interrupted &&
		stateOf(Event{Event: floor.Event{Verdict: r.Verdict, Code: r.Code}}) == Redo
}

// blames reports whether a fault may be the unit's, the slot's or the station's: not
// what somebody scanned, and not a mistake in the profile.
func blames(code fault.Code) bool {
	page, _ := fault.Lookup(code)
	return page.Class != fault.Identity && page.Class != fault.Profile
}

// blamesUnit reports whether a fault counts as an attempt of the unit.
func blamesUnit(code fault.Code) bool {
	page, _ := fault.Lookup(code)
	return blames(code) && page.Class != fault.Records && page.Class != fault.Station
}

// runsPerAttempt: the floor itself tries a transient fault once more.
const runsPerAttempt = 2

// setAside parks a unit that has used up its attempts, and returns the reason; ""
// when it may try again. It asks the records: the caller does not hold mu.
func (s *Shift) setAside(j *job.Job, last flow.Result) string {
	ctx, done := context.WithTimeout(s.context(), patience)
	defer done()
	n, err := s.store.Attempts(ctx, last.MAC)
	if err != nil || n < runsPerAttempt*j.Profile.Screen.Attempts {
		return "" // an error of the records is told by the next run
	}
	reason := fmt.Sprintf("%d runs without success, the last: %s %s", n, last.Code, last.Text)
	err = s.store.Park(ctx, records.Parking{MAC: last.MAC, Code: string(fault.FailedTooOften), Reason: reason, At: s.now()})
	if err != nil {
		return ""
	}
	return reason
}

// succeeded ends every row of failures that the slot and the station were in.
func (s *Shift) succeeded(sl *slot) {
	sl.failed = nil
	clear(s.failed)
	clear(s.failedIn)
}

// failure counts a unit that did not pass. Units are counted, not runs: one that
// fails again and again says nothing about the slot. The station stops when the
// failures in a row came from more than one slot; otherwise the slot does.
func (s *Shift) failure(sl *slot, ev floor.Event) {
	if sl.failed == nil {
		sl.failed = map[string]bool{}
	}
	sl.failed[ev.MAC], s.failed[ev.MAC], s.failedIn[sl.number] = true, true, true
	limits := s.job.Profile.Screen
	if n := limits.StopAfterSlot; n > 0 && len(sl.failed) >= n && !sl.stopped {
		sl.stopped = true
		s.keep(records.Act{Kind: actStop, Slot: sl.number, Reason: string(fault.SlotStopped)})
		s.tell(faultOf(fault.SlotStopped).on(Event{Event: floor.Event{Kind: SlotStopped, Slot: sl.number}}))
	}
	page, _ := fault.Lookup(ev.Code)
	switch n := limits.StopAfterStation; {
	case page.Class == fault.Records || ev.Code == fault.ClockWrong:
		s.lockStation(faultOf(ev.Code)) // no unit would fare better
	case n > 0 && len(s.failed) >= n && len(s.failedIn) > 1:
		s.lockStation(faultOf(fault.StationStopped))
	}
}

// lockStation stops the work on further units until a lead unlocks it.
func (s *Shift) lockStation(f Fault) {
	if s.locked != nil {
		return
	}
	s.locked = &lock{f}
	s.keep(records.Act{Kind: actLock, Reason: string(f.Code)})
	s.tell(f.on(Event{Event: floor.Event{Kind: StationLocked}}))
	s.wake()
}
