package label

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"provision/internal/label/virtual"
)

const short = 100 * time.Millisecond

// impatient opens where with deadlines that a test can wait for.
func impatient(t *testing.T, where string) *Printer {
	t.Helper()
	p, err := Open(where)
	if err != nil {
		t.Fatal(err)
	}
	p.patience, p.answer, p.close = short, short, short
	return p
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, v := range []struct{ where, address string }{
		{"tcp://printer", "printer:9100"},
		{"tcp://10.0.0.5/", "10.0.0.5:9100"},
		{"tcp://10.0.0.5:6101", "10.0.0.5:6101"},
		{"tcp://[fe80::1]", "[fe80::1]:9100"},
		{"/dev/usb/lp0", ""},
		{filepath.Join(dir, "not yet"), ""},
	} {
		p, err := Open(v.where)
		if err != nil || p.address != v.address || p.String() != v.where {
			t.Errorf("Open(%q) = %+v, %v; want %q", v.where, p, err, v.address)
		}
	}
	for _, where := range []string{"", "tcp://", "tcp://:9100", "tcp://h:x", "tcp://h/queue", "tcp://me@h", "tcp://h?x", "http://h", "usb://x", dir} {
		if _, err := Open(where); !errors.Is(err, ErrAddress) {
			t.Errorf("Open(%q): %v; want ErrAddress", where, err)
		}
	}
}

func TestPrintOverTheNetwork(t *testing.T) {
	v, err := virtual.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(v.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		f := sample
		f.Serial = fmt.Sprint("^FS_~", i)
		if err := p.Print(t.Context(), render(t, Default(), f)); err != nil {
			t.Fatal(err)
		}
		labels := v.Labels()
		if len(labels) != i+1 {
			t.Fatalf("%d labels came out, not %d", len(labels), i+1)
		}
		if got := Codes([]byte(labels[i])); len(got) != 1 || got[0] != f.Serial {
			t.Errorf("label %d holds %q, not %q", i, got, f.Serial)
		}
	}
	s, err := p.Status(t.Context())
	if err != nil || !s.Ready {
		t.Errorf("Status = %v, %v; want ready", s, err)
	}
	v.SetPaperOut(true)
	if s, err = p.Status(t.Context()); err != nil || s != (Status{Known: true, PaperOut: true}) {
		t.Errorf("Status = %v, %v; want paper out", s, err)
	}
}

func TestPrinterThatRefuses(t *testing.T) {
	v, err := virtual.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v.SetRefuse(true)
	p := impatient(t, v.Addr())
	if err := p.Print(t.Context(), []byte("^XA^XZ")); !errors.Is(err, ErrRefused) || !errors.Is(err, ErrUnreachable) {
		t.Errorf("Print: %v; want ErrRefused", err)
	}
	if _, err := p.Status(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("Status: %v; want ErrRefused", err)
	}
	if err := v.SetRefuse(false); err != nil {
		t.Fatal(err)
	}
	if err := p.Print(t.Context(), []byte("^XA^FDx^XZ")); err != nil || len(v.Labels()) != 1 {
		t.Errorf("Print: %v, %q", err, v.Labels())
	}
}

func TestPrinterThatHangs(t *testing.T) {
	v, err := virtual.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v.SetHang(true)
	p := impatient(t, v.Addr())
	p.patience = 3 * short // the connection has to come about meanwhile
	if _, err := p.Status(t.Context()); !errors.Is(err, ErrSilent) {
		t.Errorf("Status: %v; want ErrSilent", err)
	}
	flood := make([]byte, 64<<20) // more than the system takes for a program that does not read
	if err := p.Print(t.Context(), flood); !errors.Is(err, ErrStuck) || errors.Is(err, ErrUnreachable) {
		t.Errorf("Print: %v; want ErrStuck", err)
	}
	v.SetHang(false)
	if s, err := p.Status(t.Context()); err != nil || !s.Ready {
		t.Errorf("Status = %v, %v; want ready again", s, err)
	}
}

// pipe makes p talk to what serve does with the other end.
func pipe(t *testing.T, p *Printer, serve func(net.Conn)) {
	p.dial = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { theirs.Close() })
		go serve(theirs)
		return ours, nil
	}
}

func TestPrinterOnPipe(t *testing.T) {
	p := impatient(t, "tcp://printer")
	pipe(t, p, func(net.Conn) {}) // never reads
	if err := p.Print(t.Context(), []byte("^XA^XZ")); !errors.Is(err, ErrStuck) {
		t.Errorf("never reads: %v; want ErrStuck", err)
	}
	p.patience = patience
	pipe(t, p, func(c net.Conn) { c.Read(make([]byte, 2)); c.Close() })
	if err := p.Print(t.Context(), []byte("^XA^XZ")); !errors.Is(err, ErrCut) {
		t.Errorf("hangs up: %v; want ErrCut", err)
	}
	pipe(t, p, func(c net.Conn) { c.Read(make([]byte, 64)); c.Close() })
	if _, err := p.Status(t.Context()); !errors.Is(err, ErrSilent) {
		t.Errorf("hangs up when asked: %v; want ErrSilent", err)
	}
	pipe(t, p, func(c net.Conn) { c.Read(make([]byte, 64)); io.WriteString(c, "busy\r\n"); c.Close() })
	if s, err := p.Status(t.Context()); !errors.Is(err, ErrReply) || s.Known {
		t.Errorf("says something else: %v, %v; want ErrReply", s, err)
	}
}

// TestConnectionEndsCleanly has a printer that talks more than it is asked to: a
// connection that is closed over unread bytes is reset, and the printer may drop a
// label that it has not looked at yet.
func TestConnectionEndsCleanly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan error)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, answer(quiet1, quiet2)+strings.Repeat("hello\r\n", 100))
			_, err = io.Copy(io.Discard, conn)
			conn.Close()
			ended <- err
		}
	}()
	p, err := Open("tcp://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for name, use := range map[string]func(){
		"Print":  func() { err = p.Print(t.Context(), []byte("^XA^XZ")) },
		"Status": func() { _, err = p.Status(t.Context()) },
	} {
		use()
		if end := <-ended; end != nil {
			t.Errorf("%s (%v): the connection ended with %v", name, err, end)
		}
	}
}

func TestCancelledPrint(t *testing.T) {
	v, err := virtual.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v.SetHang(true)
	p, err := Open(v.Addr()) // with all its patience
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(short, cancel)
	if err := p.Print(ctx, make([]byte, 64<<20)); !errors.Is(err, ErrStopped) || !errors.Is(err, context.Canceled) {
		t.Errorf("Print: %v; want ErrStopped", err)
	}
	if _, err := p.Status(ctx); !errors.Is(err, ErrStopped) {
		t.Errorf("Status: %v; want ErrStopped", err)
	}
	pipe(t, p, func(net.Conn) {})
	soon, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	if err := p.Print(soon, []byte("^XA^XZ")); !errors.Is(err, ErrStuck) {
		t.Errorf("Print past the caller's deadline: %v; want ErrStuck", err)
	}
}

func TestOneAtATime(t *testing.T) {
	p := impatient(t, "tcp://printer")
	p.turn <- struct{}{}
	if err := p.Print(t.Context(), nil); !errors.Is(err, ErrBusy) {
		t.Errorf("Print: %v; want ErrBusy", err)
	}
	if _, err := p.Status(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("Status: %v; want ErrBusy", err)
	}
}

// TestErrorsArePlain looks at what a person reads: no word of the system's.
func TestErrorsArePlain(t *testing.T) {
	p := impatient(t, "tcp://printer")
	for _, v := range []struct{ cause, want error }{
		{syscall.ECONNREFUSED, ErrRefused}, {syscall.EHOSTUNREACH, ErrNoRoute}, {syscall.ENETUNREACH, ErrNoRoute},
		{syscall.ETIMEDOUT, ErrNoAnswer}, {context.DeadlineExceeded, ErrNoAnswer}, {os.ErrDeadlineExceeded, ErrNoAnswer},
		{syscall.EBUSY, ErrBusy}, {syscall.ENODEV, ErrNoDevice}, {syscall.ENXIO, ErrNoDevice}, {fs.ErrNotExist, ErrNoDevice},
		{syscall.EACCES, ErrPermission}, {syscall.EISDIR, ErrAddress}, {&net.DNSError{Err: "no such host"}, ErrNoName},
		{io.ErrUnexpectedEOF, ErrUnreachable},
	} {
		p.dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: v.cause}
		}
		err := p.Print(t.Context(), nil)
		if !errors.Is(err, v.want) || !errors.Is(err, v.cause) {
			t.Errorf("%v: Print: %v; want %v", v.cause, err, v.want)
		}
		if want := "printer tcp://printer: " + v.want.Error(); err.Error() != want {
			t.Errorf("%v: it says %q, not %q", v.cause, err, want)
		}
	}
}

func TestPrintToPlainFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "labels")
	p := impatient(t, path)
	if err := p.Print(t.Context(), []byte("x")); !errors.Is(err, ErrNoDevice) {
		t.Errorf("no file: %v; want ErrNoDevice", err)
	}
	if _, err := p.Status(t.Context()); !errors.Is(err, ErrNoDevice) {
		t.Errorf("no file: %v; want ErrNoDevice", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"^XA1^XZ", "^XA2^XZ"} {
		if err := p.Print(t.Context(), []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := p.Status(t.Context()); err != nil || s.Known {
		t.Errorf("Status = %v, %v; want not known", s, err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "^XA1^XZ^XA2^XZ" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	os.Chmod(path, 0)
	if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
		f.Close()
		return // this user may write to everything
	}
	if err := p.Print(t.Context(), []byte("x")); !errors.Is(err, ErrPermission) || strings.Contains(err.Error(), "denied") {
		t.Errorf("not permitted: %v; want ErrPermission", err)
	}
}
