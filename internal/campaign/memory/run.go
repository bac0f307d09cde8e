package memory

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"provision/internal/records"
)

// StartRun records that a run began.
func (s *Store) StartRun(ctx context.Context, r records.Run) error {
	err := given(r.StartedAt)
	if err == nil && r.ID == "" {
		err = fmt.Errorf("%w: it has no id", records.ErrInvalid)
	}
	if err == nil {
		err = s.write(ctx, func(t *txn) error {
			if _, err := t.run(r.ID); err == nil {
				return records.ErrRunExists
			}
			row := &Run{Run: records.Run{
				ID: r.ID, StartedAt: kept(r.StartedAt), Station: r.Station, Slot: r.Slot, Port: r.Port, ProfileName: r.ProfileName,
				ProfileSHA256: r.ProfileSHA256, Version: r.Version, Operator: r.Operator,
			}}
			t.next()
			insert(t, &t.Runs, row)
			return nil
		})
	}
	return named(err, "start run %s", r.ID)
}

// run returns the row of a run, ErrNotFound without one.
func (r *Rows) run(id string) (*Run, error) {
	row := last(r.Runs, func(row *Run) bool { return row.ID == id })
	if row == nil {
		return nil, fmt.Errorf("run %q: %w", id, records.ErrNotFound)
	}
	return row, nil
}

// unfinished returns the row of a run that may still act.
func (r *Rows) unfinished(id string) (*Run, error) {
	row, err := r.run(id)
	if err == nil && !row.FinishedAt.IsZero() {
		err = records.ErrRunFinished
	}
	return row, err
}

// Append records events, all of them or none. Their hash is not kept: it is zero.
func (s *Store) Append(ctx context.Context, events ...records.Event) (records.Hash, error) {
	err := s.write(ctx, func(t *txn) error { return t.append(events) })
	return records.Hash{}, named(err, "record %d events", len(events))
}

func (t *txn) append(events []records.Event) error {
	for _, e := range events {
		if err := t.appendOne(e); err != nil {
			return fmt.Errorf("event %d (%s) of run %s: %w", e.Seq, e.Kind, e.RunID, err)
		}
	}
	return nil
}

func (t *txn) appendOne(e records.Event) error {
	if err := given(e.Time); err != nil {
		return err
	}
	if err := mayBeJSON("body", e.Body); err != nil {
		return err
	}
	run, err := t.run(e.RunID)
	if err != nil {
		return err
	}
	if e.Seq != len(run.events)+1 {
		return fmt.Errorf("%w: the one before is %d", records.ErrSequence, len(run.events))
	}
	if e.Kind == "" {
		return errSchema
	}
	e.Time, e.Body = kept(e.Time), keptJSON(e.Body)
	t.next()
	insert(t, &run.events, e)
	return nil
}

// mayBeJSON refuses what is not JSON; nothing is allowed.
func mayBeJSON(what string, raw json.RawMessage) error {
	if len(raw) > 0 && !json.Valid(raw) {
		return fmt.Errorf("%w: %s is not JSON", records.ErrInvalid, what)
	}
	return nil
}

func keptJSON(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	return slices.Clone(raw)
}

// FinishRun records a verdict other than PASS, once.
func (s *Store) FinishRun(ctx context.Context, f records.Finish) error {
	return named(s.finishRun(ctx, f), "finish run %s as %s", f.RunID, f.Verdict)
}

func (s *Store) finishRun(ctx context.Context, f records.Finish) error {
	switch f.Verdict {
	case records.Fail, records.Error, records.Park, records.Done:
	default:
		return fmt.Errorf("%w: verdict %q", records.ErrInvalid, f.Verdict)
	}
	if f.MAC != "" {
		mac, err := records.ParseMAC(f.MAC)
		if err != nil {
			return err
		}
		f.MAC = mac
	}
	return s.write(ctx, func(t *txn) error { return t.finish(f) })
}

func (t *txn) finish(f records.Finish) error {
	if err := given(f.At); err != nil {
		return err
	}
	run, err := t.unfinished(f.RunID)
	if err != nil {
		return err
	}
	if f.UnitID != 0 && t.unit(f.UnitID) == nil {
		return errSchema
	}
	run = update(t, run)
	run.FinishedAt, run.Verdict, run.Code, run.Reason = kept(f.At), f.Verdict, f.Code, f.Reason
	run.UnitID, run.MAC = cmp.Or(f.UnitID, run.UnitID), cmp.Or(f.MAC, run.MAC)
	t.next()
	return nil
}

// Runs returns the runs that match, the latest first.
func (s *Store) Runs(ctx context.Context, f records.RunFilter) ([]records.Run, error) {
	if f.MAC != "" {
		mac, err := records.ParseMAC(f.MAC)
		if err != nil {
			return nil, named(err, "list runs")
		}
		f.MAC = mac
	}
	var out []records.Run
	err := s.read(ctx, func(r *Rows) error {
		out = []records.Run{}
		for _, row := range r.Runs {
			if matches(row, f) {
				run := row.Run
				if u := first(r.Units, func(u *Unit) bool { return u.MAC == run.MAC }); u != nil {
					run.Serial = u.Serial
				}
				out = append(out, run)
			}
		}
		slices.Reverse(out)
		slices.SortStableFunc(out, func(a, b records.Run) int { return b.StartedAt.Compare(a.StartedAt) })
		if f.Limit > 0 {
			out = out[:min(f.Limit, len(out))]
		}
		return nil
	})
	return out, named(err, "list runs")
}

func matches(r *Run, f records.RunFilter) bool {
	return (f.Since.IsZero() || !r.StartedAt.Before(f.Since)) &&
		(f.Until.IsZero() || r.StartedAt.Before(f.Until)) &&
		(f.Station == "" || r.Station == f.Station) &&
		(f.Operator == "" || r.Operator == f.Operator) &&
		(f.Verdict == "" || r.Verdict == f.Verdict) &&
		(f.MAC == "" || r.MAC == f.MAC) &&
		(f.UnitID == 0 || r.UnitID == f.UnitID) &&
		(!f.Unfinished || r.FinishedAt.IsZero())
}

// Attempts returns how often a MAC was tried in vain since it last passed or was last
// released.
func (s *Store) Attempts(ctx context.Context, mac string) (int, error) {
	mac, err := records.ParseMAC(mac)
	if err != nil {
		return 0, err
	}
	n := 0
	err = s.read(ctx, func(r *Rows) error {
		if u := r.byMAC(mac); u != nil && !u.CompletedAt.IsZero() {
			return nil
		}
		since := r.lastGood(mac)
		for _, run := range r.Runs {
			vain := run.Verdict == records.Fail || run.Verdict == records.Error || run.Verdict == records.Park
			if run.MAC == mac && vain && !ofTheStation(run.Code) && run.FinishedAt.After(since) {
				n++
			}
		}
		return nil
	})
	return n, named(err, "count the attempts of MAC %s", mac)
}

// lastGood is when a MAC last passed or was last released; zero: never.
func (r *Rows) lastGood(mac string) (at time.Time) {
	for _, p := range r.Parkings {
		if p.MAC == mac && p.Action == "release" && p.At.After(at) {
			at = p.At
		}
	}
	for _, run := range r.Runs {
		if run.MAC == mac && run.Verdict == records.Pass && run.FinishedAt.After(at) {
			at = run.FinishedAt
		}
	}
	return at
}

// ofTheStation reports whether a code says nothing of the unit: E5xx, E6xx, E8xx, E9xx,
// and that it was taken out.
func ofTheStation(code string) bool {
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	return code == "E109" || len(code) == 4 && code[0] == 'E' && strings.IndexByte("5689", code[1]) >= 0 && digit(code[2]) && digit(code[3])
}

// unitOf is openUnit for a run that is to act on it, with ErrTakenOver beside any other
// error when the run is no longer the last to have reserved the unit.
func (r *Rows) unitOf(run *Run, id int64) (*Unit, error) {
	u, err := r.openUnit(id)
	if errors.Is(err, records.ErrNotFound) {
		return nil, err
	}
	var lost error
	if r.unit(id).holder != run.ID {
		lost = records.ErrTakenOver
	}
	return u, errors.Join(lost, err)
}

// Holds asks whether the run may still act on the unit.
func (s *Store) Holds(ctx context.Context, run string, unitID int64) error {
	err := s.read(ctx, func(r *Rows) error {
		row, err := r.unfinished(run)
		if err == nil {
			_, err = r.unitOf(row, unitID)
		}
		return err
	})
	return named(err, "act on unit %d", unitID)
}
