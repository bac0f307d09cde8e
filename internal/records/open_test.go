package records

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	_ "modernc.org/sqlite"
)

var update = flag.Bool("update", false, "rewrite the golden files, and save a database of this version if there is none")

// raw opens a database past all of this package's care, as a forger would.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestOpenCreatesForTheOwnerAlone(t *testing.T) {
	t.Parallel()
	// Characters that mean something in a URI must not in a path.
	path := filepath.Join(t.TempDir(), "line 1 100% #2 ü.db")
	if runtime.GOOS != "windows" {
		path += "?x=y"
	}
	s := openAt(t, path)
	newExample(1).reserve(t, s)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		must(t, err)
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", filepath.Base(name), info.Mode().Perm())
		}
	}
	must(t, s.Close())
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("after Close there lie %v (%v), want the database alone", entries, err)
	}
}

func TestPragmasHold(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	for name, pool := range map[string]struct {
		db      *sql.DB
		pragmas []pragma
	}{"writer": {s.w, writePragmas}, "readers": {s.r, readPragmas}} {
		for _, p := range pool.pragmas {
			var got any
			must(t, pool.db.QueryRowContext(t.Context(), "PRAGMA "+p.name).Scan(&got))
			if got != p.want {
				t.Errorf("%s: %s = %v, want %v", name, p.name, got, p.want)
			}
		}
	}
	if _, err := s.r.ExecContext(t.Context(), "UPDATE probe SET count = 9"); err == nil {
		t.Error("a look-up connection writes")
	}
}

// TestCommitsAreSynced: what makes a commit outlive the power, written out once more.
func TestCommitsAreSynced(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	for name, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "fullfsync": "1", "checkpoint_fullfsync": "1"} {
		var got string
		must(t, s.w.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got))
		if got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestPragmaThatDoesNotTakeIsAnError(t *testing.T) {
	t.Parallel()
	path := openTemp(t).Path()
	for _, p := range []pragma{
		{"synchronous", "FULL", int64(1)},
		{"no_such_pragma", "1", int64(1)},
		{"journal_mode", "nonsense", "nonsense"},
	} {
		if db, err := openPool(t.Context(), 1, path, []pragma{p}, "mode=rw"); err == nil {
			db.Close()
			t.Errorf("%s that reads back otherwise goes unnoticed", p.name)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	good := filepath.Join(t.TempDir(), "good.db")
	s := openAt(t, good)
	newExample(1).complete(t, s)
	must(t, s.Close())
	whole, err := os.ReadFile(good)
	must(t, err)
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want error
	}{
		{"text", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(strings.Repeat("serial,mac\n", 500)), 0o600))
		}, ErrNotDatabase},
		{"another program's database", func(t *testing.T, path string) {
			exec(t, raw(t, path), "CREATE TABLE notes (text TEXT)")
		}, ErrNotDatabase},
		{"another application id", func(t *testing.T, path string) {
			exec(t, raw(t, path), "PRAGMA application_id = 7")
		}, ErrNotDatabase},
		{"newer", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, whole, 0o600))
			exec(t, raw(t, path), "PRAGMA user_version = 9999")
		}, ErrNewer},
		{"cut to half", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, whole[:len(whole)/2], 0o600))
		}, ErrCorrupt},
		{"no schema left", func(t *testing.T, path string) {
			bad := slices.Clone(whole)
			copy(bad[100:], bytes.Repeat([]byte{0xa5}, 3000)) // behind the header
			must(t, os.WriteFile(path, bad, 0o600))
		}, ErrCorrupt},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.db")
			test.make(t, path)
			before, err := os.ReadFile(path)
			must(t, err)
			for name, open := range map[string]func() (*Store, error){
				"Open":         func() (*Store, error) { return Open(t.Context(), path) },
				"OpenReadOnly": func() (*Store, error) { return OpenReadOnly(t.Context(), path) },
			} {
				s, err := open()
				if err == nil { // damage behind the first pages shows when it is read
					_, err = s.Verify(t.Context())
					s.Close()
				}
				if !errors.Is(err, test.want) {
					t.Errorf("%s: %v, want %v", name, err, test.want)
				}
			}
			after, err := os.ReadFile(path)
			must(t, err)
			if test.want == ErrNotDatabase && !bytes.Equal(before, after) {
				t.Error("a file that is not ours was changed")
			}
		})
	}
	if _, err := Open(t.Context(), t.TempDir()); err == nil {
		t.Error("a folder is opened")
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "no", "folder.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a missing folder: %v, want fs.ErrNotExist", err)
	}
}

func TestOpenReadOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	if _, err := OpenReadOnly(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v, want fs.ErrNotExist", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a look-up made a file")
	}
	must(t, os.WriteFile(path, nil, 0o600))
	if _, err := OpenReadOnly(t.Context(), path); !errors.Is(err, ErrNotDatabase) {
		t.Errorf("an empty file: %v, want ErrNotDatabase", err)
	}
	w := openAt(t, path)
	u := newExample(1).seal(t, w) // stays in the log: nothing is copied yet
	s, err := OpenReadOnly(t.Context(), path)
	must(t, err)
	defer s.Close()
	if got, err := s.UnitBySerial(t.Context(), u.Serial); err != nil || got.ID != u.ID {
		t.Errorf("what another program wrote is not found: %v", err)
	}
	for name, write := range map[string]func() error{
		"StartRun": func() error { return s.StartRun(t.Context(), Run{ID: "r", StartedAt: noon}) },
		"Check":    func() error { _, err := s.Check(t.Context()); return err },
		"Scrub":    func() error { return s.Scrub(t.Context()) },
		"Append": func() error {
			_, err := s.Append(t.Context(), Event{RunID: "run-000001", Seq: 1, Time: noon, Kind: "x"})
			return err
		},
	} {
		if err := write(); !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v, want ErrReadOnly", name, err)
		}
	}
	if _, err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMigrationsAreNumbered(t *testing.T) {
	t.Parallel()
	steps, err := migrations()
	if err != nil || len(steps) == 0 {
		t.Fatalf("%d migrations, %v", len(steps), err)
	}
}

// TestOpenTogether: several programs open a new file at once, one makes it.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	var group sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		group.Go(func() {
			s, err := Open(t.Context(), path)
			if err == nil {
				err = s.StartRun(t.Context(), Run{ID: fmt.Sprint(i), StartedAt: noon})
				err = errors.Join(err, s.Close())
			}
			errs[i] = err
		})
	}
	group.Wait()
	must(t, errors.Join(errs...))
	s := openAt(t, path)
	runs, err := s.Runs(t.Context(), RunFilter{})
	if err != nil || len(runs) != len(errs) {
		t.Errorf("%d runs, %v; want %d", len(runs), err, len(errs))
	}
	if _, err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// history writes one of everything: a complete unit with a label, an open one, a
// parked one, a stranger, a person, acts.
func history(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	newExample(1).complete(t, s)
	newExample(2).seal(t, s)
	e := newExample(3)
	e.secure(t, s)
	must(t, s.Park(ctx, Parking{MAC: e.mac, RunID: e.run, Code: "E303", Reason: "fuses contradict each other", At: noon}))
	must(t, s.FinishRun(ctx, Finish{RunID: e.run, At: noon, Verdict: Park, Code: "E303", Reason: "fuses contradict each other"}))
	e = newExample(4)
	e.start(t, s)
	must(t, s.Park(ctx, Parking{MAC: e.mac, RunID: e.run, Code: "E205", Reason: "secured by somebody else", At: noon}))
	must(t, s.FinishRun(ctx, Finish{RunID: e.run, At: noon, Verdict: Park, Code: "E205", Reason: "secured by somebody else", MAC: e.mac}))
	must(t, s.SaveFacts(ctx, []Facts{{SHA256: appV1.SHA256, Offset: 0x10000, Facts: json.RawMessage(`{"kind":"app"}`)}}))
	must(t, s.SavePerson(ctx, ada()))
	for _, kind := range []LabelKind{LabelFailed, LabelPrinted, LabelMismatch, LabelVerified} {
		_, err := s.SaveLabel(ctx, Label{UnitID: 1, At: noon, Kind: kind, Person: "Ada", Reason: "reason", Detail: "detail"})
		must(t, err)
	}
	for _, subject := range []string{"J-1", newExample(1).serial, e.mac} {
		must(t, s.SaveAct(ctx, Act{At: noon, Station: "line 1", Slot: 2, Person: "Ada", Role: RoleLead, Kind: "kind", Reason: "reason", Subject: subject, Detail: "detail"}))
	}
}

// TestEveryVersionOpens opens a database saved by each version and compares what
// it tells with what it told then. -update saves this version's, once: a saved
// database is never made again.
func TestEveryVersionOpens(t *testing.T) {
	t.Parallel()
	steps, err := migrations()
	must(t, err)
	for version := 1; version <= len(steps); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			saved := fmt.Sprintf("testdata/version%d.sqlite", version)
			if _, err := os.Stat(saved); errors.Is(err, fs.ErrNotExist) && *update && version == len(steps) {
				s := openAt(t, saved)
				history(t, s)
				must(t, s.Close())
			}
			data, err := os.ReadFile(saved)
			must(t, err)
			path := filepath.Join(t.TempDir(), "records.db")
			must(t, os.WriteFile(path, data, 0o600))
			s := openAt(t, path)
			if _, err := s.Verify(t.Context()); err != nil {
				t.Error(err)
			}
			var all []Record
			for n := 1; n <= 4; n++ {
				found, err := s.Lookup(t.Context(), newExample(n).mac)
				must(t, err)
				all = append(all, found...)
			}
			got, err := json.MarshalIndent(all, "", "  ")
			must(t, err)
			golden(t, fmt.Sprintf("testdata/version%d.json", version), append(got, '\n'))
			newExample(5).complete(t, s)
			wantPeople := 0
			if version >= 3 {
				wantPeople = 1
			}
			if people, err := s.People(t.Context()); err != nil || len(people) != wantPeople {
				t.Errorf("people %s, %v; want %d", people, err, wantPeople)
			}
		})
	}
}

// golden compares got with a file, or rewrites it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		must(t, os.WriteFile(name, got, 0o644))
	}
	want, err := os.ReadFile(name)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update rewrites it); got:\n%s", name, got)
	}
}
