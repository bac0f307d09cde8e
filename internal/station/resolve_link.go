package station

import (
	"cmp"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MaxSlots is the largest slot number; the screen has room for as many.
const MaxSlots = 24

// defaultBaud is tried in this order. Common USB adapters hold 460800; 921600
// is left to those who know that theirs does.
var defaultBaud = []int{460800, 230400, 115200}

// The ROM loader's own speed is 115200; the UART's divider and the adapters end
// near 3 Mbit/s.
const (
	minBaud   = 9600
	maxBaud   = 3_000_000
	maxLadder = 8
)

func (r *resolver) link(d *document) Link {
	l := Link{
		Port: d.Link.Port,
		Baud: r.baud(d.Link.Baud),
		Reset: oneOf(r, "link.reset", d.Link.Reset, ResetClassic, []Reset{ResetClassic, ResetTight, ResetNone},
			map[string]string{"usb-jtag": "the ESP32 has no USB of its own"}),
	}
	if d.Link.Stub != "" {
		r.add(ErrUnsupported, "link.stub", "a flasher stub is not supported by this version; the chip's ROM alone is used, so take the line out")
	}
	r.port("link.port", l.Port, l.Reset)
	for i, s := range d.Link.Slots {
		at := element("link.slots", i)
		if s.Port == "" {
			r.add(ErrMissing, join(at, "port"), "name the port of this slot")
		}
		r.port(join(at, "port"), s.Port, l.Reset)
		if s.Number < 1 || s.Number > MaxSlots {
			r.add(ErrValue, join(at, "number"), "%d is not a slot; slots are numbered from 1 to %d", s.Number, MaxSlots)
		}
		slot := Slot{Number: int(s.Number), Port: s.Port}
		r.distinct(at, slot, l.Slots)
		l.Slots = append(l.Slots, slot)
	}
	slices.SortFunc(l.Slots, func(a, b Slot) int { return cmp.Compare(a.Number, b.Number) })
	return l
}

// distinct refuses a slot that shares its number or its port with another.
func (r *resolver) distinct(at string, slot Slot, others []Slot) {
	for _, o := range others {
		if o.Number == slot.Number {
			r.add(ErrConflict, join(at, "number"), "slot %d stands in the list twice", slot.Number)
		}
		if o.Port == slot.Port && slot.Port != "" {
			r.add(ErrConflict, join(at, "port"), "slot %d has the same port", o.Number)
		}
	}
}

func (r *resolver) baud(written *[]int) []int {
	if written == nil {
		return slices.Clone(defaultBaud)
	}
	ladder := *written
	if len(ladder) == 0 || len(ladder) > maxLadder {
		r.add(ErrValue, "link.baud", "wants 1 to %d speeds, the one to try first at the front", maxLadder)
	}
	for i, b := range ladder {
		if b < minBaud || b > maxBaud {
			r.add(ErrValue, element("link.baud", i), "%d is not a speed from %d to %d bit/s", b, minBaud, maxBaud)
		}
		if slices.Contains(ladder[:i], b) {
			r.add(ErrConflict, element("link.baud", i), "%d stands in the list twice", b)
		}
	}
	return ladder
}

var (
	devicePort = regexp.MustCompile(`^(/dev/[!-~]+|COM[1-9][0-9]{0,2}|usb:[0-9]+-[0-9]+(\.[0-9]+)*|sim:[^\s].*)$`)
	socketPort = regexp.MustCompile(`^(tcp|rfc2217)://(.+)$`)
)

// port refuses a name that no kind of port has, and lines on a port without any.
func (r *resolver) port(key, name string, reset Reset) {
	if name == "" {
		return
	}
	if !isPort(name) {
		r.add(ErrValue, key,
			"%s is not a port; write it like /dev/ttyUSB0, COM3, usb:1-1.4, tcp://host:port, rfc2217://host:port or sim:NAME", clip(name))
		return
	}
	if !PortHasLines(name) && reset != ResetNone {
		r.add(ErrConflict, key, `a tcp:// port carries no reset lines; write reset = "none" in [link] and hold the chip in download mode`)
	}
}

// ignoreControl may end an rfc2217:// name: esptool's users write it so.
const ignoreControl = "?ign_set_control"

func isPort(name string) bool {
	if strings.HasPrefix(name, "rfc2217:") {
		name = strings.TrimSuffix(name, ignoreControl)
	}
	m := socketPort.FindStringSubmatch(name)
	if m == nil {
		return devicePort.MatchString(name)
	}
	host, port, err := net.SplitHostPort(m[2])
	if err != nil || host == "" {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// PortHasLines reports whether DTR and RTS reach the chip through a port of that
// name. A raw socket carries data only.
func PortHasLines(name string) bool { return !strings.HasPrefix(name, "tcp://") }
