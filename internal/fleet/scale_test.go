package fleet_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"provision/internal/cputime"
	"provision/internal/fleet"
	"provision/internal/image"
	"provision/internal/job"
	"provision/internal/ota"
	"provision/internal/records"
	"provision/internal/secureboot"
	"provision/internal/simulator"
)

var scaleUnits = flag.Int("units", 100_000, "how many complete units the records of the scale test and the benchmark have")

// file is a firmware file of generated records.
type file struct {
	role   string
	offset int64
	facts  job.Facts // none: made before facts were kept
}

// sum is the SHA-256 of generated file n.
func sum(n int) string { return fmt.Sprintf("%064x", n) }

// generated are records of n complete units as a line leaves them, with Secure Boot V1:
// every third of chip revision v3.1 and the others of v3.0, every tenth with file 2 as
// its bootloader and the others with file 1, all with file 3 as table and file 4 as
// app, all encrypted but for one in ten. The regions that
// no file is in are left out: the question does not read them. It is SQL alone, past
// the ledger: a line takes months for as many.
func generated(t testing.TB, n int, files [4]file) *records.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.db")
	store, err := records.Open(t.Context(), path)
	check(t, err)
	t.Cleanup(func() { check(t, store.Close()) })
	for i, f := range files {
		check(t, store.SaveFirmware(t.Context(), []records.Firmware{{SHA256: sum(i + 1), Role: f.role, Size: 1}}))
		if f.facts != (job.Facts{}) {
			text, err := json.Marshal(f.facts)
			check(t, err)
			check(t, store.SaveFacts(t.Context(), []records.Facts{{SHA256: sum(i + 1), Offset: f.offset, Facts: text}}))
		}
	}
	db, err := sql.Open("sqlite", "file://"+path+"?_pragma=synchronous(OFF)&_pragma=cache_size(-65536)")
	check(t, err)
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	check(t, err)
	exec := func(text string, args ...any) {
		t.Helper()
		if _, err := tx.ExecContext(context.Background(), text, args...); err != nil {
			t.Fatal(err)
		}
	}
	const at, hidden = "2025-03-01T12:00:00.000000000Z", "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
	exec(`INSERT INTO runs (id, run, started_at, station, slot, port, profile_name, profile_sha256, version, operator)
		VALUES (1, 'run', ?1, 'LINE', 1, 'sim', 'p', '', 'test', 'mia')`, at)
	exec(`WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
		INSERT INTO units (id, mac, serial, state, chip_revision, chip_package, flash_id, flash_size, station, custody, goal, created_at, completed_at, final_words)
		SELECT n, printf('24:0a:c4:%02x:%02x:%02x', n >> 16 & 255, n >> 8 & 255, n & 255), 'SN-' || n, 'complete', iif(n % 3, 'v3.0', 'v3.1'),
			'ESP32-D0WD-V3', 'c84016', 4194304, 'LINE', 'discard', '{"policy":"release"}', ?2, ?2,
			printf('[{"block":0,"words":"' || iif(n % 10 = 5, '0003d584', '07f3d584') || ' c4%06x 0000240a 0000a200 00001135 f0000000 000003d4 00000000"},' ||
				'{"block":1,"words":"' || ?3 || '"},{"block":2,"words":"' || ?3 || '"},{"block":3,"words":"' || ?3 || '"}]', n)
		FROM numbers`, n, at, hidden)
	exec(`WITH places (flash_offset, name, file) AS (VALUES (0x1000, 'bootloader', 1), (0x8000, 'partition table', 3), (0x10000, 'app', 4))
		INSERT INTO regions (run_id, unit_id, name, flash_offset, length, plain_sha256, flash_md5, flash_sha256, encrypted, firmware_id, verified_at)
		SELECT 1, units.id, name, flash_offset, 4096, ?1, ?2, ?1, 1, iif(file = 1 AND units.id % 10 = 0, 2, file), ?3 FROM units, places`,
		sum(7), sum(7)[:32], at)
	check(t, tx.Commit())
	return store
}

// twoFleets are files of a table for large apps, and bootloaders of two app keys.
func twoFleets(t testing.TB) [4]file {
	t.Helper()
	table, err := image.ParseCSV(twoSlots, image.Layout{})
	check(t, err)
	binary, err := table.Binary()
	check(t, err)
	bootloader := func(key *secureboot.SigningKey) job.Facts {
		return job.Facts{Bootloader: &job.BootloaderFacts{Checks: true, SecureBoot: 1, AppKeys: []string{public(t, key).Fingerprint()}}}
	}
	return [4]file{
		{"bootloader", 0x1000, bootloader(ours())},
		{"bootloader", 0x1000, bootloader(theirs())},
		{"partition-table", 0x8000, job.Facts{Table: &job.TableFacts{Binary: binary}}},
		{"app", 0x10000, job.Facts{App: &job.AppFacts{}}},
	}
}

// answerLimit is how long a fleet of 100,000 may take where nothing else is going on.
// It is held against the time of the processors: others who use them too would make
// any limit wrong.
const answerLimit = 2 * time.Second

func TestHundredThousandUnits(t *testing.T) {
	if testing.Short() {
		t.Skip("generates 100,000 records")
	}
	n := *scaleUnits
	store := generated(t, n, twoFleets(t))
	img := ota.Read(signed(t, ours(), newApp(t, simulator.AppSpec{})))
	start, used := time.Now(), cputime.Used()
	a, err := fleet.Ask(t.Context(), store, img, fleet.Filter{})
	took, used := time.Since(start), cputime.Used()-used
	check(t, err)
	if want := fmt.Sprintf("%d ACCEPTED, %d REFUSED other-key", n-n/10, n/10); told(a) != want {
		t.Errorf("%s; want %s", told(a), want)
	}
	t.Logf("%d units answered in %v, %v of them computing", n, took, used)
	if limit := answerLimit * time.Duration(max(n, 100_000)) / 100_000; used > limit && !race {
		t.Errorf("it may take %v", limit)
	}
}

// BenchmarkAsk: go test -run '^$' -bench . ./internal/fleet -units 1000000
func BenchmarkAsk(b *testing.B) {
	store := generated(b, *scaleUnits, twoFleets(b))
	img := ota.Read(signed(b, ours(), newApp(b, simulator.AppSpec{})))
	b.Run(fmt.Sprintf("units=%d", *scaleUnits), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if a, err := fleet.Ask(b.Context(), store, img, fleet.Filter{}); err != nil || a.Units != *scaleUnits {
				b.Fatal(a, err)
			}
		}
	})
	b.Run(fmt.Sprintf("members/units=%d", *scaleUnits), func(b *testing.B) {
		a, err := fleet.Ask(b.Context(), store, img, fleet.Filter{})
		check(b, err)
		for b.Loop() {
			n := 0
			for _, err := range a.Members(b.Context()) {
				check(b, err)
				n++
			}
			if n != *scaleUnits {
				b.Fatal(n)
			}
		}
	})
}
