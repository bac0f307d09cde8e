package records

import (
	"errors"
	"io/fs"
	"os"
)

// osLink is os.Link; a test has it refuse, as on a file system that knows no links.
var osLink = os.Link

// giveName gives the file temp the name path, and not where a file has it: fs.ErrExist.
// A link does that at one stroke. On a file system without them (FAT, exFAT: a memory
// stick) the name is taken by an empty file first, which a power cut may leave. Package
// keys has the same: leaves share nothing.
func giveName(temp, path string) error {
	err := osLink(temp, path)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = f.Close() // a file that is open is not replaced everywhere
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
