package label

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// defaultPort is where label printers take ZPL from the network.
const defaultPort = "9100"

const (
	patience       = 5 * time.Second        // for each of: its turn, reaching the printer, sending
	answerPatience = 2 * time.Second        // for the status from a device
	closePatience  = 500 * time.Millisecond // for a printer to close its side
)

// Printer is a label printer. Its methods may be called by several goroutines: one
// at a time talks to the printer, the others wait for their turn.
type Printer struct {
	where   string
	address string        // host:port; "": where is a file
	turn    chan struct{} // holds a token while the printer is in use

	dial                    func(ctx context.Context, network, address string) (net.Conn, error)
	patience, answer, close time.Duration
}

// Open returns the printer at tcp://HOST, tcp://HOST:PORT (else port 9100), or behind a
// file that exists when it is used: a device such as /dev/usb/lp0, or a plain file,
// which labels are appended to. It only reads the address, so that a printer may be
// switched on later. Errors: ErrAddress.
func Open(where string) (*Printer, error) {
	p := &Printer{
		where: where, turn: make(chan struct{}, 1), dial: new(net.Dialer).DialContext,
		patience: patience, answer: answerPatience, close: closePatience,
	}
	if strings.Contains(where, "://") {
		u, err := url.Parse(where)
		if err != nil || u.Scheme != "tcp" || u.Hostname() == "" || where != "tcp://"+u.Host && where != "tcp://"+u.Host+"/" {
			return nil, fmt.Errorf("%w: %q; write tcp://HOST:9100 or a device file", ErrAddress, where)
		}
		port := u.Port()
		if port == "" {
			port = defaultPort
		}
		p.address = net.JoinHostPort(u.Hostname(), port)
		return p, nil
	}
	if info, err := os.Stat(where); where == "" || err == nil && info.IsDir() {
		return nil, fmt.Errorf("%w: %q; write tcp://HOST:9100 or a device file", ErrAddress, where)
	}
	return p, nil
}

// String returns the address that the printer was opened with.
func (p *Printer) String() string { return p.where }

// Print sends a label. It returns when the printer has taken it, which does not prove
// that it came out: scanning it does. It never waits longer than ctx, nor more than 5 s
// for each of its turn, the connection and the sending. Errors: see ErrUnreachable.
func (p *Printer) Print(ctx context.Context, zpl []byte) error {
	if err := p.takeTurn(ctx); err != nil {
		return err
	}
	if p.address == "" {
		return p.printToFile(ctx, zpl)
	}
	defer p.endTurn()
	conn, err := p.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := p.send(ctx, conn, zpl); err != nil {
		return err
	}
	p.hangUp(ctx, conn)
	return nil
}

// takeTurn waits until nobody else uses the printer. Errors: ErrBusy, ErrStopped.
func (p *Printer) takeTurn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return p.opening(ctx, err)
	}
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		if stopped(ctx) {
			return p.opening(ctx, ctx.Err())
		}
		return p.fail(ErrBusy, ctx.Err())
	}
}

func (p *Printer) endTurn() { <-p.turn }
