package floor

import (
	"slices"
	"sync"
)

// AnySlot is the Slot of an order that any slot may take.
const AnySlot = 0

// Order is one unit to be made.
type Order struct {
	Serial string // empty: the profile's own source gives the number
	Slot   int    // number of the slot it is for; AnySlot: whichever comes first
	MAC    string // of the unit that was begun for it; empty: any new unit
}

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

// take returns the first of the orders that fit the unit with that MAC in that slot
// best: one for just this slot before one that any slot could take.
// A known unit may be worked on without one. What was allowed has to be settled;
// otherwise again is closed when it is worth asking again.
func (q *queue) take(slot int, mac string, known bool) (o *Order, again <-chan struct{}) {
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

// settle ends the work on a unit. An order that was not spent comes back.
func (q *queue) settle(o Order, spent bool) {
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

// left reports whether there are orders that nobody made.
func (q *queue) left() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.open) > 0
}
