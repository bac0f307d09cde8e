package simulator

import (
	"errors"
	"os"
	"testing"
	"time"
)

// TestPacing reads a reply no earlier than a real line and chip could have given it.
func TestPacing(t *testing.T) {
	for _, v := range []struct {
		name   string
		pacing Pacing
		least  time.Duration
	}{
		// 21 bytes there (19 at least), 14 back, ten bits each at 115200
		{"wire", Pacing{Wire: true}, 2800 * time.Microsecond},
		{"adapter", Pacing{Latency: 20 * time.Millisecond}, 20 * time.Millisecond},
		{"erase", Pacing{SectorErase: 15 * time.Millisecond}, 30 * time.Millisecond},
	} {
		c := New(DefaultConfig(), WithDownloadMode(), WithPacing(v.pacing))
		collect(t, c, 1)
		attach := slipFrame(packet(opSPIAttach, 0, nil, 0, 0))
		writeAll(t, c, attach)
		collect(t, c, 14)
		begin := time.Now()
		writeAll(t, c, slipFrame(packet(opFlashBegin, 0, nil, 0x2000, 8, 0x400, 0)))
		if took := time.Since(begin); took > v.least/2 && v.least > 5*time.Millisecond {
			t.Errorf("%s: write waited %v", v.name, took)
		}
		collect(t, c, 14)
		if took := time.Since(begin); took < v.least {
			t.Errorf("%s: reply after %v, cannot be before %v", v.name, took, v.least)
		}
	}
}

// collect reads until n bytes or more have come and nothing else is on its way.
func collect(t *testing.T, c *Chip, n int) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for n > 0 || c.hasOutput() {
		k, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		n -= k
	}
}

// TestPacedDeadline gives up on a reply that is still on its way, and finds it later.
func TestPacedDeadline(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode(), WithPacing(Pacing{Latency: 30 * time.Millisecond}))
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("early read = %d, %v", n, err)
	}
	collect(t, c, 1)
}

// TestPacedBurn counts the time of a fuse burn, and of the delay a host asks for.
func TestPacedBurn(t *testing.T) {
	p := newPacer(Pacing{FuseBurn: time.Second})
	c := New(DefaultConfig(), WithDownloadMode())
	drain(t, c)
	c.pace = p
	c.efuse.wdata, c.efuse.conf = Fuses{3: {1}}, efuseOpProgram
	c.efuse.clk, c.efuse.dac = 160|255<<8, 80
	begin := time.Now()
	c.writeReg(efuseBase+efuseCMD, efuseCmdPgm)
	if busy := p.busy.Sub(begin); busy < time.Second {
		t.Errorf("busy for %v after a burn of 1 s", busy)
	}
	before := p.busy
	c.spendMicroseconds(5000)
	if got := p.busy.Sub(before); got != 5*time.Millisecond {
		t.Errorf("a delay of 5 ms takes %v", got)
	}
}

// BenchmarkWriteFlash is the chip's own cost for a block of 0x400 bytes, which bounds
// what a client benchmark can show.
func BenchmarkWriteFlash(b *testing.B) {
	c := New(DefaultConfig(), WithDownloadMode())
	for _, p := range [][]byte{packet(opSPIAttach, 0, nil, 0, 0), packet(opFlashBegin, 0, nil, 0, 1<<20, 0x400, 0)} {
		if _, err := c.Write(slipFrame(p)); err != nil {
			b.Fatal(err)
		}
	}
	block := make([]byte, 0x400)
	b.SetBytes(int64(len(block)))
	seq := uint32(0)
	for b.Loop() {
		if seq%1024 == 0 {
			c.Write(slipFrame(packet(opFlashBegin, 0, nil, 0, 1<<20, 0x400, 0)))
			seq = 0
		}
		c.Write(slipFrame(dataPacket(opFlashData, seq, block)))
		c.forgetOutput()
		seq++
	}
	if c.nor.read(0, 1)[0] != 0 {
		b.Fatal("nothing was written")
	}
}

// BenchmarkBoot is one boot of an open device.
func BenchmarkBoot(b *testing.B) {
	c := helloChip(b)
	for b.Loop() {
		if v := c.Boot(); !v.Started {
			b.Fatal(v.Cause)
		}
		c.forgetOutput()
	}
}
