package simulator

import (
	"fmt"
	"os"
	"time"
)

const (
	bootBaud    = 115200 // the ROM's log, and its first guess
	autobaudMax = 115200 // the fastest SYNC the ROM is relied on to measure
	baudSlack   = 33     // a UART follows a rate that is off by less than 1/33, about 3 %

	// enRise is how long a capacitor holds EN down after the lines let go of it, as
	// far as it matters: a change of the lines within it still decides the straps.
	enRise = 20 * time.Millisecond
)

// line is the wire between adapter and chip: the two control lines behind the usual
// pair of transistors, and the rates of both UARTs.
type line struct {
	dtr, rts bool // true: asserted, pin low
	pending  int  // a slow rise of EN is under way; counts them, 0: none
	rises    int

	chipBaud, hostBaud int
	follow             bool // the host's rate is always right: a socket has none
	autobaud           bool // the loader has yet to measure the host
	garbled            int  // bytes that met the wrong rate
}

// The transistors: a line that is asserted alone pulls its pin low, both together
// pull nothing.

func (l *line) enHigh() bool { return !l.rts || l.dtr }
func (l *line) io0Low() bool { return l.dtr && !l.rts }

// matches says whether the two UARTs understand each other.
func (l *line) matches() bool {
	diff := l.chipBaud - l.hostBaud
	return l.follow || max(diff, -diff)*baudSlack < l.chipBaud
}

// mangle is what a byte turns into between UARTs of different rates. The pattern is
// arbitrary, but never leaves a byte as it was.
func (l *line) mangle(b byte) byte {
	l.garbled++
	return b ^ byte(l.garbled*37|1)
}

// divider is the UART's clock divider register. In the loader the recorded ROM has
// it one below crystal / baud, as its measurement of the SYNC comes out.
func (l *line) divider(crystalMHz int) uint32 {
	return uint32(crystalMHz*1_000_000/l.chipBaud) - 1
}

// SetLines sets DTR and RTS together; true asserts a line (pin low). RTS alone
// holds the chip in reset, DTR alone holds IO0 low, as on the usual boards.
func (c *Chip) SetLines(dtr, rts bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.usable(); err != nil {
		return err
	}
	c.powerOn()
	l := &c.line
	wasHigh := l.enHigh()
	l.dtr, l.rts = dtr, rts
	switch {
	case !l.enHigh():
		l.pending = 0
		c.mode = modeReset
	case l.pending != 0:
		c.enRisen()
	case !wasHigh && dtr && rts && c.board.slowEN:
		c.riseSlowly()
	case !wasHigh:
		c.start(resetPowerOn)
	}
	return nil
}

// riseSlowly lets EN rise by itself unless the lines change first. Only lines that
// are both asserted get here: on the way to another state, on a host that cannot
// set two lines at once.
func (c *Chip) riseSlowly() {
	c.line.rises++
	rise := c.line.rises
	c.line.pending = rise
	time.AfterFunc(enRise, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.line.pending == rise && !c.port.closed {
			c.enRisen()
		}
	})
}

// enRisen is EN reaching its threshold: the chip starts with IO0 as it is now.
func (c *Chip) enRisen() {
	c.line.pending = 0
	c.start(resetPowerOn)
}

// SetBaud sets the rate of the host's UART.
func (c *Chip) SetBaud(baud int) error {
	if baud <= 0 {
		return fmt.Errorf("set baud %d: %w", baud, os.ErrInvalid)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.usable(); err != nil {
		return err
	}
	c.line.hostBaud = baud
	return nil
}

// changeBaud is CHANGE_BAUDRATE: the ROM divides its own estimate of the crystal,
// so an estimate that is off moves the true rate the other way.
func (c *Chip) changeBaud(baud uint32) {
	if baud == 0 {
		return
	}
	crystal := uint64(c.board.crystalMHz) * 1_000_000
	if c.efuse.fuses.clk8mFreq() != 0 {
		c.line.chipBaud = int(uint64(baud) * crystal / c.estimatedCrystal())
	} else {
		c.line.chipBaud = int(baud)
	}
	c.line.chipBaud = max(1, c.line.chipBaud)
	c.line.autobaud = false
}

// measure is the loader's automatic baud detection: it takes the host's rate from
// the first byte, if that is slow enough.
func (c *Chip) measure() {
	if c.line.autobaud && c.mode == modeLoader && c.line.hostBaud <= autobaudMax {
		c.line.chipBaud = c.line.hostBaud
		c.line.autobaud = false
	}
}
