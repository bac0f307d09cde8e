package esptool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// longAgo is a read deadline that ends a waiting Read.
var longAgo = time.Unix(1, 0)

var errTimeout = errors.New("timeout") // nothing came until the given time; stays inside

// maxTail bounds what is kept of the line while connecting, in bytes: a boot log.
const maxTail = 4096

// interruptible makes the end of ctx unblock a waiting Read until the returned
// function is called. That waits for a callback under way, which would otherwise
// move the deadline of the next command.
func (d *Device) interruptible(ctx context.Context) (release func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		// An error here means a closed port, which Read reports.
		_ = d.port.SetReadDeadline(longAgo)
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// send writes one request as a frame.
func (d *Device) send(req request) error {
	d.payload = req.appendPayload(d.payload[:0])
	d.out = appendFrame(d.out[:0], d.payload)
	n, err := d.port.Write(d.out)
	d.stats.BytesOut += int64(n)
	if err != nil {
		return fmt.Errorf("%w: send %v: %w", ErrLinkLost, req.op, err)
	}
	return nil
}

// fill reads once into d.in, until deadline at the latest. Errors are errTimeout,
// the cause of ctx, or wrap ErrLinkLost.
func (d *Device) fill(ctx context.Context, deadline time.Time) error {
	if !d.clock.Now().Before(deadline) {
		return errTimeout // a line that never falls silent must not hold us
	}
	if err := d.port.SetReadDeadline(deadline); err != nil {
		return fmt.Errorf("%w: set deadline: %w", ErrLinkLost, err)
	}
	// After the deadline is set: an end of ctx from here on moves it again.
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	n, err := d.port.Read(d.buf[:])
	d.in = d.buf[:n]
	d.stats.BytesIn += int64(n)
	if d.listening {
		d.keepTail(d.in)
	}
	switch {
	case n > 0, err == nil: // an error that lasts comes again
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errTimeout
	default:
		return fmt.Errorf("%w: receive: %w", ErrLinkLost, err)
	}
}

// keepTail remembers the last maxTail bytes for diagnose.
func (d *Device) keepTail(b []byte) {
	d.tail = append(d.tail, b...)
	if over := len(d.tail) - maxTail; over > 0 {
		d.tail = append(d.tail[:0], d.tail[over:]...)
	}
}

// next returns the next reply on the line, whatever it answers. Frames that are no
// reply are counted and dropped. Errors are those of fill.
func (d *Device) next(ctx context.Context, deadline time.Time) (reply, error) {
	for {
		for len(d.in) > 0 {
			var frame []byte
			frame, d.in = d.dec.next(d.in)
			if frame == nil {
				break
			}
			r, err := parseReply(frame)
			if err == nil {
				return r, nil
			}
			d.stats.Garbled++
		}
		if err := d.fill(ctx, deadline); err != nil {
			return reply{}, err
		}
	}
}

// wireTime is how long n bytes take on the line: 10 bit times each, 8N1.
func (d *Device) wireTime(n int) time.Duration {
	return time.Duration(n) * 10 * time.Second / time.Duration(d.baud)
}
