package records

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// ErrBurnt is a change that only a unit without burns may have.
var ErrBurnt = fmt.Errorf("%w: a burn was begun already", ErrInvalid)

// Regoal is Reserve with another goal than the unit has, u.Goal: all of it or nothing,
// so that the run that worked towards the old goal never goes on beside the new one, and
// no run that is refused has taken the unit from another. ErrBurnt when a burn was
// intended for the unit: something of the old goal is in the chip. Other errors are
// those of Reserve.
func (s *Store) Regoal(ctx context.Context, runID string, u Unit, goal json.RawMessage, at time.Time) (Unit, error) {
	out := Unit{}
	err := u.check()
	if err == nil {
		err = s.write(ctx, func(t *txn) (err error) {
			if out, err = t.reserve(ctx, runID, u, at); err == nil {
				err = t.regoal(ctx, out.ID, goal)
			}
			return err
		})
	}
	if err != nil {
		return Unit{}, fmt.Errorf("reserve MAC %s with another goal: %w", u.MAC, err)
	}
	out.Goal = goal
	return out, nil
}

func (t *txn) regoal(ctx context.Context, unitID int64, goal json.RawMessage) error {
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
