package esptool

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"provision/internal/esptool/porttest"
)

// openPTY returns the far end of a pseudo terminal and the device to open. A pty has
// no modem lines, otherwise it is a serial port to the OS adapter.
func openPTY(t *testing.T) (*os.File, string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	far := os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { _ = far.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("pseudo terminal does not unlock: %v", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Skipf("pseudo terminal has no number: %v", err)
	}
	return far, fmt.Sprintf("/dev/pts/%d", n)
}

func TestSerialPortContract(t *testing.T) {
	porttest.Run(t, func(t *testing.T) porttest.Subject {
		far, name := openPTY(t)
		p, err := Open(t.Context(), name, 115200)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		go answerTwice(far)
		return porttest.Subject{Port: p, Provoke: writeTwoBytes(p), Bytes: 4, NoLines: ErrNoLines}
	})
}

func TestSerialPortIsExclusive(t *testing.T) {
	_, name := openPTY(t)
	p, err := Open(t.Context(), name, 115200)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), name, 115200); !errors.Is(err, ErrPortBusy) {
		t.Errorf("second Open = %v, want %v", err, ErrPortBusy)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p, err = Open(t.Context(), name, 115200)
	if err != nil {
		t.Fatalf("Open after Close: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestSerialPortClearsHUPCL(t *testing.T) {
	_, name := openPTY(t)
	p, err := Open(t.Context(), name, 115200)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	hangsUp := func() bool {
		settings, err := unix.IoctlGetTermios(p.(*serialPort).lines.fd, unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return settings.Cflag&unix.HUPCL != 0
	}
	if hangsUp() {
		t.Error("HUPCL is set after Open")
	}
	if err := p.(bauder).SetBaud(460800); err != nil || hangsUp() {
		t.Errorf("SetBaud: %v; HUPCL set %v", err, hangsUp())
	}
}

func TestSerialPortReportsUnplugging(t *testing.T) {
	far, name := openPTY(t)
	p, err := Open(t.Context(), name, 115200)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read of a port that is gone = %d, %v", n, err)
	}
}

// TestChipOnASerialPort has the whole session over the OS adapter.
func TestChipOnASerialPort(t *testing.T) {
	far, name := openPTY(t)
	p, err := Open(t.Context(), name, 115200)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	f := newFakeROM()
	f.hostBaud = 0 // a pty carries any speed
	go bridge(far, anySpeed{f})
	wholeSession(t, p, f, Config{Bauds: []int{460800}})
}

// anySpeed is a chip that always hears at the speed the host sends.
type anySpeed struct{ *fakeROM }

func (a anySpeed) Write(p []byte) (int, error) {
	a.mu.Lock()
	a.hostBaud = a.baud
	a.mu.Unlock()
	return a.fakeROM.Write(p)
}

func TestOpenRefusesWhatIsNoPort(t *testing.T) {
	if p, err := Open(t.Context(), "/dev/null", 115200); !errors.Is(err, ErrPortKind) {
		t.Errorf("Open(/dev/null) = %v, %v; want %v", p, err, ErrPortKind)
	}
}

func TestOwnerHintNamesTheGroup(t *testing.T) {
	if hint := ownerHint("/dev/null"); hint != "; the device belongs to group root: have this user added to it and log in again" {
		t.Errorf("ownerHint = %q", hint)
	}
	if err := systemOpenError("/dev/null", unix.EACCES); !errors.Is(err, ErrPortPermission) {
		t.Errorf("EACCES = %v, want %v", err, ErrPortPermission)
	}
}

// TestListPorts reads a sysfs tree with a USB adapter, a real and a missing UART, and
// a virtual terminal.
func TestListPorts(t *testing.T) {
	root := t.TempDir()
	dir := func(path string) {
		if err := os.MkdirAll(root+"/"+path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := func(path, content string) {
		if err := os.WriteFile(root+"/"+path, []byte(content+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, path string) {
		if err := os.Symlink(root+"/"+target, root+"/"+path); err != nil {
			t.Fatal(err)
		}
	}
	usb := "devices/pci/usb1/1-1/1-1.4"
	for _, d := range []string{usb + "/1-1.4:1.0/ttyUSB0", "devices/uart", "drivers/cp210x", "class/tty/ttyUSB0", "class/tty/ttyS0", "class/tty/ttyS1", "class/tty/tty1"} {
		dir(d)
	}
	file(usb+"/idVendor", "10c4")
	file(usb+"/idProduct", "ea60")
	file(usb+"/serial", "0001")
	file(usb+"/product", "CP2102N USB to UART Bridge Controller")
	link(usb+"/1-1.4:1.0/ttyUSB0", "class/tty/ttyUSB0/device")
	link("drivers/cp210x", usb+"/1-1.4:1.0/ttyUSB0/driver")
	link("devices/uart", "class/tty/ttyS0/device")
	file("class/tty/ttyS0/type", "4")
	link("devices/uart", "class/tty/ttyS1/device")
	file("class/tty/ttyS1/type", "0")
	got, err := listPorts(root)
	want := []PortInfo{
		{Name: "/dev/ttyS0"},
		{Name: "/dev/ttyUSB0", Place: "1-1.4", Driver: "cp210x", VID: "10c4", PID: "ea60", Serial: "0001", Product: "CP2102N USB to UART Bridge Controller"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("listPorts = %+v, %v; want %+v", got, err, want)
	}
	if name, err := portAt(got, "1-1.4"); err != nil || name != "/dev/ttyUSB0" {
		t.Errorf("portAt(1-1.4) = %q, %v", name, err)
	}
	for _, place := range []string{"", "1-9"} {
		if _, err := portAt(got, place); !errors.Is(err, ErrPortMissing) {
			t.Errorf("portAt(%q) = %v, want %v", place, err, ErrPortMissing)
		}
	}
}
