package fleet_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"provision/internal/esptool"
	"provision/internal/flow"
	"provision/internal/image"
	"provision/internal/job"
	"provision/internal/keys"
	"provision/internal/ota"
	"provision/internal/records"
	"provision/internal/secureboot"
	"provision/internal/simulator"
	"provision/internal/station"
)

// product is what a profile makes: a policy and the key of its apps.
type product struct {
	name       string
	secureBoot bool // V1
	encryption string
	key        *secureboot.SigningKey
	bootloader simulator.BootloaderSpec // what is special about it
	app        simulator.AppSpec        // likewise
	table      string                   // CSV; empty: twoSlots
	station    string                   // empty: LINE
	unit       string                   // further lines of [unit]
}

const twoSlots = `nvs,     data, nvs, 0x9000,  0x3000,
otadata, data, ota, 0xd000,  0x2000,
ota_0,   app,  ota_0, 0x10000, 64K,
ota_1,   app,  ota_1, ,        64K,
`

// ours and theirs are the app keys of two fleets.
var ours, theirs = sync.OnceValue(newKey), sync.OnceValue(newKey)

func newKey() *secureboot.SigningKey {
	key, err := secureboot.GenerateSigningKeyV1()
	if err != nil {
		panic(err)
	}
	return key
}

// public is the half of a key that units trust.
func public(t testing.TB, key *secureboot.SigningKey) secureboot.PublicKeyV1 {
	t.Helper()
	pub, err := secureboot.NewPublicKeyV1(key.Public())
	check(t, err)
	return pub
}

// newJob builds the product's firmware, which is small, since what a run costs is
// bytes, and checks its profile.
func (p product) newJob(t testing.TB) *job.Job {
	t.Helper()
	dir := t.TempDir()
	spec := p.bootloader
	spec.FlashSize = image.Size2MB
	spec.Segments, spec.Entry = []simulator.SegmentSize{{Address: 0x3fff0030, Length: 1024}, {Address: 0x40078000, Length: 1024}}, 0x40078000
	spec.SecureBootV1, spec.FlashEncryption, spec.Release = p.secureBoot, p.encryption != "", p.encryption == "release"
	if p.secureBoot {
		pub := public(t, p.key)
		spec.AppKey = &pub
	}
	bootloader, err := simulator.BuildBootloader(spec)
	check(t, err)
	app := newApp(t, p.app)
	if p.secureBoot {
		app = signed(t, p.key, app)
	}
	pem, err := p.key.MarshalPublicPEM()
	check(t, err)
	if p.table == "" {
		p.table = twoSlots
	}
	for name, data := range map[string][]byte{
		"bootloader.bin": bootloader, "partitions.csv": []byte(p.table), "app.bin": app, "public.pem": pem,
	} {
		check(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	profile, err := station.Parse([]byte(p.profile()), filepath.Join(dir, "station.toml"))
	check(t, err)
	j, err := job.New(profile)
	check(t, err)
	return j
}

func (p product) profile() string {
	var b strings.Builder
	if p.station == "" {
		p.station = "LINE"
	}
	fmt.Fprintf(&b, "[station]\nname = %q\n[unit]\nserial = { pattern = \"^SN-[0-9]{4}$\", source = \"argument\" }\n%s\n", p.station, p.unit)
	b.WriteString("[images]\nbootloader = \"bootloader.bin\"\npartition_table = \"partitions.csv\"\napp = \"app.bin\"\n[secure_boot]\n")
	if p.secureBoot {
		b.WriteString("version = 1\npublic_key = \"public.pem\"\n")
	} else {
		b.WriteString("version = 0\n")
	}
	if p.encryption == "" {
		b.WriteString("[flash_encryption]\nmode = \"off\"\n")
	} else {
		fmt.Fprintf(&b, "[flash_encryption]\nmode = \"host\"\npolicy = %q\n", p.encryption)
	}
	b.WriteString("[boot_check]\nexpect = \"ready\"\nseconds = 5\n")
	return b.String()
}

// newApp is an app of an update, or of the line.
func newApp(t testing.TB, s simulator.AppSpec) []byte {
	t.Helper()
	s.Project, s.Says, s.SecureBootV1 = "fleet", []string{"ready"}, true
	if s.Version == "" {
		s.Version = "1.0.0"
	}
	app, err := simulator.BuildApp(s)
	check(t, err)
	return app
}

func signed(t testing.TB, key *secureboot.SigningKey, app []byte) []byte {
	t.Helper()
	out, err := secureboot.AppendSignatureV1(key, app, false)
	check(t, err)
	return out
}

// line makes virtual units with the real flow, one after the other.
type line struct {
	t     testing.TB
	store *records.Store
	rand  io.Reader
	units []*unit
}

// unit is a finished one.
type unit struct {
	product product
	job     *job.Job
	chip    *simulator.Chip
	serial  string
}

func newLine(t testing.TB) *line {
	t.Helper()
	store, err := records.Open(t.Context(), filepath.Join(t.TempDir(), "fleet.db"))
	check(t, err)
	t.Cleanup(func() { check(t, store.Close()) })
	return &line{t: t, store: store, rand: rand.NewChaCha8([32]byte{7})}
}

// staying is a port whose unit stays in the fixture when it is closed.
type staying struct{ *simulator.Chip }

func (staying) Close() error { return nil }

var identity = sync.OnceValue(func() keys.Identity {
	dir, err := os.MkdirTemp("", "identity")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	id, err := keys.CreateIdentity(filepath.Join(dir, "identity.txt"))
	if err != nil {
		panic(err)
	}
	return id
})

// make takes a blank unit of that revision to PASS.
func (l *line) make(p product, j *job.Job, major, minor int) *unit {
	l.t.Helper()
	n := len(l.units) + 1
	cfg := simulator.DefaultConfig()
	cfg.MAC[5], cfg.FlashSize, cfg.RevMajor, cfg.RevMinor = byte(n), 2<<20, major, minor
	u := &unit{product: p, job: j, chip: simulator.New(cfg), serial: fmt.Sprintf("SN-%04d", n)}
	res := flow.Run(l.t.Context(), flow.Config{
		Job: j, Records: l.store, Identity: identity(), Serial: u.serial, Slot: 1, PortName: "test", Operator: "tester",
		Open:  func(context.Context) (esptool.Port, error) { return staying{u.chip}, nil },
		RunID: fmt.Sprint("run-", n), Version: "test", Now: time.Now, Rand: l.rand, Sink: func(flow.Event) {},
	})
	if res.Verdict != "PASS" {
		l.t.Fatalf("%s: %s %s: %v", p.name, res.Verdict, res.Code, res.Err)
	}
	l.units = append(l.units, u)
	return u
}

// facts are what is known of the unit without asking any record.
func (u *unit) facts(t testing.TB) ota.Device {
	t.Helper()
	major, minor := u.chip.Revision()
	d := ota.Device{
		Chip: ota.Known(image.ESP32), Revision: ota.Known(major*100 + minor),
		SecureBoot: ota.Known(0), ChecksApps: ota.Known(u.product.secureBoot),
		FlashEncryption: ota.Known(u.product.encryption != ""), SecureVersion: ota.Known(0),
		AntiRollback: ota.Known(u.product.bootloader.AntiRollback),
	}
	if u.product.secureBoot {
		d.SecureBoot, d.Trusts = ota.Known(1), ota.Known([]string{public(t, u.product.key).Fingerprint()})
	}
	csv := twoSlots
	if u.product.table != "" {
		csv = u.product.table
	}
	table, err := image.ParseCSV(csv, image.Layout{FlashSize: 2 << 20})
	check(t, err)
	d.Table = ota.Known(table)
	if u.product.bootloader.AntiRollback {
		d.SecureVersion = ota.Known(int(u.product.app.SecureVersion))
	}
	return d
}

// unitOf is the row of a unit.
func (l *line) unitOf(u *unit) records.Unit {
	l.t.Helper()
	row, err := l.store.UnitBySerial(l.t.Context(), u.serial)
	check(l.t, err)
	return row
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inBubble runs f where time passes only while everybody waits.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
