package simulator

import (
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
	for i, b := range p {
		if err := c.usable(); err != nil {
			return i, err
		}
		c.arrive(b)
	}
	return len(p), nil
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
	for _, b := range p {
		if c.mode == modeOff || c.mode == modeHung || c.port.failed != nil || !c.cross() {
			break
		}
		b, times := c.faults.disturb(&c.faults.toHost, b)
		for range times {
			met := b
			if !c.line.matches() {
				met = c.line.mangle(b)
			}
			c.queue(met, at)
		}
	}
	c.notify()
}

// queue puts a byte on its way, never ahead of one before it.
func (c *Chip) queue(b byte, at time.Time) {
	if d := c.faults.delay(); d > 0 {
		at = later(at, time.Now()).Add(d)
	}
	if n := len(c.port.out); n > 0 {
		last := &c.port.out[n-1]
		if at = later(at, last.at); at.Equal(last.at) {
			last.data = append(last.data, b)
			return
		}
	}
	c.port.out = append(c.port.out, chunk{data: append(c.port.spare, b), at: at})
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
