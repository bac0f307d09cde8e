package records

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// backedUp is a database with one unit, closed, and a backup of it.
func backedUp(t *testing.T) (path, backup string) {
	t.Helper()
	dir := t.TempDir()
	path, backup = filepath.Join(dir, "records.db"), filepath.Join(dir, "backup.db")
	s := openAt(t, path)
	newExample(1).complete(t, s)
	_, err := s.Backup(t.Context(), backup)
	must(t, err)
	must(t, s.Close())
	return path, backup
}

// goOn works on units at a database, and closes it.
func goOn(t *testing.T, path string, units ...int) {
	t.Helper()
	s := openAt(t, path)
	for _, n := range units {
		newExample(n).complete(t, s)
	}
	must(t, s.Close())
}

func TestCompare(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path, backup := backedUp(t)
	beyond, err := Compare(ctx, path, backup)
	must(t, err)
	if beyond.Entries != 0 || beyond.Common == 0 || len(beyond.Units) != 0 || beyond.Runs != 0 {
		t.Errorf("beyond its own backup there is %+v", beyond)
	}
	common := beyond.Common

	goOn(t, path, 2, 3)
	beyond, err = Compare(ctx, path, backup)
	must(t, err)
	want := []string{newExample(2).serial, newExample(3).serial}
	if beyond.Common != common || beyond.Entries == 0 || beyond.Runs != 2 || !slices.Equal(beyond.Units, want) {
		t.Errorf("after two more units there is %+v, want %v", beyond, want)
	}
	beyond, err = Compare(ctx, backup, path)
	if must(t, err); beyond.Entries != 0 || beyond.Common != common {
		t.Errorf("an earlier state holds %+v beyond a later one", beyond)
	}

	goOn(t, backup, 4) // another history, from the same beginning
	beyond, err = Compare(ctx, backup, path)
	if must(t, err); beyond.Common != common || !slices.Equal(beyond.Units, []string{newExample(4).serial}) {
		t.Errorf("of another history there is %+v", beyond)
	}
}

// TestCompareWhatIsDamaged: what cannot be trusted any more is told as far as it goes.
func TestCompareWhatIsDamaged(t *testing.T) {
	t.Parallel()
	path, backup := backedUp(t)
	goOn(t, path, 2)
	db := forge(t, path)
	exec(t, db, "UPDATE events SET code = 'E000' WHERE id = 1")
	must(t, db.Close())
	beyond, err := Compare(t.Context(), path, backup)
	wantErr(t, err, ErrTampered)
	if !slices.Equal(beyond.Units, []string{newExample(2).serial}) {
		t.Errorf("beyond the backup there is %+v", beyond)
	}
	must(t, os.WriteFile(path, []byte("this was a database once"), 0o600))
	_, err = Compare(t.Context(), path, backup)
	wantErr(t, err, ErrNotDatabase)
}

// TestRestoreKeepsWhatWasThere: it gets another name, with everything that is in it.
func TestRestoreKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path, backup := backedUp(t)
	aside := path + ".old"
	s := openAt(t, path)
	newExample(2).complete(t, s)
	_, err := Restore(ctx, backup, path, aside)
	wantErr(t, err, ErrBusy) // a station is at work
	if _, err := os.Stat(aside); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a database in use got another name: %v", err)
	}
	must(t, s.Close())

	report, err := Restore(ctx, backup, path, aside)
	must(t, err)
	if report.Rows["units"] != 1 {
		t.Errorf("restored %+v, want one unit", report)
	}
	restored, old := openAt(t, path), openAt(t, aside)
	_, err = restored.UnitBySerial(ctx, newExample(2).serial)
	wantErr(t, err, ErrNotFound)
	if _, err := old.UnitBySerial(ctx, newExample(2).serial); err != nil {
		t.Errorf("in the old database: %v", err)
	}
	must(t, errors.Join(restored.Close(), old.Close()))
	_, err = Restore(ctx, backup, path, aside)
	wantErr(t, err, fs.ErrExist) // the name is taken

	entries, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	if len(entries) != 3 {
		t.Errorf("the folder holds %v, want the three databases", entries)
	}
}

// TestRestoreOverWhatIsDamaged: a log that is left beside a damaged file goes with it,
// and not into the restored one.
func TestRestoreOverWhatIsDamaged(t *testing.T) {
	t.Parallel()
	path, backup := backedUp(t)
	must(t, os.WriteFile(path, []byte("this was a database once"), 0o600))
	must(t, os.WriteFile(path+"-wal", []byte("and this its log"), 0o600))
	_, err := Restore(t.Context(), backup, path, path+".old")
	must(t, err)
	for name, want := range map[string]string{".old": "this was a database once", ".old-wal": "and this its log"} {
		if got, err := os.ReadFile(path + name); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
	s := openAt(t, path)
	if _, err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
