package main

import (
	"io"
	"path/filepath"
	"testing"

	"provision/internal/flow"
)

// TestNoRecords: a dry run that finds no database gives the flow none at all. A nil
// *records.Store would not be nil any more as flow.Records, and the flow would ask it.
func TestNoRecords(t *testing.T) {
	dir, err := makeDemo(filepath.Join(t.TempDir(), "demo"), "host")
	if err != nil {
		t.Fatal(err)
	}
	p, err := loadProfile(filepath.Join(dir, "demo.toml"))
	if err != nil {
		t.Fatal(err)
	}
	a := &app{out: io.Discard, err: io.Discard}
	for _, dry := range []bool{true, false} {
		cfg := flow.Config{DryRun: dry}
		store, closeAll, err := a.openRecordsQuietly(t.Context(), p, &cfg)
		if err != nil {
			t.Fatal(err)
		}
		if (cfg.Records == nil) != dry || (store == nil) != dry {
			t.Errorf("dry run %v: the flow gets %v, the caller %v", dry, cfg.Records, store)
		}
		closeAll()
	}
}
