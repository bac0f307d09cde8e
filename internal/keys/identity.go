package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
)

// What can be wrong with an identity file. A missing one is fs.ErrNotExist, one
// that Create would overwrite fs.ErrExist.
var (
	ErrExposed     = errors.New("identity file can be read by others")
	ErrBadIdentity = errors.New("not an age identity file")
	ErrNoIdentity  = errors.New("no identity was loaded")
)

// identityLimit is more than any identity file with its comments takes.
const identityLimit = 4096 // bytes

// Identity opens what was sealed to its Recipient. It prints as its public half.
type Identity struct {
	key func() *age.X25519Identity // a func for the reason Secret has one
}

// Recipient returns the public half. The zero Identity has none: it panics.
func (id Identity) Recipient() Recipient { return Recipient{id.key().Recipient()} }

// Format prints the public half for every verb.
func (id Identity) Format(f fmt.State, _ rune) { io.WriteString(f, id.String()) } // fmt has nowhere to report it

// String returns the public half.
func (id Identity) String() string {
	if id.key == nil {
		return "no identity"
	}
	return "identity of " + id.Recipient().String()
}

// MarshalText returns the public half, also for JSON.
func (id Identity) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

func newIdentity(key *age.X25519Identity) Identity {
	return Identity{func() *age.X25519Identity { return key }}
}

// CreateIdentity makes a station's identity and keeps it at path, mode 0600, in the
// format of age-keygen. The file appears whole or not at all and is on disk on
// return. A file that is there already stays as it is: fs.ErrExist.
func CreateIdentity(path string) (Identity, error) {
	return createIdentity(path, "station identity: opens the keys of unfinished units, never leaves this station")
}

// CreateOwnerIdentity is CreateIdentity for an owner, to whom units are escrowed.
func CreateOwnerIdentity(path string) (Identity, error) {
	return createIdentity(path, "owner's identity: opens the keys of every unit that is escrowed to it, never comes near a station")
}

// createIdentity makes an identity with a comment that says whose it is.
func createIdentity(path, comment string) (Identity, error) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return Identity{}, fmt.Errorf("make identity: %w", err)
	}
	text := fmt.Appendf(nil, "# %s\n# public key: %s\n%s\n", comment, key.Recipient(), key)
	defer clear(text)
	if err := writeNew(path, text); err != nil {
		return Identity{}, fmt.Errorf("keep identity: %w", err)
	}
	return newIdentity(key), nil
}

// leftover is how an identity is called while it is written.
const leftover = ".identity-"

// RemoveLeftovers deletes what a program that was killed while it made an identity
// left beside path: a secret key that nobody uses. Only files from before a time go:
// younger ones may be another program's that is at it now.
func RemoveLeftovers(path string, before time.Time) error {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), leftover) || !entry.Type().IsRegular() {
			continue
		}
		info, gone := entry.Info()
		if gone == nil && info.ModTime().Before(before) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, entry.Name())))
		}
	}
	return err
}

// writeNew makes a file readable by its owner alone: written beside, synced, then
// given its name.
func writeNew(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, leftover+"*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) { // giveName may have moved it
			err = errors.Join(err, gone)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := giveName(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// LoadIdentity reads the one identity in the file at path. On Unix, ErrExposed
// when group or others may read the file. ErrBadIdentity for anything that is not
// an identity file, without a word of what is in it.
func LoadIdentity(path string) (Identity, error) {
	text, err := readPrivate(path)
	if err != nil {
		return Identity{}, fmt.Errorf("load identity: %w", err)
	}
	defer clear(text)
	var found []*age.X25519Identity
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, err := age.ParseX25519Identity(string(line))
		if err != nil { // not wrapped: it may quote the line
			return Identity{}, fmt.Errorf("load identity %s: %w: a line is neither comment nor secret key", path, ErrBadIdentity)
		}
		found = append(found, key)
	}
	if len(found) != 1 {
		return Identity{}, fmt.Errorf("load identity %s: %w: it holds %d secret keys, not one", path, ErrBadIdentity, len(found))
	}
	return newIdentity(found[0]), nil
}

// readPrivate reads a small regular file that only its owner may read.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat() // of what was opened, not of the name
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > identityLimit {
		return nil, fmt.Errorf("%s: %w", path, ErrBadIdentity)
	}
	if exposed(info) {
		return nil, fmt.Errorf("%w: %s has mode %04o; make it 0600, and make a new identity if somebody may have copied this one",
			ErrExposed, path, info.Mode().Perm())
	}
	text := make([]byte, identityLimit) // at once: growing would leave copies behind
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		clear(text)
		return nil, err
	}
	return text[:n], nil
}
