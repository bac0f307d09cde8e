package flow_test

import (
	"context"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/simulator"
)

// cutAtTheDoor is a unit that lost its power inside the burn of UART_DOWNLOAD_DIS, and
// got it back. taken says whether the fuse took.
func cutAtTheDoor(t *testing.T, taken bool) *rig {
	t.Helper()
	cut := simulator.CutBurn{Burn: 12, Mask: new(big.Int)}
	if taken {
		cut.Mask = big.NewInt(1)
	}
	r := newRig(t, closed, newJob(t, closed), simulator.WithFaults(simulator.Faults{CutBurn: []simulator.CutBurn{cut}}))
	if res := r.run(); res.Verdict != "ERROR" {
		t.Fatalf("cut, the run ended as %s: %v", res.Verdict, res.Err)
	}
	r.chip.PowerCycle()
	return r
}

// halfClosed is such a unit whose fuse shows at every other start only, after so many.
func halfClosed(t *testing.T, starts int) *rig {
	t.Helper()
	r := newRig(t, closed, newJob(t, closed), simulator.WithFaults(simulator.Faults{
		CutBurn:  []simulator.CutBurn{{Burn: 12, Mask: big.NewInt(1)}},
		WeakBits: []simulator.WeakBit{{Block: 0, Bit: 27, Marginal: true}},
	}))
	r.run()
	for range starts {
		r.chip.PowerCycle()
	}
	return r
}

func (r *rig) vouch() flow.Result {
	r.events = nil
	return flow.Vouch(r.t.Context(), r.config(), flow.Voucher{Person: "lead", Reason: "the label"})
}

// TestVouch: a unit that was closed and not recorded is complete when it is seen to be
// closed and to start, and somebody stands for its number; whether it was set aside
// meanwhile or not.
func TestVouch(t *testing.T) {
	t.Parallel()
	for _, parked := range []bool{true, false} {
		inBubble(t, func(t *testing.T) {
			r := cutAtTheDoor(t, true)
			if parked {
				r.mustRun("PARK", "E108")
			}
			if res := r.vouch(); res.Verdict != "PASS" || res.Serial != r.serial {
				t.Fatalf("it ended as %s %s: %v", res.Verdict, res.Code, res.Err)
			}
			r.mustBeSecured(true)
			r.mustTellItAll()
			runs, err := r.store.Runs(t.Context(), records.RunFilter{MAC: r.mac()})
			check(t, err)
			if runs[0].Reason != "lead vouches that this is SN-0001: the label" {
				t.Errorf("on record is %q", runs[0].Reason)
			}
			if res := r.vouch(); res.Verdict != "DONE" {
				t.Errorf("once more, it ended as %s: %v", res.Verdict, res.Err)
			}
		})
	}
}

// TestVouchRefuses: nobody can vouch for what is seen otherwise, or can still be read.
func TestVouchRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		rig  func(t *testing.T) *rig
		want fault.Code
	}{
		{"it still answers", func(t *testing.T) *rig { return cutAtTheDoor(t, false) }, fault.StillOpen},
		{"it is closed at every other start", func(t *testing.T) *rig { return halfClosed(t, 1) }, fault.StillOpen},
		{"it is closed at every other start, and at the first", func(t *testing.T) *rig { return halfClosed(t, 2) }, fault.StillOpen},
		{"the files are others by now", func(t *testing.T) *rig {
			r := cutAtTheDoor(t, true)
			r.job = moved(r.job)
			return r
		}, fault.BegunOtherwise},
		{"it was cut before", func(t *testing.T) *rig {
			r := newRig(t, closed, newJob(t, closed), simulator.WithFaults(simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: 9}}}))
			r.run()
			r.chip.PowerCycle()
			return r
		}, fault.StillOpen},
		{"it does not start", func(t *testing.T) *rig {
			r := cutAtTheDoor(t, true)
			check(t, r.chip.SetFlash(0x10000, make([]byte, 4096)))
			return r
		}, fault.BootRefused},
		{"it is set aside for something else", func(t *testing.T) *rig {
			r := cutAtTheDoor(t, true)
			check(t, r.store.Park(t.Context(), records.Parking{MAC: r.mac(), Code: string(fault.SetAside), Reason: "dropped", At: r.config().Now()}))
			return r
		}, fault.SetAside},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := c.rig(t)
				res := r.vouch()
				if res.Code != c.want || res.Verdict == "PASS" {
					t.Errorf("it ended as %s %s: %v", res.Verdict, res.Code, res.Err)
				}
				if u := r.unit(); u.State == records.StateComplete {
					t.Error("the unit is complete on record")
				}
				r.mustKeepKeys()
			})
		})
	}
}

// TestVouchKeepsWhatWasSeen: a unit whose last burn was read back and was bad is not
// completed by anybody's word, and stays set aside for that when it comes back closed.
func TestVouchKeepsWhatWasSeen(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		r := cutAtTheDoor(t, true)
		r.observe(func(*records.Words) bool { return false })
		check(t, r.store.Park(t.Context(), records.Parking{MAC: r.mac(), Code: string(fault.ReadBack), Reason: "bits are missing", At: time.Now()}))
		r.mustRun("PARK", "E108")
		if u := r.unit(); u.ParkCode != string(fault.ReadBack) {
			t.Errorf("it is set aside for %s %q", u.ParkCode, u.ParkReason)
		}
		r.mustNotVouch(fault.ReadBack)
		check(t, r.store.Release(t.Context(), records.Release{MAC: r.mac(), Person: "lead", Reason: "try again", At: time.Now()}))
		r.mustNotVouch(fault.Contradictory)
	})
}

// TestVouchPlansFromWhatWasRead: where the last burn was looked at, its words count, not
// those that were intended.
func TestVouchPlansFromWhatWasRead(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		r := cutAtTheDoor(t, true)
		r.observe(func(w *records.Words) bool {
			w[0] &^= uartDis
			return true
		})
		r.mustNotVouch(fault.LockMissing)
	})
}

// observe puts on record what the last burn showed: what was intended, as change makes
// it, and whether that was good.
func (r *rig) observe(change func(*records.Words) bool) {
	r.t.Helper()
	burns := r.burns()
	last := burns[len(burns)-1]
	words := *last.Before
	for i, bits := range last.Bits {
		words[i] |= bits
	}
	ok := change(&words)
	check(r.t, r.store.ObserveBurn(r.t.Context(), records.Observation{BurnID: last.ID, Words: words, OK: ok, At: time.Now()}))
}

func (r *rig) mustNotVouch(want fault.Code) {
	r.t.Helper()
	if res := r.vouch(); res.Code != want || res.Verdict == "PASS" {
		r.t.Errorf("it ended as %s %s: %v", res.Verdict, res.Code, res.Err)
	}
	if u := r.unit(); u.State == records.StateComplete {
		r.t.Error("the unit is complete on record")
	}
	r.mustKeepKeys()
}

// TestVouchSeesItStart: a job that would not watch the unit start completes nothing.
func TestVouchSeesItStart(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		r := cutAtTheDoor(t, true)
		r.job.Profile.BootCheck = nil
		r.mustNotVouch(fault.BadProfile)
	})
}

// TestAnotherClosedUnit: a unit that was seen open after its last burn is not set aside
// for a closed one that somebody gave its serial number, and goes on.
func TestAnotherClosedUnit(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		r := cutAtTheDoor(t, false)
		ctx, cancel := context.WithCancel(t.Context())
		r.sink = func(ev flow.Event) {
			if ev.Kind == flow.StepStarted && ev.Step == "boot check" {
				cancel()
			}
		}
		if res := r.runContext(ctx); res.Code != fault.Interrupted {
			t.Fatalf("interrupted, it ended as %s %s: %v", res.Verdict, res.Code, res.Err)
		}
		r.sink = nil

		ours := r.chip
		r.insertClosed()
		if res := r.mustRun("PARK", "E108"); res.MAC != "" || res.Serial != "" {
			t.Errorf("the closed unit was taken for %s %s", res.MAC, res.Serial)
		}
		if res := r.vouch(); res.Code != fault.Contradictory {
			t.Errorf("somebody vouched, and it ended as %s %s: %v", res.Verdict, res.Code, res.Err)
		}
		r.chip = ours
		if u := r.unit(); u.State != records.StateOpen {
			t.Errorf("it is %s: %s", u.State, u.ParkReason)
		}
		r.mustRun("PASS", "")
	})
}

// insertClosed puts in a unit whose download mode somebody closed.
func (r *rig) insertClosed() {
	r.t.Helper()
	other := smallChip()
	other.MAC[5]++
	r.insert(other)
	check(r.t, r.chip.Preburn(simulator.Fuses{0: {0: uartDis}}))
	r.chip.PowerCycle()
}

// TestStillOpenAndSetAside: where nobody saw whether the last burn took, a closed unit
// sets the other one aside. That one still answers: it is to be released, and both
// commands say so.
func TestStillOpenAndSetAside(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		r := cutAtTheDoor(t, false)
		ours := r.chip
		r.insertClosed()
		r.mustRun("PARK", "E108")
		r.chip = ours
		for _, res := range []flow.Result{r.run(), r.vouch()} {
			if !strings.Contains(res.Err.Error(), "provision release ") {
				t.Errorf("%s says %v", res.Code, res.Err)
			}
		}
		r.mustNotVouch(fault.StillOpen)
		r.release()
		r.mustRun("PASS", "")
	})
}

// TestVouchIsAdvisedWhereItMayBe: a unit that was set aside as closed, and seen open by
// then, is to be released.
func TestVouchIsAdvisedWhereItMayBe(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		r := cutAtTheDoor(t, false)
		r.observe(func(*records.Words) bool { return false })
		check(t, r.store.Park(t.Context(), records.Parking{MAC: r.mac(), Code: string(fault.DownloadDisabled), Reason: "may be it", At: time.Now()}))
		found, err := flow.Unfinished(t.Context(), r.store)
		check(t, err)
		if len(found) != 1 || !strings.Contains(found[0].Next, "provision release") || strings.Contains(found[0].Next, "vouch") {
			t.Errorf("told of %+v", found)
		}
	})
}

// moved is a job whose nvs lies elsewhere, as after a change of the partition table.
func moved(j *job.Job) *job.Job {
	later := *j
	later.Regions = slices.Clone(j.Regions)
	for i := range later.Regions {
		if g := &later.Regions[i]; g.Name == "blank nvs" {
			g.Offset = 0x1F0000
		}
	}
	return &later
}

// TestMovedRegion: files that came after the unit could start may have moved what is the
// firmware's own. It is written where it lies now, and compared, before the unit is closed.
func TestMovedRegion(t *testing.T) {
	t.Parallel()
	for _, p := range []policy{release, closed, byUnit} {
		j := newJob(t, p)
		t.Run(p.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := newRig(t, p, j)
				if p.byUnit {
					r.stopAfter(unitEncrypts)
				} else {
					r.stopAfter("verify flash")
				}
				r.job = moved(j)
				if p.byUnit {
					r.mustRun("ERROR", "E813")
					r.job = j
				}
				r.mustRun("PASS", "")
				regions, err := r.store.Regions(t.Context(), r.unit().ID)
				check(t, err)
				if !p.byUnit && !slices.ContainsFunc(regions, func(g records.Region) bool { return g.Offset == 0x1F0000 }) {
					t.Error("what was moved is not on record where it lies now")
				}
			})
		})
	}
}
