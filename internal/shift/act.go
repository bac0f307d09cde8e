package shift

import (
	"context"
	"errors"

	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/people"
	"provision/internal/records"
)

// needs says which role an intent takes; those that are not here everybody may ask
// for.
var needs = map[IntentKind]people.Role{
	Arm: people.Lead, Unlock: people.Lead, Exclude: people.Lead, Release: people.Lead, Reprint: people.Lead,
	changeJob: people.Lead, Details: people.Engineer,
}

// changeJob is asked for by scanning a traveller.
const changeJob IntentKind = "job"

// Do takes what a person asks for. It returns at once; what came of it is told as
// events.
func (s *Shift) Do(in Intent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.desk.Touch(s.now())
	s.intend(in)
}

// intend does what is asked, or asks why first. The caller holds mu.
func (s *Shift) intend(in Intent) {
	if in.Kind == Reprint && s.printDue(in) {
		return // the first print of a label is nobody's decision
	}
	if role, ok := needs[in.Kind]; ok && !s.allowed(role) {
		s.trouble(in.Slot, faultOf(fault.NotAllowed))
		return
	}
	if f := s.possible(in); f.Code != "" {
		s.trouble(in.Slot, f)
		return
	}
	if _, ok := reasons[in.Kind]; ok {
		s.ask(&choice{intent: in})
		return
	}
	switch in.Kind {
	case Scanned:
		s.scanned(in.Text)
	case PINGiven:
		s.pinGiven(in.Text)
	case Choose:
		s.chosen(in.Text)
	case Disarm:
		s.disarm()
	case Lookup:
		if !s.typed(in.Text) {
			s.lookUp(in.Text)
		}
	case History:
		s.history()
	case Details:
		s.details(in.Slot)
	case Explain:
		s.explain(in)
	case SelfTest:
		s.selfTest()
	case SignOut:
		s.signOut()
	case HandUnit, HandsAuto:
		s.hands(in)
	case Quit:
		s.quit = true
		s.wake()
		s.leave()
	case QuitNow:
		s.quit = true
		s.hurry()
		s.stop(context.Canceled)
	}
}

// trouble tells why something is not done.
func (s *Shift) trouble(slot int, f Fault) {
	s.tell(f.on(Event{Event: floor.Event{Kind: Trouble, Slot: slot}}))
}

// possible finds what stands in the way of an act before a reason is asked for. Its
// texts are words of the catalogue.
func (s *Shift) possible(in Intent) Fault {
	sl := s.slots[in.Slot]
	refuse := func(text string) Fault { return Fault{Code: fault.NotAllowed, Text: text} }
	switch in.Kind {
	case Unlock:
		if in.Slot == 0 && s.locked == nil {
			return refuse("refuse.station_free")
		}
		if sl != nil && !sl.stopped {
			return refuse("refuse.slot_free")
		}
	case Quarant, Release:
		if sl == nil || sl.mac == "" {
			return refuse("refuse.no_unit")
		}
		if sl.busy {
			return refuse("refuse.at_work")
		}
	case Reprint:
		if s.cfg.Printer == nil {
			return refuse("refuse.no_printer")
		}
		if in.Text == "" && (sl == nil || sl.last.Serial == "" || sl.last.MAC != sl.mac) {
			return refuse("refuse.no_finished")
		}
	case Arm:
		if s.armed {
			return refuse("refuse.armed")
		}
	}
	if in.Slot != 0 && sl == nil {
		return refuse("refuse.no_slot")
	}
	return Fault{}
}

// act writes down what is done, by whom and why: what cannot be recorded is not done.
func (s *Shift) act(c *choice, who PersonFacts, reason string) {
	in := c.intent
	a := records.Act{
		At: s.now(), Station: s.cfg.Facts.Station, Slot: in.Slot, Person: who.Name, Role: records.Role(who.Role),
		Kind: string(in.Kind), Reason: reason, Subject: c.Subject,
	}
	if c.job != nil {
		a.Detail = c.job.Profile.Job.Revision
	}
	if sl := s.slots[in.Slot]; in.Kind == Exclude && sl != nil && sl.off {
		a.Kind = actInclude
	}
	s.slow.Put(func() {
		ctx, done := context.WithTimeout(s.context(), patience)
		defer done()
		f := s.onRecord(ctx, c, a)
		s.mu.Lock()
		defer s.mu.Unlock()
		if f.Code != "" {
			s.trouble(in.Slot, f)
			return
		}
		s.done(c, who, reason)
	})
}

// onRecord is the part of an act that the records do. A Fault says why it is not
// done.
func (s *Shift) onRecord(ctx context.Context, c *choice, a records.Act) Fault {
	s.mu.Lock()
	stands := s.stands(c)
	s.mu.Unlock()
	if !stands {
		return Fault{Code: fault.NotAllowed, Text: "refuse.changed"}
	}
	var err error
	switch c.intent.Kind {
	case Release:
		err = s.store.Release(ctx, records.Release{MAC: c.mac, Person: a.Person, Reason: a.Reason, At: a.At})
	case Quarant:
		err = s.store.Park(ctx, records.Parking{MAC: c.mac, Code: string(fault.SetAside), Person: a.Person, Reason: a.Reason, At: a.At})
	}
	if errors.Is(err, records.ErrNotParked) {
		return Fault{Code: fault.NotAllowed, Text: "refuse.not_parked"}
	}
	if err == nil {
		err = s.store.SaveAct(ctx, a)
	}
	if err != nil {
		return faultOf(fault.Database).with("Not done: " + sentence(err))
	}
	return Fault{}
}

// done is the part of an act that the station does. The caller holds mu.
func (s *Shift) done(c *choice, who PersonFacts, reason string) {
	sl := s.slots[c.intent.Slot]
	switch c.intent.Kind {
	case Arm:
		s.armed = true
		s.jobChanged(Armed)
		s.wake()
	case changeJob:
		s.setJob(c)
	case Unlock:
		s.unlock(sl)
	case Exclude:
		s.exclude(sl)
	case Reprint:
		s.print(c.Subject, c.intent.Slot, who.Name, reason)
	case Release:
		ev := Event{Event: floor.Event{Kind: UnitReleased, Slot: sl.number, MAC: c.mac, Serial: s.serialIn(sl)}}
		if !sl.busy && sl.mac == c.mac && sl.state == Park {
			s.enter(sl, &ev, Redo, true) // out and in again, and it goes on
		}
		s.tell(ev)
	case Quarant:
		ev := Event{Event: floor.Event{Kind: UnitParked, Slot: sl.number, MAC: c.mac, Serial: s.serialIn(sl), Code: fault.SetAside}}
		if !sl.busy && sl.mac == c.mac {
			s.enter(sl, &ev, Park, true)
		}
		s.tell(ev)
	}
}

// serialIn is the serial number of the unit in a slot; "" where it has none of its
// own.
func (s *Shift) serialIn(sl *slot) string {
	if sl.last.MAC != sl.mac {
		return ""
	}
	return sl.last.Serial
}

func (s *Shift) disarm() {
	s.armed = false
	s.keep(records.Act{Kind: string(Disarm), Person: s.operator(), Subject: s.facts.ID})
	s.jobChanged(Disarmed)
}

// unlock frees a slot, or without one the station.
func (s *Shift) unlock(sl *slot) {
	if sl != nil {
		sl.stopped, sl.failed = false, nil
		s.settled(sl)
	} else {
		s.locked = nil
		clear(s.failed)
		clear(s.failedIn)
		s.tell(Event{Event: floor.Event{Kind: StationFree}})
		for _, n := range s.numbers() {
			s.settled(s.slots[n])
		}
	}
	s.wake()
}

// exclude leaves a slot out, or takes it in again. A unit that is being worked on is
// finished first, and its verdict is seen until it is out.
func (s *Shift) exclude(sl *slot) {
	sl.off = !sl.off
	s.settled(sl)
	s.wake()
}

// settled puts a slot without a unit into the state it has now. Where a unit sits,
// what is shown is about that. The caller holds mu.
func (s *Shift) settled(sl *slot) {
	if !sl.present && !sl.busy && (!sl.judged || sl.state == Lock) {
		s.tell(s.rest(sl))
	}
}

// hands moves virtual units.
func (s *Shift) hands(in Intent) {
	switch {
	case s.cfg.Hands == nil:
	case in.Kind == HandUnit:
		s.cfg.Hands.Toggle(in.Slot)
	default:
		s.auto = !s.auto
		s.cfg.Hands.Auto(s.auto)
	}
}
