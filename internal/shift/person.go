package shift

import (
	"errors"
	"slices"
	"time"

	"provision/internal/fault"
	"provision/internal/people"
	"provision/internal/records"
	"provision/internal/station"
)

// newDesk is the desk of a station.
func newDesk(p *station.Profile) *people.Desk {
	return people.NewDesk(people.Config{Elevation: p.Screen.LeadTime})
}

// roleHere is what a person may do at this station: what the profile says, where it
// lists anybody, else what the records say. Nobody: they do not work here.
func (s *Shift) roleHere(p records.Person) people.Role {
	here := s.job.Profile.People
	switch {
	case slices.Contains(here.Engineers, p.Name):
		return people.Engineer
	case slices.Contains(here.Leads, p.Name):
		return people.Lead
	case slices.Contains(here.Operators, p.Name):
		return people.Operator
	case !here.Everybody():
		return people.Nobody
	}
	role, err := people.ParseRole(string(p.Role))
	if err != nil {
		return people.Nobody
	}
	return role
}

// signIn takes the badge of a person. The caller holds mu.
func (s *Shift) signIn(p records.Person) {
	role := s.roleHere(p)
	s.asked = p
	s.desk.Badge(people.Person{Name: p.Name, Role: role}, s.now())
	s.tellPeople()
}

// pinGiven looks at a PIN, which takes a while on purpose; empty: given up.
func (s *Shift) pinGiven(pin string) {
	if pin == "" {
		s.desk.GiveUpPIN(s.now())
		s.tellPeople()
		return
	}
	if s.typed(pin) {
		return
	}
	who, ok := s.desk.PINGiven(s.now())
	s.tellPeople()
	if p := s.asked; ok && p.Name == who.Name {
		s.checkPIN(p, pin)
	} else if ok {
		s.desk.PINResult(who.Name, false, s.now()) // another badge came in between
		s.tellPeople()
	}
}

// checkPIN compares a PIN with what is kept of it, off the loop.
func (s *Shift) checkPIN(p records.Person, pin string) {
	s.slow.Put(func() {
		ok, err := people.CheckPIN(p.PIN, pin)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.desk.PINResult(p.Name, ok && err == nil, s.now())
		s.tellPeople()
	})
}

// signOut signs out whoever is signed in.
func (s *Shift) signOut() {
	s.desk.SignOut(s.now())
	s.tellPeople()
}

// timeOut ends what is over. The caller holds mu.
func (s *Shift) timeOut(now time.Time) {
	s.desk.Tick(now)
	s.tellPeople()
	if s.choice != nil && !now.Before(s.choice.Until) {
		s.chosen("")
	}
	s.forget(func(p pending) bool { return !now.Before(p.until) })
	s.rollOver(now)
}

// tellPeople tells what has changed at the desk, and keeps who came and went. The
// caller holds mu.
func (s *Shift) tellPeople() {
	for _, c := range s.desk.Changes() {
		ev := Event{Person: &PersonFacts{Name: c.Person.Name, Role: c.Person.Role.String(), Until: c.Until}}
		switch c.Kind {
		case people.SignedIn:
			ev.Kind = PersonIn
			if c.Why != people.Resumed {
				s.keepPeople(c)
			}
			s.wake()
		case people.SignedOut:
			ev.Kind, ev.Text = PersonOut, string(c.Why)
			s.keepPeople(c)
		case people.PINWanted:
			ev.Kind = PINAsked
		case people.PINRefused:
			ev = faultOf(fault.NotAllowed).on(ev)
			ev.Kind = PINRefused
			s.keep(records.Act{Kind: "pin.refused", Person: c.Person.Name})
		case people.PINClosed:
			ev.Kind = PINClosed
		}
		s.tell(ev)
	}
}

// keepPeople puts it on record that somebody signed in or out.
func (s *Shift) keepPeople(c people.Change) {
	a := records.Act{Person: c.Person.Name, Role: records.Role(c.Person.Role.String()), Kind: "signin"}
	if c.Kind == people.SignedOut {
		a.Kind, a.Reason = "signout", string(c.Why)
	}
	s.keep(a)
}

// allowed reports whether whoever is signed in has that role. The caller holds mu.
func (s *Shift) allowed(role people.Role) bool {
	return s.desk.Who(s.now()).Role.Allows(role)
}

// use takes the permission for an act; a lead's is used up by it.
func (s *Shift) use(kind IntentKind, role people.Role) (PersonFacts, bool) {
	g, err := s.desk.Use(people.Action{Name: string(kind), Needs: role, Reading: kind == Details}, s.now())
	s.tellPeople()
	if errors.Is(err, people.ErrNobody) || errors.Is(err, people.ErrNeedsMore) {
		return PersonFacts{}, false
	}
	who := PersonFacts{Name: g.By.Name, Role: g.By.Role.String()}
	if who.Name == "" {
		who.Name, who.Role = s.operator(), people.Operator.String()
	}
	return who, true
}

// operator is who works here: whoever is signed in, else the system's user where
// nobody has to. The caller holds mu.
func (s *Shift) operator() string {
	if who := s.desk.Who(s.now()); who.Name != "" {
		return who.Name
	}
	if s.job.Profile.People.SignIn == station.SignInBadge {
		return ""
	}
	return s.cfg.Floor.Run.Operator
}
