package esptool

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"go.bug.st/serial"
)

// serialPort adapts go.bug.st/serial to Port. The library reports a timeout as no
// bytes and no error and cannot move a deadline under a waiting Read, so a pump
// reads without timeout into one end of a net.Pipe, whose other end has deadlines
// that behave. The library also offers no access to its descriptor; lines has a
// second one where both modem lines can be set in one call.
type serialPort struct {
	dev   serial.Port
	lines *lineControl
	in    net.Conn // our end of the pump

	close  sync.Once
	closed error // what Close returned

	mu      sync.Mutex
	readErr error // why the pump stopped
}

// openSerial opens the device name at baud. The order matters: lines claims the
// device first, so that the library's own open cannot take a port in use.
func openSerial(name string, baud int) (Port, error) {
	lines, err := openLines(name)
	if err != nil {
		return nil, err
	}
	mode := &serial.Mode{BaudRate: baud}
	if lines.present() {
		mode.InitialStatusBits = &serial.ModemOutputBits{} // both inactive, in one call
	} else {
		mode.InitialStatusBits = nil // a pty: setting lines would fail the open
	}
	dev, err := serial.Open(name, mode)
	if err != nil {
		return nil, errors.Join(openError(name, err), lines.Close())
	}
	if err := lines.keepOnClose(); err != nil {
		return nil, errors.Join(err, dev.Close(), lines.Close())
	}
	lines.attach(dev)
	ours, theirs := net.Pipe()
	p := &serialPort{dev: dev, lines: lines, in: ours}
	go p.pump(theirs)
	return p, nil
}

// pump copies from the device until it fails or is closed.
func (p *serialPort) pump(out net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := p.dev.Read(buf)
		if n > 0 {
			if _, werr := out.Write(buf[:n]); werr != nil {
				err = werr // our end is closed: nobody reads any more
			}
		}
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF // without a timeout set, no bytes means the device went away
		}
		if err != nil {
			p.mu.Lock()
			p.readErr = err
			p.mu.Unlock()
			// The reader sees io.EOF and looks up readErr; Pipe's Close returns nil.
			_ = out.Close()
			return
		}
	}
}

// Read implements Port.
func (p *serialPort) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	if errors.Is(err, io.EOF) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return n, fmt.Errorf("serial port went away: %w", p.readErr)
	}
	return n, err
}

// Write implements Port. It gives up after writeLimit: a USB adapter that was
// pulled or suspended can block a write for ever.
func (p *serialPort) Write(b []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	own := append([]byte(nil), b...) // the caller may reuse b after a timeout
	go func() {
		sent := 0
		for sent < len(own) {
			n, err := p.dev.Write(own[sent:])
			sent += n
			if err != nil {
				done <- result{sent, err}
				return
			}
		}
		done <- result{sent, nil}
	}()
	limit := time.NewTimer(writeLimit)
	defer limit.Stop()
	select {
	case r := <-done:
		return r.n, r.err
	case <-limit.C:
		return 0, fmt.Errorf("serial port took no bytes for %v: %w", writeLimit, os.ErrDeadlineExceeded)
	}
}

// SetReadDeadline implements Port.
func (p *serialPort) SetReadDeadline(t time.Time) error { return p.in.SetReadDeadline(t) }

// SetLines implements Port.
func (p *serialPort) SetLines(dtr, rts bool) error { return p.lines.set(dtr, rts) }

// SetBaud sets the speed of the host side, 8N1.
func (p *serialPort) SetBaud(baud int) error {
	if err := p.dev.SetMode(&serial.Mode{BaudRate: baud}); err != nil {
		return fmt.Errorf("set serial port to %d baud: %w", baud, err)
	}
	return nil
}

// Close implements Port. The lines stay as they are.
func (p *serialPort) Close() error {
	p.close.Do(func() {
		// The pump may be waiting to hand over bytes: release it before the device.
		p.closed = errors.Join(p.in.Close(), p.dev.Close(), p.lines.Close())
	})
	return p.closed
}

// openError gives the cause of a failed open one of our names.
func openError(name string, err error) error {
	var pe *serial.PortError
	if errors.As(err, &pe) {
		switch pe.Code() {
		case serial.PortBusy:
			return fmt.Errorf("%w: %w", ErrPortBusy, err)
		case serial.PortNotFound:
			return fmt.Errorf("%w: %w", ErrPortMissing, err)
		case serial.PermissionDenied:
			return fmt.Errorf("%w: %w%s", ErrPortPermission, err, ownerHint(name))
		case serial.InvalidSerialPort:
			return fmt.Errorf("%w: not a serial device: %w", ErrPortKind, err)
		}
	}
	return systemOpenError(name, err)
}
