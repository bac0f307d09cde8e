package esptool

import (
	"os"
	"sync"
	"time"
)

// maxUnread bounds what a port keeps for a reader that does not come, in bytes: about
// half a minute of a chip that never falls silent, at 460800 baud.
const maxUnread = 1 << 20

// inbox holds what a port has received and nobody has read. It gives Read the
// deadlines that Port asks for. When it is full, the oldest bytes are lost, as they
// are on a line to which nobody listens.
type inbox struct {
	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever something below changes
	unread   []byte
	deadline time.Time
	failed   error // why nothing more will come
}

func newInbox() *inbox { return &inbox{changed: make(chan struct{})} }

// change makes a change and wakes a Read that waits.
func (b *inbox) change(what func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	what()
	close(b.changed)
	b.changed = make(chan struct{})
}

// put adds bytes for the reader.
func (b *inbox) put(p []byte) {
	if len(p) == 0 {
		return
	}
	b.change(func() {
		b.unread = append(b.unread, p...)
		b.unread = b.unread[max(0, len(b.unread)-maxUnread):]
	})
}

// forget drops what was not read and returns it.
func (b *inbox) forget() (unread []byte) {
	b.change(func() { unread, b.unread = b.unread, nil })
	return unread
}

// fail makes Read return err once everything before it is read. The first one counts.
func (b *inbox) fail(err error) {
	b.change(func() {
		if b.failed == nil {
			b.failed = err
		}
	})
}

// Read is that of Port.
func (b *inbox) Read(p []byte) (int, error) {
	for {
		n, changed, deadline, err := b.tryRead(p)
		if n > 0 || err != nil {
			return n, err
		}
		waitUntil(deadline, changed)
	}
}

// tryRead takes what is there. Without bytes and without error there is something to
// wait for.
func (b *inbox) tryRead(p []byte) (n int, changed <-chan struct{}, deadline time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.deadline.IsZero() && !time.Now().Before(b.deadline):
		return 0, nil, b.deadline, os.ErrDeadlineExceeded
	case len(b.unread) > 0:
		n = copy(p, b.unread)
		b.unread = b.unread[n:]
	default:
		err = b.failed
	}
	return n, b.changed, b.deadline, err
}

// waitUntil waits for an event, until a deadline if there is one.
func waitUntil(deadline time.Time, event <-chan struct{}) {
	if deadline.IsZero() {
		<-event
		return
	}
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	select {
	case <-event:
	case <-t.C:
	}
}

// SetReadDeadline is that of Port.
func (b *inbox) SetReadDeadline(t time.Time) error {
	b.change(func() { b.deadline = t })
	return nil
}
