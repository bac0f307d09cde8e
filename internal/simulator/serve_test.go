package simulator

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// client connects and sends a request, then reads until it has as many bytes as the
// reply is long.
func ask(t *testing.T, addr string, request []byte, reply int) []byte {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	var s slipReader
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(conn, one); err != nil {
			t.Fatal(err)
		}
		if p, err := s.feed(one[0]); err == nil && len(p) >= reply {
			return p
		}
	}
}

// TestServe serves two clients one after the other; the chip keeps its state.
func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := New(DefaultConfig(), WithDownloadMode())
	done := make(chan error)
	go func() { done <- Serve(ctx, l, c) }()

	write := slipFrame(packet(opWriteReg, 0, nil, 0x3FFB0000, 0x12345678, 0xFFFFFFFF, 0))
	ask(t, l.Addr().String(), write, 12)
	read := slipFrame(packet(opReadReg, 0, nil, 0x3FFB0000))
	if p := ask(t, l.Addr().String(), read, 12); le32(p[4:]) != 0x12345678 {
		t.Errorf("second client reads %#x", le32(p[4:]))
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve = %v", err)
	}
}

// TestServeEndsWithTheChip stops serving when the chip loses its power.
func TestServeEndsWithTheChip(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := New(DefaultConfig(), WithDownloadMode(), WithFaults(Faults{CutWire: []uint64{200}}))
	done := make(chan error)
	go func() { done <- Serve(context.Background(), l, c) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 10 {
		if _, err := conn.Write(syncRequest); err != nil {
			break
		}
	}
	if err := <-done; err == nil {
		t.Error("serve goes on without power")
	}
}
