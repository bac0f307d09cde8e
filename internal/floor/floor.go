package floor

import (
	"context"
	"errors"
	"sync"
	"time"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/mailbox"
	"provision/internal/records"
)

// Event is what happens on the floor: the events of all runs, told apart by Slot
// and Run, and those below, which belong to no run. They are published, like the
// flow's.
type Event = flow.Event

// Kinds of events that belong to a slot.
const (
	SlotWaits = "slot.waits" // for a unit; what the last SlotFault said is over
	SlotUnit  = "slot.unit"  // a unit sits still and has told its MAC
	SlotIdle  = "slot.idle"  // a new unit sits here, and no order is left for it
	SlotFault = "slot.fault" // why nothing can be seen here, each time that changes
	SlotEmpty = "slot.empty" // the unit that was seen is out

	// How the work on a unit ended, after the last of its runs: verdict, code, text
	// and what to do are those of that run; the serial number is the unit's own.
	SlotVerdict = "slot.verdict"
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
	Orders Dispatch
	RunID  func() string
	Poll   time.Duration                              // between two looks at a slot
	Sleep  func(context.Context, time.Duration) error // returns early with the cause when ctx ends
	Sink   func(Event)                                // called by one at a time; may be slow
	Result func(flow.Result)                          // of every run, called by one at a time; may be nil
}

// Floor is the slots at work.
type Floor struct {
	cfg    Config
	events *mailbox.Box[Event] // a slow listener delays no slot

	mu          sync.Mutex // orders the calls of cfg.Result
	interrupted bool       // a run was cut short by the end of its context
}

// Work makes units as the orders ask for them. It ends when there is nothing more
// to be done, or when ctx ends: then each slot stops as a run does, and the error is
// the cause, unless nothing was left undone.
func Work(ctx context.Context, cfg Config) error {
	f := &Floor{cfg: cfg, events: mailbox.New(cfg.Sink)}
	work, done := context.WithCancel(ctx)
	defer done()
	var slots sync.WaitGroup
	for _, s := range cfg.Slots {
		slots.Go(func() { f.slot(work, s) })
	}
	select {
	case <-cfg.Orders.Over():
	case <-ctx.Done():
	}
	done() // when all is over, all slots only wait
	slots.Wait()
	<-f.events.Close()
	if ctx.Err() != nil && (cfg.Orders.Left() || f.interrupted) {
		return context.Cause(ctx)
	}
	return nil
}

// slot works one slot until ctx ends.
func (f *Floor) slot(ctx context.Context, s Slot) {
	var last seen
	f.tell(Event{Kind: SlotWaits, Slot: s.Number})
	for {
		mac, err := f.await(ctx, s, last)
		if err != nil {
			return
		}
		f.tell(Event{Kind: SlotUnit, Slot: s.Number, MAC: mac})
		if again := f.unit(ctx, s, mac); again != nil {
			// Nothing is asked of this unit now. It is looked at again when an order
			// came back, or when the next one sits here.
			f.tell(Event{Kind: SlotIdle, Slot: s.Number, MAC: mac, Text: "no order is left for this unit"})
			there, err := f.pause(ctx, s, mac, again)
			if err != nil {
				return
			}
			last = seen{}
			if there {
				last.mac = mac
			}
			continue
		}
		last = seen{mac: mac, done: true}
		f.tell(Event{Kind: SlotWaits, Slot: s.Number})
	}
}

// pause waits until again is closed, while the unit may still be there, or the unit
// is out. The error says that ctx ended.
func (f *Floor) pause(ctx context.Context, s Slot, mac string, again <-chan struct{}) (there bool, err error) {
	for {
		select {
		case <-again:
			return true, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		default:
		}
		now, err := f.probe(ctx, s)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if err != nil || now != mac {
			f.tell(Event{Kind: SlotEmpty, Slot: s.Number, MAC: mac})
			return false, nil
		}
		if err := f.cfg.Sleep(ctx, f.cfg.Poll); err != nil {
			return false, err
		}
	}
}

// unit works on the unit in a slot, as the orders say. Where there is no order for
// it, the channel is closed when it is worth asking again.
func (f *Floor) unit(ctx context.Context, s Slot, mac string) <-chan struct{} {
	_, err := f.cfg.Run.Records.UnitByMAC(ctx, mac)
	order, again := f.cfg.Orders.Take(s.Number, mac, err == nil)
	if order == nil {
		return again
	}
	res := f.run(ctx, s, mac, *order)
	if page, _ := fault.Lookup(res.Code); page.Transient && ctx.Err() == nil && res.Code != fault.UnitChanged {
		res = f.run(ctx, s, mac, *order) // once more: contacts and cables have bad moments
	}
	told := context.WithoutCancel(ctx)
	f.cfg.Orders.Settle(s.Number, *order, f.spent(told, *order, res), res)
	if res.Code == fault.UnitChanged {
		return nil // nothing was found out about this one; the other is looked at next
	}
	f.tell(Event{
		Kind: SlotVerdict, Slot: s.Number, MAC: res.MAC, Serial: f.serialOf(told, res.MAC),
		Verdict: res.Verdict, Code: res.Code, Text: res.Text, Do: res.Do, Exit: &res.Exit,
	})
	return nil
}

// serialOf is the serial number that a unit has; "" for one that never got its own,
// whatever number it was tried with.
func (f *Floor) serialOf(ctx context.Context, mac string) string {
	u, err := f.cfg.Run.Records.UnitByMAC(ctx, mac)
	if err != nil {
		return ""
	}
	return u.Serial
}

// spent reports whether an order is done with: its serial number is taken, by whichever
// unit, or, where the station counts by itself, the unit that was made for it has one.
// Where the records cannot tell, it counts as spent: a number is rather left out than
// given twice.
func (f *Floor) spent(ctx context.Context, o Order, res flow.Result) bool {
	if o.MAC != "" {
		return true
	}
	var err error
	if o.Serial != "" {
		_, err = f.cfg.Run.Records.UnitBySerial(ctx, o.Serial)
	} else {
		_, err = f.cfg.Run.Records.UnitByMAC(ctx, res.MAC)
	}
	return !errors.Is(err, records.ErrNotFound)
}

// run lets the flow work on the unit that was seen in the slot.
func (f *Floor) run(ctx context.Context, s Slot, mac string, o Order) flow.Result {
	cfg := f.cfg.Run
	cfg.Open, cfg.Reset, cfg.PortName, cfg.Slot = s.Open, s.Reset, s.Port, s.Number
	cfg.MAC, cfg.Serial, cfg.RunID, cfg.Sink = mac, o.Serial, f.cfg.RunID(), f.tell
	if o.Job != nil {
		cfg.Job = o.Job
	}
	if o.Operator != "" {
		cfg.Operator = o.Operator
	}
	res := flow.Run(ctx, cfg)
	if res.MAC == "" {
		res.MAC = mac
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.interrupted = f.interrupted || res.Code == fault.Interrupted
	if f.cfg.Result != nil {
		f.cfg.Result(res)
	}
	return res
}

// tell passes an event on.
func (f *Floor) tell(ev Event) {
	if ev.Time.IsZero() {
		ev.Time = f.cfg.Run.Now().UTC()
	}
	f.events.Put(ev)
}
