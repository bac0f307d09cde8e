package flow_test

import (
	"strings"
	"testing"

	"provision/internal/fault"
	"provision/internal/flow"
)

// TestTwoStationsOneUnit: a second station that shares the records takes a unit up
// while the first is in the middle of it, over a line that both can open. The second
// finishes the unit. The first burns nothing from then on, and says why.
func TestTwoStationsOneUnit(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	at := []string{"make and seal keys", "burn BLOCK1", "read-protect BLOCK1", "burn BLOCK2", "burn FLASH_CRYPT_CNT", "freeze", "record"}
	for _, step := range sample(at, len(at)) {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, j)
				first := r.config()
				w := r.watch()
				acts := 0
				show := first.Sink
				first.Sink = func(ev flow.Event) {
					show(ev)
					if ev.Kind == flow.StepStarted && ev.Step == step {
						if second := flow.Run(t.Context(), r.config()); second.Verdict != "PASS" {
							t.Fatalf("the second station ended as %s: %v", second.Verdict, second.Err)
						}
						acts = len(w.acts)
					}
				}
				res := flow.Run(t.Context(), first)
				want := fault.TakenOver
				if step == "make and seal keys" { // it has not taken the unit up yet, and finds it complete
					want = fault.MACKnown
				}
				if res.Code != want || res.Verdict == "PASS" {
					t.Errorf("the first station ended as %s %s: %v", res.Verdict, res.Code, res.Err)
				}
				for _, act := range w.acts[acts:] {
					if strings.HasPrefix(act, "burn") {
						t.Errorf("the first station went on: %s", act)
					}
				}
				r.mustBeSecured(false)
			})
		})
	}
}
