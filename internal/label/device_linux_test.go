package label

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// device returns the two ends of a terminal: a character device, as a printer is one,
// and what the printer sees of it.
func device(t *testing.T) (path string, printer *os.File) {
	t.Helper()
	printer, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { printer.Close() })
	raw, err := printer.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var number int
	if controlErr := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
		if err == nil {
			_, err = term.MakeRaw(int(fd))
		}
	}); err != nil || controlErr != nil {
		t.Fatal(err, controlErr)
	}
	return fmt.Sprintf("/dev/pts/%d", number), printer
}

func TestDeviceThatAnswers(t *testing.T) {
	path, printer := device(t)
	p := impatient(t, path)
	p.patience, p.answer = patience, answerPatience
	got := make(chan string, 1)
	go func() {
		b := make([]byte, 64)
		n, _ := printer.Read(b)
		got <- string(b[:n])
		printer.WriteString(answer(quiet1, "001,0,1,0,1,2,6,0,00000000,1,000"))
	}()
	s, err := p.Status(t.Context())
	if err != nil || s != (Status{Known: true, HeadOpen: true}) {
		t.Errorf("Status = %v, %v; want an open cover", s, err)
	}
	if asked := <-got; asked != hostStatus {
		t.Errorf("the printer was asked %q", asked)
	}
}

func TestDeviceThatIsSilent(t *testing.T) {
	path, printer := device(t)
	p := impatient(t, path)
	p.patience = patience
	if s, err := p.Status(t.Context()); err != nil || s.Known {
		t.Errorf("Status = %v, %v; want not known", s, err)
	}
	if err := p.Print(t.Context(), []byte("^XA^XZ")); err != nil {
		t.Errorf("Print after it: %v", err)
	}
	b := make([]byte, 64)
	if n, err := printer.Read(b); err != nil || !strings.HasPrefix(string(b[:n]), hostStatus) {
		t.Errorf("the printer got %q, %v", b[:n], err)
	}
	if s, err := impatient(t, "/dev/null").Status(t.Context()); err != nil || s.Known {
		t.Errorf("Status of /dev/null = %v, %v; want not known", s, err)
	}
}

func TestDeviceThatHangsInWrite(t *testing.T) {
	path, _ := device(t)
	p := impatient(t, path)
	if err := p.Print(t.Context(), make([]byte, 1<<20)); !errors.Is(err, ErrStuck) {
		t.Errorf("Print: %v; want ErrStuck", err)
	}
}

// TestDeviceThatHangsInOpen uses a named pipe, whose opening no deadline ends.
func TestDeviceThatHangsInOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	p := impatient(t, path)
	if err := p.Print(t.Context(), []byte("first")); !errors.Is(err, ErrStuck) {
		t.Errorf("Print: %v; want ErrStuck", err)
	}
	if err := p.Print(t.Context(), []byte("second")); !errors.Is(err, ErrBusy) {
		t.Errorf("Print meanwhile: %v; want ErrBusy", err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	p.patience = patience // the call that was left behind ends now, without a label
	if err := p.Print(t.Context(), []byte("third")); err != nil {
		t.Errorf("Print when it is back: %v", err)
	}
	b := make([]byte, 64)
	if n, err := reader.Read(b); err != nil || string(b[:n]) != "third" {
		t.Errorf("the device got %q, %v; want only the third label", b[:n], err)
	}
}
