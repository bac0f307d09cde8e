package esptool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Port is all this package needs from a serial line. The OS adapter, a TCP
// connection, a port of another machine and a virtual chip all satisfy it and pass the same contract tests
// (package porttest). Read returns a byte or more, or an error, never (0, nil);
// past the deadline the error is os.ErrDeadlineExceeded, also when the deadline is
// moved while Read waits. Write returns within a bounded time.
//
// A Port whose speed can be set also has SetBaud(int) error, which wraps ErrBaud when
// that speed is refused and another may work.
type Port interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error // zero: none
	SetLines(dtr, rts bool) error      // true: asserted, pin low; ErrNoLines without lines
}

// bauder is the part of a Port whose speed can be set.
type bauder interface{ SetBaud(baud int) error }

// Causes for which a port does not open or lacks a feature.
var (
	ErrPortMissing    = errors.New("port is not there")
	ErrPortBusy       = errors.New("port is in use by another program")
	ErrPortPermission = errors.New("no permission to use the port")
	ErrPortKind       = errors.New("not a kind of port this program knows")
	ErrRFC2217        = errors.New("no server that speaks RFC 2217 as it must")
	ErrNoLines        = errors.New("port has no reset lines")
)

// knownKinds ends the message of ErrPortKind.
const knownKinds = "known: a device such as /dev/ttyUSB0 or COM3, usb:1-1.4 (a place on the USB tree, Linux), tcp://host:port, rfc2217://host:port"

// ignoreControl ends the name that esp_rfc2217_server tells esptool's users to take.
// Answers about control lines are never relied on here, so it changes nothing.
const ignoreControl = "?ign_set_control"

// Open opens the port called name at baud: a device (/dev/ttyUSB0, COM3), a place
// on the USB tree (usb:1-1.4.2, Linux only), a raw TCP socket (tcp://host:port,
// where baud has no meaning) or a port of another machine (rfc2217://host:port). A
// device is opened exclusively with both lines inactive, so that opening does not
// reset the chip, and stays that way when closed. Errors wrap ErrPortMissing,
// ErrPortBusy, ErrPortPermission, ErrPortKind, ErrRFC2217 or the cause of ctx.
func Open(ctx context.Context, name string, baud int) (Port, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	port, err := open(ctx, name, baud)
	if err != nil {
		return nil, fmt.Errorf("open port %s: %w", name, err)
	}
	return port, nil
}

// open is Open of a name of a known kind.
func open(ctx context.Context, name string, baud int) (Port, error) {
	if address, ok := strings.CutPrefix(name, "tcp://"); ok {
		return openTCP(ctx, address)
	}
	if address, ok := strings.CutPrefix(name, "rfc2217://"); ok {
		address = strings.TrimSuffix(address, ignoreControl)
		port, err := openRFC2217(ctx, address, baud)
		if errors.Is(err, ErrRFC2217) {
			err = fmt.Errorf("%w; a raw socket is written tcp://%s", err, address)
		}
		return port, err
	}
	if place, ok := strings.CutPrefix(name, "usb:"); ok {
		device, err := deviceAt(place)
		if err != nil {
			return nil, err
		}
		name = device
	}
	return openSerial(name, baud)
}

// CheckName reports a name of a kind that Open does not know (ErrPortKind), without
// opening anything: such a name is wrong whatever is plugged in.
func CheckName(name string) error {
	scheme, rest, ok := strings.Cut(name, ":")
	switch {
	case !ok || strings.ContainsAny(scheme, `/\`): // a device
	case scheme == "usb" && !strings.HasPrefix(rest, "//"):
	case (scheme == "tcp" || scheme == "rfc2217") && strings.HasPrefix(rest, "//"):
	default:
		return fmt.Errorf("open port %s: %w (%s)", name, ErrPortKind, knownKinds)
	}
	return nil
}

// PortInfo describes a serial port of this machine. The USB fields are empty for
// other ports and on systems where they are not known.
type PortInfo struct {
	Name    string // as Open takes it: /dev/ttyUSB0, COM3
	Place   string // place on the USB tree, as in usb:1-1.4.2 without the prefix
	Driver  string // kernel driver: cp210x, ftdi_sio, ch341-uart
	VID     string // USB vendor, four hex digits
	PID     string // USB product, four hex digits
	Serial  string // USB serial number
	Product string // USB product string
}
