package records

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// State is where a unit stands.
type State string

// A unit is open from its reservation until it is complete; parked when a person
// must decide.
const (
	StateOpen     State = "open"
	StateComplete State = "complete"
	StateParked   State = "parked"
)

// Custody says what stays of a unit's keys once it is complete.
type Custody string

// Discard keeps nothing but fingerprints; Escrow keeps the copy that only the
// owner can open.
const (
	Discard Custody = "discard"
	Escrow  Custody = "escrow"
)

// Unit is one device: a MAC, the serial on its label, and what it is to become.
type Unit struct {
	ID           int64           `json:"id"`
	MAC          string          `json:"mac"` // lower case with colons
	Serial       string          `json:"serial"`
	State        State           `json:"state"`
	ParkCode     string          `json:"park_code,omitempty"`
	ParkReason   string          `json:"park_reason,omitempty"`
	ChipRevision string          `json:"chip_revision"`
	ChipPackage  string          `json:"chip_package"`
	FlashID      string          `json:"flash_id"`
	FlashSize    int64           `json:"flash_size"` // bytes
	Station      string          `json:"station"`
	Custody      Custody         `json:"custody"`
	Goal         json.RawMessage `json:"goal,omitempty"` // the policy as applied
	CreatedAt    time.Time       `json:"created_at"`
	CompletedAt  time.Time       `json:"completed_at,omitzero"`
	FinalWords   []BlockWords    `json:"final_words,omitempty"` // raw eFuse words at completion
}

// BlockWords are the raw words of one eFuse block.
type BlockWords struct {
	Block int   `json:"block"` // 0 to 3
	Words Words `json:"words"`
}

// Reserve ties u.MAC to u.Serial, for ever, and the run to the unit. The fields
// that Reserve or later calls set (ID, State, park, CreatedAt, CompletedAt,
// FinalWords) are ignored. A MAC and serial that already belong together and are
// open are returned as they were first reserved, so that a unit can be resumed. The
// last run to have reserved a unit holds it: only that run may act on it from then on.
//
// Errors: *SerialUsedError (ErrSerialUsed); *MACKnownError (ErrMACKnown) for
// another serial; *ParkedError (ErrParked), also for a MAC that was parked before it
// ever had a serial; ErrComplete; ErrTakenOver for a unit whose goal is not u.Goal (nil:
// whichever it is), since another run has begun or changed it after this one looked;
// ErrRunFinished; ErrInvalid.
func (s *Store) Reserve(ctx context.Context, runID string, u Unit, at time.Time) (Unit, error) {
	var out Unit
	err := u.check()
	if err == nil {
		err = s.write(ctx, func(t *txn) (err error) {
			out, err = t.reserve(ctx, runID, u, at)
			return err
		})
	}
	if err != nil {
		return Unit{}, fmt.Errorf("reserve serial %s for MAC %s: %w", u.Serial, u.MAC, err)
	}
	return out, nil
}

// check normalises the MAC and refuses what can never be stored.
func (u *Unit) check() error {
	mac, err := ParseMAC(u.MAC)
	if err != nil {
		return err
	}
	u.MAC = mac
	if u.Serial == "" || strings.TrimSpace(u.Serial) != u.Serial {
		return fmt.Errorf("%w: serial %q is empty or has spaces round it", ErrInvalid, u.Serial)
	}
	if u.Custody != Discard && u.Custody != Escrow {
		return fmt.Errorf("%w: custody %q", ErrInvalid, u.Custody)
	}
	return nil
}

func (t *txn) reserve(ctx context.Context, runID string, u Unit, at time.Time) (Unit, error) {
	run, err := unfinishedRun(ctx, t, runID)
	if err != nil {
		return Unit{}, err
	}
	known, err := t.claim(ctx, u)
	switch {
	case errors.Is(err, ErrNotFound):
		known, err = t.insertUnit(ctx, run, u, at)
	case err == nil:
		err = t.handOver(ctx, run, known.ID)
	}
	if err != nil {
		return Unit{}, err
	}
	if _, err := t.ExecContext(ctx, "UPDATE runs SET unit_id = ?, mac = ? WHERE id = ?", known.ID, known.MAC, run); err != nil {
		return Unit{}, err
	}
	return known, t.note(ctx, "runs", run)
}

// handOver makes run the one that may act on a unit.
func (t *txn) handOver(ctx context.Context, run, unitID int64) error {
	if _, err := t.ExecContext(ctx, "UPDATE units SET holder = ? WHERE id = ?", run, unitID); err != nil {
		return err
	}
	return t.note(ctx, "units", unitID)
}

// claim returns the open unit that u's MAC and serial already are, ErrNotFound
// when both are free, ErrTakenOver when the unit has another goal, and otherwise who
// has them, or why it is not open.
func (t *txn) claim(ctx context.Context, u Unit) (Unit, error) {
	byMAC, err := unitByMAC(ctx, t, u.MAC)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Unit{}, err
	}
	known := err == nil
	bySerial, err := unitBySerial(ctx, t, u.Serial)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Unit{}, err
	}
	switch taken := err == nil; {
	case known && taken && byMAC.ID == bySerial.ID:
		open, err := openUnit(ctx, t, byMAC.ID)
		if err == nil && len(u.Goal) > 0 && !bytes.Equal(u.Goal, open.Goal) {
			err = fmt.Errorf("%w: its goal is another", ErrTakenOver)
		}
		return open, err
	case known:
		return Unit{}, &MACKnownError{Unit: byMAC}
	case taken:
		return Unit{}, &SerialUsedError{Serial: bySerial.Serial, MAC: bySerial.MAC, At: bySerial.CreatedAt}
	}
	if p, err := parkingOf(ctx, t, u.MAC); err == nil {
		return Unit{}, &ParkedError{Parking: p}
	} else if !errors.Is(err, ErrNotParked) {
		return Unit{}, err
	}
	return Unit{}, ErrNotFound
}

func (t *txn) insertUnit(ctx context.Context, run int64, u Unit, at time.Time) (Unit, error) {
	created, err := stamp(at)
	if err != nil {
		return Unit{}, err
	}
	goal, err := jsonOrNull("goal", u.Goal)
	if err != nil {
		return Unit{}, err
	}
	_, err = t.insert(ctx, "units", `INSERT INTO units (mac, serial, state, chip_revision, chip_package, flash_id,
		flash_size, station, custody, goal, created_at, holder) VALUES (?, ?, 'open', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		u.MAC, u.Serial, u.ChipRevision, u.ChipPackage, u.FlashID, u.FlashSize, u.Station, u.Custody, goal, created, run)
	if err != nil {
		return Unit{}, err
	}
	return unitByMAC(ctx, t, u.MAC)
}

// openUnit returns a unit that may be written, else ErrNotFound, ErrComplete or
// a *ParkedError.
func openUnit(ctx context.Context, q querier, id int64) (Unit, error) {
	u, err := unitByID(ctx, q, id)
	if err != nil {
		return Unit{}, err
	}
	switch u.State {
	case StateOpen:
		return u, nil
	case StateComplete:
		return Unit{}, ErrComplete
	}
	p, err := parkingOf(ctx, q, u.MAC)
	if err != nil {
		return Unit{}, err
	}
	return Unit{}, &ParkedError{Parking: p}
}

// UnitByMAC returns the unit with a MAC in any notation, else ErrNotFound.
func (s *Store) UnitByMAC(ctx context.Context, mac string) (Unit, error) {
	mac, err := ParseMAC(mac)
	if err != nil {
		return Unit{}, err
	}
	u, err := unitByMAC(ctx, s.r, mac)
	return u, classify(ctx, err)
}

// UnitBySerial returns the unit with a serial, in upper or lower case, else
// ErrNotFound.
func (s *Store) UnitBySerial(ctx context.Context, serial string) (Unit, error) {
	u, err := unitBySerial(ctx, s.r, serial)
	return u, classify(ctx, err)
}

// OpenUnits returns the units that are begun and neither complete nor parked,
// the oldest first.
func (s *Store) OpenUnits(ctx context.Context) ([]Unit, error) {
	return s.unitsIn(ctx, StateOpen)
}

// ParkedUnits returns the units that wait for a person, the oldest first.
func (s *Store) ParkedUnits(ctx context.Context) ([]Unit, error) {
	return s.unitsIn(ctx, StateParked)
}

func (s *Store) unitsIn(ctx context.Context, state State) ([]Unit, error) {
	// The term state <> 'complete' lets SQLite use the partial index.
	units, err := list(ctx, s.r, scanUnit, "SELECT "+unitColumns+
		" FROM units WHERE state = ? AND state <> 'complete' ORDER BY id", state)
	if err != nil {
		return nil, fmt.Errorf("list %s units: %w", state, classify(ctx, err))
	}
	return units, nil
}

const unitColumns = `units.id, units.mac, serial, state, park_code, park_reason, chip_revision, chip_package,
	flash_id, flash_size, units.station, custody, goal, created_at, completed_at, final_words`

func scanUnit(scan func(...any) error) (Unit, error) {
	var u Unit
	err := scan(&u.ID, &u.MAC, &u.Serial, &u.State, &u.ParkCode, &u.ParkReason, &u.ChipRevision, &u.ChipPackage,
		&u.FlashID, &u.FlashSize, &u.Station, &u.Custody, rawJSON{&u.Goal}, timestamp{&u.CreatedAt},
		timestamp{&u.CompletedAt}, finalWords{&u.FinalWords})
	return u, err
}

func unitByID(ctx context.Context, q querier, id int64) (Unit, error) {
	u, err := one(ctx, q, scanUnit, "SELECT "+unitColumns+" FROM units WHERE id = ?", id)
	return u, named(err, "unit %d", id)
}

func unitByMAC(ctx context.Context, q querier, mac string) (Unit, error) {
	u, err := one(ctx, q, scanUnit, "SELECT "+unitColumns+" FROM units WHERE mac = ?", mac)
	return u, named(err, "MAC %s", mac)
}

func unitBySerial(ctx context.Context, q querier, serial string) (Unit, error) {
	u, err := one(ctx, q, scanUnit, "SELECT "+unitColumns+" FROM units WHERE serial = ?", serial)
	return u, named(err, "serial %s", serial)
}

// named says what an error is about.
func named(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
