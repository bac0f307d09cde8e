package records

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// MinFreeBytes is the least space Check is content with: a unit's rows take some
// 100 KB, and the write-ahead log grows to 4 MiB before it is copied.
const MinFreeBytes = 16 << 20

// Health is what Check found.
type Health struct {
	FreeBytes uint64    // on the database's volume, for this user
	LatestAt  time.Time // as LatestTime: a clock before it is wrong. Zero: no run yet
	Head      Head
}

// Check proves, before a unit is touched, that a write reaches the disk: it
// writes and syncs a probe row. ErrReadOnly, ErrFull (also with less than
// MinFreeBytes left), ErrBusy, ErrCorrupt.
func (s *Store) Check(ctx context.Context) (Health, error) {
	h, err := s.check(ctx)
	return h, named(err, "check that %s can be written", s.path)
}

func (s *Store) check(ctx context.Context) (h Health, err error) {
	if h.FreeBytes, err = freeBytes(filepath.Dir(s.path)); err != nil {
		return h, fmt.Errorf("read the free space: %w", err)
	}
	if h.FreeBytes < MinFreeBytes {
		return h, fmt.Errorf("%w: %.1f MiB left, %d MiB needed", ErrFull, float64(h.FreeBytes)/(1<<20), MinFreeBytes>>20)
	}
	err = s.write(ctx, func(t *txn) error {
		h.Head = t.head
		if _, err := t.ExecContext(ctx, "UPDATE probe SET count = count + 1"); err != nil {
			return err
		}
		var err error
		h.LatestAt, err = latestTime(ctx, t)
		return err
	})
	return h, err
}
