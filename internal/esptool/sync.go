package esptool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	syncWait    = 100 * time.Millisecond // the ROM answers SYNC at once
	maxSyncWait = 800 * time.Millisecond
	resyncLimit = time.Second           // for a chip that is not known to be busy
	quiet       = 50 * time.Millisecond // of silence: longer than the latency of any USB adapter
)

// syncRequest asks the ROM to answer eight times. The ROM works in order: once a
// reply to a SYNC is here, no reply to an earlier command can follow.
var syncRequest = request{op: opSync, body: syncBody}

// resync brings the link back in step after a command that was cut short: it asks
// until the chip answers a SYNC, then drops what is left of the answers. The error
// wraps ErrLinkLost when the chip stays silent.
func (d *Device) resync(ctx context.Context) error {
	d.stats.Resyncs++
	d.doubted = true
	limit := d.clock.Now().Add(resyncLimit)
	if d.busyUntil.After(limit) {
		limit = d.busyUntil
	}
	sent := 0
	for wait := syncWait; d.clock.Now().Before(limit); wait = min(2*wait, maxSyncWait) {
		if err := d.send(syncRequest); err != nil {
			return err
		}
		sent++
		_, err := d.awaitSync(ctx, d.clock.Now().Add(wait+2*d.wireTime(len(d.out))))
		if err == nil {
			return d.drain(ctx, sent*syncReplies-1)
		}
		if !errors.Is(err, errTimeout) {
			return err
		}
	}
	return fmt.Errorf("%w: %d SYNC without an answer", ErrLinkLost, sent)
}

// awaitSync waits for a reply to SYNC and returns its value field.
func (d *Device) awaitSync(ctx context.Context, deadline time.Time) (uint32, error) {
	for {
		r, err := d.next(ctx, deadline)
		if err != nil {
			return 0, err
		}
		if r.op == opSync {
			return r.value, nil
		}
	}
}

// drain drops up to n further replies to SYNC, until the line is quiet. Then the
// link is in step.
func (d *Device) drain(ctx context.Context, n int) error {
	for range n {
		_, err := d.awaitSync(ctx, d.clock.Now().Add(quiet+d.wireTime(headerSize)))
		if errors.Is(err, errTimeout) {
			break // some were lost
		}
		if err != nil {
			return err
		}
	}
	d.inStep = true
	d.busyUntil = time.Time{}
	return nil
}
