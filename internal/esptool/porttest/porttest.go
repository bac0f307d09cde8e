// Package porttest is the contract every serial port of this program keeps: the OS
// adapter, a TCP connection, a virtual chip. It knows the shape of a port and
// nothing about chips; it imports nothing of ours, so that every side can run it.
package porttest

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

// Port is the interface under test, the same as esptool.Port.
type Port interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetLines(dtr, rts bool) error
}

// Subject is a freshly opened port. The far end stays silent until Provoke, which
// makes it send at least Bytes bytes. NoLines is the error SetLines wraps when there
// are no lines, nil when there must be.
type Subject struct {
	Port    Port
	Provoke func() error
	Bytes   int
	NoLines error
}

const (
	soon = 50 * time.Millisecond // a deadline to wait for
	late = 5 * time.Second       // a deadline that a working port never meets
)

// Run runs the contract. open is called once for each part of it; it registers its
// own clean-up.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	parts := []struct {
		name string
		test func(*testing.T, Subject)
	}{
		{"read ends at the deadline", readEndsAtDeadline},
		{"read ends when the deadline moves", readEndsWhenDeadlineMoves},
		{"deadline in the past reads nothing", pastDeadline},
		{"no byte is lost between small reads", smallReads},
		{"lines", lines},
		{"closed port fails", closed},
		{"close ends a read", closeEndsRead},
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) { p.test(t, open(t)) })
	}
}

func readEndsAtDeadline(t *testing.T, s Subject) {
	drainUntilQuiet(t, s.Port)
	setDeadline(t, s.Port, time.Now().Add(soon))
	start := time.Now()
	n, err := s.Port.Read(make([]byte, 16))
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Read on a silent line = %d, %v; want 0, %v", n, err, os.ErrDeadlineExceeded)
	}
	if took := time.Since(start); took < soon/2 || took > late {
		t.Errorf("Read took %v, deadline was after %v", took, soon)
	}
}

func readEndsWhenDeadlineMoves(t *testing.T, s Subject) {
	drainUntilQuiet(t, s.Port)
	setDeadline(t, s.Port, time.Time{})
	move := time.AfterFunc(soon, func() {
		if err := s.Port.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Errorf("SetReadDeadline while Read waits: %v", err)
		}
	})
	defer move.Stop()
	done := make(chan error, 1)
	go func() {
		_, err := s.Port.Read(make([]byte, 16))
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v, want %v", err, os.ErrDeadlineExceeded)
		}
	case <-time.After(late):
		t.Fatal("Read goes on waiting after its deadline was moved into the past")
	}
}

func pastDeadline(t *testing.T, s Subject) {
	setDeadline(t, s.Port, time.Unix(1, 0))
	if n, err := s.Port.Read(make([]byte, 16)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read past its deadline = %d, %v; want 0, %v", n, err, os.ErrDeadlineExceeded)
	}
	setDeadline(t, s.Port, time.Now().Add(late)) // a new deadline makes it usable again
	provoke(t, s)
	if n, err := s.Port.Read(make([]byte, 16)); n == 0 || err != nil {
		t.Errorf("Read with a new deadline = %d, %v; want bytes", n, err)
	}
}

func smallReads(t *testing.T, s Subject) {
	drainUntilQuiet(t, s.Port)
	setDeadline(t, s.Port, time.Now().Add(late))
	provoke(t, s)
	one := make([]byte, 1)
	for got := range s.Bytes {
		if n, err := s.Port.Read(one); n != 1 || err != nil {
			t.Fatalf("Read of byte %d of %d = %d, %v", got, s.Bytes, n, err)
		}
	}
}

func lines(t *testing.T, s Subject) {
	err := s.Port.SetLines(false, false)
	switch {
	case s.NoLines == nil && err != nil:
		t.Errorf("SetLines: %v", err)
	case s.NoLines != nil && !errors.Is(err, s.NoLines):
		t.Errorf("SetLines on a port without lines = %v, want %v", err, s.NoLines)
	}
}

func closed(t *testing.T, s Subject) {
	if err := s.Port.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if n, err := s.Port.Read(make([]byte, 1)); err == nil {
		t.Errorf("Read of a closed port = %d, nil", n)
	}
	if n, err := s.Port.Write([]byte{0}); err == nil {
		t.Errorf("Write to a closed port = %d, nil", n)
	}
}

func closeEndsRead(t *testing.T, s Subject) {
	drainUntilQuiet(t, s.Port)
	setDeadline(t, s.Port, time.Time{})
	done := make(chan error, 1)
	go func() {
		_, err := s.Port.Read(make([]byte, 1))
		done <- err
	}()
	time.AfterFunc(soon, func() {
		if err := s.Port.Close(); err != nil {
			t.Errorf("Close while Read waits: %v", err)
		}
	})
	select {
	case err := <-done:
		if err == nil {
			t.Error("Read of a port that was closed = nil")
		}
	case <-time.After(late):
		t.Fatal("Read goes on waiting after Close")
	}
}

// drainUntilQuiet drops what the far end sent when the port was opened.
func drainUntilQuiet(t *testing.T, p Port) {
	t.Helper()
	buf := make([]byte, 4096)
	for limit := time.Now().Add(late); time.Now().Before(limit); {
		setDeadline(t, p, time.Now().Add(soon))
		if _, err := p.Read(buf); errors.Is(err, os.ErrDeadlineExceeded) {
			return
		} else if err != nil {
			t.Fatalf("Read: %v", err)
		}
	}
	t.Fatal("the line never falls silent")
}

func setDeadline(t *testing.T, p Port, when time.Time) {
	t.Helper()
	if err := p.SetReadDeadline(when); err != nil {
		t.Fatalf("SetReadDeadline: %v", err)
	}
}

func provoke(t *testing.T, s Subject) {
	t.Helper()
	if err := s.Provoke(); err != nil {
		t.Fatalf("make the far end send: %v", err)
	}
}
