package board

import (
	"io"
	"os"
	"sync"
	"time"
)

// mostPending is how much output waits for a terminal that takes none (Ctrl-S, a
// stalled connection) before the oldest of it is given up.
const mostPending = 256 << 10

// outlet writes to a terminal and never waits for it. What a terminal did not take
// for long is dropped in whole writes; once it takes output again, lost is called,
// and everything is to be drawn anew. Many goroutines may write.
type outlet struct {
	to   io.Writer
	lost func()

	mu      sync.Mutex
	pending [][]byte
	size    int // of pending
	dropped bool
	closed  bool
	wake    chan struct{}
	done    chan struct{}
}

func newOutlet(to io.Writer, lost func()) *outlet {
	o := &outlet{to: to, lost: lost, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go o.deliver()
	return o
}

// Write takes p whole, always.
func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	o.pending = append(o.pending, append([]byte(nil), p...))
	o.size += len(p)
	for o.size > mostPending && len(o.pending) > 1 {
		o.size -= len(o.pending[0])
		o.pending, o.dropped = o.pending[1:], true
	}
	o.mu.Unlock()
	o.ring()
	return len(p), nil
}

func (o *outlet) ring() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// deliver writes what is pending, in order.
func (o *outlet) deliver() {
	defer close(o.done)
	for range o.wake {
		for {
			o.mu.Lock()
			batch, lost, closed := o.pending, o.dropped, o.closed
			o.pending, o.size, o.dropped = nil, 0, false
			o.mu.Unlock()
			if lost && !closed {
				o.lost()
			}
			for _, p := range batch {
				// A terminal that went away is noticed where keys are read.
				_, _ = o.to.Write(p)
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

// close ends the outlet and waits a while for a terminal that still has something
// to take. It reports whether everything was taken.
func (o *outlet) close(patience time.Duration) bool {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.ring()
	select {
	case <-o.done:
		return true
	case <-time.After(patience):
		return false
	}
}

// terminalOutlet is an outlet to a real terminal: Bubble Tea asks its file for the
// size of the window, and nothing else. The file is not embedded: its other ways to
// write, WriteString among them, would overtake what is pending.
type terminalOutlet struct {
	*outlet
	file *os.File
}

func (t terminalOutlet) Fd() uintptr                { return t.file.Fd() }
func (t terminalOutlet) Read(p []byte) (int, error) { return t.file.Read(p) }
func (t terminalOutlet) Close() error               { return t.file.Close() }

// writer is the outlet as Bubble Tea is to see it.
func (o *outlet) writer() io.Writer {
	if f, ok := o.to.(*os.File); ok {
		return terminalOutlet{o, f}
	}
	return o
}
