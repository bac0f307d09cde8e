package shift

import (
	"cmp"

	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/station"
)

// slot is one place in the fixture, as the people in front of it know it.
type slot struct {
	number int
	state  State
	judged bool // the state is a verdict: it stays until the next unit is there

	mac     string   // of the unit that sits here, or was the last to sit here
	present bool     // it sits here
	busy    bool     // it is being worked on
	waiting State    // what it waits for: why Take had nothing for it
	why     Fault    // beside waiting
	serial  string   // scanned for the unit that sits here, not yet taken
	job     *job.Job // that the unit was begun under
	parked  string   // why it was set aside after its last run; "": it was not
	last    floor.Event
	link    fault.Code // why nothing can be seen here; "": it can, or the slot is empty

	off     bool            // left out by a lead
	stopped bool            // out of use after too many failures
	failed  map[string]bool // units that failed here since the last PASS, by MAC
	shown   int64           // when progress was last passed on, in units of progressPeriod
}

// fault is what is wrong in a slot, or was with the unit whose verdict it shows.
func (sl *slot) fault() fault.Code {
	switch {
	case sl.waiting != "" || sl.state == Lock:
		return cmp.Or(sl.why.Code, sl.last.Code, sl.link)
	case sl.judged:
		return cmp.Or(sl.last.Code, sl.link)
	}
	return cmp.Or(sl.link, sl.last.Code)
}

// Rest is part of floor.Dispatch: a slot that was left out is not looked at.
func (s *Shift) Rest(n int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl := s.slots[n]; sl.off && !sl.present { // a unit that is in is seen out first
		return s.changed
	}
	return nil
}

// Take is part of floor.Dispatch: what is asked of the unit in a slot. The state
// that the slot shows follows with the floor's next event about it, in the order of
// the floor's events.
func (s *Shift) Take(n int, mac string, known bool) (*floor.Order, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.slots[n]
	if sl.mac != mac {
		s.giveBack(sl)
	}
	sl.mac, sl.present = mac, true
	order, waiting, why := s.orderFor(sl, mac, known)
	if order == nil {
		sl.waiting, sl.why = waiting, why
		return nil, s.changed
	}
	sl.waiting, sl.why, sl.busy, sl.job = "", Fault{}, true, s.job
	order.Job, order.Operator = s.job, s.operator()
	return order, nil
}

// orderFor finds what to do with a unit, or what it waits for. The caller holds mu.
func (s *Shift) orderFor(sl *slot, mac string, known bool) (*floor.Order, State, Fault) {
	switch {
	case s.quit:
		return nil, Skip, Fault{}
	case sl.off:
		return nil, Off, Fault{}
	case s.locked != nil:
		return nil, Lock, s.locked.Fault
	case sl.stopped:
		return nil, Lock, faultOf(fault.SlotStopped)
	case !s.armed:
		return nil, Lock, faultOf(fault.NotArmed)
	case s.job.Profile.People.SignIn == station.SignInBadge && s.operator() == "":
		return nil, Lock, faultOf(fault.NotAllowed)
	case known:
		return &floor.Order{MAC: mac}, "", Fault{}
	case s.facts.Quota > 0 && s.facts.Made+s.begun() >= s.facts.Quota:
		return nil, Lock, faultOf(fault.QuotaEmpty)
	case !s.scansSerials():
		return &floor.Order{}, "", Fault{}
	}
	serial := s.serialFor(sl, mac)
	if serial == "" {
		return nil, Scan, Fault{}
	}
	return &floor.Order{Serial: serial}, "", Fault{}
}

// begun is how many units are being worked on. The caller holds mu.
func (s *Shift) begun() (n int) {
	for _, sl := range s.slots {
		if sl.busy {
			n++
		}
	}
	return n
}

// scansSerials reports whether labels bring the serial numbers.
func (s *Shift) scansSerials() bool {
	switch s.job.Profile.Unit.Serial.Source {
	case station.SourceSequence, station.SourceList:
		return false
	}
	return true
}

// Settle is part of floor.Dispatch. A unit that has used up its attempts is set
// aside here, on the time of its own slot.
func (s *Shift) Settle(n int, o floor.Order, spent bool, last flow.Result) {
	parked := ""
	if mayTryAgain(last) && blamesUnit(last.Code) && last.Code != fault.UnitChanged {
		parked = s.setAside(o.Job, last)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.slots[n]
	sl.busy, sl.parked = false, parked
	if !spent && o.Serial != "" {
		s.bind(sl.mac, o.Serial)
	}
	if last.Verdict == string(records.Pass) && o.Job == s.job {
		s.made()
	}
	s.wake() // the job may have room for another again
	s.leave()
}

// made counts a unit of the job. The caller holds mu.
func (s *Shift) made() {
	s.facts.Made++
	if s.facts.SerialLeft > 0 {
		s.facts.SerialLeft--
	}
}

// leave ends the shift when it was asked to end and nobody is at work. The caller
// holds mu.
func (s *Shift) leave() {
	if !s.quit || s.begun() > 0 {
		return
	}
	select {
	case <-s.over:
	default:
		close(s.over)
	}
}

// Over is part of floor.Dispatch.
func (s *Shift) Over() <-chan struct{} { return s.over }

// Left is part of floor.Dispatch: a shift has no work order that could be left.
func (s *Shift) Left() bool { return false }
