package records

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// TamperedError names the first row, in the order of the ledger, that is not as
// it was written. It is ErrTampered.
type TamperedError struct {
	Table string `json:"table"`
	Row   int64  `json:"row"`
	Entry int64  `json:"entry"` // of the ledger; 0 for a row the ledger does not know
	What  string `json:"what"`
}

func (e *TamperedError) Error() string {
	return fmt.Sprintf("%s row %d (ledger entry %d): %s", e.Table, e.Row, e.Entry, e.What)
}

// Is reports whether target is ErrTampered.
func (e *TamperedError) Is(target error) bool { return target == ErrTampered }

// Report is what Verify read.
type Report struct {
	Head Head             `json:"head"`
	Rows map[string]int64 `json:"rows"` // by table
}

// Verify reads the whole database and finds any edit, cut, insertion or
// reordering since the rows were written: a *TamperedError names the first. A
// damaged file is ErrCorrupt. known are heads noted elsewhere, N 0 where only the
// hash was noted; without one, a history rewritten from some point to its end, hashes
// and all, cannot be told from a real one.
func (s *Store) Verify(ctx context.Context, known ...Head) (Report, error) {
	var report Report
	err := s.read(ctx, func(tx *sql.Tx) (err error) {
		if err := integrity(ctx, tx); err != nil {
			return err
		}
		report, err = verify(ctx, tx, known)
		return err
	})
	return report, named(err, "verify records")
}

// integrity lets SQLite check its pages, indexes and constraints.
func integrity(ctx context.Context, q querier) error {
	var found string
	if err := q.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", ErrCorrupt, found)
	}
	return nil
}

func verify(ctx context.Context, q querier, known []Head) (Report, error) {
	head, err := verifyChain(ctx, q, known)
	if err != nil {
		return Report{}, err
	}
	report := Report{Head: head, Rows: map[string]int64{}}
	var first *TamperedError
	for _, table := range chained {
		n, err := verifyTable(ctx, q, table)
		var bad *TamperedError
		if errors.As(err, &bad) {
			if first == nil || bad.before(first) {
				first = bad
			}
		} else if err != nil {
			return Report{}, fmt.Errorf("table %s: %w", table, err)
		}
		report.Rows[table] = n
	}
	if first != nil {
		return report, first
	}
	return report, nil
}

// before orders findings by ledger entry; rows without one come last.
func (e *TamperedError) before(other *TamperedError) bool {
	return e.Entry != 0 && (other.Entry == 0 || e.Entry < other.Entry)
}

// verifyChain walks the ledger from entry 1 to its head.
func verifyChain(ctx context.Context, q querier, known []Head) (Head, error) {
	end, err := readHead(ctx, q)
	if err != nil {
		return Head{}, err
	}
	rows, err := q.QueryContext(ctx, "SELECT n, tbl, row, digest, hash FROM ledger ORDER BY n")
	if err != nil {
		return Head{}, err
	}
	defer rows.Close()
	at := Head{}
	noted := map[Hash]bool{} // hashes that were noted without their entry, until one has them
	for _, k := range known {
		if k.N == 0 && k.Hash != (Hash{}) {
			noted[k.Hash] = true
		}
	}
	for rows.Next() {
		if at, err = nextEntry(rows, at); err != nil {
			return Head{}, err
		}
		delete(noted, at.Hash)
		for _, k := range known {
			if k.N == at.N && k.Hash != at.Hash {
				return Head{}, &TamperedError{Table: "ledger", Row: k.N, Entry: k.N, What: "is not the history whose hash was noted elsewhere"}
			}
		}
	}
	if err := rows.Err(); err != nil {
		return Head{}, err
	}
	if at != end {
		return Head{}, &TamperedError{Table: "ledger", Row: at.N, Entry: at.N,
			What: fmt.Sprintf("the ledger ends here, its head is at entry %d", end.N)}
	}
	for _, k := range known {
		if k.N > at.N {
			return Head{}, &TamperedError{Table: "ledger", Row: at.N, Entry: at.N,
				What: fmt.Sprintf("the ledger ends here, entry %d was noted elsewhere", k.N)}
		}
	}
	for hash := range noted {
		return Head{}, &TamperedError{Table: "ledger", Row: at.N, Entry: at.N, What: fmt.Sprintf("no entry up to here has the head that was noted elsewhere, %v", hash)}
	}
	return at, nil
}

// nextEntry checks that the present row of the ledger follows prev.
func nextEntry(rows *sql.Rows, prev Head) (Head, error) {
	var n, row int64
	var table string
	var digest, hash []byte
	if err := rows.Scan(&n, &table, &row, &digest, &hash); err != nil {
		return Head{}, err
	}
	bad := &TamperedError{Table: table, Row: row, Entry: n}
	if n != prev.N+1 {
		bad.What = fmt.Sprintf("ledger entries %d to %d are gone", prev.N+1, n-1)
		return Head{}, bad
	}
	next := Head{n, link(prev.Hash, table, row, Hash(digest))}
	if !bytes.Equal(next.Hash[:], hash) {
		bad.What = "the ledger entry does not follow from the one before"
		return Head{}, bad
	}
	return next, nil
}

// verifyTable compares every row of a table with its last entry in the ledger,
// and every entry with its row. It returns how many rows there are.
func verifyTable(ctx context.Context, q querier, table string) (int64, error) {
	gone := TamperedError{Table: table, What: "the row was deleted"}
	err := q.QueryRowContext(ctx, "SELECT row, n FROM ledger WHERE tbl = ? AND NOT EXISTS (SELECT 1 FROM "+table+
		" WHERE id = ledger.row) ORDER BY n LIMIT 1", table).Scan(&gone.Row, &gone.Entry)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	n, changed, err := changedRow(ctx, q, table)
	switch {
	case err != nil:
		return n, err
	case gone.Entry != 0 && (changed == nil || gone.before(changed)):
		return n, &gone
	case changed != nil:
		return n, changed
	}
	return n, nil
}

// changedRow returns the row whose content is not what the ledger last saw, the
// one with the earliest entry if there are several, and how many rows it read.
func changedRow(ctx context.Context, q querier, table string) (n int64, first *TamperedError, err error) {
	rows, err := q.QueryContext(ctx, `SELECT last.n, last.digest, `+table+`.* FROM `+table+` LEFT JOIN ledger AS last
		ON last.n = (SELECT max(n) FROM ledger WHERE tbl = ? AND row = `+table+`.id) ORDER BY `+table+`.id`, table)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, nil, err
	}
	for ; rows.Next(); n++ {
		values, err := scanAny(rows, len(columns))
		if err != nil {
			return n, nil, err
		}
		if bad := compareRow(table, columns, values); bad != nil && (first == nil || bad.before(first)) {
			first = bad
		}
	}
	return n, first, rows.Err()
}

// compareRow checks one row of changedRow's query: entry, digest, then the
// table's own columns, id first.
func compareRow(table string, columns []string, values []any) *TamperedError {
	id, _ := values[2].(int64)
	entry, known := values[0].(int64)
	if !known {
		return &TamperedError{Table: table, Row: id, What: "the row was inserted behind the ledger"}
	}
	digest, _ := values[1].([]byte)
	if got := canonical(table, columns[2:], values[2:]); !bytes.Equal(got[:], digest) {
		return &TamperedError{Table: table, Row: id, Entry: entry, What: "the row was changed"}
	}
	return nil
}
