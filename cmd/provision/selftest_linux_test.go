package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"provision/internal/fault"
	"provision/internal/shift"
	"provision/internal/station"
)

// openPTY returns the two ends of a pseudo terminal: the far one, and the name of the
// device that plays a serial port or a terminal.
func openPTY(t *testing.T) (far *os.File, device string) {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { _ = far.Close() })
	if err := unix.IoctlSetPointerInt(int(far.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("pseudo terminal does not unlock: %v", err)
	}
	n, err := unix.IoctlGetInt(int(far.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skipf("pseudo terminal has no number: %v", err)
	}
	return far, fmt.Sprintf("/dev/pts/%d", n)
}

// TestSelfTestOfTheScanner: whatever names a port names a scanner, and one that is
// being read is there. One that is not has a code, which says what to do.
func TestSelfTestOfTheScanner(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := "tcp://" + listener.Addr().String()
	_, idle := openPTY(t)
	_, read := openPTY(t)
	port, err := openPort(t.Context(), read)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = port.Close() })
	file := filepath.Join(t.TempDir(), "ttyACM0")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(device, want string) {
		t.Helper()
		var told []shift.CheckFacts
		var why []shift.Fault
		test := selfTest{profile: &station.Profile{Scanner: station.Scanner{Device: device}}}
		test.tell = func(line shift.CheckFacts, faults ...shift.Fault) { told, why = append(told, line), faults }
		test.scanner(t.Context())
		if want == "" && len(told) == 0 {
			return
		}
		if len(told) != 1 || !reflect.DeepEqual(told[0], shift.CheckFacts{Name: "check.scanner", State: want, Text: device}) {
			t.Errorf("%q: %+v, want %s", device, told, want)
		}
		if code := len(why) == 1 && why[0].Code == fault.PortMissing && why[0].Do != ""; code != (want == checkBad) {
			t.Errorf("%q is %s: %+v", device, want, why)
		}
	}
	check("", "")
	check(served, checkOK)
	check(idle, checkOK)
	check(read, checkOK)
	check("usb:9-9.9.9", checkBad)
	check("/dev/ttyACM99", checkBad)
	check(file, checkBad) // no serial port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	check(served, checkBad)
}
