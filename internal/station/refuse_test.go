package station

import (
	"errors"
	"strings"
	"testing"
)

// refusals changes one profile that is good and names the problem that must come
// of it: its kind, its key, and a piece of what it says.
var refusals = []struct {
	name     string
	from, to string // replaced in full.toml; from is empty: to is appended
	kind     error
	key      string
	says     string
}{
	{"no name", `name = "LEJ-1-PROV-02"`, ``, ErrMissing, "station.name", "name"},
	{"name with a line end", `"LEJ-1-PROV-02"`, `"LEJ\n1"`, ErrValue, "station.name", "printed"},
	{"long site", `"Leipzig"`, `"` + strings.Repeat("x", 65) + `"`, ErrValue, "station.site", "64"},
	{"armed is text", `armed = true`, `armed = "yes"`, ErrType, "station.armed", "true or false"},

	{"port is nothing known", `"/dev/ttyUSB0"`, `"ttyUSB0"`, ErrValue, "link.port", "/dev/ttyUSB0"},
	{"socket without port", `"/dev/ttyUSB0"`, `"rfc2217://jig"`, ErrValue, "link.port", "not a port"},
	{"socket port too large", `"/dev/ttyUSB0"`, `"rfc2217://jig:70000"`, ErrValue, "link.port", "not a port"},
	{"socket with reset lines", `"/dev/ttyUSB0"`, `"tcp://127.0.0.1:5000"`, ErrConflict, "link.port", `reset = "none"`},
	{"baud is text", `[921600, 115200]`, `["fast"]`, ErrType, "link.baud", "whole numbers"},
	{"baud too slow", `[921600, 115200]`, `[921600, 300]`, ErrValue, "link.baud[1]", "300"},
	{"baud twice", `[921600, 115200]`, `[115200, 115200]`, ErrConflict, "link.baud[1]", "twice"},
	{"no baud", `[921600, 115200]`, `[]`, ErrValue, "link.baud", "1 to 8"},
	{"reset unknown", `"tight"`, `"soft"`, ErrValue, "link.reset", `"classic" or "tight" or "none"`},
	{"reset of other chips", `"tight"`, `"usb-jtag"`, ErrUnsupported, "link.reset", "USB"},
	{"stub", `reset = "tight"`, "reset = \"tight\"\nstub = \"stub.bin\"", ErrUnsupported, "link.stub", "ROM alone"},
	{"slot 0", "number = 2", "number = 0", ErrValue, "link.slots[0].number", "1 to 24"},
	{"slot 25", "number = 2", "number = 25", ErrValue, "link.slots[0].number", "1 to 24"},
	{"slot twice", "number = 1", "number = 2", ErrConflict, "link.slots[1].number", "twice"},
	{"slots share a port", `"COM12"`, `"usb:1-1.4.2"`, ErrConflict, "link.slots[1].port", "same port"},
	{"slot without port", `port = "COM12"`, ``, ErrMissing, "link.slots[1].port", "port"},
	{"slot with a bad port", `"COM12"`, `"COM0"`, ErrValue, "link.slots[1].port", "not a port"},

	{"revision is a word", `"v3.0"`, `"ECO3"`, ErrValue, "unit.min_revision", `"v3.0" or 300`},
	{"revision 3", `"v3.0"`, `3`, ErrValue, "unit.min_revision", `"v3.0"`},
	{"revision too high", `"v3.0"`, `400`, ErrValue, "unit.min_revision", "no ESP32"},
	{"negative revision", `"v3.0"`, `-300`, ErrValue, "unit.min_revision", "no ESP32"},
	{"minor that no chip has", `"v3.0"`, `"v3.50"`, ErrValue, "unit.min_revision", "no ESP32"},
	{"revision is a list", `"v3.0"`, `["v3.0"]`, ErrType, "unit.min_revision", "text in quotes or a whole number"},
	{"revisions crossed", `399`, `"v1.0"`, ErrConflict, "unit.max_revision", "no chip"},
	{"coding scheme 3/4", `coding_scheme = "none"`, `coding_scheme = "3/4"`, ErrUnsupported, "unit.coding_scheme", "shorter keys"},
	{"coding scheme repeat", `coding_scheme = "none"`, `coding_scheme = "repeat"`, ErrUnsupported, "unit.coding_scheme", "room"},
	{"coding scheme unknown", `coding_scheme = "none"`, `coding_scheme = "4/5"`, ErrValue, "unit.coding_scheme", `"none"`},
	{"flash size without unit", `"4MB"`, `"4"`, ErrValue, "unit.flash_size", `"4MB"`},
	{"flash size no power of two", `"4MB"`, `"3MB"`, ErrValue, "unit.flash_size", "16MB"},
	{"flash size too large", `"4MB"`, `"32MB"`, ErrValue, "unit.flash_size", "16MB"},
	{"flash size 4", `"4MB"`, `4`, ErrValue, "unit.flash_size", "16MB"},

	{"pattern broken", `"^AB-[0-9]{7}$"`, `"^AB-[0-9{7}$"`, ErrValue, "unit.serial.pattern", "pattern"},
	{"pattern escapes its group", `"^AB-[0-9]{7}$"`, `"x)|(y"`, ErrValue, "unit.serial.pattern", "pattern"},
	{"pattern empty", `"^AB-[0-9]{7}$"`, `""`, ErrValue, "unit.serial.pattern", "empty"},
	{"check digit unknown", `"luhn"`, `"crc"`, ErrValue, "unit.serial.check_digit", `"mod10"`},
	{"source unknown", `source = "sequence"`, `source = "guess"`, ErrValue, "unit.serial.source", `"list"`},
	{"sequence without start", `, next = "000100"`, ``, ErrMissing, "unit.serial.next", "000001"},
	{"sequence from a word", `"000100"`, `"first"`, ErrValue, "unit.serial.next", "000001"},
	{"sequence from a number", `"000100"`, `100`, ErrType, "unit.serial.next", "quotes"},
	{"sequence against the pattern", `"000100"`, `"0100"`, ErrConflict, "unit.serial.next", "does not match"},
	{"prefix of a scanned serial", `source = "sequence"`, `source = "scan"`, ErrConflict, "unit.serial.prefix", "sequence"},
	{"next of a scanned serial", `source = "sequence"`, `source = "scan"`, ErrConflict, "unit.serial.next", "sequence"},
	{"list without file", `source = "sequence"`, `source = "list"`, ErrMissing, "unit.serial.file", "one a line"},
	{"file without list", `next = "000100"`, `next = "000100", file = "s.csv"`, ErrConflict, "unit.serial.file", "list"},

	{"no bootloader", `bootloader = "build/bootloader.bin"`, ``, ErrMissing, "images.bootloader", "bootloader"},
	{"no table", `partition_table = "build/partitions.csv"`, ``, ErrMissing, "images.partition_table", "table"},
	{"no app", `app = "/srv/images/app.bin"`, ``, ErrMissing, "images.app", "app"},
	{"app name with a zero", `"/srv/images/app.bin"`, `"app\u0000.bin"`, ErrValue, "images.app", "file name"},
	{"no next update", `next_image = "next/app-2.bin"`, `next_image = ""`, ErrMissing, "ota.next_image", "take the line out"},
	{"next update is a number", `next_image = "next/app-2.bin"`, `next_image = 2`, ErrType, "ota.next_image", "text"},
	{"table offset unaligned", `0xC000`, `0xC001`, ErrValue, "images.partition_table_offset", "multiple"},
	{"table over the bootloader", `0xC000`, `0x1000`, ErrValue, "images.partition_table_offset", "0x2000"},
	{"table beyond the flash", `0xC000`, `0x1000000`, ErrValue, "images.partition_table_offset", "below 0x1000000"},
	{"negative table offset", `0xC000`, `-4096`, ErrValue, "images.partition_table_offset", "multiple"},
	{"label too long", `"ota_0"`, `"a-label-of-sixteen"`, ErrValue, "images.app_partition", "15"},
	{"extra without path", `path = "build/fctry.bin"`, ``, ErrMissing, "images.extra[0].path", "file"},
	{"extra without place", `partition = "fctry"`, ``, ErrMissing, "images.extra[0].partition", "where"},
	{"extra with two places", `partition = "fctry"`, "partition = \"fctry\"\noffset = 0x20000", ErrConflict, "images.extra[0].offset", "not both"},
	{"extra over the table", `0x300000`, `0xC000`, ErrValue, "images.extra[1].offset", "0xd000"},
	{"extra over the app", `"fctry"`, `"ota_0"`, ErrConflict, "images.extra[0].partition", "two images"},
	{"extras in one partition", `offset = 0x300000`, `partition = "fctry"`, ErrConflict, "images.extra[1].partition", "two images"},
	{"extras at one offset", `partition = "fctry"`, `offset = 0x300000`, ErrConflict, "images.extra[1].offset", "two images"},

	{"secure boot not said", `version = 1`, ``, ErrMissing, "secure_boot.version", "permanent"},
	{"secure boot 2", `version = 1`, `version = 2`, ErrUnsupported, "secure_boot.version", "V2"},
	{"secure boot 3", `version = 1`, `version = 3`, ErrValue, "secure_boot.version", "not known"},
	{"secure boot -1", `version = 1`, `version = -1`, ErrValue, "secure_boot.version", "not known"},
	{"one-time bootloader", `"reflashable"`, `"one-time"`, ErrUnsupported, "secure_boot.mode", "discard"},
	{"no public key", "public_key = \"keys/app.pem\"\nmode = \"reflashable\"\nallow_unverified_app = true", ``,
		ErrMissing, "secure_boot.public_key", "app-signing key"},
	{"encryption not said", `mode = "host"`, ``, ErrMissing, "flash_encryption.mode", "permanent"},
	{"encryption unknown", `mode = "host"`, `mode = "on"`, ErrValue, "flash_encryption.mode", `"device" or "off"`},
	{"policy unknown", `policy = "release"`, `policy = "debug"`, ErrValue, "flash_encryption.policy", `"development"`},
	{"weak tweak", `crypt_config = 0xF`, `crypt_config = 0`, ErrUnsupported, "flash_encryption.crypt_config", "0xF"},

	{"release with an open door", `DISABLE_DL_DECRYPT = true`, `DISABLE_DL_DECRYPT = false`, ErrConflict, "lock.DISABLE_DL_DECRYPT", "release"},
	{"fuse in small letters", `JTAG_DISABLE = true`, `jtag_disable = true`, ErrUnknownKey, "lock.jtag_disable", "JTAG_DISABLE"},
	{"fuse misspelt", `DISABLE_SDIO_HOST = true`, `DISABLE_SDIO_HSOT = true`, ErrUnknownKey, "lock.DISABLE_SDIO_HSOT", "DISABLE_SDIO_HOST"},
	{"a fuse that kills", `DISABLE_SDIO_HOST = true`, `DIS_CACHE = true`, ErrUnknownKey, "lock.DIS_CACHE", "unknown key"},
	{"freeze unknown", `"DIS_CACHE"]`, `"DIS_CASH"]`, ErrValue, "lock.freeze[1]", "DIS_CACHE"},
	{"freeze twice", `"DIS_CACHE"]`, `"JTAG_DISABLE"]`, ErrConflict, "lock.freeze[1]", "twice"},
	{"freeze an open debug port", `JTAG_DISABLE = true`, `JTAG_DISABLE = false`, ErrConflict, "lock.freeze[0]", "open for ever"},
	{"freeze the counter before the last door", `"DIS_CACHE"]`, `"FLASH_CRYPT_CNT"]`, ErrConflict, "lock.freeze[1]", "UART_DOWNLOAD_DIS"},
	{"section unknown", ``, "[mqtt]\nport = \"9100\"", ErrUnknownKey, "mqtt", "unknown section; known: station"},
	{"section that is a key", ``, "[printer]\nport = \"9100\"", ErrUnknownKey, "printer", "belongs in [label]"},
	{"close download mode on old chips", `min_revision = "v3.0"`, `min_revision = "v1.0"`, ErrConflict, "lock.UART_DOWNLOAD_DIS", "v3.0"},
	{"close download mode in development", `policy = "release"`, `policy = "development"`, ErrConflict, "lock.UART_DOWNLOAD_DIS", "development"},

	{"custody unknown", `"escrow"`, `"keep"`, ErrValue, "keys.custody", `"discard"`},
	{"escrow for nobody", `["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]`, `[]`, ErrMissing, "keys.recipients", "owner"},
	{"not a recipient", `"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"`, `"cleo@example.com"`, ErrValue, "keys.recipients[0]", "age1"},
	{"database without a name", `"/var/lib/provision/line.db"`, `""`, ErrValue, "records.database", "empty"},

	{"boot check for nothing", `expect = "app: ready"`, ``, ErrMissing, "boot_check.expect", "line"},
	{"boot check pattern broken", `"app: ready"`, `"/app: (ready/"`, ErrValue, "boot_check.expect", "pattern"},
	{"boot check rejects all", `"panic"`, `" "`, ErrValue, "boot_check.reject[0]", "every line"},
	{"boot check rejects what it waits for", `"panic"`, `"ready"`, ErrConflict, "boot_check.reject[0]", "very line"},
	{"boot check without time", `seconds = 20`, `seconds = 0`, ErrValue, "boot_check.seconds", "1 to 300"},
	{"boot check for an hour", `seconds = 20`, `seconds = 3600`, ErrValue, "boot_check.seconds", "1 to 300"},
	{"boot check without reset lines", `reset = "tight"`, `reset = "none"`, ErrConflict, "boot_check", "reset"},

	{"operator without a name", `"bo"`, `""`, ErrValue, "people.operators[1]", "empty"},
	{"operator twice", `"bo"`, `"anna"`, ErrConflict, "people.operators[1]", "twice"},
	{"lead who is an operator", `"cleo"`, `"bo"`, ErrConflict, "people.leads[0]", "people.operators as well"},
	{"engineer who is an operator", `"dana"`, `"anna"`, ErrConflict, "people.engineers[0]", "people.operators as well"},
	{"engineer who is a lead", `"dana"`, `"cleo"`, ErrConflict, "people.engineers[0]", "people.leads as well"},
	{"engineer without a name", `"dana"`, `""`, ErrValue, "people.engineers[0]", "empty"},
	{"sign in unknown", `sign_in = "badge"`, `sign_in = "pin"`, ErrValue, "people.sign_in", `"badge" or "none"`},

	{"job without a number", `id = "WO-2041"`, `id = ""`, ErrValue, "job.id", "for line"},
	{"job with a long number", `id = "WO-2041"`, `id = "` + strings.Repeat("x", 41) + `"`, ErrValue, "job.id", "40"},
	{"job that no barcode holds", `id = "WO-2041"`, `id = "Größe"`, ErrValue, "job.id", "barcode"},
	{"job with a line end", `id = "WO-2041"`, `id = "WO\n1"`, ErrValue, "job.id", "barcode"},
	{"job with a space behind", `id = "WO-2041"`, `id = "WO-2041 "`, ErrValue, "job.id", "space"},
	{"job is a number", `id = "WO-2041"`, `id = 2041`, ErrType, "job.id", "quotes"},
	{"revision with a line end", `revision = "B"`, `revision = "B\n"`, ErrValue, "job.revision", "printed"},
	{"quota below nothing", `quota = 500`, `quota = -1`, ErrValue, "job.quota", "from 0"},
	{"quota beyond counting", `quota = 500`, `quota = 5000000000`, ErrValue, "job.quota", "to 1000000000"},
	{"order with a zero", `"orders/WO-2041.txt"`, `"a\u0000"`, ErrValue, "job.order", "file name"},

	{"scanner is no port", `"/dev/ttyACM0"`, `"ttyACM0"`, ErrValue, "scanner.device", "/dev/ttyACM0"},
	{"scanner on a socket", `"/dev/ttyACM0"`, `"tcp://scanner:23"`, ErrValue, "scanner.device", "serial port"},
	{"scanner on the port of units", `"/dev/ttyACM0"`, `"/dev/ttyUSB0"`, ErrConflict, "scanner.device", "link.port"},
	{"scanner on the port of a slot", `"/dev/ttyACM0"`, `"COM12"`, ErrConflict, "scanner.device", "slot 1"},
	{"long prefix", `prefix = "~"`, `prefix = "~~"`, ErrValue, "scanner.prefix", "one sign"},
	{"prefix that serial numbers hold", `prefix = "~"`, `prefix = "-"`, ErrValue, "scanner.prefix", "one sign"},
	{"badge pattern broken", `"^B([0-9]+)$"`, `"^B([0-9+)$"`, ErrValue, "scanner.badge", "not a pattern"},
	{"badge pattern without a group", `"^B([0-9]+)$"`, `"^B[0-9]+$"`, ErrValue, "scanner.badge", "0 groups"},
	{"badge pattern empty", `"^B([0-9]+)$"`, `""`, ErrValue, "scanner.badge", "0 groups"},
	{"job pattern with two groups", `"^WO-(.+)$"`, `"^(WO|JOB)-(.+)$"`, ErrValue, "scanner.job", "2 groups"},
	{"slot pattern broken", `"^PLACE-([0-9]+)$"`, `"^PLACE-("`, ErrValue, "scanner.slot", "not a pattern"},
	{"command pattern broken", `"^DO-([A-Z]+)$"`, `"*(.)"`, ErrValue, "scanner.command", "not a pattern"},
	{"two meanings", `"^DO-([A-Z]+)$"`, `"^WO-(.+)$"`, ErrConflict, "scanner.command", "scanner.job"},

	{"printer is nothing known", `"tcp://192.168.1.20:9100"`, `"zebra"`, ErrValue, "label.printer", "tcp://"},
	{"printer without a host", `"tcp://192.168.1.20:9100"`, `"tcp://:9100"`, ErrValue, "label.printer", "tcp://"},
	{"printer on the scanner's port", `"tcp://192.168.1.20:9100"`, `"/dev/ttyACM0"`, ErrConflict, "label.printer", "scanner"},
	{"printer on the port of a slot", `"tcp://192.168.1.20:9100"`, `"COM12"`, ErrConflict, "label.printer", "slot 1"},
	{"template without printer", `printer = "tcp://192.168.1.20:9100"`, ``, ErrConflict, "label.template", "label.printer"},
	{"print without printer", `printer = "tcp://192.168.1.20:9100"`, ``, ErrConflict, "label.print", "label.printer"},
	{"scan back without labels", "printer = \"tcp://192.168.1.20:9100\"\ntemplate = \"labels/unit.zpl\"\nscan_back = false", `scan_back = true`,
		ErrConflict, "label.scan_back", "label.printer"},
	{"template with a zero", `"labels/unit.zpl"`, `"a\u0000"`, ErrValue, "label.template", "file name"},
	{"print unknown", `print = "ask"`, `print = "never"`, ErrValue, "label.print", `"auto" or "ask"`},

	{"language unknown", `language = "de"`, `language = "fr"`, ErrValue, "screen.language", `"en" or "de" or "zh"`},
	{"slot stops before it begins", `stop_after_slot = 2`, `stop_after_slot = -1`, ErrValue, "screen.stop_after_slot", "from 0"},
	{"station stops before it begins", `stop_after_station = 0`, `stop_after_station = -1`, ErrValue, "screen.stop_after_station", "from 0"},
	{"no attempt", `attempts = 1`, `attempts = 0`, ErrValue, "screen.attempts", "from 1"},
	{"target below nothing", `target = 60`, `target = -60`, ErrValue, "screen.target", "from 0"},
	{"lead for no time", `lead_seconds = 90`, `lead_seconds = 0`, ErrValue, "screen.lead_seconds", "from 1"},
	{"lead for a day", `lead_seconds = 90`, `lead_seconds = 86400`, ErrValue, "screen.lead_seconds", "to 3600"},
	{"mono is text", `mono = true`, `mono = "yes"`, ErrType, "screen.mono", "true or false"},

	{"key twice", `armed = true`, "armed = true\narmed = false", ErrSyntax, "", "already defined"},
	{"section twice", ``, "[station]\nsite = \"x\"", ErrSyntax, "", "exists"},
	{"no end of text", `"Leipzig"`, `"Leipzig`, ErrSyntax, "", "not valid TOML"},
	{"quoted key with a dot", `site = "Leipzig"`, `"serial.pattern" = "x"`, ErrUnknownKey, `station."serial.pattern"`, "unknown key"},
	{"key in the wrong section", `line = "1"`, `baud = [9600]`, ErrUnknownKey, "station.baud", "belongs in [link]"},
	{"key of a slot in the wrong section", `line = "1"`, `number = 1`, ErrUnknownKey, "station.number", "belongs in [[link.slots]]"},
	{"section as a value", ``, "[records.database]\nx = 1", ErrType, "records.database", "text in quotes"},
}

func TestRefusals(t *testing.T) {
	good := read(t, "full.toml")
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			text := good + c.to
			if c.from != "" {
				if !strings.Contains(good, c.from) {
					t.Fatalf("full.toml does not hold %q", c.from)
				}
				text = strings.Replace(good, c.from, c.to, 1)
			}
			p, err := Parse([]byte(text), "line.toml")
			if p != nil || !has(err, c.kind, c.key, c.says) {
				t.Errorf("got profile %v, problems:\n%v\nwant one of kind %q with key %q that says %q", p != nil, err, c.kind, c.key, c.says)
			}
		})
	}
}

// has looks for a problem of that kind and key among those of err.
func has(err error, kind error, key, says string) bool {
	var all Invalid
	if !errors.As(err, &all) {
		return false
	}
	for _, p := range all {
		if errors.Is(p, kind) && p.Key == key && strings.Contains(p.Text, says) {
			return true
		}
	}
	return false
}

// The rules about what is off begin from a profile with less in it.
func TestRefusalsWithoutAFeature(t *testing.T) {
	good := read(t, "minimal.toml")
	off := strings.NewReplacer(`mode = "host"`, `mode = "off"`).Replace(good)
	noBoot := strings.NewReplacer(`version = 1`, `version = 0`).Replace(good)
	development := good + "policy = \"development\"\n"
	for _, c := range []struct {
		name, text string
		kind       error
		key, says  string
	}{
		{"nothing secured", strings.Replace(off, `version = 1`, `version = 0`, 1), ErrConflict, "secure_boot.version", "secure nothing"},
		{"freeze no encryption", off + "[lock]\nfreeze = [\"FLASH_CRYPT_CONFIG\"]", ErrConflict, "lock.freeze[0]", "worthless"},
		{"freeze an idle counter", off + "[lock]\nfreeze = [\"FLASH_CRYPT_CNT\"]", ErrConflict, "lock.freeze[0]", "off for ever"},
		{"freeze open DL fuses", off + "[lock]\nfreeze = [\"CONSOLE_DEBUG_DISABLE\"]", ErrConflict, "lock.freeze[0]", "DISABLE_DL_DECRYPT"},
		{"freeze no secure boot", noBoot + "[lock]\nfreeze = [\"ABS_DONE_0\"]", ErrConflict, "lock.freeze[0]", "off for ever"},
		{"freeze the counter in development", development + "[lock]\nfreeze = [\"FLASH_CRYPT_CNT\"]", ErrConflict, "lock.freeze[0]", "development"},
		{"close download mode unseen", good + "[lock]\nUART_DOWNLOAD_DIS = true\n[unit]\nmin_revision = 300", ErrConflict, "lock.UART_DOWNLOAD_DIS", "[boot_check]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse([]byte(c.text), "line.toml"); !has(err, c.kind, c.key, c.says) {
				t.Errorf("problems:\n%v", err)
			}
		})
	}
}

func TestAllProblemsAtOnceInOrder(t *testing.T) {
	for name, kinds := range map[string][]error{
		"wrong":      {ErrUnknownKey, ErrMissing, ErrValue, ErrConflict, ErrUnsupported},
		"wrong-work": {ErrUnknownKey, ErrValue, ErrConflict},
	} {
		_, err := Load("testdata/" + name + ".toml")
		want := strings.TrimSuffix(read(t, name+".txt"), "\n")
		if err == nil || err.Error() != want {
			t.Errorf("got\n%v\nwant\n%s", err, want)
		}
		for _, kind := range kinds {
			if !errors.Is(err, kind) {
				t.Errorf("%s: no problem is %q", name, kind)
			}
		}
	}
}

// TestSecretsAreNotRepeated: a private key that somebody pasted into a profile
// must not travel on in a message.
func TestSecretsAreNotRepeated(t *testing.T) {
	const age = "AGE-SECRET-KEY-1QQPQSSRQ4S7JQXYZ"
	pem := "-----BEGIN EC PRIVATE KEY-----\\nMHcCAQEEIBsecretsecret\\n-----END EC PRIVATE KEY-----"
	for _, secret := range []string{age, strings.ToLower(age), pem} {
		for _, key := range []string{`custody = "escrow"`, `site = "Leipzig"`, `public_key = "keys/app.pem"`} {
			name, _, _ := strings.Cut(key, " ")
			text := strings.Replace(read(t, "full.toml"), key, name+` = "`+secret+`"`, 1)
			_, err := Parse([]byte(text), "line.toml")
			if !errors.Is(err, ErrSecret) {
				t.Errorf("%s holds a secret: %v", name, err)
				continue
			}
			if lower := strings.ToLower(err.Error()); strings.Contains(lower, "qqpqssrq4s7jqxyz") || strings.Contains(lower, "mhccaqee") {
				t.Errorf("the message repeats the secret: %v", err)
			}
		}
	}
}
