package records

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)

// openTemp opens an empty database in a folder of the test's own. It is a copy,
// since making the schema takes most of a short test's time.
func openTemp(t testing.TB) *Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.db")
	data, err := emptyDatabase()
	must(t, err)
	must(t, os.WriteFile(path, data, 0o600))
	return openAt(t, path)
}

var emptyDatabase = sync.OnceValues(func() (data []byte, err error) {
	dir, err := os.MkdirTemp("", "records")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "empty.db")
	s, err := Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func openAt(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// must fails the test at once on an error of a step that is not what it tests.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantErr fails the test unless err is target.
func wantErr(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error = %v, want %v", err, target)
	}
}

func sum(format string, args ...any) string {
	h := sha256.Sum256(fmt.Appendf(nil, format, args...))
	return hex.EncodeToString(h[:])
}

// example is unit number n of a line, with everything that is recorded about it.
type example struct {
	n       int
	run     string
	mac     string
	serial  string
	keys    []Key
	working []byte
	escrow  []byte
}

func newExample(n int) example {
	return example{
		n:      n,
		run:    fmt.Sprintf("run-%06d", n),
		mac:    fmt.Sprintf("24:0a:c4:%02x:%02x:%02x", byte(n>>16), byte(n>>8), byte(n)),
		serial: fmt.Sprintf("SN-%06d", n),
		keys: []Key{
			{Purpose: "flash_encryption", Block: 1, Fingerprint: sum("flash %d", n), Bits: 256},
			{Purpose: "secure_boot_v1", Block: 2, Fingerprint: sum("boot %d", n), Bits: 256},
		},
		working: []byte(sum("working copy of unit %d", n)), // no 16 bytes of it are anywhere else
		escrow:  []byte(sum("escrow copy of unit %d", n)),
	}
}

func (e example) unit() Unit {
	return Unit{MAC: e.mac, Serial: e.serial, ChipRevision: "v3.0", ChipPackage: "D0WDQ6", FlashID: "c84016",
		FlashSize: 4 << 20, Station: "line 1", Custody: Escrow, Goal: json.RawMessage(`{"policy":"release"}`)}
}

func (e example) start(t testing.TB, s *Store) {
	t.Helper()
	must(t, s.StartRun(t.Context(), Run{ID: e.run, StartedAt: noon, Station: "line 1", Slot: 2, Port: "sim:unit",
		ProfileName: "demo", ProfileSHA256: sum("profile"), Version: "test", Operator: "mia"}))
}

// reserve starts the example's run and reserves its serial.
func (e example) reserve(t testing.TB, s *Store) Unit {
	t.Helper()
	e.start(t, s)
	u, err := s.Reserve(t.Context(), e.run, e.unit(), noon.Add(time.Second))
	must(t, err)
	return u
}

// seal goes on to keep its keys.
func (e example) seal(t testing.TB, s *Store) Unit {
	t.Helper()
	u := e.reserve(t, s)
	must(t, s.SealKeys(t.Context(), e.run, u.ID, e.keys, e.working, e.escrow, []byte("iv"), noon.Add(2*time.Second)))
	return u
}

var appV1 = Firmware{SHA256: sum("app 1.0"), Role: "app", Project: "hello_world", Version: "1.0", IDF: "v5.1", Size: 131072}

// secure goes on through flash, burns and events up to the point of completion.
func (e example) secure(t testing.TB, s *Store) Unit {
	t.Helper()
	ctx := t.Context()
	u := e.seal(t, s)
	must(t, s.SaveFirmware(ctx, []Firmware{appV1}))
	must(t, s.SaveRegion(ctx, Region{RunID: e.run, UnitID: u.ID, Name: "factory", Offset: 0x10000, Length: 131072,
		PlainSHA256: appV1.SHA256, FlashMD5: "00112233445566778899aabbccddeeff", FlashSHA256: sum("cipher %d", e.n),
		Encrypted: true, FirmwareSHA256: appV1.SHA256, VerifiedAt: noon.Add(3 * time.Second)}))
	for _, k := range e.keys {
		id, err := s.IntendBurn(ctx, BurnIntent{RunID: e.run, UnitID: u.ID, Step: "burn " + k.Purpose, Block: k.Block,
			KeyFingerprint: k.Fingerprint, At: noon.Add(4 * time.Second)})
		must(t, err)
		must(t, s.ObserveBurn(ctx, Observation{BurnID: id, OK: true, At: noon.Add(5 * time.Second)}))
		must(t, s.MarkVerified(ctx, e.run, u.ID, k.Purpose, noon.Add(5*time.Second)))
	}
	id, err := s.IntendBurn(ctx, BurnIntent{RunID: e.run, UnitID: u.ID, Step: "enable", Block: 0,
		Before: Words{0x00130180}, Bits: Words{0x07f00000}, At: noon.Add(6 * time.Second)})
	must(t, err)
	must(t, s.ObserveBurn(ctx, Observation{BurnID: id, Words: Words{0x07f30180}, OK: true, At: noon.Add(7 * time.Second)}))
	for i, kind := range []string{"step.started", "step.passed"} {
		_, err := s.Append(ctx, Event{RunID: e.run, Seq: i + 1, Time: noon.Add(8 * time.Second), Slot: 2, Kind: kind,
			Step: "enable", UnitMAC: e.mac, Serial: e.serial, Body: json.RawMessage(`{"n":1}`)})
		must(t, err)
	}
	return u
}

// complete goes on to PASS.
func (e example) complete(t testing.TB, s *Store) Unit {
	t.Helper()
	u := e.secure(t, s)
	must(t, s.Complete(t.Context(), Completion{UnitID: u.ID, RunID: e.run, At: noon.Add(9 * time.Second),
		FinalWords: []BlockWords{{Block: 0, Words: Words{0x07f30180}}, {Block: 1}, {Block: 2}}}))
	u, err := s.UnitByMAC(t.Context(), e.mac)
	must(t, err)
	return u
}

// contact is one run of a hand-made history.
type contact struct {
	minute    int // after noon, when it starts; it ends a minute later
	slot      int
	unit      int     // 0: the unit never told its MAC
	verdict   Verdict // "": cut short
	code      string
	elsewhere bool // at another station
}

// day is a history that one station makes. Many can share a database: their units
// differ.
type day struct {
	s       *Store
	station string
	first   int // of its units
	runs    int
}

func newDay(s *Store, station string) *day { return &day{s: s, station: station} }

func (d *day) unit(n int) example { return newExample(d.first + n) }

func (d *day) run(t *testing.T, c contact) {
	t.Helper()
	ctx := t.Context()
	e := d.unit(c.unit)
	d.runs++
	e.run = fmt.Sprintf("%s %d", d.station, d.runs)
	start := noon.Add(time.Duration(c.minute) * time.Minute)
	r := Run{ID: e.run, StartedAt: start, Station: d.station, Slot: c.slot}
	if c.elsewhere {
		r.Station += " elsewhere"
	}
	must(t, d.s.StartRun(ctx, r))
	f := Finish{RunID: e.run, At: start.Add(time.Minute), Verdict: c.verdict, Code: c.code}
	if c.unit != 0 {
		f.MAC = e.mac
	}
	if c.verdict == Pass || c.verdict == "" && c.unit != 0 {
		u, err := d.s.Reserve(ctx, e.run, e.unit(), start)
		must(t, err)
		f.UnitID = u.ID
	}
	switch c.verdict {
	case "":
	case Pass: // as Complete does, without emptying the log each time
		must(t, d.s.write(ctx, func(x *txn) error { return x.complete(ctx, Completion{UnitID: f.UnitID, RunID: e.run, At: f.At}) }))
	default:
		must(t, d.s.FinishRun(ctx, f))
	}
}

func TestStory(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	e := newExample(1)
	u := e.complete(t, s)
	if u.State != StateComplete || u.Serial != e.serial || !u.CompletedAt.Equal(noon.Add(9*time.Second)) {
		t.Errorf("unit = %+v", u)
	}
	found, err := s.Lookup(context.Background(), e.serial)
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("%d records, want 1", len(found))
	}
	r := found[0]
	if len(r.Runs) != 1 || r.Runs[0].Verdict != Pass || len(r.Burns) != 3 || len(r.Regions) != 1 || r.Events != 2 || len(r.Keys) != 2 {
		t.Errorf("record = %+v", r)
	}
	if r.Keys[0].State != KeyEscrowed || !r.Keys[0].Verified() {
		t.Errorf("key = %+v, want escrowed and verified", r.Keys[0])
	}
	if _, err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
