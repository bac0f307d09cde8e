package records

import (
	"context"
	"fmt"
	"time"
)

// Act is what a person did at a station, other than putting units in.
type Act struct {
	At      time.Time `json:"at"`
	Station string    `json:"station"`
	Slot    int       `json:"slot,omitempty"`   // 0: the whole station
	Person  string    `json:"person,omitempty"` // "" where nobody was signed in
	Role    Role      `json:"role,omitempty"`   // that the person had then
	Kind    string    `json:"kind"`             // "arm", "unlock", "job", "signin" ...
	Reason  string    `json:"reason,omitempty"`
	Subject string    `json:"subject,omitempty"` // a serial, a MAC as ParseMAC returns it, a job
	Detail  string    `json:"detail,omitempty"`
}

// SaveAct records an act. ErrInvalid without a kind or a time.
func (s *Store) SaveAct(ctx context.Context, a Act) error {
	return named(s.write(ctx, func(t *txn) error { return t.saveAct(ctx, a) }), "record act %q at %s", a.Kind, a.Station)
}

func (t *txn) saveAct(ctx context.Context, a Act) error {
	at, err := stamp(a.At)
	if err != nil {
		return err
	}
	if a.Kind == "" || a.Slot < 0 {
		return fmt.Errorf("%w: kind %q, slot %d", ErrInvalid, a.Kind, a.Slot)
	}
	_, err = t.insert(ctx, "acts", `INSERT INTO acts (at, station, slot, person, role, kind, reason, subject, detail)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, at, a.Station, a.Slot, a.Person, a.Role, a.Kind, a.Reason, a.Subject, a.Detail)
	return err
}

// ActFilter narrows a list of acts; zero fields do not.
type ActFilter struct {
	Since   time.Time // at or after it
	Station string
	Kind    string
	Subject string // in upper or lower case
	Limit   int    // 0: no limit
}

// Acts returns the acts that match, the latest first.
func (s *Store) Acts(ctx context.Context, f ActFilter) ([]Act, error) {
	var w where
	w.add(!f.Since.IsZero(), "at >= ?", f.Since.UTC().Format(timeLayout))
	w.add(f.Station != "", "station = ?", f.Station)
	w.add(f.Kind != "", "kind = ?", f.Kind)
	w.add(f.Subject != "", "subject = ? AND subject <> ''", f.Subject)
	acts, err := list(ctx, s.r, scanAct, actQuery+w.text()+" ORDER BY at DESC, id DESC LIMIT ?", append(w.args, limitOf(f.Limit))...)
	return acts, named(classify(ctx, err), "list acts")
}

// LatestAct returns the act of a kind that was recorded last at a station, whatever
// its clock said, else ErrNotFound.
func (s *Store) LatestAct(ctx context.Context, station, kind string) (Act, error) {
	a, err := one(ctx, s.r, scanAct, actQuery+" WHERE station = ? AND kind = ? ORDER BY id DESC LIMIT 1", station, kind)
	return a, named(classify(ctx, err), "latest act %q at %s", kind, station)
}

// actsOn returns the acts on a unit, in the order they were recorded. One without
// a serial is not the subject of the acts that have none.
func actsOn(ctx context.Context, q querier, u Unit) ([]Act, error) {
	return list(ctx, q, scanAct, actQuery+" WHERE subject IN (?, ?) AND subject <> '' ORDER BY id", u.Serial, u.MAC)
}

const actQuery = "SELECT at, station, slot, person, role, kind, reason, subject, detail FROM acts"

func scanAct(scan func(...any) error) (Act, error) {
	var a Act
	err := scan(timestamp{&a.At}, &a.Station, &a.Slot, &a.Person, &a.Role, &a.Kind, &a.Reason, &a.Subject, &a.Detail)
	return a, err
}
