package records

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Completion is the end of a unit that passed.
type Completion struct {
	UnitID     int64
	RunID      string
	At         time.Time
	FinalWords []BlockWords // as last read; the key blocks read as zeros by now
	Reason     string       // a remark, usually ""
}

// Complete marks the unit complete, finishes its run as PASS and destroys the
// working copy of its keys, in one transaction, then empties the write-ahead log
// so that the destroyed bytes are in no file of the database any more. (A file
// system or flash drive may keep old blocks of its own; the copy there is sealed.)
//
// ErrUnverified while a key was never compared, ErrKeyWords when a key block
// still reads as anything but zeros, ErrComplete the second time, ErrTakenOver when
// another run has reserved the unit since. With
// ErrNotScrubbed, and only then, the unit is complete and on disk all the same:
// the log could not be emptied. Scrub again later; Complete of the next unit,
// Close and Open do so too.
func (s *Store) Complete(ctx context.Context, c Completion, events ...Event) error {
	err := s.write(ctx, func(t *txn) error {
		if err := t.complete(ctx, c); err != nil {
			return err
		}
		return t.append(ctx, events)
	})
	if err == nil {
		err = s.Scrub(ctx)
	}
	return named(err, "complete unit %d", c.UnitID)
}

func (t *txn) complete(ctx context.Context, c Completion) error {
	at, err := stamp(c.At)
	if err != nil {
		return err
	}
	words, err := encodeFinal(c.FinalWords)
	if err != nil {
		return err
	}
	run, _, err := runID(ctx, t, c.RunID)
	if err != nil {
		return err
	}
	u, err := unitOf(ctx, t, run, c.UnitID)
	if err != nil {
		return err
	}
	keys, err := keysOf(ctx, t, c.UnitID)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if !k.Verified() {
			return fmt.Errorf("%s: %w", k.Purpose, ErrUnverified)
		}
	}
	if _, err := t.ExecContext(ctx, "UPDATE units SET state = 'complete', completed_at = ?, final_words = ? WHERE id = ?",
		at, words, c.UnitID); err != nil {
		return err
	}
	if err := t.note(ctx, "units", c.UnitID); err != nil {
		return err
	}
	if err := t.destroyWorking(ctx, c.UnitID, at); err != nil {
		return err
	}
	return t.finish(ctx, Finish{RunID: c.RunID, At: c.At, Verdict: Pass, Reason: c.Reason, UnitID: c.UnitID, MAC: u.MAC})
}

// encodeFinal returns the words as stored. A key block that can still be read is
// refused: its words are the key, and the unit is not secured.
func encodeFinal(blocks []BlockWords) (any, error) {
	for _, b := range blocks {
		if isKeyBlock(b.Block) && b.Words != (Words{}) {
			return nil, fmt.Errorf("BLOCK%d: %w", b.Block, ErrKeyWords)
		}
	}
	if len(blocks) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(blocks)
	return string(raw), err
}

// destroyWorking drops the station's copy of a unit's keys, if it has any.
func (t *txn) destroyWorking(ctx context.Context, unitID int64, at string) error {
	res, err := t.ExecContext(ctx, "UPDATE sealed_keys SET working = NULL, destroyed_at = ? WHERE id = ? AND working IS NOT NULL", at, unitID)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return t.note(ctx, "sealed_keys", unitID)
}

// Scrub copies the write-ahead log into the database and empties it. The pages
// that a destroyed key was on are zeros in the database (secure_delete), but the
// log keeps older pages until then. Every failure is ErrNotScrubbed; the usual one
// is a look-up under way.
func (s *Store) Scrub(ctx context.Context) error {
	if s.readOnly {
		return ErrReadOnly
	}
	c, err := s.turn(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotScrubbed, classify(ctx, err))
	}
	defer c.Close() // gives it back to the pool, which cannot fail
	var busy, inLog, copied int
	err = c.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &inLog, &copied)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotScrubbed, classify(ctx, err))
	}
	if busy != 0 {
		return fmt.Errorf("%w: %w", ErrNotScrubbed, ErrBusy)
	}
	return nil
}
