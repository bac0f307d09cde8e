package flow_test

import (
	"strings"
	"testing"

	"provision/internal/flow"
	"provision/internal/records"
	"provision/internal/simulator"
)

// TestDone: a finished unit is greeted by name and nothing is written to it.
func TestDone(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		r.mustRun("PASS", "")
		r.mustWriteNothing(func() {
			if res := r.mustRun("DONE", ""); res.Exit != 0 || res.Serial != "SN-0001" {
				t.Errorf("result is %+v", res)
			}
			r.serial = "" // the unit tells who it is
			if res := r.mustRun("DONE", ""); res.Serial != "SN-0001" {
				t.Errorf("result is %+v", res)
			}
		})
		r.mustTellItAll()
	})
}

// mustWriteNothing checks that f erases, programs and burns nothing.
func (r *rig) mustWriteNothing(f func()) {
	r.t.Helper()
	w := r.watch()
	before := r.chip.Counters()
	f()
	after := r.chip.Counters()
	if len(w.acts) > 0 || after.Burns != before.Burns || after.Erases != before.Erases || after.Programs != before.Programs {
		r.t.Errorf("something was written: %q, counters %+v, before %+v", w.acts, after, before)
	}
}

// TestDryRun plans everything and writes nothing anywhere.
func TestDryRun(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		r.dryRun = true
		r.mustWriteNothing(func() { r.mustRun("PLAN", "") })
		var plan *flow.Plan
		for _, ev := range r.events {
			if ev.Plan != nil {
				plan = ev.Plan
			}
		}
		if plan == nil || len(plan.Burns) != 11 || len(plan.Regions) != 6 {
			t.Errorf("plan is %+v", plan)
		}
		runs, err := r.store.Runs(t.Context(), records.RunFilter{})
		check(t, err)
		if len(runs) != 0 || r.unit() != nil {
			t.Errorf("a dry run is on record")
		}
	})
}

// TestRefused: parts that are not for this job, and what a person typed wrong, are
// found before anything is written, and get their own word.
func TestRefused(t *testing.T) {
	t.Parallel()
	part := func(change func(*simulator.Config)) simulator.Config {
		cfg := smallChip()
		change(&cfg)
		return cfg
	}
	needsV3 := release.with("v3.0 at least", func(p *policy) { p.minRevision = "v3.0" })
	for _, c := range []struct {
		name    string
		policy  policy
		chip    simulator.Config
		fuses   simulator.Fuses // burnt by somebody before
		serial  string
		verdict string
		code    string
	}{
		{"too old", needsV3, part(func(c *simulator.Config) { c.RevMajor, c.RevMinor = 1, 0 }), simulator.Fuses{}, "SN-0001", "FAIL", "E202"},
		{"flash too small", release, part(func(c *simulator.Config) { c.FlashSize = 1 << 20 }), simulator.Fuses{}, "SN-0001", "FAIL", "E204"},
		{"flash write-protected", release, part(func(c *simulator.Config) { c.FlashStatus = 0x1C }), simulator.Fuses{}, "SN-0001", "FAIL", "E208"},
		{"3/4 coding", release, part(func(c *simulator.Config) { c.CodingScheme = simulator.CodingThreeQuarters }), simulator.Fuses{}, "SN-0001", "FAIL", "E203"},
		{"secured by somebody", release, smallChip(), simulator.Fuses{0: {0: rdDisBlock1 | cryptCnt}, 1: {0: 1}}, "SN-0001", "PARK", "E205"},
		{"a stray key bit", release, smallChip(), simulator.Fuses{1: {3: 8}}, "SN-0001", "PARK", "E205"},
		{"a counter used up", release, smallChip(), simulator.Fuses{0: {0: 3 << 20}}, "SN-0001", "PARK", "E205"},
		{"MAC without its CRC", release, smallChip(), simulator.Fuses{0: {2: 1 << 22}}, "SN-0001", "PARK", "E206"},
		{"cache off", release, smallChip(), simulator.Fuses{0: {3: 1 << 3}}, "SN-0001", "FAIL", "E203"},
		{"serial of another form", release, smallChip(), simulator.Fuses{}, "SN-1", "ERROR", "E503"},
		{"no serial", release, smallChip(), simulator.Fuses{}, "", "ERROR", "E504"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, c.policy)
			inBubble(t, func(t *testing.T) {
				r := newRigWith(t, c.policy, j, c.chip)
				check(t, r.chip.Preburn(c.fuses))
				r.serial = c.serial
				r.mustWriteNothing(func() {
					res := r.mustRun(c.verdict, c.code)
					if res.Do == "" || res.Err == nil {
						t.Errorf("nothing says what to do: %+v", res)
					}
				})
				if r.unit() != nil {
					t.Error("the part has a serial number now")
				}
				if c.code != "E503" { // found before there is a run to record
					r.mustTellItAll()
				}
			})
		})
	}
}

// TestParkedStaysParked: a unit that waits for a person waits, until it is released.
func TestParkedStaysParked(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		check(t, r.store.Park(t.Context(), records.Parking{MAC: r.mac(), Code: "E206", Reason: "dropped", At: r.config().Now()}))
		r.mustWriteNothing(func() { r.mustRun("PARK", "E206") })
		check(t, r.store.Release(t.Context(), records.Release{MAC: r.mac(), Person: "lead", Reason: "looks fine", At: r.config().Now()}))
		r.mustRun("PASS", "")
		r.mustBeSecured(false)
	})
}

// TestOneSerialOneMAC (I7): neither a unit nor a serial number is used twice.
func TestOneSerialOneMAC(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	other := smallChip()
	other.MAC[5]++

	t.Run("unit begun under another serial", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			r := newRig(t, release, j, simulator.WithFaults(simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: 3}}}))
			r.mustRun("ERROR", "E107")
			r.chip.PowerCycle()
			r.serial = "SN-0002"
			r.mustWriteNothing(func() { r.mustRun("PARK", "E502") })
		})
	})
	t.Run("unit complete under another serial", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			r := newRig(t, release, j)
			r.mustRun("PASS", "")
			r.serial = "SN-0002"
			r.mustWriteNothing(func() { r.mustRun("PARK", "E502") })
			r.serial = "SN-0001"
			r.mustRun("DONE", "") // a wrong label does not take PASS away
		})
	})
	t.Run("serial of another unit", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			r := newRig(t, release, j)
			r.mustRun("PASS", "")
			r.insert(other)
			r.mustWriteNothing(func() {
				if res := r.mustRun("ERROR", "E501"); res.Exit != 2 {
					t.Errorf("exit is %d, want that of an input error", res.Exit)
				}
			})
		})
	})
	t.Run("two units", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			r := newRig(t, release, j)
			r.mustRun("PASS", "")
			first := r.chip.Fuses()
			r.insert(other)
			r.serial = "SN-0002"
			r.mustRun("PASS", "")
			r.mustBeSecured(false)
			if second := r.chip.Fuses(); first[1] == second[1] || first[2] == second[2] {
				t.Error("two units share a key")
			}
		})
	})
}

// TestAnotherChipUnderTheSameMAC: a blank chip that claims the MAC of a unit in the
// records is not taken for it.
func TestAnotherChipUnderTheSameMAC(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	t.Run("complete", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			r := newRig(t, release, j)
			r.mustRun("PASS", "")
			r.insert(smallChip())
			r.mustWriteNothing(func() { r.mustRun("PARK", "E303") })
		})
	})
	t.Run("begun", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			r := newRig(t, release, j, simulator.WithFaults(simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: 5}}}))
			r.mustRun("ERROR", "E107") // BLOCK1 was compared by now
			r.insert(smallChip())
			r.mustWriteNothing(func() { r.mustRun("PARK", "E303") })
		})
	})
}

// TestAnotherPolicyMidway: a unit is finished as it was begun, or not at all.
func TestAnotherPolicyMidway(t *testing.T) {
	t.Parallel()
	j, without := newJob(t, release), newJob(t, encryptionOnly)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j, simulator.WithFaults(simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: 2}}}))
		r.mustRun("ERROR", "E107")
		r.chip.PowerCycle()
		r.job = without
		r.mustWriteNothing(func() { r.mustRun("ERROR", "E813") })
		r.job = j
		r.mustRun("PASS", "")
		r.mustBeSecured(true)
	})
}

// TestForeignBits: bits in a key block that are not our key's stop the work for good.
func TestForeignBits(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		none := simulator.CutBurn{Burn: 1, Seed: 1}
		r := newRig(t, release, j, simulator.WithFaults(simulator.Faults{CutBurn: []simulator.CutBurn{none}}))
		r.mustRun("ERROR", "E107")
		key := keyWords(r, r.keys.keys()[0])
		check(t, r.chip.Preburn(simulator.Fuses{1: {0: ^key[0] & -^key[0]}})) // the lowest bit that is not the key's
		r.chip.PowerCycle()
		r.mustWriteNothing(func() {
			res := r.mustRun("PARK", "E303")
			if !strings.Contains(res.Err.Error(), "another key") {
				t.Errorf("reason is %v", res.Err)
			}
		})
	})
}
