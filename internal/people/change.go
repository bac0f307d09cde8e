package people

import "time"

// Change is something that happened at the desk.
type Change struct {
	Kind   ChangeKind
	Person Person
	Why    Why       // of SignedOut; Resumed of SignedIn, or empty
	Until  time.Time // SignedIn: signed out then; PINWanted: given up then; PINRefused: no other try before then, zero: try again
}

// ChangeKind is the kind of a Change.
type ChangeKind string

// The kinds.
const (
	SignedIn   ChangeKind = "in"          // Person is the one at the desk from now on
	SignedOut  ChangeKind = "out"         // Person is signed in no more
	PINWanted  ChangeKind = "pin.wanted"  // of Person
	PINRefused ChangeKind = "pin.refused" // wrong, or not looked at because of Until
	PINClosed  ChangeKind = "pin.closed"  // no PIN is asked for any more
)

// Why says why somebody is not signed in any more, or is again.
type Why string

// The reasons. Resumed is of an operator who was signed in all the time: nobody's
// badge was read.
const (
	Asked    Why = "asked"    // signed out
	Replaced Why = "replaced" // somebody else signed in
	Used     Why = "used"     // the elevation was for one act
	Idle     Why = "idle"     // no sign of them
	TimeUp   Why = "time_up"  // the shift or the elevation is over
	Resumed  Why = "resumed"  // the lead or engineer above is gone
)

// Changes returns what happened since it was last called, in order, and forgets it.
func (d *Desk) Changes() []Change {
	changes := d.changes
	d.changes = nil
	return changes
}

func (d *Desk) in(s Session, why Why) {
	d.changes = append(d.changes, Change{Kind: SignedIn, Person: s.Person, Why: why, Until: s.Until})
}

func (d *Desk) out(p Person, why Why) {
	d.changes = append(d.changes, Change{Kind: SignedOut, Person: p, Why: why})
}
