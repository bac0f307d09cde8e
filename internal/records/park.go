package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Parking sets a unit aside until a person decides. It is by MAC, since a part
// that somebody else secured never gets a serial here.
type Parking struct {
	MAC    string    `json:"mac"`
	UnitID int64     `json:"unit_id,omitempty"` // 0 for a MAC without a unit
	RunID  string    `json:"run_id,omitempty"`  // "" when a person did it by hand
	Code   string    `json:"code"`
	Reason string    `json:"reason"`
	Person string    `json:"person,omitempty"`
	At     time.Time `json:"at"`
	Action string    `json:"action"` // "park" or "release"
}

// Release lets a parked unit go on.
type Release struct {
	MAC    string
	Person string // who decided
	Reason string
	At     time.Time
}

// Park parks p.MAC; UnitID and Action are filled in. A MAC that is parked already stays
// so for the reason it was, unless a person gives another one.
func (s *Store) Park(ctx context.Context, p Parking) error {
	mac, err := ParseMAC(p.MAC)
	if err == nil {
		p.MAC, p.Action = mac, "park"
		err = s.write(ctx, func(t *txn) error { return t.park(ctx, p) })
	}
	return named(err, "park MAC %s", p.MAC)
}

func (t *txn) park(ctx context.Context, p Parking) error {
	if p.Reason == "" {
		return fmt.Errorf("%w: no reason given", ErrInvalid)
	}
	now, err := parkingOf(ctx, t, p.MAC)
	if err == nil && (p.Person == "" || now.Code == p.Code && now.Reason == p.Reason) {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotParked) {
		return err
	}
	return t.moveUnit(ctx, p, "UPDATE units SET state = 'parked', park_code = ?, park_reason = ? WHERE id = ?", p.Code, p.Reason)
}

// Release ends a parking: the unit is open again, or complete where it was
// completed before. ErrNotParked; ErrInvalid without a person and a reason.
func (s *Store) Release(ctx context.Context, r Release) error {
	mac, err := ParseMAC(r.MAC)
	if err == nil {
		r.MAC = mac
		err = s.write(ctx, func(t *txn) error { return t.release(ctx, r) })
	}
	return named(err, "release MAC %s", r.MAC)
}

func (t *txn) release(ctx context.Context, r Release) error {
	if r.Person == "" || r.Reason == "" {
		return fmt.Errorf("%w: a release needs a person and a reason", ErrInvalid)
	}
	now, err := parkingOf(ctx, t, r.MAC)
	if err != nil {
		return err
	}
	p := Parking{MAC: r.MAC, Code: now.Code, Reason: r.Reason, Person: r.Person, At: r.At, Action: "release"}
	return t.moveUnit(ctx, p, `UPDATE units SET state = iif(completed_at IS NULL, 'open', 'complete'),
		park_code = '', park_reason = '' WHERE id = ?`)
}

// moveUnit adds the row of a parking or release and, where the MAC has a unit,
// runs update on it; update's last parameter is the unit's id.
func (t *txn) moveUnit(ctx context.Context, p Parking, update string, args ...any) error {
	at, err := stamp(p.At)
	if err != nil {
		return err
	}
	var run int64
	if p.RunID != "" {
		if run, _, err = runID(ctx, t, p.RunID); err != nil {
			return err
		}
	}
	u, err := unitByMAC(ctx, t, p.MAC)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	_, err = t.insert(ctx, "parkings", `INSERT INTO parkings (mac, unit_id, run_id, action, code, reason, person, at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, p.MAC, orNull(u.ID), orNull(run), p.Action, p.Code, p.Reason, p.Person, at)
	if err != nil || u.ID == 0 {
		return err
	}
	if _, err := t.ExecContext(ctx, update, append(args, u.ID)...); err != nil {
		return err
	}
	return t.note(ctx, "units", u.ID)
}

// ParkingOf returns the parking a MAC (any notation) is under, else ErrNotParked.
func (s *Store) ParkingOf(ctx context.Context, mac string) (Parking, error) {
	mac, err := ParseMAC(mac)
	if err != nil {
		return Parking{}, err
	}
	p, err := parkingOf(ctx, s.r, mac)
	return p, classify(ctx, err)
}

func parkingOf(ctx context.Context, q querier, mac string) (Parking, error) {
	p, err := scanParking(q.QueryRowContext(ctx, parkingQuery+"ORDER BY parkings.id DESC LIMIT 1", mac).Scan)
	if errors.Is(err, sql.ErrNoRows) || err == nil && p.Action != "park" {
		return Parking{}, fmt.Errorf("MAC %s: %w", mac, ErrNotParked)
	}
	return p, err
}

func parkingsOf(ctx context.Context, q querier, mac string) ([]Parking, error) {
	return list(ctx, q, scanParking, parkingQuery+"ORDER BY parkings.id", mac)
}

const parkingQuery = `SELECT parkings.mac, parkings.unit_id, run, parkings.code, parkings.reason, person, at, action
	FROM parkings LEFT JOIN runs ON runs.id = run_id WHERE parkings.mac = ? `

func scanParking(scan func(...any) error) (Parking, error) {
	var p Parking
	err := scan(&p.MAC, orZero[int64]{&p.UnitID}, orZero[string]{&p.RunID}, &p.Code, &p.Reason, &p.Person, timestamp{&p.At}, &p.Action)
	return p, err
}
