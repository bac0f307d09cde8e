package campaign

import (
	"context"
	"os"
	"testing"
	"time"

	"provision/internal/campaign/judge"
	"provision/internal/campaign/memory"
	"provision/internal/esptool"
	"provision/internal/flow"
	"provision/internal/simulator"
)

// bench is a station with its records, and a judge beside it.
type bench struct {
	t     testing.TB
	books books
	store store // as books has them open
	judge *judge.Judge
	told  func(flow.Event) // sees every event of every run; nil: nobody
}

// store is records that are open: what a run asks of them, and their end.
type store interface {
	flow.Records
	Close() error
}

// books are where the records lie, and what can happen to them.
type books interface {
	open(context.Context) (store, error)
	judge() (*judge.Judge, error)
	// killed is how they are found by who comes after a station that was killed, and
	// the judge there.
	killed(store, *judge.Judge) (*judge.Judge, error)
}

// newBench opens records: those in memory where the campaign was asked to use them, else
// a database.
func newBench(t testing.TB) *bench {
	if os.Getenv("PROVISION_CAMPAIGN_MEMORY") == "1" {
		return newBenchOver(t, inMemory{memory.NewDisk()})
	}
	return newBenchOver(t, &onDisk{dir: t.TempDir()})
}

func newBenchOver(t testing.TB, records books) *bench {
	t.Helper()
	b := &bench{t: t, books: records}
	b.reopen()
	var err error
	b.judge, err = b.books.judge()
	check(t, err)
	t.Cleanup(b.close)
	return b
}

func (b *bench) close() {
	b.t.Helper()
	check(b.t, b.judge.Close())
	check(b.t, b.store.Close())
}

// reopen opens the records, also again when they were closed in the middle of a run.
func (b *bench) reopen() {
	b.t.Helper()
	var err error
	b.store, err = b.books.open(b.t.Context())
	check(b.t, err)
}

// crash goes on with the records as they lie there: what a station finds that was killed.
func (b *bench) crash() {
	b.t.Helper()
	var err error
	b.judge, err = b.books.killed(b.store, b.judge)
	check(b.t, err)
	b.reopen()
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
	if c.bench.told != nil {
		c.bench.told(ev)
	}
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
