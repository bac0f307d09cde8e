package judge

import (
	"context"
	"errors"
	"fmt"

	"provision/internal/keys"
	"provision/internal/simulator"
)

// Violation is something that must not be.
type Violation struct {
	Invariant string // "I1" to "I7", "I10"
	Text      string
}

func (v Violation) String() string { return v.Invariant + ": " + v.Text }

// Order is what was ordered of a unit, written down without asking the profile.
type Order struct {
	SecureBoot, Encryption bool
	ByUnit                 bool // the unit encrypts itself at its first start
	Escrow                 bool
	Final                  [8]uint32 // bits of BLOCK0 that a finished unit has beyond those it came with
	Regions                []int64   // flash offsets that have to be on record
	HeldBack               int64     // the one of them that is recorded after the keys; 0: none
	Volatile               int64     // the one that is the firmware's own from its first start on
	Project                string    // the app it has to start
}

// Unit is one chip, and what is true of it whatever the station thinks.
type Unit struct {
	Chip   *simulator.Chip
	Config simulator.Config // it was made with
	Origin simulator.Fuses  // as it came to the station
	Order  Order

	Unfit string // the code it has to be refused with, untouched; "": it is fit
	Weak  bool   // a fuse that may never take
	Worn  bool   // a flash cell that may not hold what is written
	Noisy bool   // the line loses or changes bytes
	Hangs bool   // it stops at some moment, and goes on only after a reset
	// Stranger sits in the slot by mistake: it came in the middle of another unit's
	// work, with another unit's label, or has another unit's MAC.
	Stranger bool

	serial   string
	finished *finished
}

// Contact is one run over a unit, as those saw it who stood before the station.
type Contact struct {
	Run           string
	Verdict, Code string
	Serial        string // the label that was scanned
	Order         *Order // of the profile at hand; nil: the unit's own
	Swapped       bool   // the unit was changed while the run went on
	Interrupted   bool   // somebody pressed Ctrl-C
	NoRecords     bool   // the records were taken away while the run went on
}

// Judge reads the records of one station. It is not safe for concurrent use.
type Judge struct {
	source         source
	station, owner keys.Identity
	inChips        map[words]string // whole keys, and the MAC of the chip that has each
}

func newJudge(from source, station, owner keys.Identity) *Judge {
	return &Judge{source: from, station: station, owner: owner, inChips: map[words]string{}}
}

// Close lets go of the records.
func (j *Judge) Close() error { return j.source.close() }

// Moment says what is wrong with a unit, at any moment whatever: between two events
// of a run, after a cut, after a verdict. The error is about the database.
func (j *Judge) Moment(ctx context.Context, u *Unit) ([]Violation, error) {
	c, err := j.look(ctx, u)
	if err != nil {
		return nil, err
	}
	c.moment()
	return c.found, nil
}

// After is Moment for a run that has ended with a verdict, and says whether the
// verdict is true.
func (j *Judge) After(ctx context.Context, u *Unit, said Contact) ([]Violation, error) {
	c, err := j.look(ctx, u)
	if err != nil {
		return nil, err
	}
	c.moment()
	if err := c.verdict(ctx, said); err != nil {
		return nil, err
	}
	return c.found, nil
}

// check is one look at a unit.
type check struct {
	*Judge
	u     *Unit
	mac   string
	fuses simulator.Fuses
	extra simulator.Fuses // burnt since it came
	Rows
	found []Violation
}

func (j *Judge) look(ctx context.Context, u *Unit) (*check, error) {
	m := u.Chip.MAC()
	c := &check{
		Judge: j, u: u, fuses: u.Chip.Fuses(),
		mac: fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]),
	}
	for block := range c.extra {
		c.extra[block] = without(c.fuses[block], u.Origin[block])
	}
	var err error
	c.Rows, err = j.Read(ctx, c.mac)
	if err != nil {
		return nil, fmt.Errorf("read the records of %s: %w", c.mac, err)
	}
	return c, nil
}

func (c *check) fail(invariant, format string, args ...any) {
	c.found = append(c.found, Violation{invariant, fmt.Sprintf(format, args...)})
}

// moment is what holds at any moment.
func (c *check) moment() {
	if c.untouchable() {
		return
	}
	c.identity()
	c.intents()
	c.keyBlocks()
	c.protections()
	c.journal()
	if c.unit != nil && c.unit.complete {
		c.complete()
	} else if c.u.finished != nil {
		c.fail("I5", "the unit was finished, and is not on record as that any more")
	}
}

// untouchable judges chips that nothing may ever be burnt into, and reports whether
// this is one: no part for the job, somebody else's, or in the slot by mistake.
func (c *check) untouchable() bool {
	foreign := secured(c.u.Origin)
	if c.u.Unfit == "" && !foreign && !c.u.Stranger {
		return false
	}
	if c.extra == (simulator.Fuses{}) {
		return true
	}
	switch {
	case foreign:
		c.fail("I4", "a part that somebody else secured was burnt")
	case c.u.Stranger:
		c.fail("I7", "a chip that was in the slot by mistake was burnt")
	default:
		c.fail("I1", "a part that must be refused with %s was burnt", c.u.Unfit)
	}
	return true
}

// identity holds the unit to one serial, one MAC, one key.
func (c *check) identity() {
	if n := len(c.units); n > 1 {
		c.fail("I7", "%d units are on record with the MAC %s", n, c.mac)
	}
	if c.unit == nil {
		if c.u.serial != "" {
			c.fail("I10", "the unit was on record as %s, and is not any more", c.u.serial)
		}
		return
	}
	if c.sameSerial > 1 {
		c.fail("I7", "%d units are on record with the serial number %s", c.sameSerial, c.unit.serial)
	}
	if c.u.serial != "" && c.u.serial != c.unit.serial {
		c.fail("I7", "the serial number was %s and is %s now", c.u.serial, c.unit.serial)
	}
	c.u.serial = c.unit.serial
	for _, k := range c.keys {
		if k.shared > 1 {
			c.fail("I7", "%d keys are on record with the fingerprint %s", k.shared, k.fingerprint)
		}
	}
}

// errRow is a row that is not as the schema promises.
var errRow = errors.New("a row that cannot be read")
