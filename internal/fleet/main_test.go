package fleet_test

import (
	"os"
	"testing"
)

// TestMain keeps the databases of the tests in memory where the system offers it: what
// a sync of the disk promises is the records' own to test.
func TestMain(m *testing.M) {
	const memory = "/dev/shm"
	if dir, err := os.MkdirTemp(memory, "fleet-test-"); err == nil {
		os.Setenv("TMPDIR", dir)
		code := m.Run()
		os.RemoveAll(dir)
		os.Exit(code)
	}
	os.Exit(m.Run())
}
