package flow_test

import (
	"strings"
	"testing"

	"provision/internal/flow"
	"provision/internal/records"
	"provision/internal/simulator"
)

// TestSecondLook: a key bit that three pulses did not burn is looked at once more, and
// three more pulses burn it. Each attempt has an intent of its own on record.
func TestSecondLook(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j, simulator.WithFaults(simulator.Faults{
			WeakBits: []simulator.WeakBit{{Block: 1, Bit: firstKeyBit(), Programs: 5}},
		}))
		r.mustRun("PASS", "")
		r.mustBeSecured(false)
		var told []string
		for _, ev := range r.events {
			if ev.Step == "burn BLOCK1" {
				told = append(told, ev.Kind)
			}
			if ev.Kind == flow.Warning && ev.Step == "burn BLOCK1" && !strings.Contains(ev.Text, "E301") {
				t.Errorf("the warning is %q", ev.Text)
			}
		}
		want := "step.started burn.intended burn.observed warning burn.intended burn.observed step.passed"
		if got := strings.Join(told, " "); got != want {
			t.Errorf("events of the step\n%s\nwant\n%s", got, want)
		}
		var kept []bool
		for _, b := range r.burns() {
			if b.Step == "burn BLOCK1" {
				kept = append(kept, b.OK)
			}
		}
		if len(kept) != 2 || kept[0] || !kept[1] {
			t.Errorf("burns on record, done or not: %v", kept)
		}
	})
}

// TestVerdictOnNoRecord: a unit is not told as bad when the records could not take
// that: they are what is wrong first, and the next run says what the unit is.
func TestVerdictOnNoRecord(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	for _, write := range []string{"UPDATE ON runs", "INSERT ON parkings"} {
		inBubble(t, func(t *testing.T) {
			r := newRig(t, release, j, simulator.WithFaults(simulator.Faults{
				WeakBits: []simulator.WeakBit{{Block: 1, Bit: firstKeyBit(), Programs: 1000}},
			}))
			intents := 0
			r.sink = func(ev flow.Event) {
				if ev.Kind != flow.BurnObserved {
					return
				}
				if intents++; intents == 2 { // what comes next is the end of the run
					r.asIntruder("CREATE TRIGGER broken BEFORE " + write + " BEGIN SELECT RAISE(ABORT, 'disk failure'); END")
				}
			}
			res := r.run()
			told := res.Verdict + " " + string(res.Code)
			runs, err := r.store.Runs(t.Context(), records.RunFilter{})
			check(t, err)
			on := runs[0]
			switch write {
			case "UPDATE ON runs":
				if told != "ERROR E601" || on.Verdict != "" {
					t.Errorf("told as %s, on record %q: %v", told, on.Verdict, res.Err)
				}
			default: // the verdict is there, only the unit is not set aside
				if told != "FAIL E301" || on.Verdict != "FAIL" {
					t.Errorf("told as %s, on record %q: %v", told, on.Verdict, res.Err)
				}
			}
			r.sink = nil
			r.asIntruder("DROP TRIGGER broken")
			r.mustRun("FAIL", "E301")
		})
	}
}
