package flow_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"provision/internal/esptool"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/simulator"
)

// fixture is a port behind which the unit can be changed while it is open.
type fixture struct{ chip *simulator.Chip }

func (f *fixture) port(esptool.Port) esptool.Port { return fixturePort{f} }

// fixturePort sends everything to the chip that sits in the fixture just now.
type fixturePort struct{ f *fixture }

func (p fixturePort) Read(b []byte) (int, error)        { return p.f.chip.Read(b) }
func (p fixturePort) Write(b []byte) (int, error)       { return p.f.chip.Write(b) }
func (p fixturePort) Close() error                      { return nil }
func (p fixturePort) SetLines(dtr, rts bool) error      { return p.f.chip.SetLines(dtr, rts) }
func (p fixturePort) SetBaud(baud int) error            { return p.f.chip.SetBaud(baud) }
func (p fixturePort) SetReadDeadline(t time.Time) error { return p.f.chip.SetReadDeadline(t) }

// TestSwapped changes the unit in the slot in the middle of the work, at the start
// of each step. The keys of the first unit never reach the second, and the first
// one is finished when it is put back.
func TestSwapped(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	for _, step := range []string{"write bootloader", "write app", "burn BLOCK1", "read-protect BLOCK1", "burn BLOCK2",
		"burn FLASH_CRYPT_CONFIG", "burn ABS_DONE_0", "burn FLASH_CRYPT_CNT", "verify flash", "burn locks", "boot check", "freeze", "record"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, j)
				f := &fixture{chip: r.chip}
				r.port = f.port
				other := smallChip()
				other.MAC[5]++
				second := simulator.New(other, simulator.WithDownloadMode())
				untouched := second.Fuses()
				r.sink = func(ev flow.Event) {
					if ev.Kind == flow.StepStarted && strings.HasPrefix(ev.Step, step) {
						f.chip = second
					}
				}
				res := r.run()
				if res.Verdict == "PASS" || res.Exit == 0 {
					t.Fatalf("swapped at %q, the run ended as %s", step, res.Verdict)
				}
				if second.Fuses() != untouched {
					t.Fatalf("swapped at %q, the second unit was burnt", step)
				}
				r.sink = nil
				f.chip = r.chip
				r.chip.PowerCycle()
				r.mustRun("PASS", "")
				r.mustBeSecured(true)
			})
		})
	}
}

// TestSwappedWhileRead changes the unit between two registers of one reading of its
// fuses: what then looks like a key that did not take is another unit.
func TestSwappedWhileRead(t *testing.T) {
	t.Parallel()
	const block2 = 0x3FF5A058
	slow := release.with("at the speed that any chip understands", func(p *policy) { p.lock = []string{"[link]", "baud = [115200]"} })
	j := newJob(t, slow)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, slow, j)
		f := &fixture{chip: r.chip}
		w := r.watch()
		through := r.port
		r.port = func(p esptool.Port) esptool.Port { return through(f.port(p)) }
		other := smallChip()
		other.MAC[5]++
		second := simulator.New(other, simulator.WithDownloadMode())
		w.reading = func(addr uint32) {
			if last := r.events[len(r.events)-1]; addr == block2 && last.Kind == flow.BurnObserved && last.Step == "burn BLOCK2" {
				f.chip = second
			}
		}
		r.mustRun("ERROR", "E109")
		w.reading, f.chip = nil, r.chip
		r.chip.PowerCycle()
		r.mustRun("PASS", "")
	})
}

// TestFlashBehindShutDoors damages flash after the locks are burnt: PASS is not
// given for what was right once.
func TestFlashBehindShutDoors(t *testing.T) {
	t.Parallel()
	p := release.with("no boot check", func(p *policy) { p.withoutBootCheck = true })
	j := newJob(t, p)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, p, j)
		r.stopAfter("burn locks")
		damaged, err := r.chip.Flash(0x10000, 4096)
		check(t, err)
		damaged[100] ^= 0xFF
		check(t, r.chip.SetFlash(0x10000, damaged))
		r.chip.PowerCycle()
		r.mustRun("PASS", "")
		r.mustBeSecured(true)
	})
}

// stopAfter runs the unit up to the end of a step, which may be told of when the next
// burn has begun.
func (r *rig) stopAfter(step string) { r.stopAt(flow.StepPassed, step) }

// stopAt runs the unit up to an event of a step, or the end of a burn that is under way.
func (r *rig) stopAt(kind, step string) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	r.sink = func(ev flow.Event) {
		if ev.Kind == kind && ev.Step == step {
			cancel()
		}
	}
	res := r.runContext(ctx)
	r.sink = nil
	if res.Code != "E902" {
		r.t.Fatalf("stopped at %s, the run ended as %s %s: %v", step, res.Verdict, res.Code, res.Err)
	}
}

// TestPolicyChanges resumes a unit under a profile that asks for something else.
func TestPolicyChanges(t *testing.T) {
	t.Parallel()
	escrow := escrowed
	locked := release.with("one lock more", func(p *policy) {
		p.lock = []string{"DISABLE_SDIO_HOST = true"}
		p.word6 |= 1 << 3
	})
	for _, c := range []struct {
		name  string
		then  policy
		after string // the last step under the first profile
		code  string // "": it may change
	}{
		{"custody, keys sealed", escrow, "make and seal keys", "E813"},
		{"custody, burnt", escrow, "burn BLOCK1", "E813"},
		{"count, burnt", development, "burn BLOCK1", "E813"},
		{"locks, nothing burnt", locked, "make and seal keys", ""},
		{"locks, burnt", locked, "burn BLOCK1", "E813"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first, then := newJob(t, release), newJob(t, c.then)
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, first)
				r.stopAfter(c.after)
				r.chip.PowerCycle()
				r.job = then
				if c.code != "" {
					r.mustWriteNothing(func() { r.mustRunDry("ERROR", c.code) })
					r.mustWriteNothing(func() { r.mustRun("ERROR", c.code) })
					r.job = first
				} else {
					r.mustWriteNothing(func() { r.mustRunDry("PLAN", "") })
					r.policy = c.then
				}
				r.mustRun("PASS", "")
				r.mustBeSecured(true)
			})
		})
	}
}

// mustRunDry is mustRun of a dry run, which decides as the real one and leaves no goal.
func (r *rig) mustRunDry(verdict, code string) {
	r.t.Helper()
	before := string(r.unit().Goal)
	r.dryRun = true
	defer func() { r.dryRun = false }()
	r.mustRun(verdict, code)
	if now := string(r.unit().Goal); now != before {
		r.t.Errorf("a dry run changed the goal from %s to %s", before, now)
	}
}

// TestNamesTheProfile: what a unit is to be finished with is the profile that gave it its
// policy last, and one that was edited in place is told from what it is now.
func TestNamesTheProfile(t *testing.T) {
	t.Parallel()
	locked := release.with("one lock more", func(p *policy) { p.lock = []string{"DISABLE_SDIO_HOST = true"} })
	first, then := newJob(t, release), newJob(t, locked)
	first.Profile.Path, then.Profile.Path = "first.toml", "then.toml"
	edited := *then
	profile := *then.Profile
	edited.Profile = &profile
	edited.Profile.Path = first.Profile.Path
	for _, c := range []struct {
		name string
		jobs []*job.Job // the first begins the unit, the second burns
		last *job.Job   // is refused
		want string
	}{
		{"by another file, once", []*job.Job{first, first}, then, "of first.toml"},
		{"changed before the first burn", []*job.Job{first, then}, first, "of then.toml"},
		{"edited in place", []*job.Job{first, first}, &edited, "of first.toml as it was on 2000-01-01 (SHA-256 " + first.ProfileSHA256()[:8] + ")"},
		{"edited in place before the first burn", []*job.Job{first, &edited}, first, "(SHA-256 " + edited.ProfileSHA256()[:8] + ")"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, c.jobs[0])
				r.stopAfter("make and seal keys")
				r.job = c.jobs[1]
				r.stopAfter("burn BLOCK1")
				r.job = c.last
				if res := r.mustRun("ERROR", "E813"); !strings.Contains(res.Err.Error(), c.want) {
					t.Errorf("the reason is %v, want %q", res.Err, c.want)
				}
			})
		})
	}
}

// TestDoneUnderAnotherPolicy inserts a finished unit at a station that asks for
// more than it has.
func TestDoneUnderAnotherPolicy(t *testing.T) {
	t.Parallel()
	j, strict := newJob(t, development), newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, development, j)
		r.mustRun("PASS", "")
		r.job = strict
		r.mustWriteNothing(func() { r.mustRun("PARK", "E209") })
		if u := r.unit(); u.State != records.StateComplete {
			t.Errorf("the unit is %s on record, want complete", u.State)
		}
		r.job = j
		r.mustWriteNothing(func() { r.mustRun("DONE", "") })
	})
}

// TestInterruptedAtTheDoor interrupts after download mode was closed: nobody can
// look at the unit again, so what was done is recorded first.
func TestInterruptedAtTheDoor(t *testing.T) {
	t.Parallel()
	j := newJob(t, closed)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, closed, j)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r.sink = func(ev flow.Event) {
			if ev.Kind == flow.BurnObserved && ev.Step == "burn UART_DOWNLOAD_DIS" {
				cancel()
			}
		}
		if res := r.runContext(ctx); res.Verdict != "PASS" {
			t.Fatalf("the run ended as %s: %v", res.Verdict, res.Err)
		}
		r.mustBeOnRecord()
	})
}

// TestSetAsideOnce parks a unit whose fuses do not do what they should, and leaves
// the reason as it was when it is inserted again.
func TestSetAsideOnce(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		dead := simulator.Faults{}
		for bit := range 256 {
			dead.WeakBits = append(dead.WeakBits, simulator.WeakBit{Block: 1, Bit: bit, Programs: 100})
		}
		r := newRig(t, release, j, simulator.WithFaults(dead))
		r.mustRun("FAIL", "E301")
		first, err := r.store.ParkingOf(t.Context(), r.mac())
		check(t, err)
		for range 2 {
			r.chip.PowerCycle()
			r.mustWriteNothing(func() { r.mustRun("FAIL", "E301") })
		}
		again, err := r.store.ParkingOf(t.Context(), r.mac())
		check(t, err)
		if again != first {
			t.Errorf("parked as %+v, then as %+v", first, again)
		}
	})
}
