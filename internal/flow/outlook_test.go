package flow_test

import (
	"cmp"
	"math/big"
	"strings"
	"testing"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/records"
	"provision/internal/simulator"
)

// TestUnfinished: whoever starts a station is told of every unit that was begun and
// is not complete, where it stood, and what to do.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	j := newJob(t, closed)
	for _, c := range []struct {
		name   string
		burn   int // the one the power goes in
		mask   int64
		then   string // the verdict of the run after that
		state  records.State
		stands string
		next   string
	}{
		{"cut in a burn", 5, 0, "", records.StateOpen, `cut inside "read-protect BLOCK2"`, "put it in again"},
		{"cut at the door", 12, 0, "", records.StateOpen, `cut inside "burn UART_DOWNLOAD_DIS"`, "provision run --station FILE --port PORT --serial SN-0001"},
		{"closed, not recorded", 12, 1, "PARK", records.StateParked, "was to be closed and was cut before that was recorded", "provision vouch SN-0001 "},
		{"finished since", 5, 0, "PASS", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				cut := simulator.CutBurn{Burn: c.burn, Mask: big.NewInt(c.mask)}
				r := newRig(t, closed, j, simulator.WithFaults(simulator.Faults{CutBurn: []simulator.CutBurn{cut}}))
				if res := r.run(); res.Verdict != "ERROR" {
					t.Fatalf("cut, the run ended as %s: %v", res.Verdict, res.Err)
				}
				r.chip.PowerCycle()
				if c.then != "" {
					if res := r.run(); res.Verdict != c.then {
						t.Fatalf("the next run ended as %s: %v", res.Verdict, res.Err)
					}
				}
				found, err := flow.Unfinished(t.Context(), r.store)
				check(t, err)
				if c.state == "" {
					if len(found) > 0 {
						t.Errorf("a finished unit is told of: %+v", found)
					}
					return
				}
				if len(found) != 1 || found[0].Serial != r.serial || found[0].MAC != r.mac() || found[0].State != c.state ||
					!strings.Contains(found[0].Stands, c.stands) || !strings.Contains(found[0].Next, c.next) {
					t.Errorf("told of %+v", found)
				}
				if want := records.Verdict(cmp.Or(c.then, "ERROR")); found[0].Last == nil || found[0].Last.Verdict != want {
					t.Errorf("the last run is %+v, want %s", found[0].Last, want)
				}
			})
		})
	}
}

// TestReleaseIsAdvisedWhereItHelps: a unit that is parked for its fuses stays what it is,
// whoever releases it.
func TestReleaseIsAdvisedWhereItHelps(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j, simulator.WithFaults(simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: 5}}}))
		r.run()
		for _, c := range []struct {
			code    fault.Code
			advised bool
			next    string
		}{
			{fault.ReadBack, false, "red bin"},
			{fault.LockMissing, false, "red bin"},
			{fault.Contradictory, false, "A release changes no fuse"},
			{fault.KeyUncertain, false, "A release changes no fuse"},
			{fault.CannotBurn, false, "red bin"},
			{fault.SetAside, true, "for the lead"},
			{fault.FailedTooOften, true, "for the lead"},
			{fault.BootRefused, true, "its keys are still held"},
		} {
			check(t, r.store.Park(t.Context(), records.Parking{MAC: r.mac(), Code: string(c.code), Reason: "it", At: r.config().Now()}))
			found, err := flow.Unfinished(t.Context(), r.store)
			check(t, err)
			if len(found) != 1 || strings.Contains(found[0].Next, "provision release") != c.advised || !strings.Contains(found[0].Next, c.next) {
				t.Errorf("%s: told of %+v", c.code, found)
			}
			r.release()
		}
	})
}

// TestReturnIsNotUnfinished: a finished unit that came back and was set aside is not told
// of as begun and not complete.
func TestReturnIsNotUnfinished(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		r.mustRun("PASS", "")
		check(t, r.store.Park(t.Context(), records.Parking{MAC: r.mac(), Code: "E907", Reason: "a return", Person: "anna", At: r.config().Now()}))
		found, err := flow.Unfinished(t.Context(), r.store)
		check(t, err)
		if len(found) > 0 {
			t.Errorf("told of %+v", found)
		}
	})
}
