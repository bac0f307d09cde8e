package flow_test

import (
	"os"
	"testing"
)

// TestMain keeps the databases of the tests in memory where the system offers it.
// They are synced as often as on a station, and thousands of runs would wait for
// the disk; what a sync promises is the records' own to test.
func TestMain(m *testing.M) {
	const memory = "/dev/shm"
	if dir, err := os.MkdirTemp(memory, "flow-test-"); err == nil {
		os.Setenv("TMPDIR", dir)
		code := m.Run()
		os.RemoveAll(dir)
		os.Exit(code)
	}
	os.Exit(m.Run())
}
