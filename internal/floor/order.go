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

// fits reports whether the unit with that MAC in that slot may have the order.
// known says that the records know the unit.
func (o Order) fits(slot int, mac string, known bool) bool {
	if o.MAC != "" {
		return o.MAC == mac
	}
	return !known && (o.Slot == AnySlot || o.Slot == slot)
}

// queue hands out orders to slots. An order that was taken and not used, because
// the part in the slot was none to work on, comes back.
type queue struct {
	mu    sync.Mutex
	open  []Order
	taken int
	empty chan struct{} // closed when nothing is open or taken any more
}

func newQueue(orders []Order) *queue {
	q := &queue{open: slices.Clone(orders), empty: make(chan struct{})}
	q.check()
	return q
}

// take returns the first order that the unit with that MAC in that slot may have.
func (q *queue) take(slot int, mac string, known bool) (Order, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.open, func(o Order) bool { return o.fits(slot, mac, known) })
	if i < 0 {
		return Order{}, false
	}
	o := q.open[i]
	q.open = slices.Delete(q.open, i, i+1)
	q.taken++
	return o, true
}

// settle ends an order that was taken: used, or back to where it came from.
func (q *queue) settle(o Order, used bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken--
	if !used {
		q.open = slices.Insert(q.open, 0, o)
	}
	q.check()
}

// check closes empty when there is nothing left. The caller holds mu, or is alone.
func (q *queue) check() {
	if len(q.open) == 0 && q.taken == 0 {
		close(q.empty)
	}
}
