//go:build unix

package records

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// nobody is a user who owns nothing; root is told by no permission, so tests of
// permissions run as this one.
const nobody = 65534

// asNobody runs one of this file's tests as an ordinary user on path. Where the
// tests do not run as root, that is the user they run as.
func asNobody(t *testing.T, path string) {
	t.Helper()
	// The test program itself lies where only root can reach it.
	program := filepath.Join(openDir(t, 0o755), "records.test")
	data, err := os.ReadFile(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(program, data, 0o755))
	cmd := child(t, program, t.Name(), path)
	cmd.Dir = filepath.Dir(program)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if out, err := cmd.Output(); err != nil {
		t.Errorf("as an ordinary user: %v\n%s", err, out)
	}
}

// openDir makes a folder that others reach, with a mode.
func openDir(t *testing.T, mode os.FileMode) string {
	t.Helper()
	parent := t.TempDir()
	must(t, os.Chmod(parent, 0o755))
	must(t, os.Chmod(filepath.Dir(parent), 0o755))
	dir := filepath.Join(parent, "dir")
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.Chmod(dir, mode))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) }) // so that it can be removed
	return dir
}

// filled makes a database with one unit, closed, in a folder that can be written.
func filled(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(openDir(t, 0o755), "records.db")
	s := openAt(t, path)
	newExample(1).complete(t, s)
	must(t, s.Close())
	return path
}

func TestReadOnlyFile(t *testing.T) {
	if path := os.Getenv("RECORDS_TEST_PATH"); path != "" {
		_, err := Open(t.Context(), path)
		wantErr(t, err, ErrReadOnly)
		lookAround(t, path)
		return
	}
	path := filled(t)
	must(t, os.Chmod(path, 0o444))
	must(t, os.Chmod(filepath.Dir(path), 0o777))
	asNobody(t, path)
}

func TestReadOnlyFolder(t *testing.T) {
	if path := os.Getenv("RECORDS_TEST_PATH"); path != "" {
		_, err := Open(t.Context(), path)
		wantErr(t, err, ErrReadOnly)
		_, err = Open(t.Context(), path+".new")
		wantErr(t, err, ErrReadOnly)
		lookAround(t, path)
		return
	}
	path := filled(t)
	if os.Getuid() == 0 {
		must(t, os.Chown(path, nobody, nobody)) // the file is the user's, the folder is not
	}
	must(t, os.Chmod(filepath.Dir(path), 0o555))
	asNobody(t, path)
}

// TestReadOnlyBesideAWriter: what the writer just committed, still in its log, is
// found by somebody who may write neither file nor folder.
func TestReadOnlyBesideAWriter(t *testing.T) {
	if path := os.Getenv("RECORDS_TEST_PATH"); path != "" {
		s := lookAround(t, path)
		if _, err := s.UnitBySerial(t.Context(), newExample(2).serial); err != nil {
			t.Error(err)
		}
		return
	}
	path := filled(t)
	must(t, os.Chmod(path, 0o644))
	s := openAt(t, path)
	newExample(2).seal(t, s)
	asNobody(t, path)
}

func TestUnreadableFile(t *testing.T) {
	if path := os.Getenv("RECORDS_TEST_PATH"); path != "" {
		_, err := OpenReadOnly(t.Context(), path)
		wantErr(t, err, fs.ErrPermission)
		if errors.Is(err, ErrReadOnly) {
			t.Errorf("a file that cannot be read is called read-only: %v", err)
		}
		return
	}
	path := filled(t)
	if os.Getuid() != 0 {
		must(t, os.Chmod(path, 0))
	}
	asNobody(t, path)
}

// lookAround reads everything through OpenReadOnly.
func lookAround(t *testing.T, path string) *Store {
	t.Helper()
	s, err := OpenReadOnly(t.Context(), path)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	if _, err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if found, err := s.Lookup(t.Context(), newExample(1).serial); err != nil || len(found) != 1 {
		t.Errorf("%d records, %v; want 1", len(found), err)
	}
	_, err = s.Check(t.Context())
	wantErr(t, err, ErrReadOnly)
	if _, err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "backup.db")); err != nil {
		t.Error(err)
	}
	return s
}
