package flow_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"provision/internal/esptool"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/simulator"
	"provision/internal/station"
)

// Weak fuses: a bit of the flash key, of the counter, of a lock, and one that hides
// BLOCK1.
var weakBits = []struct {
	name       string
	block, bit int
	code       string // when it never takes
	earlier    string // the step behind which nothing may come then
}{
	{"a key bit", 1, -1, "E301", "burn BLOCK1"},
	{"RD_DIS of BLOCK1", 0, 16, "E301", "read-protect BLOCK1"},
	{"WR_DIS of BLOCK2", 0, 8, "E301", "write-protect BLOCK2"},
	{"ABS_DONE_0", 0, 196, "E301", "burn ABS_DONE_0"},
	{"FLASH_CRYPT_CNT", 0, 22, "E301", "burn FLASH_CRYPT_CNT"},
	{"JTAG_DISABLE", 0, 198, "E301", "burn locks"},
	{"WR_DIS of ABS_DONE_0", 0, 12, "E301", "freeze"},
}

// TestWeakFuses: a bit that needs another pulse gets it; one that never takes fails
// the unit at its own step, and no later fuse is burnt.
func TestWeakFuses(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	for _, w := range sample(weakBits, len(weakBits)) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			if w.bit < 0 {
				w.bit = firstKeyBit()
			}
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, j, simulator.WithFaults(simulator.Faults{
					WeakBits: []simulator.WeakBit{{Block: w.block, Bit: w.bit, Programs: 3}},
				}))
				r.mustRun("PASS", "")
				r.mustBeSecured(false)
			})
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, j, simulator.WithFaults(simulator.Faults{
					WeakBits: []simulator.WeakBit{{Block: w.block, Bit: w.bit, Programs: 1000}},
				}))
				r.mustRun("FAIL", w.code)
				if last := r.lastStarted(); last != w.earlier {
					t.Errorf("the run went on to %q", last)
				}
				r.mustKeepKeys()
				r.mustRun("FAIL", w.code) // and again: it never passes
			})
		})
	}
}

// firstKeyBit is a bit that is set in the first key a rig makes.
func firstKeyBit() int {
	source := newKeySource(1)
	key := make([]byte, 32)
	source.Read(key)
	for i := range 8 {
		// Word 0 of BLOCK1 is the last four bytes of the key, the last one lowest.
		if key[31]>>i&1 != 0 {
			return i
		}
	}
	panic("the last byte of the first key is zero")
}

// lastStarted is the last step of the last run that had work to do.
func (r *rig) lastStarted() (name string) {
	for _, ev := range r.events {
		if ev.Kind == flow.StepStarted {
			name = ev.Step
		}
	}
	return name
}

// TestWornFlash: a flash cell that does not erase, in any region, fails the unit
// before a fuse is burnt.
func TestWornFlash(t *testing.T) {
	t.Parallel()
	for _, p := range []policy{release, secureBootOnly} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, p)
			for _, at := range wornPlaces(t, p, j) {
				inBubble(t, func(t *testing.T) {
					r := newRig(t, p, j, simulator.WithFaults(simulator.Faults{WornSectors: []uint32{at}}))
					if res := r.run(); res.Verdict != "FAIL" || res.Code != "E402" && res.Code != "E403" {
						t.Errorf("worn at %#x: run ended as %s %v", at, res.Verdict, res.Err)
					}
					if r.chip.Fuses() != r.blank {
						t.Errorf("worn at %#x: fuses were burnt", at)
					}
				})
			}
		})
	}
}

// TestThreeFailures: a unit that has failed three times is set aside, whoever tries it
// again, until a person lets it go on; then it has three more.
func TestThreeFailures(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	worn := wornPlaces(t, release, j)[:1]
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j, simulator.WithFaults(simulator.Faults{WornSectors: worn}))
		try := func() flow.Result {
			cfg := r.config()
			cfg.Attempts = 3
			return flow.Run(t.Context(), cfg)
		}
		for round := range 2 {
			for n := range 3 {
				if res := try(); res.Verdict != "FAIL" || res.Code != "E402" {
					t.Fatalf("attempt %d ended as %s %s: %v", n+1, res.Verdict, res.Code, res.Err)
				}
				_, err := r.store.ParkingOf(t.Context(), r.mac())
				if parked := err == nil; parked != (n == 2) {
					t.Errorf("round %d, after attempt %d it is parked: %v", round, n+1, parked)
				}
			}
			r.mustWriteNothing(func() {
				if res := try(); res.Verdict != "PARK" || res.Code != "E210" {
					t.Errorf("attempt 4 ended as %s %s: %v", res.Verdict, res.Code, res.Err)
				}
			})
			time.Sleep(time.Minute)
			r.release()
		}
	})
}

// TestWornUnderCiphertext: a cell that is good enough for the plain text and not for
// the ciphertext is found when the unit has encrypted itself, and the unit fails.
func TestWornUnderCiphertext(t *testing.T) {
	t.Parallel()
	j := newJob(t, byUnit)
	var plain, cipher []byte
	inBubble(t, func(t *testing.T) {
		r := newRig(t, byUnit, j)
		read := func() []byte {
			data, err := r.chip.Flash(0, 0x20000)
			check(t, err)
			return data
		}
		r.watch().starting = func() {
			if plain == nil {
				plain = read()
			}
		}
		r.mustRun("PASS", "")
		cipher = read()
	})
	for _, region := range []int{0, 0x1000, 0x8000, 0x10000} {
		at := region
		for plain[at]&1 != 0 || cipher[at]&1 == 0 {
			at++
		}
		inBubble(t, func(t *testing.T) {
			r := newRig(t, byUnit, j, simulator.WithFaults(simulator.Faults{WornSectors: []uint32{uint32(at)}}))
			if res := r.run(); res.Verdict != "FAIL" || res.Code != "E402" && res.Code != "E403" {
				t.Errorf("worn at %#x: run ended as %s %v", at, res.Verdict, res.Err)
			}
			r.mustKeepKeys()
		})
	}
}

// wornPlaces is one address in each region that is to hold a set bit 0, which is
// what a worn cell cannot: the header of a plain bootloader among them. It looks
// before the unit is started, since otadata is the firmware's from then on.
func wornPlaces(t *testing.T, p policy, j *job.Job) (at []uint32) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		r := newRig(t, p, j)
		r.sink = func(ev flow.Event) {
			if ev.Kind != flow.StepPassed || ev.Step != "verify flash" {
				return
			}
			regions, err := r.store.Regions(t.Context(), r.unit().ID)
			check(t, err)
			for _, g := range regions {
				data, err := r.chip.Flash(int(g.Offset), int(g.Length))
				check(t, err)
				i := slices.IndexFunc(data, func(b byte) bool { return b&1 != 0 })
				at = append(at, uint32(g.Offset)+uint32(i))
			}
		}
		r.mustRun("PASS", "")
	})
	return at
}

// TestFlashChangesUnderUs (I6): content that changes after it was verified is found
// by the second look, before the doors are shut, and never passes.
func TestFlashChangesUnderUs(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		r.sink = func(ev flow.Event) {
			if ev.Kind == flow.StepPassed && ev.Step == "burn FLASH_CRYPT_CNT" {
				check(t, r.chip.SetFlash(0x12345, []byte{0}))
			}
		}
		r.mustRun("FAIL", "E403")
		if r.chip.Fuses()[0][6]&dlCache != 0 {
			t.Error("the loader's doors were shut over flash that is not proved")
		}
		r.sink = nil
		r.mustRun("PASS", "") // it is written again: the keys were kept
		r.mustBeSecured(false)
	})
}

// TestDoesNotStart (I6): PASS needs the line to be seen. The keys are kept, so that
// a person can find out.
func TestDoesNotStart(t *testing.T) {
	t.Parallel()
	silent := newJob(t, release)
	silent.Profile.BootCheck.Expect = mustPattern(t, "something else")
	rejected := newJob(t, release)
	rejected.Profile.BootCheck.Reject = append(rejected.Profile.BootCheck.Reject, mustPattern(t, "Multicore bootloader"))
	for name, c := range map[string]struct {
		job           *job.Job
		verdict, code string
	}{
		"expected line missing": {silent, "FAIL", "E702"},
		"rejected line":         {rejected, "PARK", "E701"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, c.job)
				r.mustRun(c.verdict, c.code)
				r.mustKeepKeys()
				if r.chip.Fuses()[0][0]&wrDisConfig != 0 {
					t.Error("fuses were frozen although the unit did not start")
				}
			})
		})
	}
}

// mustPattern takes a pattern out of a profile that has it.
func mustPattern(t *testing.T, text string) station.LinePattern {
	t.Helper()
	p := strings.Replace(release.profile(), strconv.Quote(ready), strconv.Quote(text), 1)
	profile, err := station.Parse([]byte(p), "station.toml")
	check(t, err)
	return profile.BootCheck.Expect
}

// TestCompleteIsNeverUsedUp: a finished unit that is put, again and again, where another
// policy asks for more, or where its contacts are bad, stays what it is: finished.
func TestCompleteIsNeverUsedUp(t *testing.T) {
	t.Parallel()
	j, more := newJob(t, encryptionOnly), newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, encryptionOnly, j)
		r.mustRun("PASS", "")
		try := func(job *job.Job, open func(context.Context) (esptool.Port, error)) flow.Result {
			cfg := r.config()
			cfg.Job, cfg.Attempts, cfg.MAC = job, 3, r.mac()
			if open != nil {
				cfg.Open = open
			}
			return flow.Run(t.Context(), cfg)
		}
		missing := func(context.Context) (esptool.Port, error) { return nil, esptool.ErrPortMissing }
		for range 4 {
			if res := try(more, nil); res.Verdict != "PARK" || res.Code != "E209" {
				t.Fatalf("under another policy it ended as %s %s: %v", res.Verdict, res.Code, res.Err)
			}
			if res := try(j, missing); res.Code != "E104" {
				t.Fatalf("without a port it ended as %s %s: %v", res.Verdict, res.Code, res.Err)
			}
		}
		if u := r.unit(); u.State != records.StateComplete {
			t.Errorf("the unit is %s: %s %s", u.State, u.ParkCode, u.ParkReason)
		}
		r.mustRun("DONE", "")
	})
}
