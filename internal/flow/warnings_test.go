package flow_test

import (
	"slices"
	"testing"

	"provision/internal/flow"
)

// TestJobWarnings: what is odd about a profile's files is told at the start of each
// run, and stays in its record.
func TestJobWarnings(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	j.Warnings = []string{"one thing", "another thing"}
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		r.mustRun("PASS", "")
		var told []string
		for _, ev := range r.events[1:3] {
			told = append(told, ev.Kind+": "+ev.Text)
		}
		if want := []string{"warning: one thing", "warning: another thing"}; r.events[0].Kind != flow.RunStarted || !slices.Equal(told, want) {
			t.Errorf("the run began with %s, %q; want %q", r.events[0].Kind, told, want)
		}
		r.mustTellItAll()
	})
}
