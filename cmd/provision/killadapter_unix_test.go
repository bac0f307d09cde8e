//go:build unix

package main

import (
	"encoding/gob"
	"errors"
	"net"
	"sync"

	"provision/internal/esptool"
	"provision/internal/simulator"
)

// adapterAct is one thing that a station does to the serial line of an adapter in
// another process. What the chip says comes back as it is.
type adapterAct struct {
	Data  []byte
	Lines *[2]bool // DTR, RTS
	Baud  int
}

// adapter is the station's end of the cable: a port with reset lines and a speed.
type adapter struct {
	net.Conn
	acts *gob.Encoder
}

func openAdapter(addr string) (esptool.Port, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &adapter{conn, gob.NewEncoder(conn)}, nil
}

func (a *adapter) Write(p []byte) (int, error) {
	if err := a.acts.Encode(adapterAct{Data: p}); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (a *adapter) SetLines(dtr, rts bool) error {
	return a.acts.Encode(adapterAct{Lines: &[2]bool{dtr, rts}})
}

func (a *adapter) SetBaud(baud int) error { return a.acts.Encode(adapterAct{Baud: baud}) }

// benchChip is the chip's end of the cable: it has its power from elsewhere, goes on when the station
// is gone, and says what it says to nobody then.
type benchChip struct {
	chip *simulator.Chip
	mu   sync.Mutex
	conn net.Conn // of the station; nil: none
}

// plugIn connects a chip in this process to an adapter.
func (b *killBench) plugIn(cfg simulator.Config) {
	b.t.Helper()
	b.served = simulator.New(cfg)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	mustDo(b.t, err)
	b.port, b.wired = "/dev/ttyADAPTER", []string{envAdapter + "=" + l.Addr().String()}
	at := &benchChip{chip: b.served}
	var over sync.WaitGroup
	over.Go(at.speak)
	over.Go(func() { at.serve(l) })
	b.t.Cleanup(func() {
		err := errors.Join(l.Close(), b.served.Close())
		over.Wait()
		mustDo(b.t, err)
	})
}

// serve lets one station after the other work on the chip, until there is no chip.
func (c *benchChip) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c.connect(conn)
		for acts := gob.NewDecoder(conn); c.act(acts) == nil; {
		}
		c.connect(nil)
		conn.Close()
	}
}

func (c *benchChip) connect(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
}

// act does the next act. An error says that the station is gone, or the chip.
func (c *benchChip) act(acts *gob.Decoder) error {
	var next adapterAct
	if err := acts.Decode(&next); err != nil {
		return err
	}
	switch {
	case next.Lines != nil:
		return c.chip.SetLines(next.Lines[0], next.Lines[1])
	case next.Baud > 0:
		return c.chip.SetBaud(next.Baud)
	}
	_, err := c.chip.Write(next.Data)
	return err
}

// speak passes on what the chip says.
func (c *benchChip) speak() {
	buf := make([]byte, 4096)
	for {
		n, err := c.chip.Read(buf)
		if err != nil {
			return
		}
		c.mu.Lock()
		if c.conn != nil {
			_, _ = c.conn.Write(buf[:n]) // a station that was killed hears nothing
		}
		c.mu.Unlock()
	}
}
