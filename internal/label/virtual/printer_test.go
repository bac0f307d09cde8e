package virtual

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
)

// send sends zpl as a client that waits for the end, and returns the answer.
func send(t *testing.T, p *Printer, zpl string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.Addr(), "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for part := range slices.Chunk([]byte(zpl), 7) { // labels arrive in pieces
		if _, err := conn.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	conn.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func listen(t *testing.T) *Printer {
	t.Helper()
	p, err := Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLabels(t *testing.T) {
	p := listen(t)
	send(t, p, "noise^XA^MNW^XZ\r\n^XA^FD1^FS^XZ\n^XA^FD2~HS^FS^XZ^XA^FDhalf")
	send(t, p, "^XZ^XA^XA^FV3^FS^XZ")
	if got, want := p.Labels(), []string{"^XA^FD1^FS^XZ", "^XA^FD2^FS^XZ", "^XA^FV3^FS^XZ"}; !slices.Equal(got, want) {
		t.Errorf("Labels = %q, want %q", got, want)
	}
	p.Labels()[0] = "" // a copy
	if p.Labels()[0] == "" {
		t.Error("Labels hands out its own list")
	}
}

func TestOnlyTheLastLabelsAreKept(t *testing.T) {
	p := listen(t)
	var many strings.Builder
	for i := range keepLabels + 3 {
		fmt.Fprintf(&many, "^XA^FD%d^XZ", i)
	}
	send(t, p, many.String())
	got := p.Labels()
	if len(got) != keepLabels || got[0] != "^XA^FD3^XZ" {
		t.Errorf("%d labels, the first %q", len(got), got[0])
	}
}

func TestPaperOut(t *testing.T) {
	p := listen(t)
	ready := send(t, p, "~HS")
	p.SetPaperOut(true)
	if got := send(t, p, "~HS"); got != strings.Replace(ready, "\x02030,0", "\x02030,1", 1) || got == ready {
		t.Errorf("out of paper it says %q", got)
	}
	send(t, p, strings.Repeat("^XA^FDx^XZ", maxWaiting))
	if got := send(t, p, "~HS"); len(p.Labels()) != 0 || !strings.HasPrefix(got, "\x02030,1,0,0200,100,1,") {
		t.Errorf("%d labels came out, it says %q", len(p.Labels()), got)
	}
	p.SetPaperOut(false)
	if got := send(t, p, "~HS"); len(p.Labels()) != maxWaiting || got != ready {
		t.Errorf("%d labels came out, it says %q", len(p.Labels()), got)
	}
}

func TestHang(t *testing.T) {
	p := listen(t)
	p.SetHang(true)
	p.SetHang(true)
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.Addr(), "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "^XA^FDx^XZ~HS")
	p.SetHang(false)
	if _, err := conn.Read(make([]byte, 1)); err != nil || len(p.Labels()) != 1 {
		t.Errorf("after it hung: %q, %v", p.Labels(), err)
	}
}

func TestRefuseAndEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(p.Addr(), "tcp://")
	open, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	p.SetRefuse(true)
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("it takes a connection that it is to refuse")
	}
	if err := p.SetRefuse(false); err != nil || "tcp://"+address != p.Addr() {
		t.Errorf("back: %v at %s", err, p.Addr())
	}
	send(t, p, "^XA^FDx^XZ")
	if _, err := ListenOn(ctx, address); err == nil {
		t.Error("two printers on one port")
	}
	cancel()
	if _, err := open.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlives the printer")
	}
	if err := p.SetRefuse(false); err == nil {
		t.Error("it is back after its end")
	}
}
