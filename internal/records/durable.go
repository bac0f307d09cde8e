package records

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotDurable: a commit would be acknowledged, and lost with the power.
var ErrNotDurable = errors.New("records would not outlive a power cut")

// Durable refuses a place where a database may be written and a sync promises
// nothing: memory, a network share (where the write-ahead log does not work either:
// sqlite.org/wal.html, "Overview"), a file system that was mounted without barriers.
// The file at path, and its folder, need not be there yet. What lies below the file
// system cannot be asked: a drive that lies about its cache is believed.
func Durable(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	there, err := existing(path)
	if err != nil {
		return err
	}
	if why := volatile(there); why != "" {
		return fmt.Errorf("%w: %s lies %s", ErrNotDurable, path, why)
	}
	return nil
}

// existing is path, or the nearest folder above it that is there.
func existing(path string) (string, error) {
	for {
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			return real, nil
		}
		above := filepath.Dir(path)
		if _, gone := os.Lstat(path); above == path || !errors.Is(gone, fs.ErrNotExist) {
			return "", err
		}
		path = above
	}
}
