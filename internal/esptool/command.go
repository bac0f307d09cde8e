package esptool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// maxTries is how often a command or a block that may be repeated is sent.
const maxTries = 4

var errIdle = errors.New("chip is idle again") // SYNC answered, the command not; stays inside

// command sends req once and returns its result and value field. The link is
// brought in step before, if need be, and the chip asked who it is, but req is
// never repeated. Errors are the cause of ctx, *ROMError, or wrap ErrNoReply (the
// command may have been carried out), ErrLinkLost, or, with req not sent,
// ErrOtherChip or ErrUnstable.
func (d *Device) command(ctx context.Context, req request) ([]byte, uint32, error) {
	defer d.interruptible(ctx)()
	if ctx.Err() != nil {
		return nil, 0, fmt.Errorf("%v: %w", req.op, context.Cause(ctx))
	}
	if !d.inStep { // an earlier call was cut short: old replies may still be on the line
		if err := d.resync(ctx); err != nil {
			return nil, 0, fmt.Errorf("%v: %w", req.op, err)
		}
	}
	if d.doubted && d.known() {
		if err := d.SameChip(ctx); err != nil {
			return nil, 0, fmt.Errorf("%v: %w", req.op, err)
		}
	}
	d.inStep = false
	d.stats.Commands++
	start := d.clock.Now()
	result, value, err := d.exchange(ctx, req)
	if isROMError(err) && d.known() {
		if other := d.SameChip(ctx); errors.Is(other, ErrOtherChip) {
			err = fmt.Errorf("%w (%v)", other, err) // whose flash is not attached, for one
		}
	}
	if err != nil {
		err = fmt.Errorf("%v: %w", req.op, err)
	}
	if d.cfg.Trace != nil {
		d.cfg.Trace(TraceEvent{Command: req.op.String(), Size: len(req.body), Took: d.clock.Now().Sub(start), Err: err})
	}
	return result, value, err
}

// exchange sends req and waits for its answer. After each silence (soft, 3 soft, 9
// soft) it sends a SYNC, which a busy chip answers only after the command: so a
// lost answer is noticed soon, and a slow command still gets until hard. A SYNC is
// short enough to wait in the receive FIFO of the chip (128 bytes).
func (d *Device) exchange(ctx context.Context, req request) ([]byte, uint32, error) {
	d.in = nil // what came before the request cannot be its answer
	if err := d.send(req); err != nil {
		return nil, 0, err
	}
	start, travel := d.clock.Now(), 2*d.wireTime(len(d.out))
	hard := start.Add(req.hard + travel)
	d.busyUntil = hard
	soft := req.soft + travel
	syncs := 0
	for _, wait := range [...]time.Duration{soft, 3 * soft, 9 * soft, req.hard + travel} {
		limit := start.Add(wait)
		if limit.After(hard) {
			limit = hard
		}
		result, value, err := d.await(ctx, req, limit, syncs > 0)
		switch {
		case errors.Is(err, errIdle):
			return nil, 0, errors.Join(ErrNoReply, d.drain(ctx, syncs*syncReplies-1))
		case errors.Is(err, errTimeout) && limit.Before(hard):
			if err := d.send(syncRequest); err != nil {
				return nil, 0, err
			}
			syncs, d.doubted = syncs+1, true
		case errors.Is(err, errTimeout):
			return nil, 0, fmt.Errorf("%w within %v", ErrNoReply, req.hard)
		case err == nil || isROMError(err):
			// An error while draining leaves the link suspect; the answer stands.
			_ = d.drain(ctx, syncs*syncReplies)
			return result, value, err
		default:
			return nil, 0, err
		}
	}
	return nil, 0, fmt.Errorf("%w within %v", ErrNoReply, req.hard)
}

// await waits for the answer to req. With probing it returns errIdle when a SYNC is
// answered instead.
func (d *Device) await(ctx context.Context, req request, deadline time.Time, probing bool) ([]byte, uint32, error) {
	for {
		r, err := d.next(ctx, deadline)
		if err != nil {
			return nil, 0, err
		}
		if r.op == opSync && probing {
			return nil, 0, errIdle
		}
		if r.op != req.op {
			continue
		}
		result, err := r.split(req.result)
		if errors.Is(err, errMalformed) {
			d.stats.Garbled++
			continue
		}
		return bytes.Clone(result), r.value, err // the frame is reused
	}
}

// isROMError reports whether the chip answered, with a refusal.
func isROMError(err error) bool {
	var refused *ROMError
	return errors.As(err, &refused)
}

// repeatable sends req until it is answered, maxTries times at most. It is for
// commands that change nothing when carried out twice.
func (d *Device) repeatable(ctx context.Context, req request) ([]byte, uint32, error) {
	for try := 1; ; try++ {
		result, value, err := d.command(ctx, req)
		if err == nil || try == maxTries || !errors.Is(err, ErrNoReply) {
			return result, value, err
		}
		d.stats.Resends++
	}
}
