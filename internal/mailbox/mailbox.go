// Package mailbox hands values from those who must not wait to one who may be
// slow: a terminal that was stopped, a pipe that nobody reads. It knows nothing of
// what is in the values.
package mailbox

import "sync"

// Box keeps values in order until they are received. It has no bound: what puts
// values in is bounded by the work it reports on.
type Box[T any] struct {
	mu     sync.Mutex
	values []T
	wake   chan struct{} // has a token when there is something to look at
	closed bool
	done   chan struct{} // closed when everything was received
}

// New starts handing values to receive, one at a time, in order.
func New[T any](receive func(T)) *Box[T] {
	b := &Box[T]{wake: make(chan struct{}, 1), done: make(chan struct{})}
	go b.deliver(receive)
	return b
}

// Put adds a value. It never waits.
func (b *Box[T]) Put(v T) {
	b.mu.Lock()
	b.values = append(b.values, v)
	b.mu.Unlock()
	b.ring()
}

// Close says that nothing will be put in any more. The channel is closed when all
// that is in was received.
func (b *Box[T]) Close() <-chan struct{} {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.ring()
	return b.done
}

func (b *Box[T]) ring() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *Box[T]) deliver(receive func(T)) {
	defer close(b.done)
	for range b.wake {
		for {
			b.mu.Lock()
			batch, closed := b.values, b.closed
			b.values = nil
			b.mu.Unlock()
			for _, v := range batch {
				receive(v)
			}
			if len(batch) > 0 {
				continue
			}
			if closed {
				return
			}
			break
		}
	}
}
