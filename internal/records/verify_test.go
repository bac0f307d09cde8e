package records

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// forge drops every trigger and minds no foreign keys, as somebody with the file
// in hand can.
func forge(t *testing.T, path string) *sql.DB {
	t.Helper()
	db := raw(t, path)
	db.SetMaxOpenConns(1) // a PRAGMA is for one connection
	exec(t, db, "PRAGMA foreign_keys = OFF")
	names, err := list(t.Context(), db, func(scan func(...any) error) (name string, err error) {
		err = scan(&name)
		return name, err
	}, "SELECT name FROM sqlite_schema WHERE type = 'trigger'")
	must(t, err)
	if len(names) == 0 {
		t.Fatal("no triggers to drop")
	}
	for _, name := range names {
		exec(t, db, "DROP TRIGGER "+name)
	}
	return db
}

func TestVerifyFindsTampering(t *testing.T) {
	t.Parallel()
	const last = "(SELECT max(n) FROM ledger)"
	tests := []struct {
		name  string
		forge []string
		table string // that the first bad row is in
		row   int64  // 0: any
	}{
		{"event edited", []string{"UPDATE events SET code = 'E000' WHERE id = 2"}, "events", 2},
		{"two events edited", []string{"UPDATE events SET kind = 'x' WHERE id >= 2"}, "events", 2},
		{"event deleted", []string{"DELETE FROM events WHERE id = 3"}, "events", 3},
		{"events swapped", []string{"UPDATE events SET id = 100 WHERE id = 1", "UPDATE events SET id = 1 WHERE id = 2", "UPDATE events SET id = 2 WHERE id = 100"}, "events", 1},
		{"events swapped by seq", []string{"UPDATE events SET seq = 100 WHERE id = 1", "UPDATE events SET seq = 1 WHERE id = 2", "UPDATE events SET seq = 2 WHERE id = 1"}, "events", 1},
		{"event inserted", []string{"INSERT INTO events SELECT 100, run_id, 100, time, slot, kind, step, code, mac, serial, body FROM events WHERE id = 1"}, "events", 100},
		{"event emptied", []string{"UPDATE events SET body = NULL WHERE id = 1"}, "events", 1},
		{"serial changed", []string{"UPDATE units SET serial = 'SN-X' WHERE id = 1"}, "units", 1},
		{"case of a serial changed", []string{"UPDATE units SET serial = lower(serial) WHERE id = 1"}, "units", 1},
		{"verdict changed", []string{"UPDATE runs SET verdict = 'PASS' WHERE verdict = 'PARK'"}, "runs", 3},
		{"burn forgotten", []string{"DELETE FROM burns WHERE id = 1"}, "burns", 1},
		{"burn said to be good", []string{"UPDATE burns SET words_bits = words_before WHERE block = 0"}, "burns", 3},
		{"firmware renamed", []string{"UPDATE firmware SET version = '2.0'"}, "firmware", 1},
		{"digest changed", []string{"UPDATE regions SET flash_md5 = 'ffffffffffffffffffffffffffffffff' WHERE id = 1"}, "regions", 1},
		{"escrow exchanged", []string{"UPDATE sealed_keys SET escrow = (SELECT escrow FROM sealed_keys WHERE id = 2) WHERE id = 1"}, "sealed_keys", 1},
		{"fingerprint deleted", []string{"DELETE FROM keys WHERE id = 3"}, "keys", 3},
		{"release invented", []string{"INSERT INTO parkings SELECT 100, mac, unit_id, run_id, 'release', code, 'ok', 'lea', at FROM parkings WHERE id = 1"}, "parkings", 100},
		{"badge exchanged", []string{"UPDATE people SET badge = '" + sum("another badge") + "'"}, "people", 1},
		{"person invented", []string{"INSERT INTO people SELECT 100, 'mallory', 'lead', '', pin, state, at, '' FROM people"}, "people", 100},
		{"act put on another", []string{"UPDATE acts SET person = 'bob' WHERE id = 2"}, "acts", 2},
		{"act forgotten", []string{"DELETE FROM acts WHERE id = 3"}, "acts", 3},
		{"facts changed", []string{"UPDATE firmware_facts SET facts = '{}'"}, "firmware_facts", 1},
		{"facts forgotten", []string{"DELETE FROM firmware_facts"}, "firmware_facts", 1},
		{"mismatch forgotten", []string{"DELETE FROM labels WHERE id = 3"}, "labels", 3},
		{"mismatch said to be good", []string{"UPDATE labels SET kind = 'verified' WHERE kind = 'mismatch'"}, "labels", 3},
		{"unit put back", []string{"UPDATE units SET state = 'open', park_code = '', park_reason = '' WHERE state = 'parked'"}, "units", 3},

		{"ledger cut at its end", []string{"DELETE FROM ledger WHERE n = " + last}, "ledger", 0},
		{"event and ledger cut at the end", []string{"DELETE FROM events WHERE id = (SELECT row FROM ledger WHERE tbl = 'events' ORDER BY n DESC LIMIT 1)",
			"DELETE FROM ledger WHERE n >= (SELECT max(n) FROM ledger WHERE tbl = 'events')"}, "ledger", 0},
		{"ledger cut in the middle", []string{"DELETE FROM ledger WHERE n = 7"}, "", 0},
		{"ledger emptied", []string{"DELETE FROM ledger"}, "ledger", 0},
		{"ledger entry edited", []string{"UPDATE ledger SET digest = zeroblob(32) WHERE n = 5"}, "", 0},
		{"ledger entries swapped", []string{"UPDATE ledger SET n = 1000 WHERE n = 5", "UPDATE ledger SET n = 5 WHERE n = 6", "UPDATE ledger SET n = 6 WHERE n = 1000"}, "", 0},
		{"head moved", []string{"UPDATE ledger_head SET n = n - 1"}, "ledger", 0},
		{"head changed", []string{"UPDATE ledger_head SET hash = zeroblob(32)"}, "ledger", 0},
		{"head deleted", []string{"DELETE FROM ledger_head"}, "ledger_head", 0},
	}
	s := openTemp(t)
	history(t, s)
	if _, err := s.Verify(t.Context()); err != nil {
		t.Fatalf("before anything was forged: %v", err)
	}
	db := forge(t, s.Path())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tx, err := db.BeginTx(t.Context(), nil)
			must(t, err)
			defer tx.Rollback() // each forgery starts from the true history
			for _, statement := range test.forge {
				if _, err := tx.ExecContext(t.Context(), statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			_, err = verify(t.Context(), tx, nil)
			var bad *TamperedError
			if !errors.As(err, &bad) || !errors.Is(err, ErrTampered) {
				t.Fatalf("error = %v, want a *TamperedError", err)
			}
			if test.table != "" && bad.Table != test.table || test.row != 0 && bad.Row != test.row {
				t.Errorf("found %v, want %s row %d", bad, test.table, test.row)
			}
		})
	}
	if _, err := s.Verify(t.Context()); err != nil {
		t.Errorf("the forgeries outlive their tests: %v", err)
	}
}

// TestVerifyAgainstAKnownHead: whoever rewrites the end of the history, hashes
// and all, is found by a head noted elsewhere, and by nothing else.
func TestVerifyAgainstAKnownHead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	s := openAt(t, path)
	newExample(1).complete(t, s)
	early, err := s.Head(t.Context())
	must(t, err)
	newExample(2).complete(t, s)
	noted, err := s.Head(t.Context())
	must(t, err)
	newExample(3).complete(t, s)
	if _, err := s.Verify(t.Context(), early, noted, Head{Hash: early.Hash}, Head{Hash: noted.Hash}, Head{}); err != nil {
		t.Fatalf("heads of the true history: %v", err)
	}
	text, err := json.Marshal(noted)
	must(t, err)
	var again Head
	if err := json.Unmarshal(text, &again); err != nil || again != noted {
		t.Errorf("a head noted as %s is read as %v, %v", text, again, err)
	}

	// Cut back to the first unit, then write another history, in good form.
	db := forge(t, path)
	for _, table := range chained {
		exec(t, db, fmt.Sprintf("DELETE FROM %s WHERE id NOT IN (SELECT row FROM ledger WHERE tbl = '%s' AND n <= %d)", table, table, early.N))
	}
	exec(t, db, "DELETE FROM ledger WHERE n > ?", early.N)
	exec(t, db, "UPDATE ledger_head SET n = ?, hash = ?", early.N, early.Hash[:])
	if _, err := s.Verify(t.Context()); err != nil {
		t.Fatalf("the forgery is not in good form: %v", err)
	}
	_, err = s.Verify(t.Context(), noted)
	wantErr(t, err, ErrTampered) // shorter than what was noted
	_, err = s.Verify(t.Context(), Head{Hash: noted.Hash})
	wantErr(t, err, ErrTampered)
	for n := 4; n <= 6; n++ {
		newExample(n).complete(t, s)
	}
	_, err = s.Verify(t.Context(), early, noted)
	wantErr(t, err, ErrTampered) // longer, and not the same
	_, err = s.Verify(t.Context(), Head{Hash: early.Hash}, Head{Hash: noted.Hash})
	wantErr(t, err, ErrTampered)
	if _, err := s.Verify(t.Context(), early); err != nil {
		t.Errorf("up to the first head nothing was changed: %v", err)
	}
}

// TestAppendOnly: SQL with the triggers in place.
func TestAppendOnly(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	history(t, s)
	db := raw(t, s.Path())
	db.SetMaxOpenConns(1)
	exec(t, db, "PRAGMA recursive_triggers = ON")
	refused := []string{
		"UPDATE firmware SET version = '2'", "UPDATE regions SET name = 'x'", "UPDATE parkings SET reason = 'x'",
		"UPDATE events SET kind = 'x'", "UPDATE ledger SET hash = zeroblob(32)", "UPDATE ledger_head SET n = 1",
		"REPLACE INTO events SELECT id, run_id, seq, time, slot, 'x', step, code, mac, serial, body FROM events WHERE id = 1",
		"UPDATE units SET mac = '00:00:00:00:00:00' WHERE id = 1", "UPDATE units SET serial = 'x' WHERE id = 1",
		"UPDATE units SET serial = lower(serial) WHERE id = 1",
		"UPDATE units SET state = 'open' WHERE id = 1", "UPDATE units SET completed_at = NULL WHERE id = 1",
		"UPDATE units SET goal = '{}'", "UPDATE units SET custody = 'discard'",
		"UPDATE runs SET verdict = 'PASS' WHERE id = 3", "UPDATE runs SET operator = 'x' WHERE id = 2",
		"UPDATE keys SET fingerprint = upper(fingerprint)", "UPDATE keys SET verified_at = NULL WHERE verified_at IS NOT NULL",
		"UPDATE sealed_keys SET working = x'00' WHERE id = 1", "UPDATE sealed_keys SET working = x'00' WHERE id = 2",
		"UPDATE sealed_keys SET escrow = NULL", "UPDATE burns SET ok = 0", "UPDATE burns SET step = 'x'",
		"UPDATE people SET state = 'removed'", "UPDATE acts SET person = 'x'", "UPDATE labels SET copy = 1", "UPDATE firmware_facts SET facts = '{}'",
		"REPLACE INTO people SELECT id, name, 'engineer', badge, pin, state, at, by_person FROM people",
	}
	for _, table := range append([]string{"ledger", "ledger_head"}, chained...) {
		refused = append(refused, "DELETE FROM "+table)
	}
	for _, statement := range refused {
		if _, err := db.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("%s is carried out", statement)
		} else if strings.Contains(err.Error(), "syntax") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if _, err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCanonicalIsUnambiguous(t *testing.T) {
	t.Parallel()
	columns := []string{"id", "a", "b"}
	rows := map[Hash]string{}
	for _, values := range [][]any{
		{int64(1), "ab", "c"}, {int64(1), "a", "bc"}, {int64(1), "abc", nil}, {int64(1), nil, "abc"}, {int64(1), "abc", ""},
		{int64(1), []byte("ab"), "c"}, {int64(1), int64(0), nil}, {int64(1), "\x00\x00\x00\x00\x00\x00\x00\x00", nil},
		{int64(2), "ab", "c"},
	} {
		h := canonical("t", columns, values)
		if other, ok := rows[h]; ok {
			t.Errorf("%v and %s have one digest", values, other)
		}
		rows[h] = fmt.Sprint(values)
	}
	if canonical("t", columns, []any{int64(1), "x", nil}) != canonical("t", append(columns, "new"), []any{int64(1), "x", nil, nil}) {
		t.Error("a column added later changes the digest of old rows")
	}
	if canonical("t", columns, []any{int64(1), "x", nil}) == canonical("u", columns, []any{int64(1), "x", nil}) {
		t.Error("rows of two tables have one digest")
	}
}
