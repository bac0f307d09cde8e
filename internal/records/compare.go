package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Beyond is what one database holds and another does not.
type Beyond struct {
	Common  int64    `json:"common"`  // entries of the ledger that both have, from the first on
	Entries int64    `json:"entries"` // that only this one has, after those
	Runs    int64    `json:"runs"`    // begun, or gone on with, in those entries
	Units   []string `json:"units"`   // serial number, else MAC: begun or changed in those entries
}

// Compare says what the database at path holds beyond a backup, which is sound: further
// entries of the same history, or those of another one. A database that is damaged or
// was tampered with is told as far as it can be read, with its error (ErrCorrupt,
// ErrNotDatabase, ErrTampered).
func Compare(ctx context.Context, path, backup string) (Beyond, error) {
	beyond, err := compare(ctx, path, backup)
	return beyond, named(err, "compare %s with %s", path, backup)
}

func compare(ctx context.Context, path, backup string) (_ Beyond, err error) {
	other, err := OpenReadOnly(ctx, backup)
	if err != nil {
		return Beyond{}, err
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	s, err := OpenReadOnly(ctx, path)
	if err != nil {
		return Beyond{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	_, bad := s.Verify(ctx)
	if bad != nil && !errors.Is(bad, ErrCorrupt) && !errors.Is(bad, ErrTampered) {
		return Beyond{}, bad
	}
	var beyond Beyond
	err = s.read(ctx, func(tx *sql.Tx) (err error) {
		beyond, err = beyondOf(ctx, tx, other.r)
		return err
	})
	if bad != nil {
		return beyond, bad
	}
	return beyond, err
}

// beyondOf is what q holds beyond other.
func beyondOf(ctx context.Context, q, other querier) (b Beyond, err error) {
	mine, err := readHead(ctx, q)
	if err != nil {
		return b, err
	}
	its, err := readHead(ctx, other)
	if err != nil {
		return b, err
	}
	if b.Common, err = lastCommon(ctx, q, other, min(mine.N, its.N)); err != nil {
		return b, err
	}
	b.Entries = mine.N - b.Common
	if err := q.QueryRowContext(ctx, "SELECT count(DISTINCT row) FROM ledger WHERE tbl = 'runs' AND n > ?", b.Common).Scan(&b.Runs); err != nil {
		return b, fmt.Errorf("count runs: %w", err)
	}
	b.Units, err = list(ctx, q, func(scan func(...any) error) (name string, err error) {
		err = scan(&name)
		return name, err
	}, `SELECT coalesce(nullif(serial, ''), mac) FROM units WHERE id IN
		(SELECT row FROM ledger WHERE tbl = 'units' AND n > ?) ORDER BY id`, b.Common)
	return b, err
}

// lastCommon is the last entry, up to most, at which the chains of both ledgers are the
// same: then they are the same before it too, and different after it.
func lastCommon(ctx context.Context, a, b querier, most int64) (int64, error) {
	low, high := int64(0), most
	for low < high {
		n := high - (high-low)/2
		same, err := sameAt(ctx, a, b, n)
		if err != nil {
			return 0, err
		}
		if same {
			low = n
		} else {
			high = n - 1
		}
	}
	return low, nil
}

func sameAt(ctx context.Context, a, b querier, n int64) (bool, error) {
	var hashes [2]string
	for i, q := range []querier{a, b} {
		var hash []byte
		if err := q.QueryRowContext(ctx, "SELECT hash FROM ledger WHERE n = ?", n).Scan(&hash); err != nil {
			return false, fmt.Errorf("read entry %d of the ledger: %w", n, err)
		}
		hashes[i] = string(hash)
	}
	return hashes[0] == hashes[1], nil
}
