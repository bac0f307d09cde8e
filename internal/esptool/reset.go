package esptool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Times of the reset sequences. Source: Espressif "Boot Mode Selection"; the long
// hold is for boards with a big capacitor at EN.
const (
	resetPulse = 100 * time.Millisecond // EN low
	shortHold  = 50 * time.Millisecond  // IO0 low after EN rises
	longHold   = 550 * time.Millisecond
)

// lineStep is one state of the lines and how long it is held. Usual wiring, through
// two transistors: RTS alone pulls EN low (reset), DTR alone pulls IO0 low (download
// mode), both together pull neither.
type lineStep struct {
	dtr, rts bool // true: asserted, pin low
	hold     time.Duration
}

// classicReset goes from reset to download mode with one change of both lines.
func classicReset(hold time.Duration) []lineStep {
	return []lineStep{
		{dtr: false, rts: true, hold: resetPulse},
		{dtr: true, rts: false, hold: hold},
		{dtr: false, rts: false},
	}
}

// apart is the part of a Port whose lines cannot move in one step. There is no tight
// reset for it, and what leads it in makes esp_rfc2217_server begin a second reset in
// the middle of the first.
type apart interface{ movesApart() }

// tightReset is classicReset led in through idle and both asserted, which settles
// adapters that skip a change to the state they believe to be in.
func tightReset(hold time.Duration) []lineStep {
	lead := []lineStep{{dtr: false, rts: false}, {dtr: true, rts: true}}
	return append(append(lead, classicReset(hold)...), lineStep{dtr: false, rts: false})
}

// runReset starts the application: IO0 stays high while EN rises.
var runReset = []lineStep{
	{dtr: false, rts: true, hold: resetPulse},
	{dtr: false, rts: false},
}

// attemptReset is the sequence for connect attempt i: the chosen one and the other
// in turn, first both with a short hold, then both with a long one.
func (d *Device) attemptReset(i int) []lineStep {
	hold := shortHold
	if i/2%2 == 1 {
		hold = longHold
	}
	_, apart := d.port.(apart)
	if !apart && (d.reset == ResetTight) == (i%2 == 0) {
		return tightReset(hold)
	}
	return classicReset(hold)
}

// duration is how long a sequence takes.
func duration(steps []lineStep) time.Duration {
	var sum time.Duration
	for _, s := range steps {
		sum += s.hold
	}
	return sum
}

// moveLines runs a reset sequence. However it ends, the lines are left inactive:
// a chip must not be held in reset. The error wraps ErrNoLines on a port without, and
// ErrLinkLost where the port fails: with it went the adapter or the power, and no chip
// has to answer for that.
func (d *Device) moveLines(ctx context.Context, steps []lineStep) error {
	d.inStep = false
	d.flash.attached = false
	for _, s := range steps {
		switch err := d.port.SetLines(s.dtr, s.rts); {
		case errors.Is(err, ErrNoLines):
			return fmt.Errorf("reset: %w", err)
		case err != nil:
			return errors.Join(fmt.Errorf("%w: reset: %w", ErrLinkLost, err), d.port.SetLines(false, false))
		case s.hold == 0:
			continue
		}
		if err := d.clock.Sleep(ctx, s.hold); err != nil {
			return errors.Join(fmt.Errorf("reset: %w", err), d.port.SetLines(false, false))
		}
	}
	return nil
}
