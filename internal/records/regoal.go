package records

import (
	"context"
	"encoding/json"
	"fmt"
)

// ErrBurnt is a change that only a unit without burns may have.
var ErrBurnt = fmt.Errorf("%w: a burn was begun already", ErrInvalid)

// Regoal replaces the goal of a unit that is open and for which no burn was ever
// intended: nothing of the old goal is in the chip yet. Otherwise ErrBurnt, and
// the errors of a unit not open.
func (s *Store) Regoal(ctx context.Context, unitID int64, goal json.RawMessage) error {
	err := s.write(ctx, func(t *txn) error { return t.regoal(ctx, unitID, goal) })
	return named(err, "change the goal of unit %d", unitID)
}

func (t *txn) regoal(ctx context.Context, unitID int64, goal json.RawMessage) error {
	if _, err := openUnit(ctx, t, unitID); err != nil {
		return err
	}
	var burnt bool
	if err := t.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM burns WHERE unit_id = ?)", unitID).Scan(&burnt); err != nil {
		return err
	}
	if burnt {
		return ErrBurnt
	}
	text, err := jsonOrNull("goal", goal)
	if err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, "UPDATE units SET goal = ? WHERE id = ?", text, unitID); err != nil {
		return err
	}
	return t.note(ctx, "units", unitID)
}
