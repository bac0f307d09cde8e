package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Restore makes the database at path anew from a backup, which is verified. A file that
// is there already gets the name aside, with its log, and stays as it was; where aside
// is empty, or taken, it keeps its name: fs.ErrExist. ErrBusy while another program has
// it open. What it held beyond the backup is no longer on record: ask Compare before.
//
// At every instant there is a database at path: the old one, or the whole new one.
func Restore(ctx context.Context, backup, path, aside string) (report Report, err error) {
	s, err := OpenReadOnly(ctx, backup)
	if err != nil {
		return Report{}, fmt.Errorf("restore records: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	_, there := os.Lstat(path)
	switch {
	case aside == "", errors.Is(there, fs.ErrNotExist):
		report, err = s.Backup(ctx, path)
	default:
		report, err = s.copyTo(ctx, path, func(temp string) error { return replace(ctx, temp, path, aside) })
	}
	return report, named(classifyFile(err), "restore records to %s", path)
}

// replace gives the file temp the name path, and what has that name now the name aside.
func replace(ctx context.Context, temp, path, aside string) error {
	if err := letGo(ctx, path); err != nil {
		return err
	}
	if err := os.Link(path, aside); err != nil { // fails where the name is taken
		return err
	}
	// The log of a damaged database is still there. It belongs to that one: SQLite would
	// take it for the new one's.
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Rename(temp, path)
}

// letGo proves that no other program has the database at path open (else ErrBusy), and
// brings what is in its log into the file. One that is too damaged for that stays as it
// is: SQLite throws away the log beside a file that is none of its own any more.
func letGo(ctx context.Context, path string) error {
	if ours, err := hasHeader(path); err != nil || !ours {
		return err
	}
	alone := []pragma{{"busy_timeout", "0", int64(0)}, {"locking_mode", "EXCLUSIVE", "exclusive"}}
	db, err := openPool(ctx, 1, path, alone, "mode=rw")
	switch {
	case errors.Is(err, ErrBusy), ctx.Err() != nil:
		return err
	case err != nil:
		return nil // it is damaged, which is why it is replaced
	}
	return classify(ctx, db.Close()) // the last one to close it empties the log
}

// hasHeader reports whether the file at path begins as SQLite's do.
func hasHeader(path string) (bool, error) {
	const magic = "SQLite format 3\x00" // sqlite.org/fileformat.html, "The Database Header"
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(f, head); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return string(head) == magic, nil
}
