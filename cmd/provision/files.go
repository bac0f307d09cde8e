package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"provision/internal/fault"
)

// readInput reads a file a person named.
func readInput(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return data, nil
}

// unreadable is what to say of a file that a person named and that does not open.
func unreadable(path string, err error) error {
	said := fault.New(fault.FileMissing, "", fmt.Errorf("%s cannot be read: %w", path, systemCause(err)))
	if errors.Is(err, fs.ErrPermission) {
		return advise(said, "Make it readable for this user.")
	}
	return said
}

// systemCause is what the system says of a file, without the call and the name,
// which may be one that we made up.
func systemCause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// readFlag reads the file that a flag must name.
func readFlag(flag, path string) ([]byte, error) {
	if path == "" {
		return nil, usagef("which file? name it with %s", flag)
	}
	return readInput(path)
}

// writeNew writes a file that must not be there yet: a key is never overwritten.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return usagef("%s is there already; nothing was written", path)
	}
	if err != nil {
		return unwritable(path, err)
	}
	if err := fill(f, data); err != nil {
		// A file that is not whole must not look like one.
		return errors.Join(unwritable(path, err), os.Remove(path))
	}
	return nil
}

// writeOutput writes a file that can be made again from inputs, replacing an older
// one: whole or not at all. It is never written over one of them, by whatever name,
// nor over a file that holds a secret key. An input that was not given is "".
func writeOutput(path string, data []byte, mode fs.FileMode, inputs ...string) error {
	for _, input := range inputs {
		if sameFile(path, input) {
			return usagef("%s is read by this command too; name another file with --output", path)
		}
	}
	info, err := os.Stat(path)
	switch {
	case err != nil: // nothing is there yet, or it is told below
	case info.IsDir():
		return usagef("%s is a folder; name a file with --output", path)
	case !info.Mode().IsRegular():
		return writeDevice(path, data)
	case mayBeKey(path, info.Size()):
		return usagef("%s holds a secret key, or may be one; nothing was written: name another file with --output", path)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return replace(path, target, data, mode) // the file behind a link, not the link
	}
	return replace(path, path, data, mode)
}

// output is writeOutput for a command, newFile writeNew: with --json they tell what
// was written.
func (a *app) output(path string, data []byte, mode fs.FileMode, inputs ...string) error {
	if err := writeOutput(path, data, mode, inputs...); err != nil {
		return err
	}
	return a.wrote(path, len(data))
}

func (a *app) newFile(path string, data []byte, mode fs.FileMode) error {
	if err := writeNew(path, data, mode); err != nil {
		return err
	}
	return a.wrote(path, len(data))
}

func (a *app) wrote(path string, size int) error {
	if !a.json {
		return nil
	}
	return a.emit(map[string]any{"kind": "file.written", "file": path, "size": size})
}

// replace writes data beside target and renames it; path is the name to tell.
func replace(path, target string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return unwritable(path, err)
	}
	err = errors.Join(f.Chmod(mode), fill(f, data))
	if err == nil {
		err = os.Rename(f.Name(), target)
	}
	if err != nil {
		return errors.Join(unwritable(path, err), os.Remove(f.Name()))
	}
	return nil
}

// writeDevice writes to what is not a file: a pipe, a terminal, /dev/stdout.
func writeDevice(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return unwritable(path, err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return unwritable(path, err)
	}
	return nil
}

// fill writes data, syncs and closes.
func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// unwritable is what to say of an output that cannot be written: a wrong name is
// wrong usage, anything else (a full disk) a fault of the machine.
func unwritable(path string, err error) error {
	said := fmt.Errorf("%s cannot be written: %w", path, systemCause(err))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR) {
		return usageError{said}
	}
	return said
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// largestKeyFile is more than any PEM or age identity takes, in bytes.
const largestKeyFile = 64 << 10

// mayBeKey reports whether the file at path holds a secret key, or has the size of
// one of a unit: such a file is not replaced by anything that can be made again.
func mayBeKey(path string, size int64) bool {
	switch {
	case size == 32 || size == 24: // raw, without and with 3/4 coding
		return true
	case size > largestKeyFile:
		return false
	}
	data, err := os.ReadFile(path)
	return err != nil || holdsSecretKey(data)
}

// holdsSecretKey finds a private key in PEM, sealed with a passphrase or not, and an
// age identity. The mere words of a PEM header, as firmware has them, are none.
func holdsSecretKey(data []byte) bool {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return true
		}
	}
	return bytes.Contains(data, []byte("AGE-SECRET-KEY-1"))
}
