package main

import (
	"path/filepath"
	"testing"
	"time"

	"provision/internal/job"
	"provision/internal/shift"
)

// TestScannerThatIsPulledOut: it is told at once that the scanner is not there any
// more; until then it is well.
func TestScannerThatIsPulledOut(t *testing.T) {
	dir, err := makeDemo(filepath.Join(t.TempDir(), "demo"), "host")
	if err != nil {
		t.Fatal(err)
	}
	p, err := loadProfile(filepath.Join(dir, "demo.toml"))
	if err != nil {
		t.Fatal(err)
	}
	var cfg shift.Config
	if cfg.Floor.Run.Job, err = job.New(p); err != nil {
		t.Fatal(err)
	}
	told := make(chan shift.MachineFacts, 8)
	cfg.Floor.Run.Now = time.Now
	cfg.Sink = func(ev shift.Event) {
		if ev.Machine != nil {
			told <- *ev.Machine
		}
	}
	s, err := shift.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	far, device := openPTY(t)
	go readScanner(t.Context(), device, s)
	for _, ok := range []bool{true, false} {
		if m := <-told; m.Name != shift.ScannerMachine || m.OK != ok {
			t.Fatalf("told is %+v, want ok: %t", m, ok)
		}
		_ = far.Close() // out it comes
	}
}
