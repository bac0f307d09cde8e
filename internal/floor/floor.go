package floor

import (
	"context"
	"errors"
	"sync"
	"time"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/records"
)

// Event is what happens on the floor: the events of all runs, told apart by Slot
// and Run, and those below, which belong to no run. They are published, like the
// flow's.
type Event = flow.Event

// Kinds of events that belong to a slot.
const (
	SlotWaits = "slot.waits" // for a unit
	UnitFound = "slot.unit"  // a unit sits still and has told its MAC
	UnitGone  = "slot.empty" // the unit that was worked on is out
)

// Slot is one place in the fixture.
type Slot struct {
	Number int // 1 and up
	Port   string
	Reset  esptool.ResetMode
	Open   func(context.Context) (esptool.Port, error)
}

// Config is everything a floor needs from outside.
type Config struct {
	// Run is what every run gets. What differs from unit to unit (Open, Reset,
	// PortName, Slot, Serial, RunID, Sink) is filled in here.
	Run    flow.Config
	Slots  []Slot
	Orders []Order
	RunID  func() string
	Poll   time.Duration                              // between two looks at a slot
	Sleep  func(context.Context, time.Duration) error // returns early with the cause when ctx ends
	Sink   func(Event)                                // called by one at a time
}

// Floor is the slots at work.
type Floor struct {
	cfg   Config
	queue *queue

	mu      sync.Mutex // held while telling
	results []flow.Result
}

// Work makes the units of all orders and returns every verdict, in the order they
// came. It ends when no order is left, or when ctx does: then each slot stops as a
// run does, and the error is the cause.
func Work(ctx context.Context, cfg Config) ([]flow.Result, error) {
	f := &Floor{cfg: cfg, queue: newQueue(cfg.Orders)}
	work, done := context.WithCancel(ctx)
	defer done()
	var slots sync.WaitGroup
	for _, s := range cfg.Slots {
		slots.Go(func() { f.slot(work, s) })
	}
	select {
	case <-f.queue.empty:
	case <-ctx.Done():
	}
	done() // slots that only wait stop; none is in a run when the queue is empty
	slots.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return f.results, context.Cause(ctx)
	}
	return f.results, nil
}

// slot works one slot until ctx ends.
func (f *Floor) slot(ctx context.Context, s Slot) {
	gone := ""
	for {
		f.tell(Event{Kind: SlotWaits, Slot: s.Number})
		mac, err := f.await(ctx, s, gone)
		if err != nil {
			return
		}
		gone = mac
		f.tell(Event{Kind: UnitFound, Slot: s.Number, MAC: mac})
		f.unit(ctx, s, mac)
	}
}

// unit works on the unit in a slot. A new one takes the next order; one that was
// begun before takes up its own, and any other that the records know is greeted.
func (f *Floor) unit(ctx context.Context, s Slot, mac string) {
	_, err := f.cfg.Run.Records.UnitByMAC(ctx, mac)
	known := err == nil
	order, ok := f.queue.take(s.Number, mac, known)
	switch {
	case !ok && known:
		f.run(ctx, s, "")
	case ok:
		res := f.run(ctx, s, order.Serial)
		if page, _ := fault.Lookup(res.Code); page.Transient && ctx.Err() == nil {
			res = f.run(ctx, s, order.Serial) // once more: contacts and cables have bad moments
		}
		f.queue.settle(order, f.used(context.WithoutCancel(ctx), mac, res))
	}
}

// used reports whether an order was spent on the unit with that MAC: whether it has
// a serial number now. Where the records cannot tell, it counts as spent: a serial
// number is rather left out than given twice.
func (f *Floor) used(ctx context.Context, mac string, res flow.Result) bool {
	if res.Verdict == string(fault.Pass) {
		return true
	}
	_, err := f.cfg.Run.Records.UnitByMAC(ctx, mac)
	return !errors.Is(err, records.ErrNotFound)
}

func (f *Floor) run(ctx context.Context, s Slot, serial string) flow.Result {
	cfg := f.cfg.Run
	cfg.Open, cfg.Reset, cfg.PortName, cfg.Slot = s.Open, s.Reset, s.Port, s.Number
	cfg.Serial, cfg.RunID, cfg.Sink = serial, f.cfg.RunID(), f.tell
	res := flow.Run(ctx, cfg)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.results = append(f.results, res)
	return res
}

// tell passes an event on, one at a time.
func (f *Floor) tell(ev Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ev.Time.IsZero() {
		ev.Time = f.cfg.Run.Now().UTC()
	}
	f.cfg.Sink(ev)
}
