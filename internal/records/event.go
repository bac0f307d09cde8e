package records

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Event is one thing that happened in a run.
type Event struct {
	RunID   string          `json:"run"`
	Seq     int             `json:"seq"` // 1, 2, 3 ... within the run, no gaps
	Time    time.Time       `json:"time"`
	Slot    int             `json:"slot"`
	Kind    string          `json:"kind"`
	Step    string          `json:"step,omitempty"`
	Code    string          `json:"code,omitempty"`
	UnitMAC string          `json:"mac,omitempty"` // as the caller writes it
	Serial  string          `json:"serial,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// Append records events in one transaction, all of them or none, and returns the
// ledger's hash after the last, which covers them and all before. ErrSequence unless
// each Seq follows its run's last event. A finished run takes events too: its own end
// is one.
func (s *Store) Append(ctx context.Context, events ...Event) (Hash, error) {
	var hash Hash
	err := s.write(ctx, func(t *txn) error {
		err := t.append(ctx, events)
		hash = t.head.Hash
		return err
	})
	if err != nil {
		return Hash{}, fmt.Errorf("record %d events: %w", len(events), err)
	}
	return hash, nil
}

func (t *txn) append(ctx context.Context, events []Event) error {
	for _, e := range events {
		if err := t.appendOne(ctx, e); err != nil {
			return fmt.Errorf("event %d (%s) of run %s: %w", e.Seq, e.Kind, e.RunID, err)
		}
	}
	return nil
}

func (t *txn) appendOne(ctx context.Context, e Event) error {
	at, err := stamp(e.Time)
	if err != nil {
		return err
	}
	body, err := jsonOrNull("body", e.Body)
	if err != nil {
		return err
	}
	run, last, err := t.lastEvent(ctx, e.RunID)
	if err != nil {
		return err
	}
	if e.Seq != last+1 {
		return fmt.Errorf("%w: the one before is %d", ErrSequence, last)
	}
	_, err = t.insert(ctx, "events", `INSERT INTO events (run_id, seq, time, slot, kind, step, code, mac, serial, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, run, e.Seq, at, e.Slot, e.Kind, e.Step, e.Code, e.UnitMAC, e.Serial, body)
	return err
}

// lastEvent returns the row of a run and the number of its last event, 0 for none.
func (t *txn) lastEvent(ctx context.Context, run string) (id int64, seq int, err error) {
	err = t.QueryRowContext(ctx, `SELECT id, (SELECT coalesce(max(seq), 0) FROM events WHERE run_id = runs.id)
		FROM runs WHERE run = ?`, run).Scan(&id, &seq)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("run %q: %w", run, ErrNotFound)
	}
	return id, seq, err
}

// Events returns a run's events in order.
func (s *Store) Events(ctx context.Context, runID string) ([]Event, error) {
	events, err := list(ctx, s.r, func(scan func(...any) error) (Event, error) {
		var e Event
		err := scan(&e.RunID, &e.Seq, timestamp{&e.Time}, &e.Slot, &e.Kind, &e.Step, &e.Code, &e.UnitMAC, &e.Serial, rawJSON{&e.Body})
		return e, err
	}, `SELECT run, seq, time, events.slot, kind, step, events.code, events.mac, serial, body
		FROM events JOIN runs ON runs.id = run_id WHERE run = ? ORDER BY seq`, runID)
	return events, named(classify(ctx, err), "events of run %s", runID)
}
