package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"provision/internal/fault"
)

// readInput reads a file a person named.
func readInput(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err // the path is said already
	}
	if err != nil {
		return nil, fault.New(fault.FileMissing, "", fmt.Errorf("%s cannot be read: %w", path, err))
	}
	return data, nil
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
		return usageError{err}
	}
	if err := fill(f, data); err != nil {
		// A file that is not whole must not look like one.
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// writeOutput writes a file that can be made again from input, replacing an older
// one: whole or not at all. It is never written over its input.
func writeOutput(path, input string, data []byte, mode fs.FileMode) error {
	if sameFile(path, input) {
		return usagef("%s is the input too; name another file with --output", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return usageError{err}
	}
	err = errors.Join(f.Chmod(mode), fill(f, data))
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return usageError{errors.Join(err, os.Remove(f.Name()))}
	}
	return nil
}

// fill writes data, syncs and closes.
func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
