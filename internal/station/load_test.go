package station

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// read returns a file of testdata as text, for tests that change a line of it.
func read(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// parse parses a profile that must be good.
func parse(t testing.TB, text string) *Profile {
	t.Helper()
	p, err := Parse([]byte(text), "testdata/line.toml")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// beside is the absolute name of a file in testdata.
func beside(t *testing.T, name string) string {
	t.Helper()
	abs, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func TestLoadMinimal(t *testing.T) {
	got, err := Load("testdata/minimal.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := &Profile{
		Path:    beside(t, "minimal.toml"),
		SHA256:  sha256.Sum256([]byte(read(t, "minimal.toml"))),
		Station: Station{Name: "bench-1"},
		Link:    Link{Baud: []int{460800, 230400, 115200}, Reset: ResetClassic},
		Unit: Unit{
			MaxRevision: NoMaximum,
			Serial:      SerialRule{Pattern: defaultPattern, CheckDigit: NoCheckDigit, Source: SourceScan},
		},
		Images: Images{
			Bootloader:           beside(t, "bootloader.bin"),
			PartitionTable:       beside(t, "partition-table.bin"),
			PartitionTableOffset: 0x8000,
			App:                  beside(t, "app-signed.bin"),
		},
		SecureBoot:      SecureBoot{Version: 1, PublicKey: beside(t, "app-public.pem"), Mode: "reflashable"},
		FlashEncryption: FlashEncryption{Enabled: true, Policy: Release, CryptConfig: 0xF},
		Lock: Lock{
			Burn:   []string{"DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE", "JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE"},
			Freeze: []string{"DIS_CACHE", "FLASH_CRYPT_CONFIG", "ABS_DONE_0", "JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE"},
		},
		Keys:    Keys{Custody: Discard, Identity: beside(t, "station-identity.txt")},
		Records: Records{Database: beside(t, "provision.db")},
		Job:     Job{ID: "minimal"},
		People:  People{SignIn: SignInNone},
		Scanner: Scanner{Badge: DefaultBadge, Job: DefaultJob, Slot: DefaultSlot, Command: DefaultCommand},
		Label:   Label{Print: PrintAuto},
		Screen:  Screen{Language: "en", StopAfterSlot: 3, StopAfterStation: 3, Attempts: 3, LeadTime: 2 * time.Minute},
	}
	compare(t, got, want)
}

func TestLoadFull(t *testing.T) {
	got, err := Load("testdata/full.toml")
	if err != nil {
		t.Fatal(err)
	}
	no := false
	want := &Profile{
		Path:    beside(t, "full.toml"),
		SHA256:  sha256.Sum256([]byte(read(t, "full.toml"))),
		Station: Station{Name: "LEJ-1-PROV-02", Site: "Leipzig", Line: "1", Armed: true},
		Link: Link{
			Port: "/dev/ttyUSB0", Baud: []int{921600, 115200}, Reset: ResetTight,
			Slots: []Slot{{1, "COM12"}, {2, "usb:1-1.4.2"}},
		},
		Unit: Unit{
			MinRevision: 300, MaxRevision: 399, FlashSize: 4 << 20,
			Serial: SerialRule{Pattern: "^AB-[0-9]{7}$", CheckDigit: Luhn, Source: SourceSequence, Prefix: "AB-", Next: "000100"},
		},
		Images: Images{
			Bootloader: beside(t, "build/bootloader.bin"), PartitionTable: beside(t, "build/partitions.csv"),
			PartitionTableOffset: 0xC000, App: "/srv/images/app.bin", AppPartition: "ota_0",
			Extra: []Extra{
				{Path: beside(t, "build/fctry.bin"), Partition: "fctry", Encrypt: &no},
				{Path: beside(t, "build/logo.bin"), Offset: 0x300000},
			},
		},
		SecureBoot:      SecureBoot{Version: 1, PublicKey: beside(t, "keys/app.pem"), Mode: "reflashable", AllowUnverifiedApp: true},
		FlashEncryption: FlashEncryption{Enabled: true, Policy: Release, CryptConfig: 0xF},
		Lock: Lock{
			Burn:            []string{"DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE", "JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE", "DISABLE_SDIO_HOST"},
			Freeze:          []string{"DIS_CACHE", "JTAG_DISABLE"},
			UARTDownloadDis: true,
		},
		Keys: Keys{
			Custody:    Escrow,
			Recipients: []string{"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"},
			Identity:   beside(t, "secrets/identity.txt"),
		},
		Records:   Records{Database: "/var/lib/provision/line.db"},
		BootCheck: &BootCheck{Timeout: 20 * time.Second},
		OTA:       OTA{NextImage: beside(t, "next/app-2.bin")},
		Job:       Job{ID: "WO-2041", Revision: "B", Quota: 500, Order: beside(t, "orders/WO-2041.txt")},
		People: People{
			Operators: []string{"anna", "bo"}, Leads: []string{"cleo"}, Engineers: []string{"dana"}, SignIn: SignInBadge,
		},
		Scanner: Scanner{
			Device: "/dev/ttyACM0", Prefix: "~",
			Badge: "^B([0-9]+)$", Job: "^WO-(.+)$", Slot: "^PLACE-([0-9]+)$", Command: "^DO-([A-Z]+)$",
		},
		Label: Label{
			Printer: "tcp://192.168.1.20:9100", Template: beside(t, "labels/unit.zpl"), Print: PrintAsk,
		},
		Screen: Screen{Language: "de", StopAfterSlot: 2, Attempts: 1, Target: 60, LeadTime: 90 * time.Second, Mono: true},
	}
	check := *got.BootCheck
	if check.Expect.String() != "app: ready" || len(check.Reject) != 2 || !check.Reject[1].Match("rst:0x10 (RTCWDT)") {
		t.Errorf("boot check = %+v", check)
	}
	got.BootCheck = &BootCheck{Timeout: check.Timeout} // compiled patterns do not compare
	compare(t, got, want)
}

// compare leaves the compiled pattern of the serial rule out.
func compare(t *testing.T, got, want *Profile) {
	t.Helper()
	got.Unit.Serial.whole = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestFullShowsEveryKey(t *testing.T) {
	keys, err := indexKeys([]byte(read(t, "full.toml")))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, e := range keys.entries {
		shown[elementNumber.ReplaceAllString(e.path, "")] = true
	}
	for _, key := range known.order {
		// stub only exists to be refused; file belongs to another source.
		if key != "link.stub" && key != "unit.serial.file" && !shown[key] {
			t.Errorf("full.toml does not show %s", key)
		}
	}
}

func TestLoadUnreadable(t *testing.T) {
	huge := filepath.Join(t.TempDir(), "huge.toml")
	if err := os.WriteFile(huge, make([]byte, maxProfile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cause := range map[string]error{"testdata/absent.toml": fs.ErrNotExist, "testdata": nil, huge: nil} {
		_, err := Load(name)
		if !errors.Is(err, ErrUnreadable) || cause != nil && !errors.Is(err, cause) {
			t.Errorf("Load(%s) = %v", name, err)
		}
	}
}

func TestWindowsText(t *testing.T) {
	unix := read(t, "full.toml")
	windows := "\xef\xbb\xbf" + strings.ReplaceAll(unix, "\n", "\r\n")
	got, want := parse(t, windows), parse(t, unix)
	if got.SHA256 == want.SHA256 {
		t.Error("the digest is not that of the bytes")
	}
	got.SHA256, want.SHA256 = [32]byte{}, [32]byte{}
	if !reflect.DeepEqual(got.Explain(), want.Explain()) || got.Station != want.Station {
		t.Error("line ends or a byte order mark change the profile")
	}
}

func TestUseDatabase(t *testing.T) {
	p := parse(t, read(t, "minimal.toml"))
	p.UseDatabase("/data/other.db")
	if p.Records.Database != "/data/other.db" || p.Keys.Identity != "/data/station-identity.txt" {
		t.Errorf("database %s, identity %s", p.Records.Database, p.Keys.Identity)
	}
	p = parse(t, read(t, "full.toml"))
	p.UseDatabase("/data/other.db")
	if p.Keys.Identity != beside(t, "secrets/identity.txt") {
		t.Errorf("a named identity moved to %s", p.Keys.Identity)
	}
}
