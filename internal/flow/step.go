package flow

import (
	"cmp"
	"context"
	"errors"
	"time"

	"provision/internal/efuse"
	"provision/internal/fault"
)

// State is what a step's Check found.
type State int

const (
	Needed State = iota
	Done         // the chip, the flash or the records already show the step's result
)

// Step is one part of the work on a unit. A run is a []Step: the screen lists
// it, a dry run only checks it, records keep the names.
type Step struct {
	Name string
	// Check reads the chip or the records, never writes, and says whether the
	// step is still to be done. It never trusts an earlier run's word for what it
	// can read itself.
	Check func(context.Context) (State, error)
	// Do changes something.
	Do func(context.Context) error
	// Verify reads back what Do changed. It never trusts Do.
	Verify func(context.Context) error
	// Burns is set for steps that program eFuses: they cannot be undone, and an
	// interruption waits for their read-back.
	Burns bool
	// Twice is set for a step that looks at fuses: what it would blame the unit for has
	// to be seen twice, unless it is a marginal bit, which was heard of often enough.
	Twice bool
	// Closing is set for a step that an interruption may not come before: what is
	// done must not go unrecorded.
	Closing bool
	// Limit bounds a step that burns, where the unit itself is at work for longer than
	// a burn takes; zero: BurnLimit.
	Limit time.Duration
	// Cost is the estimated time, for the remaining-time display only.
	Cost time.Duration
	// Fault is the code for an error that has no code of its own.
	Fault fault.Code
}

// BurnLimit bounds one burn step, from its check to its read-back: 250 ms per
// program, three programs, generous polling on slow links.
const BurnLimit = 60 * time.Second

// step runs s on the unit: nothing if it is already done.
func (r *runner) step(ctx context.Context, s Step) error {
	started := false
	err := r.attempt(ctx, s, &started)
	if s.Twice && blames(err, fault.Part, fault.Fuse) && !errors.Is(err, efuse.ErrMarginal) {
		if err = r.secondLook(ctx, s, err); err == nil {
			err = r.attempt(ctx, s, &started)
		}
	}
	return err
}

// attempt is a step, once. started says that an earlier attempt has told of its start.
func (r *runner) attempt(ctx context.Context, s Step, started *bool) error {
	if err := context.Cause(ctx); err != nil && !s.Closing {
		return r.fault(s, err)
	}
	if s.Burns || s.Closing {
		// From the check that plans the burn to the read-back that proves it, an
		// interruption waits: a burn nobody looked at is the one state to avoid.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(s.Limit, BurnLimit))
		defer cancel()
	}
	state, err := s.Check(ctx)
	if err != nil {
		return r.fault(s, err)
	}
	if state == Done && !*started {
		return r.emit(ctx, Event{Kind: StepSkipped, Step: s.Name, Text: "already done", Work: r.progress.skip(s, r.cfg.Now())})
	}
	if !*started {
		if err := r.emit(ctx, Event{Kind: StepStarted, Step: s.Name, Work: r.progress.start(s, r.cfg.Now())}); err != nil {
			return err
		}
		*started = true
	}
	if err := r.perform(ctx, s, state); err != nil {
		return r.fault(s, err)
	}
	r.note(Event{Kind: StepPassed, Step: s.Name, Work: r.progress.finish(s, r.cfg.Now())}) // shown with what comes next
	return nil
}

// perform does what Check found to be needed, and verifies it.
func (r *runner) perform(ctx context.Context, s Step, state State) error {
	if state == Needed {
		if err := s.Do(ctx); err != nil {
			return err
		}
	}
	if s.Verify == nil {
		return nil
	}
	return s.Verify(ctx)
}

// fault gives err the step's name and a code: its own, else the one the cause
// has, else the step's.
func (r *runner) fault(s Step, err error) error { return asFault(s.Name, err, s.Fault) }
