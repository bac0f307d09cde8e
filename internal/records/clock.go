package records

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// actClock is the kind of act by which a person stands for the clock. It belongs to all
// stations of these records, and so to none; its subject is the latest run of then.
const actClock = "clock"

// AcceptClock puts on record that a person stands for the time at, which the clock says
// now: runs that were recorded before, one of them with the clock ahead, are no longer
// what Check compares it with. ErrNotFound where there is no run.
func (s *Store) AcceptClock(ctx context.Context, at time.Time, person, reason string) error {
	return named(s.write(ctx, func(t *txn) error {
		a := Act{At: at, Person: person, Kind: actClock, Reason: reason}
		err := t.QueryRowContext(ctx, "SELECT run FROM runs ORDER BY id DESC LIMIT 1").Scan(&a.Subject)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		return t.saveAct(ctx, a)
	}), "accept the clock")
}

// LatestTime is what a clock must not be behind: the start of the latest run, of those
// that were recorded since a person last stood for the clock, or the time of then. Zero:
// there is no run.
func (s *Store) LatestTime(ctx context.Context) (time.Time, error) {
	at, err := latestTime(ctx, s.r)
	return at, named(classify(ctx, err), "find the latest time")
}

// latestTime goes down the index of times, so "+id" keeps SQLite from going through all
// runs by their ids: only those that were ahead are passed over.
func latestTime(ctx context.Context, q querier) (at time.Time, err error) {
	err = q.QueryRowContext(ctx, `WITH told AS (
			SELECT r.id, a.at FROM acts AS a JOIN runs AS r ON r.run = a.subject
			WHERE a.station = '' AND a.kind = ? ORDER BY a.id DESC LIMIT 1)
		SELECT max(t) FROM (SELECT at AS t FROM told UNION ALL SELECT * FROM (
			SELECT started_at FROM runs WHERE +id > coalesce((SELECT id FROM told), 0)
			ORDER BY started_at DESC LIMIT 1))`, actClock).Scan(timestamp{&at})
	return at, err
}
