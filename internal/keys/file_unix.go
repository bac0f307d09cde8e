//go:build unix

package keys

import (
	"errors"
	"io/fs"
	"os"
)

// exposed reports whether anybody but the owner may do anything with a file.
func exposed(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
