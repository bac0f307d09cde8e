package records

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotDurable: a commit would be acknowledged, and lost with the power.
var ErrNotDurable = errors.New("it would not outlive a power cut")

// Durable refuses a place where a database may be written and a sync promises
// nothing: memory, also under an overlay, a share of another machine (where the
// write-ahead log does not work either: sqlite.org/wal.html, "Overview"), a file system
// that was mounted without barriers. The file at path, and its folder, need not be there
// yet. What lies below the file system cannot be asked: a drive that lies about its cache
// is believed.
func Durable(path string) error {
	path, there, err := whereabouts(path)
	if err != nil {
		return err
	}
	if why := volatile(there); why != "" {
		return fmt.Errorf("%w: %s lies %s", ErrNotDurable, path, why)
	}
	return nil
}

// Doubt says what nobody can find out from here about a place that Durable lets pass,
// for a person who knows: "" where there is nothing to say.
func Doubt(path string) string {
	path, there, err := whereabouts(path)
	if err != nil {
		return ""
	}
	if why := doubt(there); why != "" {
		return fmt.Sprintf("%s lies %s", path, why)
	}
	return ""
}

// whereabouts is path from the root on, and what of it is there.
func whereabouts(path string) (whole, there string, err error) {
	if whole, err = filepath.Abs(path); err == nil {
		there, err = existing(whole)
	}
	return whole, there, err
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
