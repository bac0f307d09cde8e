package esptool

import (
	"context"
	"fmt"
	"net"
	"time"
)

const (
	dialLimit  = 2 * time.Second
	writeLimit = 10 * time.Second // a frame takes 0.1 s at 115200; then the adapter is stuck
)

// tcpPort is a raw TCP socket with a serial line, an emulator or a virtual chip
// behind it. It has no lines and no speed. Deadlines are those of net.Conn.
type tcpPort struct{ net.Conn }

// openTCP opens the raw socket at address (host:port). Errors are those of dial.
func openTCP(ctx context.Context, address string) (Port, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return tcpPort{conn}, nil
}

// dial connects to address (host:port). The errors of a host that does not exist, does
// not answer or refuses are all ErrPortMissing; what is no address is ErrPortKind.
func dial(ctx context.Context, address string) (net.Conn, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("%w: %w (%s)", ErrPortKind, err, knownKinds)
	}
	conn, err := (&net.Dialer{Timeout: dialLimit}).DialContext(ctx, "tcp", address)
	if ctx.Err() != nil {
		if err == nil {
			_ = conn.Close() // not wanted any more
		}
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPortMissing, err)
	}
	return conn, nil
}

// Read asks the system to acknowledge at once before it waits. Emulators send
// answers a byte or two at a time and their system holds back the rest until the
// first bytes are acknowledged, which by default takes 40 ms a command.
func (t tcpPort) Read(p []byte) (int, error) {
	acknowledgeAtOnce(t.Conn)
	return t.Conn.Read(p)
}

// Write sends p or fails within writeLimit.
func (t tcpPort) Write(p []byte) (int, error) {
	if err := t.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return 0, err
	}
	return t.Conn.Write(p)
}

// SetLines implements Port: a raw socket carries no lines.
func (tcpPort) SetLines(dtr, rts bool) error {
	return fmt.Errorf("set DTR and RTS over tcp: %w", ErrNoLines)
}
