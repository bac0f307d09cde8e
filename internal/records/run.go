package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Verdict is how a run ended.
type Verdict string

// The verdicts. FAIL: the unit is bad. ERROR: the station is bad. PARK: a person
// must decide. DONE: the unit was complete already.
const (
	Pass  Verdict = "PASS"
	Fail  Verdict = "FAIL"
	Error Verdict = "ERROR"
	Park  Verdict = "PARK"
	Done  Verdict = "DONE"
)

// Run is one contact with whatever sat in a slot. The fields from MAC on are
// filled in as the run goes; StartRun does not look at them.
type Run struct {
	ID            string    `json:"id"` // given by the caller, unique for ever
	StartedAt     time.Time `json:"started_at"`
	Station       string    `json:"station"`
	Slot          int       `json:"slot"`
	Port          string    `json:"port"`
	ProfileName   string    `json:"profile_name"`
	ProfileSHA256 string    `json:"profile_sha256"` // hex
	Version       string    `json:"version"`        // of this program
	Operator      string    `json:"operator"`

	MAC        string    `json:"mac,omitempty"`     // "" while the chip has not told it
	Serial     string    `json:"serial,omitempty"`  // of the unit that has the MAC today; "" without one
	UnitID     int64     `json:"unit_id,omitempty"` // 0 without a unit
	FinishedAt time.Time `json:"finished_at,omitzero"`
	Verdict    Verdict   `json:"verdict,omitempty"` // "" while running, or cut short
	Code       string    `json:"code,omitempty"`
	Reason     string    `json:"reason,omitempty"`
}

// Finish is the end of a run that does not complete its unit (Complete does that
// and finishes the run as well).
type Finish struct {
	RunID   string
	At      time.Time
	Verdict Verdict
	Code    string // of the fault, "" without one
	Reason  string
	UnitID  int64  // 0: leave what Reserve set
	MAC     string // "": leave what Reserve set
}

// StartRun records that a run began. ErrRunExists when the id was used before.
func (s *Store) StartRun(ctx context.Context, r Run) error {
	at, err := stamp(r.StartedAt)
	if err != nil {
		return fmt.Errorf("start run %s: %w", r.ID, err)
	}
	if r.ID == "" {
		return fmt.Errorf("start run: %w: it has no id", ErrInvalid)
	}
	err = s.write(ctx, func(t *txn) error {
		_, err := t.insert(ctx, "runs", `INSERT INTO runs
			(run, started_at, station, slot, port, profile_name, profile_sha256, version, operator)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.ID, at, r.Station, r.Slot, r.Port, r.ProfileName, r.ProfileSHA256, r.Version, r.Operator)
		if isUnique(err) {
			return ErrRunExists
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("start run %s: %w", r.ID, err)
	}
	return nil
}

// FinishRun records a verdict, once: ErrRunFinished afterwards. PASS is
// ErrInvalid here, since only Complete may say it.
func (s *Store) FinishRun(ctx context.Context, f Finish) error {
	err := s.finishRun(ctx, f)
	if err != nil {
		return fmt.Errorf("finish run %s as %s: %w", f.RunID, f.Verdict, err)
	}
	return nil
}

func (s *Store) finishRun(ctx context.Context, f Finish) error {
	switch f.Verdict {
	case Fail, Error, Park, Done:
	default:
		return fmt.Errorf("%w: verdict %q", ErrInvalid, f.Verdict)
	}
	if f.MAC != "" {
		mac, err := ParseMAC(f.MAC)
		if err != nil {
			return err
		}
		f.MAC = mac
	}
	return s.write(ctx, func(t *txn) error { return t.finish(ctx, f) })
}

// finish sets the verdict of a run that has none.
func (t *txn) finish(ctx context.Context, f Finish) error {
	at, err := stamp(f.At)
	if err != nil {
		return err
	}
	id, err := unfinishedRun(ctx, t, f.RunID)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE runs SET finished_at = ?, verdict = ?, code = ?, reason = ?,
		unit_id = coalesce(?, unit_id), mac = coalesce(?, mac) WHERE id = ?`,
		at, f.Verdict, f.Code, f.Reason, orNull(f.UnitID), orNull(f.MAC), id)
	if err != nil {
		return err
	}
	return t.note(ctx, "runs", id)
}

// runID returns the row of a run, ErrNotFound without one.
func runID(ctx context.Context, q querier, run string) (id int64, finished bool, err error) {
	err = q.QueryRowContext(ctx, "SELECT id, finished_at IS NOT NULL FROM runs WHERE run = ?", run).Scan(&id, &finished)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, fmt.Errorf("run %q: %w", run, ErrNotFound)
	}
	return id, finished, err
}

// unfinishedRun returns the row of a run that may still act.
func unfinishedRun(ctx context.Context, q querier, run string) (int64, error) {
	id, finished, err := runID(ctx, q, run)
	if err == nil && finished {
		err = ErrRunFinished
	}
	return id, err
}

// unitOf is openUnit for a run that is to act on it, with ErrTakenOver beside any other
// error when the run is no longer the last to have reserved the unit. Two stations may
// see one unit, over a line that both can open or when a slow one wakes up: only the
// one that came last goes on.
func unitOf(ctx context.Context, q querier, run, unitID int64) (Unit, error) {
	u, err := openUnit(ctx, q, unitID)
	if errors.Is(err, ErrNotFound) {
		return u, err
	}
	var holder int64
	lost := q.QueryRowContext(ctx, "SELECT coalesce(holder, 0) FROM units WHERE id = ?", unitID).Scan(&holder)
	if lost == nil && holder != run {
		lost = ErrTakenOver
	}
	return u, errors.Join(lost, err)
}

// Holds asks, right before something is done to the unit that no record announces,
// whether the run may still act on it. ErrRunFinished, ErrTakenOver when another run
// has reserved the unit since this one did, and the errors of a unit not open.
func (s *Store) Holds(ctx context.Context, run string, unitID int64) error {
	err := s.read(ctx, func(tx *sql.Tx) error {
		id, err := unfinishedRun(ctx, tx, run)
		if err == nil {
			_, err = unitOf(ctx, tx, id, unitID)
		}
		return err
	})
	return named(err, "act on unit %d", unitID)
}

// RunFilter narrows a history; zero fields do not.
type RunFilter struct {
	Since, Until time.Time // started at or after Since, before Until
	Station      string
	Operator     string
	Verdict      Verdict
	MAC          string // any notation
	UnitID       int64
	Unfinished   bool // only runs without a verdict: running, or cut short
	Limit        int  // 0: no limit
}

// Runs returns the runs that match, the latest first.
func (s *Store) Runs(ctx context.Context, f RunFilter) ([]Run, error) {
	w, err := f.where()
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	query := "SELECT " + runColumns + " FROM runs" + w.text() + " ORDER BY started_at DESC, id DESC LIMIT ?"
	runs, err := list(ctx, s.r, scanRun, query, append(w.args, limitOf(f.Limit))...)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", classify(ctx, err))
	}
	return runs, nil
}

func (f RunFilter) where() (w where, err error) {
	if f.MAC != "" {
		if f.MAC, err = ParseMAC(f.MAC); err != nil {
			return w, err
		}
	}
	w.add(!f.Since.IsZero(), "started_at >= ?", f.Since.UTC().Format(timeLayout))
	w.add(!f.Until.IsZero(), "started_at < ?", f.Until.UTC().Format(timeLayout))
	w.add(f.Station != "", "station = ?", f.Station)
	w.add(f.Operator != "", "operator = ?", f.Operator)
	w.add(f.Verdict != "", "verdict = ?", f.Verdict)
	w.add(f.MAC != "", "mac = ?", f.MAC)
	w.add(f.UnitID != 0, "unit_id = ?", f.UnitID)
	w.add(f.Unfinished, "finished_at IS NULL")
	return w, nil
}

const runColumns = `run, started_at, station, slot, port, profile_name, profile_sha256, version, operator,
	mac, (SELECT units.serial FROM units WHERE units.mac = runs.mac), unit_id, finished_at, verdict, code, reason`

func scanRun(scan func(...any) error) (Run, error) {
	var r Run
	err := scan(&r.ID, timestamp{&r.StartedAt}, &r.Station, &r.Slot, &r.Port, &r.ProfileName, &r.ProfileSHA256,
		&r.Version, &r.Operator, orZero[string]{&r.MAC}, orZero[string]{&r.Serial}, orZero[int64]{&r.UnitID}, timestamp{&r.FinishedAt},
		orZero[Verdict]{&r.Verdict}, &r.Code, &r.Reason)
	return r, err
}

// list returns every row of a query.
func list[T any](ctx context.Context, q querier, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []T{} // in JSON [], never null
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// one returns the only row of a query, ErrNotFound without one.
func one[T any](ctx context.Context, q querier, scan func(func(...any) error) (T, error), query string, args ...any) (T, error) {
	v, err := scan(q.QueryRowContext(ctx, query, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return v, err
}
