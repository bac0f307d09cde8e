package esptool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	defaultAttempts = 7
	syncTries       = 3                       // SYNCs per attempt
	connectLimit    = 2800 * time.Millisecond // for all attempts: a cause within 3 s
)

// chipMagic is what the ESP32 has at address magicReg, in its ROM. Source:
// Espressif "ESP32 Serial Protocol".
const (
	magicReg  = 0x40001000
	chipMagic = 0x00F01D83
)

// Connect puts the chip behind port into download mode, gets in step with its ROM
// and raises the speed to the first of cfg.Bauds that works. A chip that cannot be
// reached fails within 3 s. Errors wrap ErrNoAnswer, ErrGarbled,
// ErrNotDownloadMode, ErrDownloadDisabled, ErrWrongChip, ErrUnstable, ErrLinkLost
// or the cause of ctx. The port stays open and the caller's, also on failure.
//
// The Device belongs to the chip it finds: see SameChip.
//
// A port without reset lines is used as with ResetNone, with a warning: the chip
// has to be in download mode already.
func Connect(ctx context.Context, port Port, cfg Config) (*Device, error) {
	d := newDevice(port, cfg)
	switch d.reset {
	case ResetClassic, ResetTight, ResetNone:
	default:
		return nil, fmt.Errorf("connect: reset mode %q: %w (classic, tight, none)", cfg.Reset, ErrShape)
	}
	if err := d.enter(ctx); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := d.climb(ctx); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return d, nil
}

// Unreached is a Device for a chip that Connect does not reach, since its download mode
// is closed (ErrDownloadDisabled): only Run and Console lead anywhere.
func Unreached(port Port, cfg Config) *Device { return newDevice(port, cfg) }

// Reconnect puts the chip back into download mode after Run, a lost link or a
// power cycle, at the speed of before where that still works, and attaches the
// flash again if it was. Errors are those of Connect, and ErrOtherChip when
// another chip answers: nothing was written to that one.
func (d *Device) Reconnect(ctx context.Context) error {
	d.stats.Reconnects++
	if err := d.enter(ctx); err != nil {
		return fmt.Errorf("reconnect: %w", err)
	}
	if err := d.climb(ctx); err != nil {
		return fmt.Errorf("reconnect: %w", err)
	}
	if d.flash.size == 0 {
		return nil
	}
	if err := d.AttachFlash(ctx, d.flash.pins, d.flash.size); err != nil {
		return fmt.Errorf("reconnect: %w", err)
	}
	return nil
}

// enter reaches the ROM, makes sure that it is an ESP32's and the same one's as
// before, and measures the crystal while the speed is one the ROM chose.
func (d *Device) enter(ctx context.Context) error {
	defer d.interruptible(ctx)()
	if err := d.reach(ctx); err != nil {
		return err
	}
	d.flash.attached = false
	if err := d.checkMagic(ctx); err != nil {
		return err
	}
	if err := d.SameChip(ctx); err != nil {
		return err
	}
	return d.measureCrystal(ctx)
}

// checkMagic tells an ESP32 from its relatives, which answer SYNC as well. A wrong
// value is read once more: replies have no checksum.
func (d *Device) checkMagic(ctx context.Context) error {
	var magic uint32
	for range 2 {
		var err error
		if magic, err = d.ReadReg(ctx, magicReg); err != nil {
			return err
		}
		if magic == chipMagic {
			return nil
		}
	}
	return fmt.Errorf("%w: chip magic is %#08x, not %#08x", ErrWrongChip, magic, uint32(chipMagic))
}

// reach resets and sends SYNC until one is answered. When none is, the error is the
// clearest cause seen.
func (d *Device) reach(ctx context.Context) error {
	d.listening = true
	defer func() { d.listening, d.tail = false, nil }()
	limit := d.clock.Now().Add(connectLimit)
	var cause error
	for i := range d.cfg.Attempts {
		if cause != nil && !d.timeFor(i, limit) {
			break
		}
		d.tail = d.tail[:0]
		err := d.prepare(ctx, i)
		if errors.Is(err, ErrBaud) && cause != nil {
			continue // the port does not do the speed of that earlier session
		}
		if err != nil {
			return err
		}
		err = d.trySync(ctx)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errTimeout) {
			return err
		}
		cause = clearerCause(cause, diagnose(d.tail))
		if errors.Is(cause, ErrDownloadDisabled) {
			break // no reset changes a fuse
		}
	}
	return cause
}

// timeFor reports whether attempt i, with all its SYNCs, ends before limit.
func (d *Device) timeFor(i int, limit time.Time) bool {
	needs := syncTries * syncWait
	if d.reset != ResetNone {
		needs += duration(d.attemptReset(i))
	}
	return !d.clock.Now().Add(needs).After(limit)
}

// prepare sets the host's speed for attempt i and resets the chip if it can.
func (d *Device) prepare(ctx context.Context, i int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := d.setHostBaud(d.attemptBaud(i)); err != nil {
		return err
	}
	if d.reset == ResetNone {
		return nil
	}
	err := d.moveLines(ctx, d.attemptReset(i))
	if errors.Is(err, ErrNoLines) {
		d.reset = ResetNone
		d.warn("the port has no reset lines: the chip has to be in download mode already")
		return nil
	}
	return err
}

// attemptBaud is the speed for attempt i. A chip that was just reset finds out the
// host's; one that was not may still be at any speed of an earlier session.
func (d *Device) attemptBaud(i int) int {
	if d.reset != ResetNone {
		return initialBaud
	}
	if i /= 2; i > 0 && i <= len(d.cfg.Bauds) { // two attempts each
		return d.cfg.Bauds[i-1]
	}
	return initialBaud
}

// setHostBaud sets the speed of the host side only. On a port without speed it does
// nothing. Errors wrap ErrBaud when the port refuses that speed, else ErrLinkLost.
func (d *Device) setHostBaud(baud int) error {
	p, ok := d.port.(bauder)
	if !ok {
		return nil
	}
	err := p.SetBaud(baud)
	switch {
	case errors.Is(err, ErrBaud):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrLinkLost, err)
	}
	d.baud = baud
	return nil
}

// trySync sends SYNC up to syncTries times and drops the further answers. The error
// is errTimeout when none is answered.
func (d *Device) trySync(ctx context.Context) error {
	d.in = nil
	var err error
	for sent := 1; sent <= syncTries; sent++ {
		if err := d.send(syncRequest); err != nil {
			return err
		}
		var marker uint32
		marker, err = d.awaitSync(ctx, d.clock.Now().Add(syncWait))
		if err == nil && marker == 0 {
			return fmt.Errorf("%w: a flasher stub answers, not the ROM: reset it", ErrNotDownloadMode)
		}
		if err == nil {
			return d.drain(ctx, sent*syncReplies-1)
		}
		if !errors.Is(err, errTimeout) {
			return err
		}
	}
	return err
}
