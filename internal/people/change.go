package people

import "time"

// Change is something that happened at the desk.
type Change struct {
	Kind   ChangeKind
	Person Person
	Why    Why       // of SignedOut
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

// Why says why somebody is not signed in any more.
type Why string

// The reasons.
const (
	Asked    Why = "asked"    // signed out
	Replaced Why = "replaced" // somebody else signed in
	Used     Why = "used"     // the elevation was for one act
	Idle     Why = "idle"     // no sign of them
	TimeUp   Why = "time_up"  // the shift or the elevation is over
)

// Changes returns what happened since it was last called, in order, and forgets it.
func (d *Desk) Changes() []Change {
	changes := d.changes
	d.changes = nil
	return changes
}

func (d *Desk) in(s Session) {
	d.changes = append(d.changes, Change{Kind: SignedIn, Person: s.Person, Until: s.Until})
}

func (d *Desk) out(p Person, why Why) {
	d.changes = append(d.changes, Change{Kind: SignedOut, Person: p, Why: why})
}
