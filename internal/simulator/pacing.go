package simulator

import "time"

// Pacing gives a chip and its adapter the speed of real ones, for honest
// benchmarks. Nothing sleeps in it: each byte gets a time at which it may be read.
// Zero durations take no time.
type Pacing struct {
	Wire        bool          // ten bit times for each byte, at the chip's baud, each way
	Latency     time.Duration // the adapter holds received bytes back by this much (16 ms on an FTDI by default)
	SectorErase time.Duration // 4 KiB
	PageProgram time.Duration // 256 bytes
	ReadPerKiB  time.Duration // MD5 and reads
	FuseBurn    time.Duration // one program pulse
}

// RealisticPacing is a common module at the end of a common adapter. The flash
// times are typical values of a W25Q32 data sheet, the fuse time is what the
// polling of Espressif's tools expects.
func RealisticPacing() Pacing {
	return Pacing{
		Wire:        true,
		Latency:     time.Millisecond,
		SectorErase: 45 * time.Millisecond,
		PageProgram: 400 * time.Microsecond,
		ReadPerKiB:  200 * time.Microsecond,
		FuseBurn:    2 * time.Millisecond,
	}
}

// pacer keeps the chip's clock: how far its work and its transmitter have got. A
// nil pacer takes no time at all.
type pacer struct {
	Pacing
	busy time.Time // the chip is at work until then
}

func newPacer(p Pacing) *pacer { return &pacer{Pacing: p} }

// arrive accounts for one byte from the host at that baud.
func (p *pacer) arrive(baud int) {
	if p != nil && p.Wire {
		p.spend(byteTime(baud))
	}
}

// depart is when the host may read n bytes that the chip sends now.
func (p *pacer) depart(n, baud int) time.Time {
	if p == nil {
		return time.Time{}
	}
	if p.Wire {
		p.spend(time.Duration(n) * byteTime(baud))
	}
	return later(p.busy, time.Now()).Add(p.Latency)
}

// spend makes the chip busy for d more.
func (p *pacer) spend(d time.Duration) {
	if p != nil && d > 0 {
		p.busy = later(p.busy, time.Now()).Add(d)
	}
}

func (p *pacer) sectorErase() time.Duration {
	if p == nil {
		return 0
	}
	return p.SectorErase
}

func (p *pacer) pageProgram(n int) time.Duration {
	if p == nil {
		return 0
	}
	return time.Duration((n+norPage-1)/norPage) * p.PageProgram
}

func (p *pacer) flashRead(n int) time.Duration {
	if p == nil {
		return 0
	}
	return time.Duration(n) * p.ReadPerKiB / 1024
}

func (p *pacer) burn() time.Duration {
	if p == nil {
		return 0
	}
	return p.FuseBurn
}

// byteTime is a start bit, eight bits and a stop bit.
func byteTime(baud int) time.Duration { return 10 * time.Second / time.Duration(baud) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// spendMicroseconds is the delay a host may ask for after a register write.
func (c *Chip) spendMicroseconds(us uint32) { c.pace.spend(time.Duration(us) * time.Microsecond) }
