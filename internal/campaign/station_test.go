package campaign

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"provision/internal/campaign/judge"
	"provision/internal/esptool"
	"provision/internal/flow"
	"provision/internal/records"
	"provision/internal/simulator"
)

// bench is a station with its records, and a judge beside it.
type bench struct {
	t      testing.TB
	dir    string
	opened int
	store  *records.Store
	judge  *judge.Judge
}

// newBench opens records that lie in memory where the system has such a place.
func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	b.open(filepath.Join(b.dir, "0.db"))
	t.Cleanup(b.close)
	return b
}

func (b *bench) open(path string) {
	b.t.Helper()
	var err error
	b.store, err = records.Open(b.t.Context(), path)
	check(b.t, err)
	if b.judge == nil {
		b.judge, err = judge.Open(path, identity(), owner())
	} else {
		b.judge, err = b.judge.Moved(path)
	}
	check(b.t, err)
}

func (b *bench) close() {
	b.t.Helper()
	check(b.t, b.judge.Close())
	check(b.t, b.store.Close())
}

// reopen opens the records again that were closed in the middle of a run.
func (b *bench) reopen() {
	b.t.Helper()
	var err error
	b.store, err = records.Open(b.t.Context(), b.store.Path())
	check(b.t, err)
}

// crash goes on with the files as they lie there, log and all: what a station finds
// that was killed.
func (b *bench) crash() {
	b.t.Helper()
	from := b.store.Path()
	b.opened++
	to := filepath.Join(b.dir, fmt.Sprintf("%d.db", b.opened))
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(from + suffix)
		if os.IsNotExist(err) {
			continue
		}
		check(b.t, err)
		check(b.t, os.WriteFile(to+suffix, data, 0o600))
	}
	b.close()
	check(b.t, os.Remove(from))
	b.open(to)
}

// killed is what ends a run that is killed: nothing of it runs any more but the
// release of what it holds in memory.
type killed struct{}

// contact is one run over the unit in the slot.
type contact struct {
	bench  *bench
	order  *order
	serial string
	id     string
	chip   *simulator.Chip
	random *keyStream

	hurt       hurt
	other      *simulator.Chip  // comes into the slot when it is swapped
	event      func(flow.Event) // sees every event; nil: nobody
	cancel     context.CancelFunc
	writes     int
	events     int
	struck     bool // the hurt has happened
	identified bool // the run knows its unit: before that, a change of units is none
	dtr        bool
	rts        bool
	baud       int
	present    *simulator.Chip
}

// run is the contact from start to verdict. A run that is killed has none.
func (c *contact) run(ctx context.Context) (res flow.Result, alive bool) {
	defer func() {
		switch what := recover().(type) {
		case nil:
		case killed:
			alive = false
		default:
			panic(what)
		}
	}()
	ctx, c.cancel = context.WithCancel(ctx)
	defer c.cancel()
	c.present = c.chip
	res = flow.Run(ctx, flow.Config{
		Job: c.order.job, Records: c.bench.store, Identity: identity(),
		Open:     func(context.Context) (esptool.Port, error) { return port{c}, nil },
		PortName: "slot", Slot: 1, Serial: c.serial, Operator: "campaign",
		RunID: c.id, Version: "campaign", Now: time.Now, Rand: c.random, Sink: c.sink,
	})
	return res, true
}

// due reports whether the n-th of what is counted is the moment of the hurt.
func (c *contact) due(what string, n int) bool {
	if c.hurt.what != what || c.hurt.at != n {
		return false
	}
	c.struck = true
	return true
}

func (c *contact) sink(ev flow.Event) {
	c.events++
	c.identified = c.identified || ev.Kind == flow.UnitIdentified
	if c.event != nil {
		c.event(ev)
	}
	if c.due(ctrlC, c.events) {
		c.cancel()
	}
	if c.due(noRecords, c.events) {
		check(c.bench.t, c.bench.store.Close())
	}
	if c.due(killAtEvent, c.events) {
		panic(killed{})
	}
}

// port leads to whatever sits in the slot. Closing it leaves that where it is.
type port struct{ c *contact }

func (p port) Write(b []byte) (int, error) {
	c := p.c
	c.writes++
	if c.due(killAtWrite, c.writes) {
		panic(killed{})
	}
	if c.hurt.what == swapped && c.writes >= c.hurt.at && c.identified && !c.struck {
		c.struck = true
		c.swap()
	}
	return c.present.Write(b)
}

// swap puts the other unit into the slot, at an adapter that is set as it is.
func (c *contact) swap() {
	c.present = c.other
	_ = c.other.SetBaud(c.baud) // a chip in memory takes both
	_ = c.other.SetLines(c.dtr, c.rts)
}

func (p port) Read(b []byte) (int, error)        { return p.c.present.Read(b) }
func (p port) SetReadDeadline(t time.Time) error { return p.c.present.SetReadDeadline(t) }
func (p port) Close() error                      { return nil }
func (p port) SetLines(dtr, rts bool) error {
	p.c.dtr, p.c.rts = dtr, rts
	return p.c.present.SetLines(dtr, rts)
}
func (p port) SetBaud(baud int) error { p.c.baud = baud; return p.c.present.SetBaud(baud) }
