package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// readers is how many look-ups of one Store run side by side. None of them waits
// for a writer, and no writer for them.
const readers = 4

// Store is an open database of records. Close it.
type Store struct {
	path     string
	w        *sql.DB // one connection: writers of this process queue up here; nil when read-only
	r        *sql.DB
	readOnly bool
	remains  atomic.Bool // of a destroyed key may be in the log: it could not be emptied
}

// Open opens the database at path for writing, creates it (mode 0600) where it
// is missing, and brings it to this version's schema. Errors: ErrReadOnly,
// ErrFull, ErrBusy, ErrCorrupt, ErrNewer, ErrNotDatabase (also for a database of
// another program), or those of the file system.
func Open(ctx context.Context, path string) (*Store, error) {
	s, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open records %s: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string) (_ *Store, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := create(abs); err != nil {
		return nil, classifyFile(err)
	}
	if err := peek(ctx, abs); err != nil {
		return nil, err
	}
	s := &Store{path: abs}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.w, err = openPool(ctx, 1, abs, writePragmas, "mode=rw"); cannotOpen(err) {
		return nil, fmt.Errorf("%w: its folder must be writable too, for the write-ahead log: %w", ErrReadOnly, err)
	}
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	// SQLite opens a file it may not write as if all were well.
	if err := s.tryWrite(ctx); err != nil {
		return nil, err
	}
	if s.r, err = openPool(ctx, readers, abs, readPragmas, "mode=rw"); err != nil {
		return nil, err
	}
	// A key destroyed just before a crash may have left its bytes in the log. Busy
	// readers are no reason not to open: the next write tries again.
	if err := s.Scrub(ctx); err != nil && !errors.Is(err, ErrNotScrubbed) {
		return nil, err
	}
	return s, nil
}

// create makes an empty database file, readable by its owner alone, unless there
// is a file already, and makes its name durable. SQLite gives -wal and -shm the
// same mode.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// tryWrite writes a row and takes it back, which costs no sync.
func (s *Store) tryWrite(ctx context.Context) error {
	tx, err := s.w.BeginTx(ctx, nil)
	if err != nil {
		return classify(ctx, err)
	}
	_, err = tx.ExecContext(ctx, "UPDATE probe SET count = count + 1")
	return classify(ctx, errors.Join(err, tx.Rollback()))
}

// peek refuses a file that is not ours to write, before a write pragma (the
// journal mode) changes it.
func peek(ctx context.Context, path string) error {
	db, err := openPool(ctx, 1, path, readPragmas, "mode=rw")
	if cannotOpen(err) {
		return nil // the folder is read-only: the writer says so
	}
	if err != nil {
		return err
	}
	steps, err := migrations()
	if err == nil {
		_, err = versionOf(ctx, db, len(steps))
	}
	return errors.Join(classify(ctx, err), db.Close())
}

// OpenReadOnly opens the database at path for look-ups, also where the file or
// its folder may not be written. A missing file is fs.ErrNotExist. Methods that
// write return ErrReadOnly.
func OpenReadOnly(ctx context.Context, path string) (*Store, error) {
	s, err := openReadOnly(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open records %s to read: %w", path, err)
	}
	return s, nil
}

func openReadOnly(ctx context.Context, path string) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := readable(abs); err != nil {
		return nil, err
	}
	db, err := openPool(ctx, readers, abs, readPragmas, "mode=ro")
	if cannotOpen(err) && settled(abs) {
		// A WAL database wants to make its -shm file even to be read. Where the
		// folder forbids that and no log is waiting, the file alone is the truth.
		db, err = openPool(ctx, readers, abs, readPragmas, "mode=ro", "immutable=1")
	}
	if err != nil {
		return nil, err
	}
	s := &Store{path: abs, r: db, readOnly: true}
	if err := checkVersion(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// cannotOpen reports that SQLite may not open or make one of its files, the ones
// beside the database included.
func cannotOpen(err error) bool {
	code, ok := resultCode(err)
	return ok && (code&0xff == sqlite3.SQLITE_CANTOPEN ||
		code == sqlite3.SQLITE_READONLY_DIRECTORY || code == sqlite3.SQLITE_READONLY_CANTINIT)
}

// readable reports a missing or forbidden file in the system's own words.
func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// settled reports whether the database has no log beside it, so that nobody is
// writing and nothing is missing from the file.
func settled(path string) bool {
	info, err := os.Stat(path + "-wal")
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
}

// Path returns the absolute path of the database.
func (s *Store) Path() string { return s.path }

// Close closes the database. The last one to close it empties the log.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.r, s.w} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// write runs fn in one transaction that is on disk when write returns nil, and
// not at all otherwise. The rows fn noted are entered in the ledger. Cancelling ctx
// ends the wait for a turn, not a transaction that has begun. ErrBusy when the turn
// does not come. Where an earlier call could not empty the log, write tries that too.
func (s *Store) write(ctx context.Context, fn func(*txn) error) error {
	return s.inTurn(ctx, func(c *sql.Conn) error {
		err := transact(ctx, c, fn)
		if err == nil && s.remains.Load() {
			_ = s.scrub(ctx, c) // what is written is written; the next one tries again
		}
		return err
	})
}

// inTurn runs act on the connection that writes, when its turn has come.
func (s *Store) inTurn(ctx context.Context, act func(*sql.Conn) error) error {
	if s.readOnly {
		return ErrReadOnly
	}
	c, err := s.turn(ctx)
	if err != nil {
		return classify(ctx, err)
	}
	defer c.Close() // gives it back to the pool, which cannot fail; also when act panics
	return classify(ctx, act(c))
}

// turnLimit bounds the wait for a turn to write. A healthy disk syncs in milliseconds;
// one that hangs is to be named as what it is before whoever waits, inside a burn for a
// minute, would blame something else.
const turnLimit = 15 * time.Second

// turn waits for the connection that writes: the caller gives it back. ErrBusy when the
// write before this one has not ended within turnLimit, or by the deadline of ctx.
func (s *Store) turn(ctx context.Context) (*sql.Conn, error) {
	start := time.Now()
	wait, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	c, err := s.w.Conn(wait)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: no turn to write after %v: %w", ErrBusy, time.Since(start).Round(time.Millisecond), err)
	}
	return c, err
}

// read runs fn on one unchanging view of the database.
func (s *Store) read(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := s.r.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return classify(ctx, err)
	}
	defer tx.Rollback() // nothing was written
	return classify(ctx, fn(tx))
}
