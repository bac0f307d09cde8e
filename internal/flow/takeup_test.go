package flow_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/keys"
	"provision/internal/records"
)

// during has something happen once, when cfg's run tells of kind.
func during(cfg *flow.Config, kind, step string, do func()) {
	show, done := cfg.Sink, false
	cfg.Sink = func(ev flow.Event) {
		show(ev)
		if ev.Kind == kind && (step == "" || ev.Step == step) && !done {
			done = true
			do()
		}
	}
}

// cutAt runs cfg and takes it away when it tells of kind.
func (r *rig) cutAt(cfg flow.Config, kind, step string) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	during(&cfg, kind, step, cancel)
	if res := flow.Run(ctx, cfg); res.Code != fault.Interrupted {
		r.t.Errorf("the run that was to be cut ended as %s %s: %v", res.Verdict, res.Code, res.Err)
	}
}

// with is a run of j.
func (r *rig) with(j *job.Job) flow.Config {
	cfg := r.config()
	cfg.Job = j
	return cfg
}

func (r *rig) mustEnd(cfg flow.Config, verdict string, code fault.Code) {
	r.t.Helper()
	if res := flow.Run(r.t.Context(), cfg); res.Verdict != verdict || res.Code != code {
		r.t.Errorf("run %s ended as %s %s (%v), want %s %s", cfg.RunID, res.Verdict, res.Code, res.Err, verdict, code)
	}
}

// goal is the policy that the unit in the slot is to get, as it is on record.
func (r *rig) goal() string { return string(r.unit().Goal) }

// oneLockMore is release with a lock that its records tell apart.
func oneLockMore() policy {
	return release.with("one lock more", func(p *policy) {
		p.lock = []string{"DISABLE_SDIO_HOST = true"}
		p.word6 |= 1 << 3
	})
}

// TestCutRunBlocksNobody: a run that started later, took the unit up and ended before
// this one came to it, is no reason to stop.
func TestCutRunBlocksNobody(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	for _, step := range []string{"write app at 0x10000", "burn BLOCK1"} {
		inBubble(t, func(t *testing.T) {
			r := newRig(t, release, j)
			first := r.config()
			during(&first, flow.RunStarted, "", func() { r.cutAt(r.config(), flow.StepStarted, step) })
			r.mustEnd(first, "PASS", "")
			r.mustBeSecured(true)
		})
	}
}

// TestRefusedChangesNoGoal: a run with another policy that cannot open the keys, or finds
// a burn, leaves the goal and the unit to the run that works on it.
func TestRefusedChangesNoGoal(t *testing.T) {
	t.Parallel()
	j, other := newJob(t, release), newJob(t, oneLockMore())
	stranger, err := keys.CreateIdentity(filepath.Join(t.TempDir(), "identity.txt"))
	check(t, err)
	for _, c := range []struct {
		name, at string
		identity keys.Identity
		code     fault.Code
	}{
		{"cannot open the keys", "write app at 0x10000", stranger, fault.KeySafety},
		{"finds a burn", "read-protect BLOCK1", identity(), fault.BegunOtherwise},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, j)
				first, goal := r.config(), ""
				during(&first, flow.StepStarted, c.at, func() {
					goal = r.goal()
					second := r.with(other)
					second.Identity = c.identity
					r.mustEnd(second, "ERROR", c.code)
				})
				r.mustEnd(first, "PASS", "")
				if now := r.goal(); now != goal || goal == "" {
					t.Errorf("the unit was finished as %s; its goal is %s", goal, now)
				}
				r.mustBeSecured(true)
			})
		})
	}
}

// regoaled are records that let something happen right before a unit changes hands.
type regoaled struct {
	flow.Records
	before func()
}

func (r regoaled) Reserve(ctx context.Context, run string, u records.Unit, at time.Time) (records.Unit, error) {
	r.before()
	return r.Records.Reserve(ctx, run, u, at)
}

// TestGoalIsTheOneBurnt: whoever takes the unit up last, under whichever policy, the goal
// on record is the one that it burns; the others stop.
func TestGoalIsTheOneBurnt(t *testing.T) {
	t.Parallel()
	j, other := newJob(t, release), newJob(t, oneLockMore())
	lastGoal := func(t *testing.T, r *rig, want *job.Job) {
		t.Helper()
		var goal struct{ Lock []string }
		check(t, json.Unmarshal([]byte(r.goal()), &goal))
		if len(goal.Lock) != len(want.Profile.Lock.Burn) {
			t.Errorf("the goal on record has the locks %q, the profile %q", goal.Lock, want.Profile.Lock.Burn)
		}
	}
	t.Run("while the first writes", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T) {
			r := newRig(t, oneLockMore(), other)
			first := r.with(j)
			during(&first, flow.StepStarted, "write app at 0x10000", func() { r.mustEnd(r.config(), "PASS", "") })
			r.mustEnd(first, "ERROR", fault.TakenOver)
			lastGoal(t, r, other)
			r.mustBeSecured(true)
		})
	})
	for name, begun := range map[string]bool{"both new": false, "both known": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t, oneLockMore(), other)
				if begun {
					r.cutAt(r.with(j), flow.KeysSealed, "")
				}
				first, done := r.with(j), false
				first.Records = regoaled{r.store, func() {
					if !done {
						done = true
						r.cutAt(r.config(), flow.StepStarted, "write app at 0x10000")
					}
				}}
				r.mustEnd(first, "ERROR", fault.TakenOver)
				lastGoal(t, r, other)
				r.mustRun("PASS", "")
				r.mustBeSecured(true)
			})
		})
	}
}

// TestKeysSealedMeanwhile: keys that were not there when a run looked are another run's.
// They are neither replaced nor a fault of the records.
func TestKeysSealedMeanwhile(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		first := r.config()
		during(&first, flow.StepStarted, "make and seal keys", func() { r.cutAt(r.config(), flow.KeysSealed, "") })
		r.mustEnd(first, "ERROR", fault.TakenOver)
		r.mustRun("PASS", "")
		r.mustBeSecured(true)
	})
}

// TestSealsForItsUnitOnly: a run that lost the unit between its number and its keys seals
// none in the way of the run that has it.
func TestSealsForItsUnitOnly(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		first, second := r.config(), r.config()
		reserved, over, passed := make(chan struct{}), make(chan struct{}), make(chan struct{})
		during(&first, flow.SerialReserved, "", func() {
			go func() {
				defer close(passed)
				r.mustEnd(second, "PASS", "")
			}()
			<-reserved
		})
		during(&second, flow.SerialReserved, "", func() {
			close(reserved)
			<-over
		})
		r.mustEnd(first, "ERROR", fault.TakenOver)
		close(over)
		<-passed
		r.mustBeSecured(true)
	})
}

// TestOvertakenInsideAWrite: the second station passes the unit while the first is in the
// middle of a region. The first finds its session gone, and writes nothing more.
func TestOvertakenInsideAWrite(t *testing.T) {
	t.Parallel()
	for _, p := range []policy{release, byUnit} {
		j := newJob(t, p)
		t.Run(p.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := newRig(t, p, j)
				first, w := r.config(), r.watch()
				block, acts, passed := 0, 0, (*snapshot)(nil)
				w.writing = func() {
					if block++; block == 20 {
						w.writing = nil
						r.port = nil // another line to the same unit
						r.mustEnd(r.config(), "PASS", "")
						acts, passed = len(w.acts), r.snapshot()
					}
				}
				r.mustEnd(first, "ERROR", fault.TakenOver)
				if len(w.acts) > acts {
					t.Errorf("the first station went on: %q", w.acts[acts:])
				}
				passed.mustStillHold(r)
				r.mustBeSecured(true)
			})
		})
	}
}

// TestStopsAtTheNextPiece: a second station has taken the unit up, and has done nothing to
// the line yet. The first ends with the piece of 64 KiB that it is at.
func TestStopsAtTheNextPiece(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	app := &j.Regions[slices.IndexFunc(j.Regions, func(g job.Region) bool { return g.Offset == 0x10000 })]
	app.Data = append(slices.Clone(app.Data), make([]byte, 128<<10-len(app.Data))...) // all of its partition
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		first, w := r.config(), r.watch()
		blocks, at := 0, 0
		during(&first, flow.StepStarted, "write app at 0x10000", func() {
			w.writing = func() {
				if blocks++; blocks == 10 {
					at = len(w.acts)
					check(t, r.store.StartRun(t.Context(), records.Run{ID: "second", StartedAt: time.Now()}))
					_, err := r.store.Reserve(t.Context(), "second", *r.unit(), time.Now())
					check(t, err)
				}
			}
		})
		r.mustEnd(first, "ERROR", fault.TakenOver)
		if len(w.acts) > at || blocks != 64 {
			t.Errorf("the first station wrote %d blocks of 1 KiB, and did %q", blocks, w.acts[at:])
		}
	})
}
