package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"provision/internal/records"
)

var (
	errClosed = errors.New("the records are closed")
	errSchema = errors.New("the schema of the records forbids it") // where SQLite's constraints do
)

// Disk is where records lie whether they are open or not: what a call has committed
// stays, whatever becomes of the run that made it.
type Disk struct {
	mu    sync.Mutex
	rows  Rows
	place int64 // the last that was given
}

// NewDisk returns one with nothing on it.
func NewDisk() *Disk { return new(Disk) }

// Look calls see with everything that is committed. see must not keep or change it,
// nor call the records.
func (d *Disk) Look(see func(*Rows)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	see(&d.rows)
}

// Open opens the records. They may be open several times, as a database may.
func (d *Disk) Open() *Store { return &Store{disk: d} }

// Store is open records. Its methods are those of records.Store by the same names.
type Store struct {
	disk   *Disk
	closed bool
}

// Close closes the records: every call fails from then on.
func (s *Store) Close() error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	s.closed = true
	return nil
}

// txn is a call that writes: all of it is kept, or nothing.
type txn struct {
	*Rows
	disk *Disk
	undo []func() // what takes back what was done, in the order it was done
}

// write runs fn, and takes back what it did when it fails.
func (s *Store) write(ctx context.Context, fn func(*txn) error) error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	t, committed, place := &txn{Rows: &s.disk.rows, disk: s.disk}, false, s.disk.place
	defer func() { // also when fn panics
		if !committed {
			for _, back := range slices.Backward(t.undo) {
				back()
			}
			s.disk.place = place
		}
	}()
	err := fn(t)
	committed = err == nil
	return err
}

// read runs fn on what is committed.
func (s *Store) read(ctx context.Context, fn func(*Rows) error) error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	return fn(&s.disk.rows)
}

func (s *Store) usable(ctx context.Context) error {
	if s.closed {
		return errClosed
	}
	return ctx.Err()
}

// next gives a row its place.
func (t *txn) next() int64 {
	t.disk.place++
	return t.disk.place
}

// insert adds a row to a table.
func insert[R any](t *txn, table *[]R, row R) {
	n := len(*table)
	*table = append(*table, row)
	t.undo = append(t.undo, func() { *table = (*table)[:n] })
}

// update returns a row that is about to be changed.
func update[R any](t *txn, row *R) *R {
	old := *row
	t.undo = append(t.undo, func() { *row = old })
	return row
}

// given refuses a time that somebody forgot to pass in.
func given(at time.Time) error {
	if at.IsZero() {
		return fmt.Errorf("%w: no time given", records.ErrInvalid)
	}
	return nil
}

// room is what there is left on the disk, always.
const room = 1 << 40 // bytes

// Check says that all is well with the records, and when the latest run began.
func (s *Store) Check(ctx context.Context) (records.Health, error) {
	h := records.Health{FreeBytes: room}
	err := s.write(ctx, func(t *txn) error {
		h.Head.N = t.disk.place
		for _, r := range t.Runs {
			if r.StartedAt.After(h.LatestAt) {
				h.LatestAt = r.StartedAt
			}
		}
		return nil
	})
	return h, named(err, "check that the records can be written")
}

// named says what an error is about.
func named(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
