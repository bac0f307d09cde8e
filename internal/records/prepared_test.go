package records

import (
	"database/sql"
	"fmt"
	"testing"
)

// onConn runs fn with the connection of a pool that has one.
func onConn(t *testing.T, db *sql.DB, fn func(*conn)) {
	t.Helper()
	c, err := db.Conn(t.Context())
	must(t, err)
	must(t, c.Raw(func(driverConn any) error {
		fn(driverConn.(*conn))
		return nil
	}))
	must(t, c.Close())
}

// TestStatementsAreKept: the second of two equal writes prepares nothing.
func TestStatementsAreKept(t *testing.T) {
	s := openTemp(t)
	e := newExample(1)
	e.start(t, s)
	event := Event{RunID: e.run, Seq: 1, Time: noon, Kind: "step.passed"}
	kept := 0
	for ; event.Seq < 4; event.Seq++ {
		_, err := s.Append(t.Context(), event)
		must(t, err)
		onConn(t, s.w, func(c *conn) {
			if event.Seq > 1 && len(c.kept) != kept {
				t.Errorf("event %d: %d statements are kept, %d before", event.Seq, len(c.kept), kept)
			}
			kept = len(c.kept)
		})
	}
}

// TestStatementInUse: a statement whose rows are being read can be asked for again.
func TestStatementInUse(t *testing.T) {
	s := openTemp(t)
	const text = "SELECT value FROM json_each('[1, 2, 3]')"
	var got []int
	must(t, s.read(t.Context(), func(tx *sql.Tx) error {
		outer, err := tx.Query(text)
		must(t, err)
		defer outer.Close()
		for outer.Next() {
			inner, err := list(t.Context(), tx, scanID, text)
			must(t, err)
			var v int
			must(t, outer.Scan(&v))
			got = append(got, 10*v+len(inner))
		}
		return outer.Err()
	}))
	if fmt.Sprint(got) != "[13 23 33]" {
		t.Errorf("got %v", got)
	}
}

// TestStatementsAreBounded: texts that are all different do not pile up, and every
// one of them is answered.
func TestStatementsAreBounded(t *testing.T) {
	s := openTemp(t)
	for i := range keptStatements + 10 {
		var got int
		must(t, s.w.QueryRowContext(t.Context(), fmt.Sprintf("SELECT %d", i)).Scan(&got))
		if got != i {
			t.Fatalf("SELECT %d gave %d", i, got)
		}
	}
	onConn(t, s.w, func(c *conn) {
		if len(c.kept) != keptStatements {
			t.Errorf("%d statements are kept", len(c.kept))
		}
	})
}

// TestStatementOutlivesSchema: a kept statement follows a change of its table.
func TestStatementOutlivesSchema(t *testing.T) {
	s := openTemp(t)
	columns := func() int {
		rows, err := s.w.QueryContext(t.Context(), "SELECT * FROM probe")
		must(t, err)
		defer rows.Close()
		names, err := rows.Columns()
		must(t, err)
		return len(names)
	}
	before := columns()
	_, err := s.w.ExecContext(t.Context(), "ALTER TABLE probe ADD COLUMN more INTEGER")
	must(t, err)
	if after := columns(); after != before+1 {
		t.Errorf("%d columns, then %d", before, after)
	}
}

// TestInsertMeetsEveryConstraint: a row that refers to nothing is refused, although it
// could already be read back.
func TestInsertMeetsEveryConstraint(t *testing.T) {
	s := openTemp(t)
	before, err := s.Head(t.Context())
	must(t, err)
	err = s.write(t.Context(), func(tx *txn) error {
		_, err := tx.insert(t.Context(), "events", `INSERT INTO events (run_id, seq, time, slot, kind, step, code, mac, serial)
			VALUES (99, 1, ?, 1, 'run.started', '', '', '', '')`, noon.Format(timeLayout))
		return err
	})
	if err == nil {
		t.Error("an event of no run is on record")
	}
	if after, err := s.Head(t.Context()); err != nil || after != before {
		t.Errorf("the ledger is at %v (%v), and was at %v", after, err, before)
	}
}
