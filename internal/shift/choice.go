package shift

import (
	"slices"
	"strconv"
	"time"

	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/job"
	"provision/internal/people"
	"provision/internal/scanner"
)

// reasons are the answers to the question that stands before an act. An act that is
// not here needs no reason.
var reasons = map[IntentKind][]string{
	Arm:       {"reason.job_yes"},
	changeJob: {"reason.job_yes"},
	Unlock:    {"reason.fixture_cleaned", "reason.contacts_replaced", "reason.material_changed", "reason.other"},
	Exclude:   {"reason.fixture_cleaned", "reason.contacts_replaced", "reason.other"},
	Release:   {"reason.retest_agreed", "reason.reworked", "reason.operator_error", "reason.wrong_label", "reason.other"},
	Reprint:   {"reason.label_damaged", "reason.label_lost", "reason.wrong_label", "reason.other"},
	Quarant:   {"reason.operator_error", "reason.wrong_label", "reason.other"},
}

// dispositions are the reasons for which only a lead sets a unit aside: they decide
// what becomes of it.
var dispositions = []string{"reason.scrapped", "reason.returned", "reason.held"}

// answers are the reasons that whoever is signed in may give. The caller holds mu.
func (s *Shift) answers(kind IntentKind) []string {
	if kind == Quarant && s.allowed(people.Lead) {
		return slices.Concat(reasons[kind], dispositions)
	}
	return reasons[kind]
}

// roleFor is the role that an act takes for a reason.
func roleFor(kind IntentKind, reason string) people.Role {
	if slices.Contains(dispositions, reason) {
		return people.Lead
	}
	return needs[kind]
}

// choice is an open question.
type choice struct {
	Choice
	intent Intent
	mac    string // of the unit it is about; "" when it is about none

	job    *job.Job // offered by a traveller, with what belongs to it
	router *scanner.Router
	made   int
	left   int // serial numbers
}

// choiceTime is how long a question stays open.
const choiceTime = 60 * time.Second

// ask opens a question; the one that was open is given up.
func (s *Shift) ask(c *choice) {
	c.Choice = Choice{
		Action: string(c.intent.Kind), Subject: s.subject(c), Facts: s.factsFor(c),
		Keys: s.answers(c.intent.Kind), Until: s.now().Add(choiceTime),
	}
	if sl := s.slots[c.intent.Slot]; sl != nil && aboutUnit(c.intent.Kind) {
		c.mac = sl.mac
	}
	s.choice = c
	s.tell(Event{Event: floor.Event{Kind: ChoiceAsked, Slot: c.intent.Slot}, Choice: &c.Choice})
}

// aboutUnit reports whether an act is about the unit that was in the slot when it was
// asked for, whichever is there by now.
func aboutUnit(kind IntentKind) bool { return kind == Release || kind == Quarant || kind == Reprint }

// stands reports whether a question can still be answered: the unit it is about may
// have gone, or be at work by now. The caller holds mu.
func (s *Shift) stands(c *choice) bool {
	sl := s.slots[c.intent.Slot]
	return s.possible(c.intent).Code == "" && (c.mac == "" || sl != nil && sl.mac == c.mac)
}

// subject names what a question is about.
func (s *Shift) subject(c *choice) string {
	in := c.intent
	switch {
	case c.job != nil:
		return c.job.Profile.Job.ID
	case in.Kind == Arm:
		return s.facts.ID
	case in.Text != "":
		return in.Text
	case aboutUnit(in.Kind):
		sl := s.slots[in.Slot]
		return first(s.serialIn(sl), sl.mac)
	case in.Slot != 0:
		return strconv.Itoa(in.Slot)
	}
	return ""
}

// factsFor is what has to be looked at before the answer.
func (s *Shift) factsFor(c *choice) []Fact {
	switch c.intent.Kind {
	case Arm:
		return jobFacts(s.job)
	case changeJob:
		return jobFacts(c.job)
	case Release:
		last := s.slots[c.intent.Slot].last
		return []Fact{{"record.verdict", last.Verdict + " " + string(last.Code)}, {"record.mac", last.MAC}}
	}
	return nil
}

// chosen is the answer to the open question.
func (s *Shift) chosen(key string) {
	c := s.choice
	if c == nil || key != "" && !slices.Contains(c.Keys, key) {
		return
	}
	s.choice = nil
	s.tell(Event{Event: floor.Event{Kind: ChoiceClosed, Slot: c.intent.Slot}})
	if key == "" {
		return
	}
	if !s.stands(c) {
		s.trouble(c.intent.Slot, Fault{Code: fault.NotAllowed, Text: "refuse.changed"})
		return
	}
	who, ok := s.use(c.intent.Kind, roleFor(c.intent.Kind, key))
	if !ok {
		s.trouble(c.intent.Slot, faultOf(fault.NotAllowed))
		return
	}
	s.act(c, who, key)
}
