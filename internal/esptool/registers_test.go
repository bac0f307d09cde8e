package esptool

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// dropOnce is a fault that swallows the n-th byte string, and delivers the others.
func dropOnce(n int) func([]byte) []byte {
	return func(p []byte) []byte {
		if n--; n == 0 {
			return nil
		}
		return p
	}
}

func TestReadRegSurvivesLoss(t *testing.T) {
	for _, c := range []struct {
		name string
		hurt func(*fakeROM)
	}{
		{"request lost", func(f *fakeROM) { f.toChip = dropOnce(1) }},
		{"reply lost", func(f *fakeROM) { f.toHost = dropOnce(1) }},
		{"first byte of the reply lost", func(f *fakeROM) { f.toHost = onceOn(1, func(p []byte) []byte { return p[1:] }) }},
		{"last byte of the reply lost", func(f *fakeROM) { f.toHost = onceOn(1, func(p []byte) []byte { return p[:len(p)-1] }) }},
		{"a byte of the reply lost", func(f *fakeROM) { f.toHost = onceOn(1, func(p []byte) []byte { return append(p[:5:5], p[6:]...) }) }},
		{"last byte of the request lost", func(f *fakeROM) { f.toChip = onceOn(1, func(p []byte) []byte { return p[:len(p)-1] }) }},
		{"reply twice", func(f *fakeROM) { f.toHost = onceOn(1, func(p []byte) []byte { return append(p, p...) }) }},
		{"noise before the reply", func(f *fakeROM) {
			f.toHost = onceOn(1, func(p []byte) []byte { return append([]byte("\xc0noise"), p...) })
		}},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			f := newFakeROM()
			d := connected(t, f, Config{})
			f.regs[0x100], f.regs[0x200] = 0x11111111, 0x22222222
			c.hurt(f)
			for _, r := range []struct{ addr, want uint32 }{{0x100, 0x11111111}, {0x200, 0x22222222}} {
				if got, err := d.ReadReg(context.Background(), r.addr); err != nil || got != r.want {
					t.Errorf("ReadReg(%#x) = %#x, %v; want %#x", r.addr, got, err, r.want)
				}
			}
		}))
	}
}

// onceOn applies change to the n-th byte string only.
func onceOn(n int, change func([]byte) []byte) func([]byte) []byte {
	return func(p []byte) []byte {
		if n--; n == 0 {
			return change(p)
		}
		return p
	}
}

// TestWriteRegAtMostOnce loses the request or the reply of a write: it must never be
// sent twice, and the caller must be told.
func TestWriteRegAtMostOnce(t *testing.T) {
	for name, hurt := range map[string]func(*fakeROM){
		"request lost":      func(f *fakeROM) { f.toChip = dropOnce(1) },
		"reply lost":        func(f *fakeROM) { f.toHost = dropOnce(1) },
		"end of it lost":    func(f *fakeROM) { f.toChip = onceOn(1, func(p []byte) []byte { return p[:len(p)-2] }) },
		"end of reply lost": func(f *fakeROM) { f.toHost = onceOn(1, func(p []byte) []byte { return p[:len(p)-2] }) },
	} {
		t.Run(name, bubble(func(t *testing.T) {
			f := newFakeROM()
			d := connected(t, f, Config{})
			hurt(f)
			err := d.WriteReg(context.Background(), 0x300, 0xDEADBEEF)
			if !errors.Is(err, ErrNoReply) || errors.Is(err, ErrLinkLost) {
				t.Errorf("WriteReg = %v, want %v", err, ErrNoReply)
			}
			if f.seen[opWriteReg] > 1 {
				t.Errorf("the write arrived %d times", f.seen[opWriteReg])
			}
			if strings.Contains(strings.ToLower(err.Error()), "deadbeef") {
				t.Errorf("error %q tells the value", err)
			}
			if got, err := d.ReadReg(context.Background(), magicReg); err != nil || got != chipMagic {
				t.Errorf("the link is not usable afterwards: %#x, %v", got, err)
			}
		}))
	}
}

func TestWriteRegs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := connected(t, f, Config{})
		addrs, values := make([]uint32, 31), make([]uint32, 31)
		for i := range addrs {
			addrs[i], values[i] = 0x3FF5A01C+4*uint32(i), uint32(i)*0x01010101
		}
		if err := d.WriteRegs(context.Background(), addrs, values); err != nil {
			t.Fatal(err)
		}
		for i, a := range addrs {
			if f.regs[a] != values[i] {
				t.Errorf("register %#x = %#x, want %#x", a, f.regs[a], values[i])
			}
		}
		if f.seen[opWriteReg] != 1 {
			t.Errorf("%d frames, want 1", f.seen[opWriteReg])
		}
		for _, c := range []struct{ a, v int }{{0, 0}, {2, 1}, {65, 65}} {
			if err := d.WriteRegs(context.Background(), make([]uint32, c.a), make([]uint32, c.v)); !errors.Is(err, ErrShape) {
				t.Errorf("WriteRegs of %d and %d = %v, want %v", c.a, c.v, err, ErrShape)
			}
		}
	})
}

// TestSlowCommandIsNotTakenForLost holds an answer back beyond the first probes.
func TestSlowCommandIsNotTakenForLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := connected(t, f, Config{})
		f.regs[0x300] = 0x33333333
		first, before := true, f.seen[opReadReg]
		f.before = func(op opcode, _ []byte) bool {
			if op == opReadReg && first {
				first = false
				f.deferAnswers(registerSoft * 2)
			}
			return true
		}
		if got, err := d.ReadReg(context.Background(), 0x300); err != nil || got != 0x33333333 {
			t.Fatalf("ReadReg = %#x, %v", got, err)
		}
		if n := f.seen[opReadReg] - before; n != 1 {
			t.Errorf("READ_REG arrived %d times, want 1: the answer was only late", n)
		}
		f.regs[0x304] = 0x44444444
		if got, err := d.ReadReg(context.Background(), 0x304); err != nil || got != 0x44444444 {
			t.Errorf("ReadReg after it = %#x, %v", got, err)
		}
	})
}

// deferAnswers keeps what the chip says from the host for a while; mu is held.
func (f *fakeROM) deferAnswers(d time.Duration) {
	var store []byte
	f.toHost = func(p []byte) []byte {
		store = append(store, p...)
		return nil
	}
	time.AfterFunc(d, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.toHost = nil
		f.say(store)
	})
}

func TestHungChipIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := connected(t, f, Config{})
		f.before = func(opcode, []byte) bool { return false }
		start := time.Now()
		_, err := d.ReadReg(context.Background(), 0x300)
		if !errors.Is(err, ErrLinkLost) {
			t.Errorf("ReadReg = %v, want %v", err, ErrLinkLost)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestCancelUnblocksAndResyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := connected(t, f, Config{})
		f.regs[0x300], f.regs[0x304] = 0xAAAAAAAA, 0xBBBBBBBB
		f.mu.Lock()
		f.deferAnswers(time.Second) // the answer comes late, during the resync
		f.mu.Unlock()
		cause := errors.New("operator pressed stop")
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(30*time.Millisecond, func() { cancel(cause) })
		start := time.Now()
		if _, err := d.ReadReg(ctx, 0x300); !errors.Is(err, cause) {
			t.Fatalf("ReadReg = %v, want %v", err, cause)
		}
		if took := time.Since(start); took != 30*time.Millisecond {
			t.Errorf("cancelling took %v", took)
		}
		if got, err := d.ReadReg(context.Background(), 0x304); err != nil || got != 0xBBBBBBBB {
			t.Errorf("ReadReg after it = %#x, %v; want its own answer", got, err)
		}
		if d.Stats().Resyncs != 1 {
			t.Errorf("%d resyncs, want 1", d.Stats().Resyncs)
		}
		done, stop := context.WithCancel(context.Background())
		stop()
		if _, err := d.ReadReg(done, 0x300); !errors.Is(err, context.Canceled) {
			t.Errorf("ReadReg with a context that is over = %v", err)
		}
	})
}

func TestTraceHasNoPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		var events []TraceEvent
		d := connected(t, f, Config{Trace: func(e TraceEvent) { events = append(events, e) }})
		events = nil
		if err := d.WriteReg(context.Background(), 0x300, 1); err != nil {
			t.Fatal(err)
		}
		if len(events) != 1 || events[0].Command != "WRITE_REG" || events[0].Size != 16 || events[0].Err != nil {
			t.Errorf("events = %+v", events)
		}
	})
}
