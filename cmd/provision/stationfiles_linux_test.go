package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"provision/internal/records"
	"provision/internal/station"
)

// TestIdentityOutlivesPower: an identity is not made in memory. One that is there may
// have been put there on purpose.
func TestIdentityOutlivesPower(t *testing.T) {
	t.Parallel()
	var st unix.Statfs_t
	if unix.Statfs("/dev/shm", &st) != nil || uint32(st.Type) != unix.TMPFS_MAGIC {
		t.Skip("no tmpfs at /dev/shm")
	}
	dir := t.TempDir()
	if err := records.Durable(dir); err != nil {
		t.Skip("no disk for the records: ", err)
	}
	memory, err := os.MkdirTemp("/dev/shm", "provision-test-")
	if err != nil {
		t.Skip("nothing can be made in memory: ", err)
	}
	t.Cleanup(func() { os.RemoveAll(memory) })
	there := filepath.Join(memory, "there.txt")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := len(mustOutlivePower(t, dir, filepath.Join(dir, "identity.txt"), nil))
	mustOutlivePower(t, dir, filepath.Join(memory, "new.txt"), records.ErrNotDurable)
	if got := mustOutlivePower(t, dir, there, nil); len(got) != before+1 {
		t.Errorf("warnings %q, want one of the identity", got)
	}
}

func mustOutlivePower(t *testing.T, dir, identity string, want error) []string {
	t.Helper()
	var p station.Profile
	p.Records.Database, p.Keys.Identity = filepath.Join(dir, "provision.db"), identity
	warnings, err := outlivesPower(&p)
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", identity, err, want)
	}
	return warnings
}
