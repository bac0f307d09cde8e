package records

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"provision/internal/cputime"
)

var benchUnits = flag.Int("units", 10_000, "how many complete units the look-up benchmarks search")

// fill adds complete units first to first+n-1, as a line leaves them, many in one
// transaction.
func fill(t testing.TB, s *Store, first, n int) {
	t.Helper()
	const batch = 1000
	for from := first; from < first+n; from += batch {
		must(t, s.write(t.Context(), func(tx *txn) error {
			for i := from; i < min(from+batch, first+n); i++ {
				if err := fillOne(t, tx, newExample(i)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func fillOne(t testing.TB, tx *txn, e example) error {
	ctx := t.Context()
	at := noon.Add(time.Duration(e.n) * time.Minute)
	_, err := tx.insert(ctx, "runs", `INSERT INTO runs (run, started_at, station, slot, port, profile_name, profile_sha256, version, operator)
		VALUES (?, ?, 'line 1', 1, 'sim:unit', 'demo', ?, 'test', 'mia')`, e.run, at.Format(timeLayout), sum("profile"))
	if err != nil {
		return err
	}
	u, err := tx.reserve(ctx, e.run, e.unit(), at)
	if err != nil {
		return err
	}
	if err := tx.insertSealed(ctx, u.ID, e.working, e.escrow, nil, at); err != nil {
		return err
	}
	for _, k := range e.keys {
		if err := tx.insertKey(ctx, u.ID, k); err != nil {
			return err
		}
	}
	for _, k := range e.keys {
		if err := tx.markVerified(ctx, u.ID, k.Purpose, at); err != nil {
			return err
		}
	}
	if err := tx.saveFirmware(ctx, appV1); err != nil {
		return err
	}
	err = tx.saveRegion(ctx, Region{RunID: e.run, UnitID: u.ID, Name: "factory", Offset: 0x10000, Length: 131072,
		PlainSHA256: appV1.SHA256, FlashMD5: sum("md5 %d", e.n)[:32], Encrypted: true, FirmwareSHA256: appV1.SHA256, VerifiedAt: at})
	if err != nil {
		return err
	}
	for i := range 3 {
		if err := tx.append(ctx, []Event{{RunID: e.run, Seq: i + 1, Time: at, Slot: 1, Kind: "step.passed", Step: "flash", UnitMAC: e.mac}}); err != nil {
			return err
		}
	}
	return tx.complete(ctx, Completion{UnitID: u.ID, RunID: e.run, At: at})
}

// BenchmarkLookup: go test -run '^$' -bench Lookup ./internal/records -units 1000000
func BenchmarkLookup(b *testing.B) {
	s := openTemp(b)
	fill(b, s, 0, *benchUnits)
	e := newExample(*benchUnits / 2)
	for name, query := range map[string]string{"serial": e.serial, "mac": strings.ToUpper(e.mac), "fingerprint": e.keys[0].Fingerprint[:16]} {
		b.Run(fmt.Sprintf("%s/units=%d", name, *benchUnits), func(b *testing.B) {
			for b.Loop() {
				if found, err := s.Lookup(b.Context(), query); err != nil || found[0].Unit.Serial != e.serial {
					b.Fatal(found, err)
				}
			}
		})
	}
}

// BenchmarkAppend is one event on disk: mostly the disk's fsync.
func BenchmarkAppend(b *testing.B) {
	s := openAt(b, filepath.Join(b.TempDir(), "records.db"))
	e := newExample(1)
	e.start(b, s)
	seq := 0
	for b.Loop() {
		seq++
		_, err := s.Append(b.Context(), Event{RunID: e.run, Seq: seq, Time: noon, Kind: "step.passed", Step: "flash"})
		must(b, err)
	}
}

// BenchmarkRun is what a run writes from its start to PASS, with the 80 events of a
// unit for which both keys are burnt: the time, and the processor time.
func BenchmarkRun(b *testing.B) {
	s := openAt(b, filepath.Join(b.TempDir(), "records.db"))
	body := []byte(`{"seq":1,"time":"2026-01-01T12:00:00Z","kind":"step.passed","step":"burn BLOCK1","mac":"24:0a:c4:00:00:01","serial":"SN-1"}`)
	before := cputime.Used()
	n := 0
	for ; b.Loop(); n++ {
		e := newExample(n)
		e.complete(b, s)
		for seq := 3; seq <= 80; seq++ {
			_, err := s.Append(b.Context(), Event{RunID: e.run, Seq: seq, Time: noon, Slot: 1, Kind: "step.passed", Step: "burn BLOCK1",
				UnitMAC: e.mac, Serial: e.serial, Body: body})
			must(b, err)
		}
	}
	b.ReportMetric((cputime.Used()-before).Seconds()*1e3/float64(n), "cpu-ms/run")
}

func BenchmarkVerify(b *testing.B) {
	s := openTemp(b)
	fill(b, s, 0, *benchUnits)
	for b.Loop() {
		_, err := s.Verify(b.Context())
		must(b, err)
	}
}

var benchRuns = flag.Int("runs", 20_000, "how many runs the shift benchmark has in the table; the last 10,000 are its shift")

// fillRuns adds n finished runs, a second apart, by SQL alone: nine in ten a unit that
// passes at once, the tenth one that fails, is parked and released, and passes in the
// run after. MACs are in no order, as boards come.
func fillRuns(t testing.TB, path string, n int) {
	t.Helper()
	db := raw(t, path)
	_, err := db.ExecContext(t.Context(), `WITH RECURSIVE numbers (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1),
		runs_of (n, unit, at) AS (SELECT n, n - (n % 10 = 9), strftime('%Y-%m-%dT%H:%M:%S.000000000Z', ?2 + n, 'unixepoch') FROM numbers)
		INSERT INTO runs (run, started_at, station, slot, port, profile_name, profile_sha256, version, operator, mac, finished_at, verdict)
		SELECT 'run-' || n, at, 'line 1', 1 + n % 24, 'usb:1-1.4.' || (n % 24), 'demo', ?3, 'test', 'mia',
			printf('24:0a:c4:%02x:%02x:%02x', unit * 7919 % 256, unit * 7919 / 256 % 256, unit * 7919 / 65536 % 256),
			at, iif(n % 10 = 8, 'FAIL', 'PASS') FROM runs_of`, n, noon.Unix(), sum("profile"))
	must(t, err)
	_, err = db.ExecContext(t.Context(), `INSERT INTO parkings (mac, action, code, reason, person, at)
		SELECT mac, value, 'E210', 'failed too often', 'ada', finished_at FROM runs, json_each('["park", "release"]') WHERE verdict = 'FAIL'`)
	must(t, err)
}

// BenchmarkShiftCounts: go test -run '^$' -bench ShiftCounts ./internal/records -runs 1000000
func BenchmarkShiftCounts(b *testing.B) {
	s := openTemp(b)
	fillRuns(b, s.Path(), *benchRuns)
	since := noon.Add(time.Duration(*benchRuns-10_000) * time.Second)
	b.Run(fmt.Sprintf("runs=%d", *benchRuns), func(b *testing.B) {
		for b.Loop() {
			c, err := s.ShiftCounts(b.Context(), "line 1", since)
			if err != nil || c.First != 8000 || c.Retested != 1000 {
				b.Fatalf("%+v, %v", c, err)
			}
		}
	})
}
