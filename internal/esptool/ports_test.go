package esptool

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"provision/internal/esptool/porttest"
)

// echoServer is a TCP port whose far end answers each byte with two.
func echoServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed by the clean-up
			}
			go answerTwice(conn)
		}
	}()
	return "tcp://" + l.Addr().String()
}

// answerTwice sends back every byte twice until rw fails.
func answerTwice(rw io.ReadWriter) {
	b := make([]byte, 1)
	for {
		if _, err := rw.Read(b); err != nil {
			return
		}
		if _, err := rw.Write([]byte{b[0], b[0]}); err != nil {
			return
		}
	}
}

// writeTwoBytes provokes four bytes from answerTwice.
func writeTwoBytes(p Port) func() error {
	return func() error {
		_, err := p.Write([]byte{1, 2})
		return err
	}
}

func TestTCPPortContract(t *testing.T) {
	porttest.Run(t, func(t *testing.T) porttest.Subject {
		p, err := Open(t.Context(), echoServer(t), 115200)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		return porttest.Subject{Port: p, Provoke: writeTwoBytes(p), Bytes: 4, NoLines: ErrNoLines}
	})
}

// TestMemLineContract holds the line the other tests stand on to the same contract.
func TestMemLineContract(t *testing.T) {
	porttest.Run(t, func(t *testing.T) porttest.Subject {
		f := newFakeROM()
		return porttest.Subject{Port: f, Bytes: 14 * syncReplies, Provoke: func() error {
			_, err := f.Write(appendFrame(nil, syncRequest.appendPayload(nil)))
			return err
		}}
	})
}

func TestOpenCauses(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		want error
	}{
		{"rfc9999://host:4000", ErrPortKind},
		{"rfc2217://no-port-number", ErrPortKind},
		{"rfc2217://" + gone.Addr().String(), ErrPortMissing},
		{"sim:board", ErrPortKind},
		{"tcp://no-port-number", ErrPortKind},
		{"tcp://" + gone.Addr().String(), ErrPortMissing},
		{filepath.Join(t.TempDir(), "ttyUSB9"), ErrPortMissing},
	} {
		p, err := Open(t.Context(), c.name, 115200)
		if !errors.Is(err, c.want) {
			t.Errorf("Open(%q) = %v, want %v", c.name, err, c.want)
		}
		if p != nil {
			t.Errorf("Open(%q) returns a port beside its error", c.name)
		}
		if err != nil && !strings.Contains(err.Error(), c.name) {
			t.Errorf("Open(%q) = %q does not name the port", c.name, err)
		}
	}
}

// TestServedChip talks to a chip behind TCP as to one on a wire.
func TestServedChip(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	f := newFakeROM()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return // closed by the clean-up
		}
		bridge(conn, f)
	}()
	p, err := Open(t.Context(), fmt.Sprintf("tcp://%s", l.Addr()), 115200)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	wholeSession(t, p, f, Config{Reset: ResetNone})
}

// bridge carries bytes both ways between a connection and a line until one fails.
func bridge(conn io.ReadWriter, line io.ReadWriter) {
	go func() { _, _ = io.Copy(conn, line) }()
	_, _ = io.Copy(line, conn)
}
