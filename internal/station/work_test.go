package station

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// TestJobNamedForItsFile: whatever a profile's file is called, its job is one that
// could have been written.
func TestJobNamedForItsFile(t *testing.T) {
	for base, want := range map[string]string{
		"line.toml":                         "line",
		"line 3.toml":                       "line 3",
		"line":                              "line",
		"line.example.toml":                 "line.example",
		" line .toml":                       "line",
		"Straße.toml":                       "Stra-e",
		"\xff.toml":                         "-",
		".toml":                             "job",
		" .toml":                            "job",
		strings.Repeat("x", 60) + ".toml":   strings.Repeat("x", 40),
		strings.Repeat("x", 39) + " y.toml": strings.Repeat("x", 39),
	} {
		r := &resolver{findings: &findings{}, base: base}
		got := r.jobID(nil)
		if got != want {
			t.Errorf("the job of %q is %q, want %q", base, got, want)
		}
		if r.jobID(&got); r.err() != nil {
			t.Errorf("%q cannot be written: %v", got, r.err())
		}
	}
}

func TestDefaultCodes(t *testing.T) {
	s := parse(t, read(t, "minimal.toml")).Scanner
	for _, c := range []struct{ pattern, code, means string }{
		{s.Badge, "BADGE-anna", "anna"},
		{s.Job, "JOB-WO-2041", "WO-2041"},
		{s.Slot, "SLOT-3", "3"},
		{s.Slot, "SLOT-24", "24"},
		{s.Slot, "SLOT-100", ""},
		{s.Command, "CMD-REPRINT", "REPRINT"},
		{s.Command, "CMD-", ""},
		{s.Badge, "LJ-0000017", ""},
	} {
		m := regexp.MustCompile(c.pattern).FindStringSubmatch(c.code)
		if got := strings.Join(m[min(1, len(m)):], ","); got != c.means {
			t.Errorf("%s reads %q from %s, want %q", c.pattern, got, c.code, c.means)
		}
	}
}

func TestLabelDefaults(t *testing.T) {
	good := read(t, "minimal.toml")
	for text, want := range map[string]Label{
		"":                                     {Print: PrintAuto},
		"[label]\nprinter = \"tcp://printer\"": {Printer: "tcp://printer", ScanBack: true, Print: PrintAuto},
		"[label]\nprinter = \"/dev/usb/lp0\"\nscan_back = false":     {Printer: "/dev/usb/lp0", Print: PrintAuto},
		"[label]\nprinter = \"/dev/usb/lp0\"\nprint = \"ask\"":       {Printer: "/dev/usb/lp0", ScanBack: true, Print: PrintAsk},
		"[label]\nscan_back = false":                                 {Print: PrintAuto},
		"[label]\nprinter = \"\"\n[scanner]\nprefix = \"\"\n[job]\n": {Print: PrintAuto},
	} {
		if got := parse(t, good+text).Label; got != want {
			t.Errorf("%s\ngives %+v, want %+v", text, got, want)
		}
	}
}

func TestPrinters(t *testing.T) {
	for _, name := range []string{
		"tcp://printer", "tcp://printer.local:9100", "tcp://192.168.1.20", "tcp://[::1]", "tcp://[fe80::1%eth0]:9100",
		"/dev/usb/lp0", "/tmp/my labels", "COM3", "LPT1", `\\pc\zebra`,
	} {
		if !isPrinter(name) {
			t.Errorf("%q does not count as a printer", name)
		}
	}
	for _, name := range []string{
		"tcp://", "tcp://:9100", "tcp://printer:", "tcp://printer:0", "tcp://printer:70000", "tcp://printer:x", "tcp://a b",
		"tcp://[printer]", "tcp://::1", "tcp://[::1", "tcp://printer/q", "http://printer", "printer", "lp0", "usb/lp0", "/", "/dev/lp\n0", "COM0",
	} {
		if isPrinter(name) {
			t.Errorf("%q counts as a printer", name)
		}
	}
}

func TestPrefixes(t *testing.T) {
	for c := range rune(0x100) {
		want := c > ' ' && c < 0x7F && !strings.ContainsRune("-._", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) || c == 2
		if got := codePrefix.MatchString(string(c)); got != want {
			t.Errorf("%q as a prefix: %v, want %v", c, got, want)
		}
	}
	for _, prefix := range []string{"~~", "~\n", "\xff", "~é"} {
		if codePrefix.MatchString(prefix) {
			t.Errorf("%q can be a prefix", prefix)
		}
	}
}

func TestEverybodyMaySignIn(t *testing.T) {
	if !(People{SignIn: SignInBadge}).Everybody() {
		t.Error("no lists, and not everybody")
	}
	for _, p := range []People{{Operators: []string{"a"}}, {Leads: []string{"a"}}, {Engineers: []string{"a"}}} {
		if p.Everybody() {
			t.Errorf("%+v is everybody", p)
		}
	}
}
