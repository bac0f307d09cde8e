package virtual

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
)

// Bounds of what the printer holds: it serves an endless demo as well.
const (
	keepLabels = 1000    // printed ones that Labels returns
	maxWaiting = 100     // held while paper is out; then its buffer is full
	maxFormat  = 1 << 20 // bytes of one label
	maxConns   = 16      // at a time; the next one waits to be accepted
)

// Printer is a printer on a TCP port of this machine.
type Printer struct {
	ctx  context.Context
	slot chan struct{} // a token for each connection that is served

	mu       sync.Mutex
	addr     string       // host:port, the same for life
	listener net.Listener // nil while it refuses
	paperOut bool
	hang     chan struct{} // not nil: it hangs until this is closed
	labels   []string
	waiting  []string
}

// Listen starts a printer on a free port. It lives until ctx ends.
func Listen(ctx context.Context) (*Printer, error) { return ListenOn(ctx, "127.0.0.1:0") }

// ListenOn starts a printer on host:port. It lives until ctx ends.
func ListenOn(ctx context.Context, address string) (*Printer, error) {
	p := &Printer{ctx: ctx, slot: make(chan struct{}, maxConns), addr: address}
	if err := p.SetRefuse(false); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { p.SetRefuse(true) })
	return p, nil
}

// Addr returns the address as label.Open takes it: tcp://HOST:PORT.
func (p *Printer) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return "tcp://" + p.addr
}

// Labels returns the labels that came out, oldest first, as ZPL from ^XA to ^XZ; the
// last 1000 of them. A label that was printed with label.Print without an error is
// among them, unless paper is out or the printer hangs.
func (p *Printer) Labels() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.labels)
}

// SetPaperOut takes the paper out or puts it in. Labels wait meanwhile, and come out
// when there is paper again.
func (p *Printer) SetPaperOut(out bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paperOut = out
	if !out {
		p.keep(p.waiting...)
		p.waiting = nil
	}
}

// SetHang makes the printer take connections and then do nothing with them, or go on
// where it stood.
func (p *Printer) SetHang(hang bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case hang && p.hang == nil:
		p.hang = make(chan struct{})
	case !hang && p.hang != nil:
		close(p.hang)
		p.hang = nil
	}
}

// SetRefuse makes the port refuse connections, as when the printer is off, or take
// them again. Those that exist go on. The error is that of listening again.
func (p *Printer) SetRefuse(refuse bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if refuse {
		if p.listener != nil {
			p.listener.Close()
			p.listener = nil
		}
		return nil
	}
	if p.listener != nil {
		return nil
	}
	if err := p.ctx.Err(); err != nil {
		return fmt.Errorf("virtual printer: %w", err)
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return fmt.Errorf("virtual printer: %w", err)
	}
	p.listener, p.addr = l, l.Addr().String()
	go p.serve(l)
	return nil
}

// keep adds labels that came out. The caller holds the lock.
func (p *Printer) keep(labels ...string) {
	p.labels = append(p.labels, labels...)
	p.labels = slices.Delete(p.labels, 0, max(0, len(p.labels)-keepLabels))
}
