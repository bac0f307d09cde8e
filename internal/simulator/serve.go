package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// Serve offers the chip's serial port as a raw TCP socket to one client at a time;
// others wait. The chip lives on between clients, in whatever state the last one left
// it; what it said in between is lost. A socket has no baud rate and no control
// lines: the rates always match, and the chip should be in download mode
// (WithDownloadMode). Serve returns nil when ctx is done, else why it stopped: the
// listener failed, or the chip has lost its power or was closed. It closes l.
func Serve(ctx context.Context, l net.Listener, c *Chip) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer l.Close()
	c.followBaud()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("serve virtual chip: %w", err)
		}
		if err := c.serveOne(ctx, conn); err != nil && ctx.Err() == nil {
			return fmt.Errorf("serve virtual chip: %w", err)
		}
	}
}

// serveOne is one client's session. Its error is the chip's; a client that goes away
// is none.
func (c *Chip) serveOne(ctx context.Context, conn net.Conn) error {
	c.forgetOutput()
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return errors.Join(err, conn.Close())
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	var sending sync.WaitGroup
	var chipErr error
	sending.Go(func() {
		chipErr = c.toClient(conn)
		conn.Close() // the chip is gone, or the client: either way the other loop ends
	})
	err := c.fromClient(conn)
	conn.Close()
	c.SetReadDeadline(time.Unix(1, 0)) // ends toClient
	sending.Wait()
	if err == nil {
		err = chipErr
	}
	return err
}

// toClient copies what the chip says until the client is gone or the deadline is
// moved (nil), or the chip is gone (its error).
func (c *Chip) toClient(conn net.Conn) error {
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return nil
		}
	}
}

// fromClient copies what the client says until it is gone (nil) or the chip is (its
// error).
func (c *Chip) fromClient(conn net.Conn) error {
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			if _, err := c.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// followBaud makes the host's rate right whatever the chip's is.
func (c *Chip) followBaud() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line.follow = true
}

// forgetOutput drops what nobody was there to read.
func (c *Chip) forgetOutput() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.port.out = nil
}
