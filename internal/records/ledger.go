package records

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// chained are the tables whose every row, each time it is written, gets an entry
// in the ledger, in the order Verify reads them.
var chained = []string{"units", "runs", "keys", "sealed_keys", "burns", "firmware", "regions", "parkings", "events",
	"people", "acts", "labels", "firmware_facts"}

// Hash is a SHA-256 of the ledger. It prints as hex.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText returns h as 64 hex digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 64 hex digits.
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(h) {
		return fmt.Errorf("%q is not a SHA-256 in hex", text)
	}
	copy(h[:], b)
	return nil
}

// Head is the end of the ledger: after entry N the chain's hash is Hash. A head
// noted elsewhere (a label, a report, another machine) proves later that
// everything up to it is still as it was.
type Head struct {
	N    int64 `json:"n"`
	Hash Hash  `json:"hash"`
}

func (t *txn) loadHead(ctx context.Context) error {
	head, err := readHead(ctx, t)
	t.head = head
	return err
}

func readHead(ctx context.Context, q querier) (Head, error) {
	var head Head
	var hash []byte
	err := q.QueryRowContext(ctx, "SELECT n, hash FROM ledger_head").Scan(&head.N, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Head{}, &TamperedError{Table: "ledger_head", What: "the head of the ledger is gone"}
	}
	if err != nil {
		return Head{}, fmt.Errorf("read the head of the ledger: %w", err)
	}
	copy(head.Hash[:], hash)
	return head, nil
}

func (t *txn) saveHead(ctx context.Context) error {
	if !t.moved {
		return nil
	}
	if _, err := t.ExecContext(ctx, "UPDATE ledger_head SET n = ?, hash = ?", t.head.N, t.head.Hash[:]); err != nil {
		return fmt.Errorf("move the head of the ledger: %w", err)
	}
	return nil
}

// insert carries out an INSERT of one row, enters the row in the ledger as it is
// stored, and returns its id.
func (t *txn) insert(ctx context.Context, table, text string, args ...any) (id int64, err error) {
	id, digest, err := t.digest(ctx, table, text+" RETURNING *", args...)
	if err != nil {
		return 0, err
	}
	return id, t.enter(ctx, table, id, digest)
}

// note enters the row as it now is in the ledger.
func (t *txn) note(ctx context.Context, table string, row int64) error {
	_, digest, err := t.digest(ctx, table, "SELECT * FROM "+table+" WHERE id = ?", row)
	if err != nil {
		return fmt.Errorf("digest %s row %d: %w", table, row, err)
	}
	return t.enter(ctx, table, row, digest)
}

// enter makes the next entry of the ledger.
func (t *txn) enter(ctx context.Context, table string, row int64, digest Hash) error {
	if !slices.Contains(chained, table) {
		return fmt.Errorf("table %s is not in the ledger", table)
	}
	next := Head{t.head.N + 1, link(t.head.Hash, table, row, digest)}
	_, err := t.ExecContext(ctx, "INSERT INTO ledger (n, tbl, row, digest, hash) VALUES (?, ?, ?, ?, ?)",
		next.N, table, row, digest[:], next.Hash[:])
	if err != nil {
		return fmt.Errorf("enter %s row %d in the ledger: %w", table, row, err)
	}
	t.head, t.moved = next, true
	return nil
}

// digest returns the id and the digest of the one row that a statement gives, all
// columns of the table in their order.
func (t *txn) digest(ctx context.Context, table, text string, args ...any) (id int64, digest Hash, err error) {
	rows, err := t.QueryContext(ctx, text, args...)
	if err != nil {
		return 0, Hash{}, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, Hash{}, err
	}
	if !rows.Next() {
		return 0, Hash{}, cmp.Or(rows.Err(), ErrNotFound)
	}
	values, err := scanAny(rows, len(columns))
	if err != nil {
		return 0, Hash{}, err
	}
	if rows.Next() { // to the end: only there a statement has met all constraints
		return 0, Hash{}, fmt.Errorf("%w: more than one row", ErrInvalid)
	}
	id, _ = values[0].(int64)
	return id, canonical(table, columns, values), rows.Err()
}

// scanAny reads n columns of the present row as SQLite has them: nil, int64,
// float64, string or []byte.
func scanAny(rows *sql.Rows, n int) ([]any, error) {
	values, into := make([]any, n), make([]any, n)
	for i := range values {
		into[i] = &values[i]
	}
	return values, rows.Scan(into...)
}

// canonical returns the SHA-256 of a row: the table's name, then name, type and
// value of each column that is not NULL, each with its length in front (8 bytes,
// big-endian), so that no two rows give the same bytes.
func canonical(table string, columns []string, values []any) Hash {
	b := part(nil, 'T', table)
	for i, v := range values {
		if v == nil {
			continue
		}
		b = part(b, 'C', columns[i])
		switch v := v.(type) {
		case int64:
			b = part(b, 'I', string(binary.BigEndian.AppendUint64(nil, uint64(v))))
		case string:
			b = part(b, 'S', v)
		case []byte:
			b = part(b, 'B', string(v))
		default: // the STRICT tables have no other type
			b = part(b, '?', fmt.Sprint(v))
		}
	}
	return sha256.Sum256(b)
}

func part(b []byte, tag byte, text string) []byte {
	b = append(b, tag)
	b = binary.BigEndian.AppendUint64(b, uint64(len(text)))
	return append(b, text...)
}

// link returns the hash of the entry that follows prev.
func link(prev Hash, table string, row int64, digest Hash) Hash {
	b := part(nil, 'P', string(prev[:]))
	b = part(b, 'T', table)
	b = part(b, 'I', string(binary.BigEndian.AppendUint64(nil, uint64(row))))
	b = part(b, 'D', string(digest[:]))
	return sha256.Sum256(b)
}

// Head returns the present end of the ledger.
func (s *Store) Head(ctx context.Context) (Head, error) {
	head, err := readHead(ctx, s.r)
	return head, classify(ctx, err)
}
