package esptool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// rfc2217Limit is how long a server may take to answer once it is connected.
// Espressif's server goes on reading the device of its last client for three seconds
// before it serves the next.
const rfc2217Limit = 5 * time.Second

// rfc2217Port is a serial port of another machine, behind a Telnet connection with the
// COM-PORT-OPTION (RFC 2217): esp_rfc2217_server, ser2net, terminal servers. A pump
// takes the stream apart, so that what the server says about settings is heard while
// nobody reads data.
type rfc2217Port struct {
	link tcpPort
	in   *inbox

	close  sync.Once
	closed error // what Close returned

	control sync.Mutex // one change of settings at a time
	baud    int        // of the far port; 0: not known
	lines   [2]byte    // the last command sent for DTR and for RTS; 0: none yet
	overdue bool       // an answer about the speed did not come in time: it may still
	mute    bool       // the server does not say when it has moved the lines

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced whenever something below changes
	options   telnetOptions
	answers   map[byte][]byte // to each COM-PORT command, the latest
	suspended bool            // the server takes no data now
	failed    error           // why the connection is of no more use
}

// openRFC2217 opens the port behind the server at address (host:port) at baud, 8N1,
// without flow control. It leaves the lines as they are: what state the server gave
// them is not known, and any change might reset the chip. Errors wrap ErrPortMissing,
// ErrPortBusy, ErrPortKind, ErrRFC2217 or the cause of ctx.
func openRFC2217(ctx context.Context, address string, baud int) (Port, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return newRFC2217(ctx, conn, baud)
}

// newRFC2217 is openRFC2217 over a connection, which is closed when there is an error.
func newRFC2217(ctx context.Context, conn net.Conn, baud int) (Port, error) {
	p := &rfc2217Port{
		link: tcpPort{conn}, in: newInbox(),
		changed: make(chan struct{}), options: newTelnetOptions(), answers: map[byte][]byte{},
	}
	go p.pump()
	stop := context.AfterFunc(ctx, func() { _ = p.Close() })
	err := p.setUp(baud)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// setUp agrees on the option, makes the settings, and drops what the far port has
// received before: it was meant for another.
func (p *rfc2217Port) setUp(baud int) error {
	limit := time.Now().Add(rfc2217Limit)
	if err := p.agree(limit); err != nil {
		return p.explain(err)
	}
	if err := p.configure(limit, baud); err != nil {
		return p.explain(err)
	}
	p.in.forget()
	return nil
}

// agree opens the negotiation and waits until the server agrees to be set up.
func (p *rfc2217Port) agree(limit time.Time) error {
	p.mu.Lock()
	opening := p.options.ask()
	p.mu.Unlock()
	if err := p.send(opening); err != nil {
		return err
	}
	err := p.await(limit, func() bool { return p.options.comPort() })
	if errors.Is(err, errTimeout) {
		return fmt.Errorf("%w: no answer within %v; it may be serving somebody else", ErrRFC2217, rfc2217Limit)
	}
	return err
}

// explain says what an end of the connection during set-up means. Servers that are in
// use say so in words or not at all, and hang up.
func (p *rfc2217Port) explain(err error) error {
	if errors.Is(err, ErrRFC2217) {
		return err
	}
	// A write may have failed before the pump has read what was said.
	_ = p.await(time.Now().Add(settleLimit), func() bool { return false })
	said := strings.TrimSpace(strings.ToValidUTF8(string(p.in.forget()), "\uFFFD"))
	cause := ErrPortMissing
	if said == "" || strings.Contains(said, "in use") || strings.Contains(said, "busy") {
		cause = ErrPortBusy
	}
	return fmt.Errorf("%w: the server hung up, saying %.80q: %w", cause, said, err)
}

// pump takes in what the server sends until the connection fails or is closed.
func (p *rfc2217Port) pump() {
	var stream telnetStream
	buf := make([]byte, 4096)
	for {
		n, err := p.link.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			var data []byte
			var cmd telnetCommand
			data, cmd, rest = stream.next(rest)
			p.in.put(data)
			if cmd.verb != 0 {
				p.heed(cmd)
			}
		}
		if err != nil {
			p.fail(fmt.Errorf("the connection to the RFC 2217 server ended: %w", err))
			return
		}
	}
}

// heed acts on a command of the server. An option that is taken back in the middle
// makes the connection useless.
func (p *rfc2217Port) heed(cmd telnetCommand) {
	var answer []byte
	var refused string
	p.change(func() {
		switch {
		case cmd.verb != telnetSB:
			answer = p.options.hear(cmd.verb, cmd.option)
			refused = p.options.refuses()
		case cmd.option == optionComPort && len(cmd.body) > 0:
			p.heedComPort(cmd.body[0], cmd.body[1:])
		}
	})
	if refused != "" {
		p.fail(fmt.Errorf("%w: it refuses Telnet option %s", ErrRFC2217, refused))
	}
	if answer == nil {
		return
	}
	if err := p.send(answer); err != nil {
		p.fail(err)
	}
}

// change makes a change under mu and wakes whoever waits for one.
func (p *rfc2217Port) change(what func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what()
	close(p.changed)
	p.changed = make(chan struct{})
}

// await waits until done, which is called with mu held, and else returns errTimeout
// past the limit, or why the connection failed.
func (p *rfc2217Port) await(limit time.Time, done func() bool) error {
	for {
		p.mu.Lock()
		ok, failed, changed := done(), p.failed, p.changed
		p.mu.Unlock()
		switch {
		case failed != nil:
			return failed
		case ok:
			return nil
		case !time.Now().Before(limit):
			return errTimeout
		}
		waitUntil(limit, changed)
	}
}

// fail gives the connection up. The first cause counts.
func (p *rfc2217Port) fail(err error) {
	p.change(func() {
		if p.failed == nil {
			p.failed = err
		}
	})
	p.in.fail(err)
}

// send writes bytes of the protocol, whole ones at a time: those of different calls do
// not mix.
func (p *rfc2217Port) send(b []byte) error {
	if _, err := p.link.Write(b); err != nil {
		return fmt.Errorf("send to the RFC 2217 server: %w", err)
	}
	return nil
}

// Read implements Port.
func (p *rfc2217Port) Read(b []byte) (int, error) { return p.in.Read(b) }

// SetReadDeadline implements Port.
func (p *rfc2217Port) SetReadDeadline(t time.Time) error { return p.in.SetReadDeadline(t) }

// Write sends b or fails within twice writeLimit: first the server may ask us to wait.
func (p *rfc2217Port) Write(b []byte) (int, error) {
	err := p.await(time.Now().Add(writeLimit), func() bool { return !p.suspended })
	if errors.Is(err, errTimeout) {
		return 0, fmt.Errorf("RFC 2217 server took no bytes for %v: %w", writeLimit, os.ErrDeadlineExceeded)
	}
	if err != nil {
		return 0, err
	}
	if err := p.send(appendTelnetData(nil, b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close implements Port. What the server then does to the lines is its own affair.
func (p *rfc2217Port) Close() error {
	p.close.Do(func() {
		p.fail(os.ErrClosed)
		p.in.forget()
		p.closed = p.link.Close()
	})
	return p.closed
}
