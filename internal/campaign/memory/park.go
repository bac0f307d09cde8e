package memory

import (
	"context"
	"fmt"

	"provision/internal/records"
)

// Park parks a MAC. One that is parked already stays so for the reason it was, unless a
// person gives another one.
func (s *Store) Park(ctx context.Context, p records.Parking) error {
	mac, err := records.ParseMAC(p.MAC)
	if err == nil {
		p.MAC, p.Action = mac, "park"
		err = s.write(ctx, func(t *txn) error { return t.park(p) })
	}
	return named(err, "park MAC %s", p.MAC)
}

func (t *txn) park(p records.Parking) error {
	if p.Reason == "" {
		return fmt.Errorf("%w: no reason given", records.ErrInvalid)
	}
	if now, err := t.parkingOf(p.MAC); err == nil && (p.Person == "" || now.Code == p.Code && now.Reason == p.Reason) {
		return nil
	}
	return t.moveUnit(p, func(u *Unit) {
		u.State, u.ParkCode, u.ParkReason = records.StateParked, p.Code, p.Reason
	})
}

// Release ends a parking: the unit is open again, or complete where it was completed
// before.
func (s *Store) Release(ctx context.Context, r records.Release) error {
	mac, err := records.ParseMAC(r.MAC)
	if err == nil {
		r.MAC = mac
		err = s.write(ctx, func(t *txn) error { return t.release(r) })
	}
	return named(err, "release MAC %s", r.MAC)
}

func (t *txn) release(r records.Release) error {
	if r.Person == "" || r.Reason == "" {
		return fmt.Errorf("%w: a release needs a person and a reason", records.ErrInvalid)
	}
	now, err := t.parkingOf(r.MAC)
	if err != nil {
		return err
	}
	p := records.Parking{MAC: r.MAC, Code: now.Code, Reason: r.Reason, Person: r.Person, At: r.At, Action: "release"}
	return t.moveUnit(p, func(u *Unit) {
		u.State, u.ParkCode, u.ParkReason = records.StateOpen, "", ""
		if !u.CompletedAt.IsZero() {
			u.State = records.StateComplete
		}
	})
}

// moveUnit adds the row of a parking or release and changes the MAC's unit, if it has
// one.
func (t *txn) moveUnit(p records.Parking, change func(*Unit)) error {
	if err := given(p.At); err != nil {
		return err
	}
	if p.RunID != "" {
		if _, err := t.run(p.RunID); err != nil {
			return err
		}
	}
	u := t.byMAC(p.MAC)
	p.UnitID, p.At = 0, kept(p.At)
	if u != nil {
		p.UnitID = u.ID
	}
	t.next()
	insert(t, &t.Parkings, &Parking{p})
	if u != nil {
		change(update(t, u))
		t.next()
	}
	return nil
}

// ParkingOf returns the parking a MAC is under, else ErrNotParked.
func (s *Store) ParkingOf(ctx context.Context, mac string) (records.Parking, error) {
	mac, err := records.ParseMAC(mac)
	if err != nil {
		return records.Parking{}, err
	}
	var p records.Parking
	err = s.read(ctx, func(r *Rows) (err error) {
		p, err = r.parkingOf(mac)
		return err
	})
	return p, err
}

func (r *Rows) parkingOf(mac string) (records.Parking, error) {
	row := last(r.Parkings, func(p *Parking) bool { return p.MAC == mac })
	if row == nil || row.Action != "park" {
		return records.Parking{}, fmt.Errorf("MAC %s: %w", mac, records.ErrNotParked)
	}
	return row.Parking, nil
}
