package floor_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"provision/internal/demo"
	"provision/internal/esptool"
	"provision/internal/fixture"
	"provision/internal/floor"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/keys"
	"provision/internal/records"
	"provision/internal/simulator"
	"provision/internal/station"
)

const profile = `
[station]
name = "FLOOR"
[unit]
serial = { pattern = "^SN-[0-9]{3}$", source = "argument" }
[images]
bootloader = "bootloader.bin"
partition_table = "partition-table.bin"
app = "app-signed.bin"
[secure_boot]
version = 1
public_key = "app-public.pem"
[flash_encryption]
mode = "host"
policy = "release"
[boot_check]
expect = "demo app: ready"
`

// bench is a floor whose units are virtual and are exchanged by the test.
type bench struct {
	t     *testing.T
	cfg   floor.Config
	mu    sync.Mutex
	units map[int]*simulator.Chip // by slot; nil: empty
	done  []floor.Event           // every run.finished

	orders  []floor.Order
	results []flow.Result
}

func newBench(t *testing.T, slots int, serials ...string) *bench {
	t.Helper()
	dir := t.TempDir()
	must(t, demo.Write(dir))
	p, err := station.Parse([]byte(profile), filepath.Join(dir, "floor.toml"))
	must(t, err)
	j, err := job.New(p)
	must(t, err)
	store, err := records.Open(t.Context(), filepath.Join(dir, "floor.db"))
	must(t, err)
	t.Cleanup(func() { store.Close() })
	id, err := keys.CreateIdentity(filepath.Join(dir, "identity.txt"))
	must(t, err)
	b := &bench{t: t, units: map[int]*simulator.Chip{}}
	runs := 0
	b.cfg = floor.Config{
		Run: flow.Config{Job: j, Records: store, Identity: id, Version: "test", Now: time.Now, Rand: &lockedReader{r: rand.NewChaCha8([32]byte{3})}},
		RunID: func() string {
			b.mu.Lock()
			defer b.mu.Unlock()
			runs++
			return fmt.Sprint("run-", runs)
		},
		Poll: 500 * time.Millisecond, Sleep: sleep, Sink: b.see,
	}
	for n := range slots {
		n++
		b.cfg.Slots = append(b.cfg.Slots, floor.Slot{
			Number: n, Port: fmt.Sprint("slot", n), Reset: esptool.ResetClassic,
			Open: func(context.Context) (esptool.Port, error) { return b.open(n) },
		})
	}
	for _, s := range serials {
		b.orders = append(b.orders, floor.Order{Serial: s})
	}
	return b
}

// runs is how many runs have ended.
func (b *bench) runs() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.results)
}

// lockedReader is a random source for several slots.
type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}

// work lets the floor make the orders.
func (b *bench) work(ctx context.Context) error {
	b.cfg.Orders = floor.Orders(b.orders)
	b.cfg.Result = func(r flow.Result) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.results = append(b.results, r)
	}
	return floor.Work(ctx, b.cfg)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// staying is a port whose unit stays in the fixture when it is closed.
type staying struct{ *simulator.Chip }

func (staying) Close() error { return nil }

func (b *bench) open(slot int) (esptool.Port, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.units[slot] == nil {
		return nil, esptool.ErrPortMissing
	}
	return staying{b.units[slot]}, nil
}

// insert puts a blank unit with that number into a slot; 0 empties it.
func (b *bench) insert(slot, unit int, opts ...simulator.Option) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.units[slot] = nil
	if unit == 0 {
		return
	}
	cfg := simulator.DefaultConfig()
	cfg.MAC[5] = byte(unit)
	b.units[slot] = simulator.New(cfg, opts...)
}

func (b *bench) see(ev floor.Event) {
	if ev.Kind == flow.RunFinished {
		b.mu.Lock()
		b.done = append(b.done, ev)
		b.mu.Unlock()
	}
}

// slow makes a slot wait before its n-th contact, after do: 1 is the first look, 3 the
// run.
func (b *bench) slow(slot, n int, d time.Duration, do func()) {
	open, opened := b.cfg.Slots[slot-1].Open, 0
	b.cfg.Slots[slot-1].Open = func(ctx context.Context) (esptool.Port, error) {
		if opened++; opened == n {
			do()
			time.Sleep(d)
		}
		return open(ctx)
	}
}

// finished waits until n runs are over.
func (b *bench) finished(n int) {
	for {
		b.mu.Lock()
		have := len(b.done)
		b.mu.Unlock()
		if have >= n {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// verdicts are the words and serials of all finished runs, sorted.
func (b *bench) verdicts() (out []string) {
	for _, ev := range b.done {
		out = append(out, fmt.Sprintf("%d %s %s%s", ev.Slot, ev.Verdict, ev.Serial, ev.Code))
	}
	slices.Sort(out)
	return out
}

func (b *bench) want(verdicts ...string) {
	b.t.Helper()
	if got := b.verdicts(); !slices.Equal(got, verdicts) {
		b.t.Errorf("runs ended as %q, want %q", got, verdicts)
	}
}

// TestRolling makes four units in two slots, one of which is fed much later than
// the other: nobody waits for anybody.
func TestRolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2, "SN-001", "SN-002", "SN-003", "SN-004")
		b.insert(1, 1)
		over := make(chan bool)
		go func() {
			if err := b.work(t.Context()); err != nil {
				t.Error(err)
			}
			close(over)
		}()
		for n := 1; n <= 3; n++ {
			b.finished(n)
			b.insert(1, 0)
			time.Sleep(2 * time.Second)
			if n < 3 {
				b.insert(1, n+1)
			}
		}
		b.insert(2, 9)
		<-over
		if got := b.runs(); got != 4 {
			t.Errorf("%d results, want 4", got)
		}
		b.want("1 PASS SN-001", "1 PASS SN-002", "1 PASS SN-003", "2 PASS SN-004")
	})
}

// TestHungSlotDelaysNobody: one unit tells its MAC and then never hears a word
// again; the one beside it is made meanwhile.
func TestHungSlotDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		b.orders = []floor.Order{{Serial: "SN-001", Slot: 1}, {Serial: "SN-002", Slot: 2}}
		b.insert(1, 1)
		b.insert(2, 2)
		open, opened := b.cfg.Slots[0].Open, 0
		b.cfg.Slots[0].Open = func(ctx context.Context) (esptool.Port, error) {
			port, err := open(ctx)
			if opened++; opened > 2 { // after both looks at the slot
				port = deaf{port.(staying)}
			}
			return port, err
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var good time.Duration
		began := time.Now()
		b.cfg.Sink = func(ev floor.Event) {
			b.see(ev)
			if ev.Kind == flow.RunFinished && ev.Slot == 2 {
				good = time.Since(began)
			}
		}
		time.AfterFunc(time.Minute, stop) // the deaf unit's order is still open: the floor would wait for another
		if err := b.work(ctx); err == nil {
			t.Error("the floor ended with an order open")
		}
		if !slices.Contains(b.verdicts(), "2 PASS SN-002") {
			t.Errorf("runs ended as %q; the good unit is not among them", b.verdicts())
		}
		if good > 10*time.Second {
			t.Errorf("the good unit took %v", good)
		}
	})
}

// deaf is a port on which nothing said to the chip arrives.
type deaf struct{ staying }

func (deaf) Write(p []byte) (int, error) { return len(p), nil }

// TestFinishedUnitIsGreeted: it takes no order, and the one that was meant for a new
// unit waits for one.
func TestFinishedUnitIsGreeted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, "SN-001", "SN-002")
		b.insert(1, 1)
		go func() {
			b.finished(1)
			first := b.units[1]
			b.insert(1, 0)
			time.Sleep(3 * time.Second)
			b.mu.Lock()
			b.units[1] = first
			b.mu.Unlock()
			b.finished(2)
			b.insert(1, 0)
			time.Sleep(3 * time.Second)
			b.insert(1, 2)
		}()
		err := b.work(t.Context())
		must(t, err)
		b.want("1 DONE SN-001", "1 PASS SN-001", "1 PASS SN-002")
	})
}

// TestForeignUnitTakesNoSerial: the order goes to the next unit.
func TestForeignUnitTakesNoSerial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, "SN-001")
		b.insert(1, 1)
		must(t, b.units[1].Preburn(simulator.Fuses{0: {0: 1 << 16}})) // BLOCK1 is hidden
		go func() {
			b.finished(1)
			b.insert(1, 0)
			time.Sleep(3 * time.Second)
			b.insert(1, 2)
		}()
		err := b.work(t.Context())
		must(t, err)
		b.want("1 PARK SN-001E205", "1 PASS SN-001")
	})
}

// TestTransientFaultIsTriedOnceMore: the power goes once; the second run finishes.
func TestTransientFaultIsTriedOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, "SN-001")
		b.insert(1, 1, simulator.WithFaults(simulator.Faults{CutWire: []uint64{60_000}}))
		unit := b.units[1]
		b.cfg.Sink = func(ev floor.Event) {
			b.see(ev)
			if ev.Kind == flow.RunFailed {
				unit.PowerCycle()
			}
		}
		err := b.work(t.Context())
		must(t, err)
		b.want("1 ERROR SN-001E107", "1 PASS SN-001")
	})
}

// TestCancelled: slots that wait stop at once, and the order is not lost from sight.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3, "SN-001")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		stop, interrupt := context.WithCancel(ctx)
		time.AfterFunc(2*time.Second, interrupt)
		err := b.work(stop)
		if err == nil || b.runs() != 0 {
			t.Errorf("Work = %v, and %v; want the cancellation", err, b.results)
		}
	})
}

// TestOrderThatComesBackFindsItsUnit: the only order is with a part that cannot be
// used, while a good unit sits in the other slot. It is not forgotten there.
func TestOrderThatComesBackFindsItsUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2, "SN-001")
		b.insert(1, 1)
		must(t, b.units[1].Preburn(simulator.Fuses{0: {0: 1 << 16}})) // BLOCK1 is hidden
		b.slow(1, 3, 3*time.Second, func() { b.insert(2, 2) })        // slot 2 looks meanwhile, and finds nothing to do
		err := b.work(t.Context())
		must(t, err)
		b.want("1 PARK SN-001E205", "2 PASS SN-001")
	})
}

// TestLastOrderEndsNobodysRun: a unit that was begun before is taken up without an
// order while the last order is made beside it.
func TestLastOrderEndsNobodysRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2, "SN-001", "SN-002")
		b.insert(1, 1, simulator.WithFaults(simulator.Faults{CutWire: []uint64{60_000}}))
		begun := b.units[1]
		b.orders = b.orders[:1]
		err := b.work(t.Context())
		must(t, err)
		b.done = nil
		begun.PowerCycle()
		b.orders = []floor.Order{{Serial: "SN-002", Slot: 2}}
		b.insert(2, 2)
		b.slow(1, 3, time.Minute, func() {}) // much slower than the other
		err = b.work(t.Context())
		must(t, err)
		b.want("1 PASS SN-001", "2 PASS SN-002")
	})
}

// TestOwnOrdersFirst: a slot takes the order that only it can take, and leaves the
// other to the slot beside it.
func TestOwnOrdersFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		b.orders = []floor.Order{{Serial: "SN-001"}, {Serial: "SN-002", Slot: 2}}
		b.insert(1, 1)
		b.insert(2, 2)
		b.slow(1, 1, 10*time.Second, func() {}) // slot 2 comes first
		err := b.work(t.Context())
		must(t, err)
		b.want("1 PASS SN-001", "2 PASS SN-002")
	})
}

// TestVerdictOutlivesABadContact: a finished unit that is missed by one look has not
// gone, and is not worked on again; missed by two, it has.
func TestVerdictOutlivesABadContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, "SN-001", "SN-002")
		b.insert(1, 1)
		open := b.cfg.Slots[0].Open
		var misses, gone atomic.Int32
		b.cfg.Slots[0].Open = func(ctx context.Context) (esptool.Port, error) {
			if misses.Add(-1) >= 0 {
				return nil, esptool.ErrPortMissing
			}
			return open(ctx)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.cfg.Sink = func(ev floor.Event) {
			b.see(ev)
			if ev.Kind == floor.SlotEmpty {
				gone.Add(1)
			}
		}
		over := make(chan error)
		go func() { over <- b.work(ctx) }()
		b.finished(1)
		synctest.Wait()
		misses.Store(1)
		time.Sleep(5 * time.Second)
		if gone.Load() != 0 || b.runs() != 1 {
			t.Errorf("after one miss: gone %d times, %d runs; want 0 and 1", gone.Load(), b.runs())
		}
		misses.Store(2)
		time.Sleep(5 * time.Second)
		if gone.Load() != 1 {
			t.Errorf("after two misses: gone %d times, want 1", gone.Load())
		}
		stop()
		<-over
		b.want("1 DONE SN-001", "1 PASS SN-001")
	})
}

// TestVerdictAfterTheLastRun: what the slot is told is how the second try ended.
func TestVerdictAfterTheLastRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, "SN-001")
		b.insert(1, 1, simulator.WithFaults(simulator.Faults{CutWire: []uint64{60_000}}))
		unit := b.units[1]
		var verdicts []string
		b.cfg.Sink = func(ev floor.Event) {
			switch ev.Kind {
			case flow.RunFailed:
				unit.PowerCycle()
			case floor.SlotVerdict:
				verdicts = append(verdicts, ev.Verdict+" "+ev.Serial)
			}
		}
		must(t, b.work(t.Context()))
		if !slices.Equal(verdicts, []string{"PASS SN-001"}) {
			t.Errorf("the slot was told %q, want one PASS", verdicts)
		}
	})
}

// TestFaultOfASlotIsOver: why nothing can be seen is told once, and so is that it is
// over: when the cable is back, and when a unit that is closed for ever is out.
func TestFaultOfASlotIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, "SN-001")
		b.insert(1, 1)
		must(t, b.units[1].Preburn(simulator.Fuses{0: {0: 1 << 27}})) // UART_DOWNLOAD_DIS
		closed := b.cfg.Slots[0].Open
		empty := fixture.New(fixture.Config{Slots: 1, Random: rand.NewPCG(1, 2)}).Open(1)
		open := func(context.Context) (esptool.Port, error) { return nil, esptool.ErrPortMissing }
		b.cfg.Slots[0].Open = func(ctx context.Context) (esptool.Port, error) {
			b.mu.Lock()
			now := open
			b.mu.Unlock()
			return now(ctx)
		}
		var told []string
		b.cfg.Sink = func(ev floor.Event) { told = append(told, ev.Kind+string(ev.Code)) }
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan error)
		go func() { over <- b.work(ctx) }()
		for _, next := range []func(context.Context) (esptool.Port, error){empty, closed, empty} {
			time.Sleep(time.Minute)
			b.mu.Lock()
			open = next
			b.mu.Unlock()
		}
		time.Sleep(time.Minute)
		stop()
		<-over
		want := []string{"slot.waits", "slot.faultE104", "slot.waits", "slot.faultE108", "slot.waits"}
		if !slices.Equal(told, want) {
			t.Errorf("the slot told %q, want %q", told, want)
		}
	})
}

// counted makes the station count its own serial numbers, and asks for n units.
func (b *bench) counted(n int) {
	rule := &b.cfg.Run.Job.Profile.Unit.Serial
	rule.Source, rule.Prefix, rule.Next = station.SourceSequence, "SN-", "001"
	b.orders = make([]floor.Order, n)
}

// lateRefusals is records that take their time over the verdict on a foreign part.
type lateRefusals struct{ *records.Store }

func (l lateRefusals) FinishRun(ctx context.Context, f records.Finish) error {
	if f.Code == "E205" {
		time.Sleep(time.Minute)
	}
	return l.Store.FinishRun(ctx, f)
}

// TestForeignPartUsesUpNoCount: a foreign part and a good one choose the same number at
// once. It is the good one's; the foreign part is told without it, and the order that it
// had is made with the next unit.
func TestForeignPartUsesUpNoCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		b.counted(2)
		b.cfg.Run.Records = lateRefusals{b.cfg.Run.Records.(*records.Store)}
		b.insert(1, 1)
		must(t, b.units[1].Preburn(simulator.Fuses{0: {0: 1 << 16}})) // BLOCK1 is hidden
		b.insert(2, 2)
		var foreign []floor.Event
		b.cfg.Sink = func(ev floor.Event) {
			b.see(ev)
			if ev.MAC != "" && ev.Slot == 1 && b.runs() < 2 && ev.Serial != "" {
				foreign = append(foreign, ev)
			}
		}
		go func() {
			b.finished(2)
			b.insert(1, 0)
			time.Sleep(3 * time.Second)
			b.insert(1, 3)
		}()
		must(t, b.work(t.Context()))
		b.want("1 PARK E205", "1 PASS SN-002", "2 PASS SN-001")
		if len(foreign) > 0 {
			t.Errorf("the foreign part is told as %s: %+v", foreign[0].Serial, foreign[0])
		}
	})
}
