package memory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"provision/internal/records"
)

// Reserve ties a MAC to a serial number, and the run to the unit.
func (s *Store) Reserve(ctx context.Context, runID string, u records.Unit, at time.Time) (records.Unit, error) {
	var out records.Unit
	err := normalise(&u)
	if err == nil {
		err = s.write(ctx, func(t *txn) (err error) {
			out, err = t.reserve(runID, u, at)
			return err
		})
	}
	if err != nil {
		return records.Unit{}, fmt.Errorf("reserve serial %s for MAC %s: %w", u.Serial, u.MAC, err)
	}
	return out, nil
}

// normalise refuses what can never be stored.
func normalise(u *records.Unit) error {
	mac, err := records.ParseMAC(u.MAC)
	if err != nil {
		return err
	}
	u.MAC = mac
	if u.Serial == "" || strings.TrimSpace(u.Serial) != u.Serial {
		return fmt.Errorf("%w: serial %q is empty or has spaces round it", records.ErrInvalid, u.Serial)
	}
	if u.Custody != records.Discard && u.Custody != records.Escrow {
		return fmt.Errorf("%w: custody %q", records.ErrInvalid, u.Custody)
	}
	return nil
}

func (t *txn) reserve(runID string, u records.Unit, at time.Time) (records.Unit, error) {
	run, err := t.unfinished(runID)
	if err != nil {
		return records.Unit{}, err
	}
	known, err := t.claim(u)
	switch {
	case errors.Is(err, records.ErrNotFound):
		known, err = t.insertUnit(runID, u, at)
	case err == nil:
		known = update(t, known)
		known.holder = runID
		t.next()
	}
	if err != nil {
		return records.Unit{}, err
	}
	run = update(t, run)
	run.UnitID, run.MAC = known.ID, known.MAC
	t.next()
	return known.copied(), nil
}

// claim returns the open unit that u's MAC and serial already are, ErrNotFound when
// both are free, and otherwise who has them, or why it is not open.
func (t *txn) claim(u records.Unit) (*Unit, error) {
	byMAC, bySerial := t.byMAC(u.MAC), t.bySerial(u.Serial)
	switch {
	case byMAC != nil && byMAC == bySerial:
		open, err := t.openUnit(byMAC.ID)
		if err == nil && len(u.Goal) > 0 && !bytes.Equal(u.Goal, open.Goal) {
			err = fmt.Errorf("%w: its goal is another", records.ErrTakenOver)
		}
		return open, err
	case byMAC != nil:
		return nil, &records.MACKnownError{Unit: byMAC.copied()}
	case bySerial != nil:
		return nil, &records.SerialUsedError{Serial: bySerial.Serial, MAC: bySerial.MAC, At: bySerial.CreatedAt}
	}
	if p, err := t.parkingOf(u.MAC); err == nil {
		return nil, &records.ParkedError{Parking: p}
	}
	return nil, records.ErrNotFound
}

func (t *txn) insertUnit(runID string, u records.Unit, at time.Time) (*Unit, error) {
	if err := given(at); err != nil {
		return nil, err
	}
	if err := mayBeJSON("goal", u.Goal); err != nil {
		return nil, err
	}
	if u.FlashSize < 0 {
		return nil, errSchema
	}
	row := &Unit{fold: folded(u.Serial), holder: runID, Unit: records.Unit{
		ID: int64(len(t.Units)) + 1, MAC: u.MAC, Serial: u.Serial, State: records.StateOpen, ChipRevision: u.ChipRevision,
		ChipPackage: u.ChipPackage, FlashID: u.FlashID, FlashSize: u.FlashSize, Station: u.Station, Custody: u.Custody,
		Goal: keptJSON(u.Goal), CreatedAt: kept(at),
	}}
	t.next()
	insert(t, &t.Units, row)
	return row, nil
}

// copied is the unit as it is handed out: whoever changes it changes no row.
func (u *Unit) copied() records.Unit {
	out := u.Unit
	out.Goal, out.FinalWords = slices.Clone(u.Goal), slices.Clone(u.FinalWords)
	return out
}

func (r *Rows) byMAC(mac string) *Unit {
	return first(r.Units, func(u *Unit) bool { return u.MAC == mac })
}

func (r *Rows) bySerial(serial string) *Unit {
	fold := folded(serial)
	return first(r.Units, func(u *Unit) bool { return u.fold == fold })
}

// folded makes two serial numbers that differ only in the case of A to Z one.
func folded(serial string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, serial)
}

// openUnit returns a unit that may be written, else ErrNotFound, ErrComplete or a
// *ParkedError.
func (r *Rows) openUnit(id int64) (*Unit, error) {
	u := r.unit(id)
	switch {
	case u == nil:
		return nil, fmt.Errorf("unit %d: %w", id, records.ErrNotFound)
	case u.State == records.StateOpen:
		return u, nil
	case u.State == records.StateComplete:
		return nil, records.ErrComplete
	}
	p, err := r.parkingOf(u.MAC)
	if err != nil {
		return nil, err
	}
	return nil, &records.ParkedError{Parking: p}
}

// UnitByMAC returns the unit with a MAC in any notation, else ErrNotFound.
func (s *Store) UnitByMAC(ctx context.Context, mac string) (records.Unit, error) {
	mac, err := records.ParseMAC(mac)
	if err != nil {
		return records.Unit{}, err
	}
	return s.found(ctx, "MAC "+mac, func(r *Rows) *Unit { return r.byMAC(mac) })
}

// UnitBySerial returns the unit with a serial number, in upper or lower case, else
// ErrNotFound.
func (s *Store) UnitBySerial(ctx context.Context, serial string) (records.Unit, error) {
	return s.found(ctx, "serial "+serial, func(r *Rows) *Unit { return r.bySerial(serial) })
}

func (s *Store) found(ctx context.Context, what string, find func(*Rows) *Unit) (records.Unit, error) {
	var out records.Unit
	err := s.read(ctx, func(r *Rows) error {
		u := find(r)
		if u == nil {
			return records.ErrNotFound
		}
		out = u.copied()
		return nil
	})
	return out, named(err, "%s", what)
}

// Regoal is Reserve with another goal than the unit has.
func (s *Store) Regoal(ctx context.Context, runID string, u records.Unit, goal json.RawMessage, at time.Time) (records.Unit, error) {
	out := records.Unit{}
	err := normalise(&u)
	if err == nil {
		err = s.write(ctx, func(t *txn) (err error) {
			if out, err = t.reserve(runID, u, at); err == nil {
				err = t.regoal(out.ID, goal)
			}
			return err
		})
	}
	if err != nil {
		return records.Unit{}, fmt.Errorf("reserve MAC %s with another goal: %w", u.MAC, err)
	}
	out.Goal = goal
	return out, nil
}

func (t *txn) regoal(id int64, goal json.RawMessage) error {
	if first(t.Burns, func(b *Burn) bool { return b.UnitID == id }) != nil {
		return records.ErrBurnt
	}
	if err := mayBeJSON("goal", goal); err != nil {
		return err
	}
	update(t, t.unit(id)).Goal = keptJSON(goal)
	t.next()
	return nil
}

// Complete marks the unit complete, finishes its run as PASS and drops the working copy
// of its keys.
func (s *Store) Complete(ctx context.Context, c records.Completion, events ...records.Event) error {
	err := s.write(ctx, func(t *txn) error {
		if err := t.complete(c); err != nil {
			return err
		}
		return t.append(events)
	})
	return named(err, "complete unit %d", c.UnitID)
}

func (t *txn) complete(c records.Completion) error {
	if err := given(c.At); err != nil {
		return err
	}
	for _, b := range c.FinalWords {
		if isKeyBlock(b.Block) && b.Words != (records.Words{}) {
			return fmt.Errorf("BLOCK%d: %w", b.Block, records.ErrKeyWords)
		}
	}
	run, err := t.run(c.RunID)
	if err != nil {
		return err
	}
	u, err := t.unitOf(run, c.UnitID)
	if err != nil {
		return err
	}
	for _, k := range t.keysOf(c.UnitID) {
		if !k.Verified() {
			return fmt.Errorf("%s: %w", k.Purpose, records.ErrUnverified)
		}
	}
	u = update(t, u)
	u.State, u.CompletedAt, u.FinalWords = records.StateComplete, kept(c.At), slices.Clone(c.FinalWords)
	t.next()
	if k := t.sealedOf(c.UnitID); k != nil && k.Working != nil {
		k = update(t, k)
		k.Working, k.DestroyedAt = nil, kept(c.At)
		t.next()
	}
	return t.finish(records.Finish{RunID: c.RunID, At: c.At, Verdict: records.Pass, Reason: c.Reason, UnitID: c.UnitID, MAC: u.MAC})
}
