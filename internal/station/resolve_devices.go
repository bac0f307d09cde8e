package station

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A serial scanner and a printer are named by the system: a path, or the names that
// Windows gives to ports. A relative path would change its meaning with the folder.
var (
	scannerDevice = regexp.MustCompile(`^(/[^[:cntrl:]]+|COM[1-9][0-9]{0,2})$`)
	printerDevice = regexp.MustCompile(`^(/[^[:cntrl:]]+|COM[1-9][0-9]{0,2}|LPT[1-9]|\\\\[^[:cntrl:]]+)$`)
)

func (r *resolver) scanner(d *document) Scanner {
	s := Scanner{
		Device:  d.Scanner.Device,
		Prefix:  d.Scanner.Prefix,
		Badge:   r.codePattern("scanner.badge", d.Scanner.Badge, DefaultBadge),
		Job:     r.codePattern("scanner.job", d.Scanner.Job, DefaultJob),
		Slot:    r.codePattern("scanner.slot", d.Scanner.Slot, DefaultSlot),
		Command: r.codePattern("scanner.command", d.Scanner.Command, DefaultCommand),
	}
	if s.Device != "" && !scannerDevice.MatchString(s.Device) {
		r.add(ErrValue, "scanner.device",
			"%s is not a serial port; write it like /dev/ttyACM0 or COM4, or take the line out for a scanner that types", clip(s.Device))
	}
	if s.Prefix != "" && !codePrefix.MatchString(s.Prefix) {
		r.add(ErrValue, "scanner.prefix", `%s is not allowed; write one sign that no code holds, like "~", or "\u0002" for STX`, clip(s.Prefix))
	}
	r.oneMeaning(s)
	return s
}

// stx is the character that serial protocols begin a text with.
const stx = "\x02"

// codePrefix is one sign, or stx. A character that codes hold would begin a code in
// the middle of another.
var codePrefix = regexp.MustCompile(`^([!-,/:-@[-^{-~\x60]|\x02)$`)

// codePattern checks what one kind of code looks like.
func (r *resolver) codePattern(key string, written *string, fallback string) string {
	pattern := or(written, fallback)
	re, err := regexp.Compile(pattern)
	switch {
	case err != nil:
		r.add(ErrValue, key, "%s is not a pattern: %s", clip(pattern), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	case re.NumSubexp() != 1:
		r.add(ErrValue, key, "%s has %d groups; put one pair of round brackets round what is to be read, like %s", clip(pattern), re.NumSubexp(), fallback)
	}
	return pattern
}

// oneMeaning refuses a pattern that two kinds of code share.
func (r *resolver) oneMeaning(s Scanner) {
	keys := []string{"badge", "job", "slot", "command"}
	patterns := []string{s.Badge, s.Job, s.Slot, s.Command}
	for i, pattern := range patterns {
		if first := slices.Index(patterns, pattern); first < i {
			r.add(ErrConflict, join("scanner", keys[i]), "is the same as scanner.%s: nobody could tell the two apart", keys[first])
		}
	}
}

func (r *resolver) labels(d *document) Label {
	l := Label{
		Printer:  d.Label.Printer,
		ScanBack: or(d.Label.ScanBack, d.Label.Printer != ""),
		Print:    oneOf(r, "label.print", d.Label.Print, PrintAuto, []Print{PrintAuto, PrintAsk}, nil),
	}
	if d.Label.Template != "" {
		l.Template = r.absolute("label.template", d.Label.Template)
	}
	if l.Printer == "" {
		r.printerOnly("label.template", l.Template != "")
		r.printerOnly("label.scan_back", l.ScanBack)
		r.printerOnly("label.print", d.Label.Print != nil)
	} else if !isPrinter(l.Printer) {
		r.add(ErrValue, "label.printer", "%s is not a printer; write it like tcp://192.168.1.20, tcp://printer:9100 or /dev/usb/lp0", clip(l.Printer))
	}
	return l
}

func (r *resolver) printerOnly(key string, written bool) {
	if written {
		r.add(ErrConflict, key, "needs labels; name the printer in label.printer, or take the line out")
	}
}

// printerAddress is a host or an IP address, in brackets if it has colons, and
// perhaps a port.
var printerAddress = regexp.MustCompile(`^tcp://([0-9A-Za-z](?:[0-9A-Za-z._-]*[0-9A-Za-z.])?|\[([^\[\]]+)\])(?::([0-9]+))?$`)

// isPrinter reports whether that can name a printer.
func isPrinter(name string) bool {
	if !strings.HasPrefix(name, "tcp://") {
		return printerDevice.MatchString(name)
	}
	m := printerAddress.FindStringSubmatch(name)
	if m == nil {
		return false
	}
	if inBrackets := m[2]; inBrackets != "" {
		if _, err := netip.ParseAddr(inBrackets); err != nil {
			return false
		}
	}
	port, err := strconv.ParseUint(cmp.Or(m[3], "9100"), 10, 16)
	return err == nil && port > 0
}

// apartFromUnits refuses a device on the port of a unit: opening it would disturb
// the chip.
func (r *resolver) apartFromUnits(key, device string, l Link) {
	if device == "" {
		return
	}
	if device == l.Port {
		r.add(ErrConflict, key, "is the port of the units (link.port); it needs one of its own")
		return
	}
	for _, s := range l.Slots {
		if s.Port == device {
			r.add(ErrConflict, key, "is the port of slot %d; it needs one of its own", s.Number)
		}
	}
}
