package flow_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/simulator"
)

// TestTwoStationsOneUnit: a second station takes a unit up while the first is in the
// middle of it, over a line that both can open, with the records on a disk that both
// have. The second finishes the unit, or is stopped in the middle of it as well. The
// first does nothing to it from then on, and says why.
func TestTwoStationsOneUnit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy policy
		at     []string
	}{
		{release, []string{
			"make and seal keys", "write app at 0x10000", "write bootloader at 0x1000", "burn BLOCK1", "read-protect BLOCK1", "burn BLOCK2",
			"burn FLASH_CRYPT_CNT", "freeze", "record",
		}},
		{secureBootOnly, []string{"write bootloader at 0x1000, all but its header", "write bootloader at 0x1000"}},
		{byUnit, []string{
			"write bootloader at 0x1000, all but its header", "write secure boot digest at 0x0", "write app at 0x10000",
			"let the unit encrypt itself",
		}},
	} {
		j := newJob(t, c.policy)
		for _, step := range c.at {
			o := overtaking{kind: flow.StepStarted, step: step, idle: true}
			t.Run(c.policy.name+"/"+step, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T) { o.happens(t, newRig(t, c.policy, j)) })
			})
			o.stopped = true
			t.Run(c.policy.name+"/"+step+", the second is stopped", func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T) { o.happens(t, newRig(t, c.policy, j)) })
			})
		}
	}
}

// TestOvertakenInsideABurn: the intent of the first was on disk, and the second has
// taken the unit up and passed it before the burn. What the first sees then is the work
// of the second, and no reason to set a unit aside that has passed.
func TestOvertakenInsideABurn(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	for _, step := range []string{"burn BLOCK1", "burn FLASH_CRYPT_CNT"} {
		o := overtaking{kind: flow.BurnIntended, step: step}
		inBubble(t, func(t *testing.T) { o.happens(t, newRig(t, release, j)) })
	}
}

// overtaking is a second station that takes a unit up when the first one tells of kind
// in step.
type overtaking struct {
	kind, step string
	idle       bool // the first does nothing to the unit after that
	stopped    bool // the second is stopped when it holds the unit, and has not passed it
}

func (o overtaking) happens(t *testing.T, r *rig) {
	t.Helper()
	first, w := r.config(), r.watch()
	var then *snapshot
	acts := 0
	show := first.Sink
	first.Sink = func(ev flow.Event) {
		show(ev)
		if ev.Kind == o.kind && ev.Step == o.step && then == nil {
			o.second(r)
			acts, then = len(w.acts), r.snapshot()
		}
	}
	res := flow.Run(t.Context(), first)
	if then == nil {
		t.Fatalf("the first station never came to %s; it ended as %s: %v", o.step, res.Verdict, res.Err)
	}
	if res.Code != fault.TakenOver || res.Verdict == "PASS" {
		t.Errorf("the first station ended as %s %s: %v", res.Verdict, res.Code, res.Err)
	}
	if o.idle && len(w.acts) > acts {
		t.Errorf("the first station went on: %q", w.acts[acts:])
	}
	then.mustStillHold(r)
	if o.stopped {
		r.mustRun("PASS", "")
	}
	r.mustBeSecured(false)
}

// second is the run of the second station, which opens the records for itself, as
// another process does.
func (o overtaking) second(r *rig) {
	r.t.Helper()
	store, err := records.Open(r.t.Context(), r.store.Path())
	check(r.t, err)
	defer func() { check(r.t, store.Close()) }()
	cfg := r.config()
	cfg.Records = store
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	show := cfg.Sink
	cfg.Sink = func(ev flow.Event) {
		show(ev)
		if holds := ev.Kind == flow.StepStarted || ev.Kind == flow.StepSkipped; o.stopped && holds && strings.HasPrefix(ev.Step, "write ") {
			cancel()
		}
	}
	res := flow.Run(ctx, cfg)
	if o.stopped && res.Code != fault.Interrupted || !o.stopped && res.Verdict != "PASS" {
		r.t.Fatalf("the second station ended as %s %s: %v", res.Verdict, res.Code, res.Err)
	}
}

// snapshot is what a unit and its records hold.
type snapshot struct {
	fuses   simulator.Fuses
	flash   []byte
	regions []string // with the run that saved each
}

func (r *rig) snapshot() *snapshot {
	r.t.Helper()
	flash, err := r.chip.Flash(0, r.chip.FlashSize())
	check(r.t, err)
	s := &snapshot{fuses: r.chip.Fuses(), flash: flash}
	rows, err := r.store.Regions(r.t.Context(), r.unit().ID)
	check(r.t, err)
	for _, row := range rows {
		s.regions = append(s.regions, row.RunID+" "+row.Name+" "+row.FlashMD5)
	}
	return s
}

func (s *snapshot) mustStillHold(r *rig) {
	r.t.Helper()
	now := r.snapshot()
	if now.fuses != s.fuses {
		r.t.Errorf("the fuses are %08x, were %08x", now.fuses, s.fuses)
	}
	if !bytes.Equal(now.flash, s.flash) {
		r.t.Error("flash is not what it was")
	}
	if !slices.Equal(now.regions, s.regions) {
		r.t.Errorf("the regions on record are %q, were %q", now.regions, s.regions)
	}
}

// TestSetAsideInTheMiddle: a person sets the unit aside while a run is at work on it. The
// run stops at its next act, and the unit waits for the reason that the person gave,
// however often it had failed before, or whatever the run finds by then.
func TestSetAsideInTheMiddle(t *testing.T) {
	t.Parallel()
	j, silent, rejected := newJob(t, release), newJob(t, release), newJob(t, release)
	silent.Profile.BootCheck.Expect = mustPattern(t, "something else")
	rejected.Profile.BootCheck.Reject = append(rejected.Profile.BootCheck.Reject, mustPattern(t, "Multicore bootloader"))
	for name, c := range map[string]struct {
		job        *job.Job
		kind, step string
		code       fault.Code
	}{
		"at the next act":     {j, flow.StepStarted, "burn BLOCK1", fault.SetAside},
		"in a bad start":      {rejected, flow.BootLine, "boot check", fault.BootRefused},
		"in the last attempt": {silent, flow.BootLine, "boot check", fault.BootTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, c.job)
				cfg := r.config()
				cfg.Attempts = 1
				show, parked := cfg.Sink, false
				cfg.Sink = func(ev flow.Event) {
					show(ev)
					if ev.Kind == c.kind && ev.Step == c.step && !parked {
						parked = true
						check(t, r.store.Park(t.Context(), records.Parking{
							MAC: r.mac(), Code: string(fault.SetAside), Reason: "dropped", Person: "anna", At: cfg.Now(),
						}))
					}
				}
				if res := flow.Run(t.Context(), cfg); res.Code != c.code {
					t.Errorf("it ended as %s %s: %v", res.Verdict, res.Code, res.Err)
				}
				if slices.ContainsFunc(r.events, func(ev flow.Event) bool { return strings.Contains(ev.Text, string(fault.FailedTooOften)) }) {
					t.Error("it is told as set aside for its failures")
				}
				p, err := r.store.ParkingOf(t.Context(), r.mac())
				check(t, err)
				if p.Person != "anna" || p.Reason != "dropped" {
					t.Errorf("it waits for %q, %s %q", p.Person, p.Code, p.Reason)
				}
			})
		})
	}
}
