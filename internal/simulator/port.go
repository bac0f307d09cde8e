package simulator

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"time"
)

// portState is the host's end of the cable.
type portState struct {
	out      []chunk // on its way to the host
	spare    []byte  // room of a chunk that is gone, for the next
	deadline time.Time
	closed   bool
	failed   error // ErrPowerCut, ErrUnplugged
}

// chunk is bytes that may be read from a point in time on. Those before taken were.
type chunk struct {
	data  []byte
	taken int
	at    time.Time
}

// notify wakes every waiting Read.
func (c *Chip) notify() {
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
}

// usable says why the port cannot be used, if so.
func (c *Chip) usable() error {
	switch {
	case c.port.closed:
		return fmt.Errorf("virtual chip: %w", os.ErrClosed)
	case c.broken != nil:
		return fmt.Errorf("virtual chip cannot be kept: %w", c.broken)
	}
	return c.port.failed
}

// Read returns what the chip has sent: a byte or more, or an error. It waits until
// the deadline, then gives os.ErrDeadlineExceeded.
func (c *Chip) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, again, err := c.tryRead(p)
		if n > 0 || err != nil {
			return n, err
		}
		again()
	}
}

// tryRead takes what is there, or returns a wait for the moment to look again.
func (c *Chip) tryRead(p []byte) (n int, wait func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.port.closed {
		return 0, nil, c.usable()
	}
	c.powerOn()
	if d := c.port.deadline; !d.IsZero() && !now.Before(d) {
		return 0, nil, os.ErrDeadlineExceeded
	}
	if n = c.take(p, now); n > 0 {
		return n, nil, nil
	}
	if len(c.port.out) == 0 {
		if err := c.usable(); err != nil {
			return 0, nil, err
		}
	}
	return 0, c.waiter(now), nil
}

// take moves bytes whose time has come into p.
func (c *Chip) take(p []byte, now time.Time) (n int) {
	out := c.port.out
	gone := 0
	for ; gone < len(out) && !out[gone].at.After(now); gone++ {
		next := &out[gone]
		k := copy(p[n:], next.data[next.taken:])
		n += k
		if next.taken += k; next.taken < len(next.data) {
			break
		}
		c.port.spare = next.data[:0]
	}
	c.port.out = slices.Delete(out, 0, gone)
	return n
}

// waiter waits for a change of the chip, the next byte's time, or the deadline.
func (c *Chip) waiter(now time.Time) func() {
	if c.wake == nil {
		c.wake = make(chan struct{})
	}
	wake, until := c.wake, c.port.deadline
	if len(c.port.out) > 0 && (until.IsZero() || c.port.out[0].at.Before(until)) {
		until = c.port.out[0].at
	}
	if until.IsZero() {
		return func() { <-wake }
	}
	return func() {
		t := time.NewTimer(until.Sub(now))
		defer t.Stop()
		select {
		case <-wake:
		case <-t.C:
		}
	}
}

// Write sends bytes to the chip, which acts on them before Write returns. Bytes a
// silent chip gets are lost, as on a real line. After an injected power cut the
// error is ErrPowerCut and n says how many bytes had crossed.
func (c *Chip) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.usable(); err != nil {
		return 0, err
	}
	c.powerOn()
	for n := 0; n < len(p); {
		if err := c.usable(); err != nil {
			return n, err
		}
		if k := c.arriveUndisturbed(p[n:]); k > 0 {
			n += k
			continue
		}
		c.arrive(p[n])
		n++
	}
	return len(p), nil
}

// arriveUndisturbed is bytes from the host up to the end of a frame, which the loader
// takes as they are, and to which nothing else happens: the usual case, at once. It
// returns how many, 0 when they have to be looked at one by one.
func (c *Chip) arriveUndisturbed(p []byte) int {
	n := bytes.IndexByte(p, slipEnd) + 1
	if n == 0 {
		n = len(p)
	}
	if c.mode != modeLoader || c.line.autobaud || !c.line.matches() || c.pace != nil || !c.faults.quiet(n) {
		return 0
	}
	c.faults.count.Wire += uint64(n)
	for at := 0; at < n && c.mode == modeLoader; { // a bad escape ends that
		if k := c.loader.slip.plain(p[at:n]); k > 0 {
			at += k
			continue
		}
		c.loader.receive(p[at])
		at++
	}
	return n
}

// arrive is one byte from the host.
func (c *Chip) arrive(b byte) {
	if !c.cross() {
		return
	}
	c.pace.arrive(c.line.chipBaud)
	c.measure()
	b, times := c.faults.disturb(&c.faults.toChip, b)
	for range times {
		met := b
		if !c.line.matches() {
			met = c.line.mangle(b)
		}
		switch c.mode {
		case modeLoader:
			c.loader.receive(met)
		case modeBasic:
			c.basic(met)
		}
	}
	c.strike()
}

// cross counts one byte on the wire. It reports false when a fault strikes first.
func (c *Chip) cross() bool {
	if c.strike() {
		return false
	}
	c.faults.count.Wire++
	return true
}

// strike applies the faults that are due at this point of the wire.
func (c *Chip) strike() bool {
	f, wire := &c.faults.faults, c.faults.count.Wire
	if wire < c.faults.next {
		return false
	}
	defer c.faults.lookAhead()
	switch {
	case due(&f.CutWire, wire):
		c.cutPower()
	case due(&f.Unplug, wire):
		c.port.failed = ErrUnplugged
		c.notify()
	case due(&f.Hang, wire):
		c.hang()
	default:
		return false
	}
	return true
}

// send is the chip's transmitter.
func (c *Chip) send(p []byte) {
	at := c.pace.depart(len(p), c.line.chipBaud)
	if len(p) > 0 && c.sends() && c.line.matches() && c.faults.quiet(len(p)) {
		c.faults.count.Wire += uint64(len(p))
		c.queue(p, at)
		c.notify()
		return
	}
	for _, b := range p {
		if !c.sends() || !c.cross() {
			break
		}
		b, times := c.faults.disturb(&c.faults.toHost, b)
		for range times {
			met := b
			if !c.line.matches() {
				met = c.line.mangle(b)
			}
			c.queue([]byte{met}, at)
		}
	}
	c.notify()
}

// sends says whether what the chip sends gets onto the wire.
func (c *Chip) sends() bool {
	return c.mode != modeOff && c.mode != modeHung && c.port.failed == nil
}

// queue puts bytes on their way, never ahead of those before them.
func (c *Chip) queue(p []byte, at time.Time) {
	if d := c.faults.delay(); d > 0 {
		at = later(at, time.Now()).Add(d)
	}
	if n := len(c.port.out); n > 0 {
		last := &c.port.out[n-1]
		if at = later(at, last.at); at.Equal(last.at) {
			last.data = append(last.data, p...)
			return
		}
	}
	c.port.out = append(c.port.out, chunk{data: append(c.port.spare, p...), at: at})
	c.port.spare = nil
}

// SetReadDeadline makes Read, also one that is waiting, give os.ErrDeadlineExceeded
// from t on. The zero time means never.
func (c *Chip) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.port.closed {
		return c.usable()
	}
	c.port.deadline = t
	c.notify()
	return nil
}

// Close lets go of the port and the files. What the chip holds stays in its
// directory; a chip in memory is gone.
func (c *Chip) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.port.closed {
		return c.usable()
	}
	c.port.closed = true
	c.mode = modeOff
	c.loader.open(download{})
	c.notify()
	return c.store.close()
}
