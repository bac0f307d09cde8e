package people

import (
	"errors"
	"fmt"
	"time"
)

// Why an act is refused.
var (
	ErrNobody    = errors.New("nobody is signed in")
	ErrNeedsMore = errors.New("needs another role")
)

// Person is somebody who works here. Names are unique at a station.
type Person struct {
	Name string
	Role Role
}

// Session is a person who is signed in, and when they are signed out by themselves.
// The zero Session is nobody.
type Session struct {
	Person
	Until time.Time
}

// Action is something a role is needed for.
type Action struct {
	Name    string
	Needs   Role
	Reading bool // changes nothing: it does not use an elevation up
}

// Grant is the permission to do an action once, and who answers for it.
type Grant struct {
	Action Action
	By     Person // the zero Person for an action that needs nobody
	At     time.Time
}

// Config says how long things last. Zero values are the defaults.
type Config struct {
	Shift     time.Duration // an operator is signed in at most; default 10 h
	Elevation time.Duration // a lead or an engineer; default 2 min
	Idle      time.Duration // the same, without a sign of them; default 60 s
	PINEntry  time.Duration // a PIN is waited for; default 30 s
}

// complete returns the Config with defaults in place of what is not positive.
func (c Config) complete() Config {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&c.Shift, 10 * time.Hour}, {&c.Elevation, 2 * time.Minute}, {&c.Idle, time.Minute}, {&c.PINEntry, 30 * time.Second}} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}
	return c
}

// Desk is who is signed in at one station. An operator signs in with a badge and
// stays. A lead or an engineer signs in above the operator, with badge and PIN, for
// one act or a short time; then the operator is there again, if one was.
//
// All its methods are for one goroutine, or under one lock. After any of them,
// Changes holds what came of it. Times must not go backwards; a Tick that comes late
// lets nobody stay longer.
type Desk struct {
	cfg      Config
	below    *Session // the operator
	above    *Session // the lead or engineer; Until is the end of the elevation
	lastSign time.Time
	prompt   *prompt
	check    *check // a PIN that is being looked at
	tries    map[string]tries
	changes  []Change
}

// NewDesk returns a desk at which nobody is signed in.
func NewDesk(cfg Config) *Desk {
	return &Desk{cfg: cfg.complete(), tries: map[string]tries{}}
}

// Badge takes the badge of a person. An operator is signed in, in place of whoever
// was: who holds the scanner now is not who showed a PIN before. A lead or an
// engineer is asked for the PIN, or refused while an earlier wrong one makes them
// wait. A person without a role changes nothing.
func (d *Desk) Badge(p Person, now time.Time) {
	d.expire(now)
	d.closePrompt()
	switch {
	case p.Role.Elevated():
		d.askPIN(p, now)
	case p.Role == Operator:
		d.signIn(p, now)
	}
}

// signIn makes an operator the one who works here.
func (d *Desk) signIn(p Person, now time.Time) {
	if d.above != nil {
		d.out(d.above.Person, Replaced)
		d.above = nil
	}
	if d.below != nil && d.below.Name != p.Name {
		d.out(d.below.Person, Replaced)
	}
	d.below = &Session{p, now.Add(d.cfg.Shift)}
	d.in(*d.below, "")
}

// elevate puts a person who proved who they are above the operator.
func (d *Desk) elevate(p Person, now time.Time) {
	if d.above != nil && d.above.Name != p.Name {
		d.out(d.above.Person, Replaced)
	}
	d.above, d.lastSign = &Session{p, now.Add(d.cfg.Elevation)}, now
	d.in(d.top(), "")
}

// lower ends an elevation; the operator below is there again, unless their shift is
// over.
func (d *Desk) lower(why Why, now time.Time) {
	d.out(d.above.Person, why)
	d.above = nil
	if d.endShift(now); d.below != nil {
		d.in(*d.below, Resumed)
	}
}

// endShift signs out an operator whose shift is over.
func (d *Desk) endShift(now time.Time) {
	if d.below != nil && !now.Before(d.below.Until) {
		d.out(d.below.Person, TimeUp)
		d.below = nil
	}
}

// SignOut signs out whoever is signed in: a lead or an engineer first, then the
// operator. A PIN that is asked for is not asked for any more.
func (d *Desk) SignOut(now time.Time) {
	d.expire(now)
	d.closePrompt()
	switch {
	case d.above != nil:
		d.lower(Asked, now)
	case d.below != nil:
		d.out(d.below.Person, Asked)
		d.below = nil
	}
}

// Touch tells that the person at the desk did something: they are not idle.
func (d *Desk) Touch(now time.Time) {
	d.expire(now)
	d.lastSign = now
}

// Who returns who is signed in: the lead or engineer if one is, else the operator,
// else the zero Session. It changes nothing and does not wait for a Tick.
func (d *Desk) Who(now time.Time) Session {
	if d.above != nil && now.Before(d.top().Until) {
		return d.top()
	}
	if d.below != nil && now.Before(d.below.Until) {
		return *d.below
	}
	return Session{}
}

// Use asks for an action. An elevation that it needs is used up by it: the next act
// takes the PIN again, reading excepted. Errors are ErrNobody and ErrNeedsMore.
func (d *Desk) Use(a Action, now time.Time) (Grant, error) {
	d.expire(now)
	who := d.Who(now)
	if !who.Role.Allows(a.Needs) {
		if who.Role == Nobody {
			return Grant{}, fmt.Errorf("%s: %w", a.Name, ErrNobody)
		}
		return Grant{}, fmt.Errorf("%s: %w: %s is %s, needed is %s", a.Name, ErrNeedsMore, who.Name, who.Role, a.Needs)
	}
	d.lastSign = now
	if a.Needs.Elevated() && !a.Reading {
		d.lower(Used, now)
	}
	return Grant{a, who.Person, now}, nil
}

// Tick tells the time: what is over by then ends. It may be called at any time.
func (d *Desk) Tick(now time.Time) { d.expire(now) }

// expire ends what is over.
func (d *Desk) expire(now time.Time) {
	if d.prompt != nil && !now.Before(d.prompt.until) {
		d.closePrompt()
	}
	if d.above != nil && !now.Before(d.top().Until) {
		why := Idle
		if !now.Before(d.above.Until) {
			why = TimeUp
		}
		d.lower(why, now)
	}
	if d.above == nil { // a shift does not end behind a lead's back
		d.endShift(now)
	}
}

// top is the session above, ending as idleness or the elevation ends it.
func (d *Desk) top() Session {
	s := *d.above
	if idle := d.lastSign.Add(d.cfg.Idle); idle.Before(s.Until) {
		s.Until = idle
	}
	return s
}
