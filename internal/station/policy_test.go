package station

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestLockDefaults(t *testing.T) {
	good := read(t, "minimal.toml")
	for _, c := range []struct {
		name, text   string
		count        uint8
		burn, freeze string
	}{
		{"release", good, 0x7F,
			"DISABLE_DL_ENCRYPT DISABLE_DL_DECRYPT DISABLE_DL_CACHE JTAG_DISABLE CONSOLE_DEBUG_DISABLE",
			"DIS_CACHE FLASH_CRYPT_CONFIG ABS_DONE_0 JTAG_DISABLE CONSOLE_DEBUG_DISABLE"},
		{"development", good + "policy = \"development\"", 0x01,
			"DISABLE_DL_DECRYPT DISABLE_DL_CACHE JTAG_DISABLE CONSOLE_DEBUG_DISABLE", "DIS_CACHE"},
		{"encrypted by the unit", strings.Replace(good, `"host"`, `"device"`, 1), 0x7F,
			"DISABLE_DL_ENCRYPT DISABLE_DL_DECRYPT DISABLE_DL_CACHE JTAG_DISABLE CONSOLE_DEBUG_DISABLE",
			"DIS_CACHE FLASH_CRYPT_CONFIG ABS_DONE_0 JTAG_DISABLE CONSOLE_DEBUG_DISABLE"},
		{"no encryption", strings.Replace(good, `"host"`, `"off"`, 1), 0,
			"JTAG_DISABLE CONSOLE_DEBUG_DISABLE", "DIS_CACHE ABS_DONE_0 JTAG_DISABLE"},
		{"no secure boot", strings.Replace(good, `version = 1`, `version = 0`, 1), 0x7F,
			"DISABLE_DL_ENCRYPT DISABLE_DL_DECRYPT DISABLE_DL_CACHE JTAG_DISABLE CONSOLE_DEBUG_DISABLE",
			"DIS_CACHE FLASH_CRYPT_CONFIG JTAG_DISABLE CONSOLE_DEBUG_DISABLE"},
		{"debug port open", good + "[lock]\nJTAG_DISABLE = false", 0x7F,
			"DISABLE_DL_ENCRYPT DISABLE_DL_DECRYPT DISABLE_DL_CACHE CONSOLE_DEBUG_DISABLE",
			"DIS_CACHE FLASH_CRYPT_CONFIG ABS_DONE_0 CONSOLE_DEBUG_DISABLE"},
		{"nothing frozen", good + "[lock]\nfreeze = []", 0x7F,
			"DISABLE_DL_ENCRYPT DISABLE_DL_DECRYPT DISABLE_DL_CACHE JTAG_DISABLE CONSOLE_DEBUG_DISABLE", ""},
		{"everything frozen", good + "[lock]\nfreeze = [\"ABS_DONE_1\", \"FLASH_CRYPT_CNT\"]", 0x7F,
			"DISABLE_DL_ENCRYPT DISABLE_DL_DECRYPT DISABLE_DL_CACHE JTAG_DISABLE CONSOLE_DEBUG_DISABLE",
			"FLASH_CRYPT_CNT ABS_DONE_1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := parse(t, c.text)
			if got := p.FlashEncryption.CryptCount(); got != c.count {
				t.Errorf("FLASH_CRYPT_CNT %#x, want %#x", got, c.count)
			}
			if got := strings.Join(p.Lock.Burn, " "); got != c.burn || p.Lock.UARTDownloadDis {
				t.Errorf("burns %s, want %s", got, c.burn)
			}
			if got := strings.Join(p.Lock.Freeze, " "); got != c.freeze {
				t.Errorf("freezes %s, want %s", got, c.freeze)
			}
		})
	}
}

func TestRevision(t *testing.T) {
	for text, want := range map[string]Revision{`"v1.0"`: 100, `"3.1"`: 301, `0`: 0, `100`: 100, `301`: 301, `"v0.0"`: 0} {
		p := parse(t, read(t, "minimal.toml")+"[unit]\nmin_revision = "+text+"\nmax_revision = \"v3.99\"\n")
		if p.Unit.MinRevision != want || p.Unit.MaxRevision != 399 {
			t.Errorf("min_revision = %s is %v", text, p.Unit.MinRevision)
		}
	}
	if got := Revision(301).String(); got != "v3.1" {
		t.Errorf("301 prints as %s", got)
	}
}

func TestFlashSize(t *testing.T) {
	for text, want := range map[string]uint32{`"1MB"`: 1 << 20, `"4 MB"`: 4 << 20, `"16MB"`: 16 << 20, `"2048KB"`: 2 << 20, `0x400000`: 4 << 20} {
		p := parse(t, read(t, "minimal.toml")+"[unit]\nflash_size = "+text+"\n")
		if p.Unit.FlashSize != want {
			t.Errorf("flash_size = %s is %d", text, p.Unit.FlashSize)
		}
	}
}

func TestPorts(t *testing.T) {
	for name, lines := range map[string]bool{
		"/dev/ttyUSB0": true, "/dev/cu.usbserial-0001": true, "COM3": true, "COM128": true, "usb:1-1.4.2": true, "usb:3-2": true,
		"rfc2217://jig.local:2217": true, "rfc2217://[::1]:2217": true, "rfc2217://jig:4000?ign_set_control": true, "sim:unit": true, "sim:a folder/unit": true,
		"tcp://127.0.0.1:5555": false,
	} {
		if !isPort(name) || PortHasLines(name) != lines {
			t.Errorf("%s: port %v, lines %v", name, isPort(name), PortHasLines(name))
		}
	}
	for _, name := range []string{"ttyUSB0", "COM", "COM0", "com3", "usb:1", "sim:", "tcp://", "tcp://host", "tcp://:5555", "tcp://host:0", "tcp://host:x", "tcp://host:1?ign_set_control", "rfc2217://host:1?x", "http://host:80", "/dev/", "/dev/tty USB0"} {
		if isPort(name) {
			t.Errorf("%q counts as a port", name)
		}
	}
}

func TestSocketWithoutResetLines(t *testing.T) {
	p := parse(t, read(t, "minimal.toml")+"[link]\nport = \"tcp://127.0.0.1:5555\"\nreset = \"none\"\n")
	if p.Link.Reset != ResetNone || p.BootCheck != nil {
		t.Errorf("link %+v", p.Link)
	}
}

func TestLinePattern(t *testing.T) {
	for _, c := range []struct {
		pattern, line string
		want          bool
	}{
		{"Hello world!", "I (31) app: Hello world!", true},
		{"Hello world!", "hello world!", false},
		{"I (31) [ok]", "I (31) [ok]", true}, // no regular expression unless it says so
		{"/I \\([0-9]+\\) app/", "I (31) app: up", true},
		{"/^app/", "I (31) app: up", false},
		{"/", "a/b", true},
		{"//", "a//b", true},
		{"/a", "b/a", true},
	} {
		p, err := parseLinePattern(c.pattern)
		if err != nil || p.Match(c.line) != c.want || p.String() != c.pattern {
			t.Errorf("%q matches %q: %v, %v", c.pattern, c.line, p.Match(c.line), err)
		}
		if text, err := json.Marshal(p); err != nil || !json.Valid(text) || string(text) == "{}" {
			t.Errorf("%q in JSON is %s, %v", c.pattern, text, err)
		}
	}
}

// explained returns the texts of the consequences, permanent or not.
func explained(p *Profile, permanent bool) string {
	var texts []string
	for _, c := range p.Explain() {
		if c.Permanent == permanent {
			texts = append(texts, c.Key+": "+c.Text)
		}
	}
	return strings.Join(texts, "\n")
}

func TestExplain(t *testing.T) {
	good := read(t, "minimal.toml")
	for _, c := range []struct {
		name, text        string
		permanent, others []string
	}{
		{"release", good,
			[]string{"lock.JTAG_DISABLE: JTAG_DISABLE: the debug port is closed for ever", "discard means nobody", "FLASH_CRYPT_CNT at its maximum", "only ever runs apps signed"},
			[]string{"sent in plain text; never encrypt them", "station.armed: Not armed", "keys are destroyed", "No boot check"}},
		{"development", good + "policy = \"development\"",
			[]string{"three times", "Not for units that are sold"}, nil},
		{"unverified", strings.Replace(good, `version = 1`, "version = 1\nallow_unverified_app = true", 1),
			[]string{"will run any app, and secure boot protects only the bootloader"}, nil},
		{"full", read(t, "full.toml"),
			[]string{"UART_DOWNLOAD_DIS: the serial port can never again", "the owners of keys.recipients", "DIS_CACHE frozen"},
			[]string{"Armed: run burns every unit", "sealed copy", `print "app: ready" within 20s`, "counted up from AB-000100", "would accept " + beside(t, "next/app-2.bin")}},
		{"work", good, nil, []string{
			"works on job line.", "No quota", "No operator has to sign in", "Everybody who is in the records",
			"from a scanner that types like a keyboard.", "No labels are printed.",
			"A slot stops after 3 failures in a row", "station stops after 3 failures in a row", "not passed after 3 attempts"}},
		{"other work", read(t, "full.toml"), nil, []string{
			"works on job WO-2041, revision B.", "stops when 500 units of this job are made", "only the serial numbers in " + beside(t, "orders/WO-2041.txt"),
			"has to sign in with a badge", "Only these may sign in here. Operators: anna, bo; lead: cleo; engineer: dana.",
			"from the scanner on /dev/ttyACM0, each with \"~\" in front", "asks, and then prints the unit's label on tcp://192.168.1.20:9100",
			"Labels are not scanned", "A slot stops after 2 failures", "The station does not stop by itself", "not passed after 1 attempt is"}},
		{"scanner that types", good + "[scanner]\nprefix = \"\\u0002\"", nil, []string{"types like a keyboard, each with STX in front."}},
		{"labels", good + "[label]\nprinter = \"/dev/usb/lp0\"\n[screen]\nstop_after_slot = 0\nstop_after_station = 1\n[job]\nquota = 1", nil, []string{
			"After a PASS the unit's label is printed on /dev/usb/lp0.", "closed by scanning its fresh label",
			"No slot stops by itself", "stops after every failure", "stops when 1 unit of this job is made"}},
		{"no encryption", strings.Replace(good, `"host"`, `"off"`, 1),
			nil, []string{"No flash encryption: whoever has the unit"}},
		{"no secure boot", strings.Replace(good, `version = 1`, `version = 0`, 1),
			nil, []string{"No secure boot: whoever can write", "altered flash contents are not noticed"}},
		{"open doors", good + "[lock]\nJTAG_DISABLE = false\nCONSOLE_DEBUG_DISABLE = false\nfreeze = []",
			nil, []string{"anybody with a debugger", "built-in BASIC stays"}},
		{"list", good + "[unit]\nserial = { source = \"list\", file = \"s.csv\" }", nil, []string{"s.csv, one a unit"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := parse(t, c.text)
			for _, want := range c.permanent {
				if got := explained(p, true); !strings.Contains(got, want) {
					t.Errorf("permanent consequences do not say %q:\n%s", want, got)
				}
			}
			for _, want := range c.others {
				if got := explained(p, false); !strings.Contains(got, want) {
					t.Errorf("other consequences do not say %q:\n%s", want, got)
				}
			}
		})
	}
}

func TestExplainOrderAndKeys(t *testing.T) {
	all := parse(t, read(t, "full.toml")).Explain()
	if !slices.IsSortedFunc(all, func(a, b Consequence) int {
		if a.Permanent == b.Permanent {
			return 0
		}
		if a.Permanent {
			return -1
		}
		return 1
	}) {
		t.Error("permanent consequences do not come first")
	}
	for _, c := range all {
		if _, ok := known.types[c.Key]; !ok {
			t.Errorf("%q explains the unknown key %s", c.Text, c.Key)
		}
		if !strings.HasSuffix(c.Text, ".") {
			t.Errorf("%s: %q is not a sentence", c.Key, c.Text)
		}
	}
}

// TestExplainCoversEveryLock: whatever [lock] makes a station burn is explained.
func TestExplainCoversEveryLock(t *testing.T) {
	p := parse(t, read(t, "full.toml"))
	p.Lock.Freeze = freezableNames()
	text := explained(p, true)
	for _, name := range append(freezableNames(), known.below("lock")...) {
		if name != "freeze" && !strings.Contains(text, name) {
			t.Errorf("%s is not explained", name)
		}
	}
}
