package records

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Backup copies the records, as they are at this moment, into a new database at
// path: written beside, verified (Report is of the copy), synced, then given its
// name. A file that is there already stays as it is: fs.ErrExist. Others may go
// on writing meanwhile.
//
// The copy holds the working keys of units that are unfinished now, sealed. It
// keeps them after the original destroys them: guard it like the original.
func (s *Store) Backup(ctx context.Context, path string) (Report, error) {
	report, err := s.copyTo(ctx, path, func(temp string) error { return giveName(temp, path) })
	return report, named(classifyFile(err), "back up records to %s", path)
}

// copyTo makes a copy in the folder of path, verified and on the disk, which give puts
// in its place.
func (s *Store) copyTo(ctx context.Context, path string, give func(temp string) error) (report Report, err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".backup-*.tmp") // mode 0600; VACUUM INTO takes an empty file
	if err != nil {
		return Report{}, err
	}
	temp := f.Name()
	defer func() {
		// Opening the copy to verify it may leave SQLite's side files.
		for _, name := range []string{temp + "-wal", temp + "-shm"} {
			_ = os.Remove(name) // usually there is none
		}
		if gone := os.Remove(temp); !errors.Is(gone, fs.ErrNotExist) { // give may have moved it
			err = errors.Join(err, gone)
		}
	}()
	if err := f.Close(); err != nil {
		return Report{}, err
	}
	if err := s.copyInto(ctx, temp); err != nil {
		return Report{}, err
	}
	if report, err = verifyFile(ctx, temp); err != nil {
		return Report{}, fmt.Errorf("the copy is not good: %w", err)
	}
	if err := syncFile(temp); err != nil {
		return Report{}, err
	}
	if err := give(temp); err != nil {
		return Report{}, err
	}
	return report, syncDir(dir)
}

// copyInto writes one unchanging view of the database into an empty file.
func (s *Store) copyInto(ctx context.Context, path string) (err error) {
	// On a connection of its own: those for look-ups may not even write elsewhere.
	pragmas := []pragma{busyTimeout}
	db, err := openPool(ctx, 1, s.path, pragmas, "mode=ro")
	if cannotOpen(err) && settled(s.path) {
		db, err = openPool(ctx, 1, s.path, pragmas, "mode=ro", "immutable=1")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", path)
	return classify(ctx, err)
}

func verifyFile(ctx context.Context, path string) (report Report, err error) {
	s, err := OpenReadOnly(ctx, path)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Verify(ctx)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
