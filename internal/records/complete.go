package records

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
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
// It waits for nobody who reads: a backup may take minutes, and other units are waiting
// to be recorded.
//
// ErrUnverified while a key was never compared, ErrKeyWords when a key block
// still reads as anything but zeros, ErrComplete the second time, ErrTakenOver when
// another run has reserved the unit since. With ErrBusy nothing is written, unless it
// is ErrNotScrubbed as well. With ErrNotScrubbed, and only then, the unit is complete
// and on disk all the same: somebody was reading, and the log could not be emptied. The
// next write of any kind tries again, as Close and Open do.
func (s *Store) Complete(ctx context.Context, c Completion, events ...Event) error {
	err := s.inTurn(ctx, func(conn *sql.Conn) error {
		err := transact(ctx, conn, func(t *txn) error {
			if err := t.complete(ctx, c); err != nil {
				return err
			}
			return t.append(ctx, events)
		})
		if err != nil {
			return err
		}
		return s.scrub(ctx, conn)
	})
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
// is a look-up under way, for whose end it does not wait.
func (s *Store) Scrub(ctx context.Context) error {
	if s.readOnly {
		return ErrReadOnly
	}
	err := s.inTurn(ctx, func(c *sql.Conn) error { return s.scrub(ctx, c) })
	if err != nil && !errors.Is(err, ErrNotScrubbed) { // its turn did not come
		err = fmt.Errorf("%w: %w", ErrNotScrubbed, err)
	}
	return err
}

// scrub is Scrub on the connection that writes. What could not be emptied is
// remembered, for the next write.
//
// SQLite would wait for readers inside the checkpoint, with its lock on all writers
// held: so the time it may wait is none for as long as this takes.
func (s *Store) scrub(ctx context.Context, c *sql.Conn) error {
	ctx = context.WithoutCancel(ctx)
	s.remains.Store(true)
	busy, err := emptyLog(ctx, c)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotScrubbed, classify(ctx, err))
	case busy:
		return fmt.Errorf("%w: %w", ErrNotScrubbed, ErrBusy)
	}
	s.remains.Store(false)
	return nil
}

func emptyLog(ctx context.Context, c *sql.Conn) (busy bool, err error) {
	if err := set(ctx, c, pragma{"busy_timeout", "0", int64(0)}); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, set(ctx, c, busyTimeout)) }()
	var inLog, copied int
	err = c.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &inLog, &copied)
	return busy, err
}
