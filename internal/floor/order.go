package floor

import (
	"slices"
	"sync"

	"provision/internal/flow"
	"provision/internal/job"
)

// AnySlot is the Slot of an order that any slot may take.
const AnySlot = 0

// Order is one unit to be made.
type Order struct {
	Serial string // empty: the profile's own source gives the number
	Slot   int    // number of the slot it is for; AnySlot: whichever comes first
	MAC    string // of the unit that was begun for it; empty: any new unit

	Job      *job.Job // nil: the floor's
	Operator string   // empty: the floor's
}

// Dispatch says what is to be done. Its methods are called by all slots at once and
// return at once; only Settle may take its time, which is that of its slot alone.
type Dispatch interface {
	// Rest returns nil when the slot is to be watched; otherwise nothing in it is
	// looked at until the channel is closed.
	Rest(slot int) <-chan struct{}
	// Take returns what is asked of the unit with that MAC, which sits in that slot;
	// known says that the records know it. Without an order, again is closed when it
	// is worth asking again. What was taken has to be settled.
	Take(slot int, mac string, known bool) (o *Order, again <-chan struct{})
	// Settle ends the work on a unit, before its verdict is told. An order is spent
	// when its serial number belongs to a unit now, or when it asked for any number and
	// this unit has one. The last run found UnitChanged
	// when another unit sat there by then.
	Settle(slot int, o Order, spent bool, last flow.Result)
	// Over is closed when nothing is left to be done and nobody is at work.
	Over() <-chan struct{}
	// Left reports whether there is something that nobody did.
	Left() bool
}

// Orders is a Dispatch of the units of a work order: each new unit takes the next
// one. A unit that was begun before takes up its own, and any other that the
// records know is greeted.
func Orders(list []Order) Dispatch { return newQueue(list) }

// fits says how well an order fits the unit with that MAC in that slot: 0 not at
// all, and the more the fewer others could have it. known says that the records
// know the unit.
func (o Order) fits(slot int, mac string, known bool) int {
	switch {
	case o.MAC != "" && o.MAC == mac:
		return 3
	case o.MAC != "" || known:
		return 0
	case o.Slot == slot:
		return 2
	case o.Slot == AnySlot:
		return 1
	}
	return 0
}

// queue hands out orders to slots. An order that was taken and not used, because
// the part in the slot was none to work on, comes back.
type queue struct {
	mu      sync.Mutex
	open    []Order
	busy    int           // units that are being worked on, with an order or without
	empty   chan struct{} // closed when nothing is open and nobody is at work any more
	changed chan struct{} // closed, and made anew, when an order came back
}

func newQueue(orders []Order) *queue {
	q := &queue{open: slices.Clone(orders), empty: make(chan struct{}), changed: make(chan struct{})}
	q.check()
	return q
}

// Rest is nil: every slot of a work order is watched.
func (q *queue) Rest(int) <-chan struct{} { return nil }

// Over is closed when every order is made.
func (q *queue) Over() <-chan struct{} { return q.empty }

// Take returns the first of the orders that fit the unit with that MAC in that slot
// best: one for just this slot before one that any slot could take.
// A known unit may be worked on without one. What was allowed has to be settled;
// otherwise again is closed when it is worth asking again.
func (q *queue) Take(slot int, mac string, known bool) (o *Order, again <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i, best := -1, 0
	for at, o := range q.open {
		if n := o.fits(slot, mac, known); n > best {
			i, best = at, n
		}
	}
	if i < 0 && !known {
		return nil, q.changed
	}
	q.busy++
	if i < 0 {
		return &Order{MAC: mac}, nil
	}
	order := q.open[i]
	q.open = slices.Delete(q.open, i, i+1)
	return &order, nil
}

// Settle ends the work on a unit. An order that was not spent comes back.
func (q *queue) Settle(_ int, o Order, spent bool, _ flow.Result) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy--
	if !spent {
		q.open = slices.Insert(q.open, 0, o)
		close(q.changed)
		q.changed = make(chan struct{})
	}
	q.check()
}

// check closes empty when there is nothing left. The caller holds mu, or is alone.
func (q *queue) check() {
	if len(q.open) > 0 || q.busy > 0 {
		return
	}
	select {
	case <-q.empty:
	default:
		close(q.empty)
	}
}

// Left reports whether there are orders that nobody made.
func (q *queue) Left() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.open) > 0
}
