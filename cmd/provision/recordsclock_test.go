package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"provision/internal/records"
)

// TestRecordsClock: after a run with the clock ahead a person stands for the clock, who
// has to say what another one shows.
func TestRecordsClock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "provision.db")
	store, err := records.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	now := time.Now()
	mustStart := func(id string, at time.Time) {
		t.Helper()
		if err := store.StartRun(t.Context(), records.Run{ID: id, StartedAt: at}); err != nil {
			t.Fatal(err)
		}
	}
	says := func(code int, what string, args ...string) {
		t.Helper()
		var out, errs strings.Builder
		args = append([]string{"records", "clock", "--db", path, "--person", "ada"}, args...)
		if got := run(t.Context(), args, strings.NewReader(""), &out, &errs); got != code || !strings.Contains(out.String()+errs.String(), what) {
			t.Errorf("%q ends with %d: %s%s; want %d and %q", args, got, out.String(), errs.String(), code, what)
		}
	}
	told := now.Format("2006-01-02 15:04")
	mustStart("right", now)
	says(2, "nothing to accept", told, "--reason", "x")
	mustStart("ahead", now.AddDate(1, 0, 0))
	says(2, "--reason", told)
	says(2, "is no time", "noon", "--reason", "x")
	says(2, "set it", now.AddDate(1, 0, 0).Format(time.RFC3339), "--reason", "x")
	says(0, `"kind":"clock.accepted"`, told, "--reason", "the year was wrong", "--json")
	says(2, "nothing to accept", told, "--reason", "x")
	mustStart("again", now)
	if at, err := store.LatestTime(t.Context()); err != nil || now.Sub(at) > time.Second {
		t.Errorf("the clock is compared with %v (%v)", at, err)
	}
}
