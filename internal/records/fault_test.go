package records

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestFull limits the database to its present size and writes on.
func TestFull(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	e := newExample(1)
	u := e.reserve(t, s)
	var pages int
	must(t, s.w.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages))
	exec(t, s.w, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	big := longCopies(e)
	wantErr(t, s.SealKeys(ctx, e.run, u.ID, big.keys, big.working, big.escrow, nil, noon), ErrFull)
	var err error
	for seq := 1; err == nil && seq < 1000; seq++ {
		_, err = s.Append(ctx, Event{RunID: e.run, Seq: seq, Time: noon, Kind: "step.passed", Step: strings.Repeat("x", 500)})
	}
	wantErr(t, err, ErrFull)

	// Whatever was refused left no trace, and there is room again.
	if _, err := s.Verify(ctx); err != nil {
		t.Error(err)
	}
	_, err = s.SealedKeys(ctx, u.ID)
	wantErr(t, err, ErrNotFound)
	exec(t, s.w, "PRAGMA max_page_count = 1000000")
	must(t, s.SealKeys(ctx, e.run, u.ID, big.keys, big.working, big.escrow, nil, noon))
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	h, err := s.Check(t.Context())
	must(t, err)
	if h.FreeBytes < MinFreeBytes || !h.LatestAt.IsZero() {
		t.Errorf("health of an empty database: %+v", h)
	}
	newExample(1).start(t, s)
	h, err = s.Check(t.Context())
	must(t, err)
	head, err := s.Head(t.Context())
	must(t, err)
	if !h.LatestAt.Equal(noon) || h.Head != head || head.N == 0 {
		t.Errorf("health = %+v, head %+v", h, head)
	}
	var count int
	must(t, s.r.QueryRowContext(t.Context(), "SELECT count FROM probe").Scan(&count))
	if count != 2 {
		t.Errorf("%d probes were written, want 2", count)
	}
}

// TestBusy: another program holds the write lock for longer than one waits.
func TestBusy(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	other := openAt(t, s.Path())
	exec(t, s.w, "PRAGMA busy_timeout = 20")
	tx, err := other.w.BeginTx(t.Context(), nil)
	must(t, err)
	wantErr(t, s.StartRun(t.Context(), Run{ID: "r", StartedAt: noon}), ErrBusy)
	if _, err := s.Runs(t.Context(), RunFilter{}); err != nil {
		t.Errorf("a look-up waits for a writer: %v", err)
	}
	must(t, tx.Rollback())
	must(t, s.StartRun(t.Context(), Run{ID: "r", StartedAt: noon}))
}

// TestTwoPrograms: two stores on one file, several slots each, one chain.
func TestTwoPrograms(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	const slots, events = 3, 5
	var group sync.WaitGroup
	for program := range 2 {
		s := openAt(t, path)
		for slot := range slots {
			group.Go(func() {
				e := newExample(program*slots + slot)
				err := s.StartRun(t.Context(), Run{ID: e.run, StartedAt: noon})
				for seq := 1; err == nil && seq <= events; seq++ {
					_, err = s.Append(t.Context(), Event{RunID: e.run, Seq: seq, Time: noon, Kind: "step.passed"})
				}
				if err == nil {
					_, err = s.Reserve(t.Context(), e.run, e.unit(), noon)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	s := openAt(t, path)
	report, err := s.Verify(t.Context())
	must(t, err)
	if report.Rows["events"] != 2*slots*events || report.Rows["units"] != 2*slots {
		t.Errorf("rows %v", report.Rows)
	}
}

// TestTwoSlotsScanOneSerial: exactly one gets it.
func TestTwoSlotsScanOneSerial(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	errs := make([]error, 4)
	var group sync.WaitGroup
	for i := range errs {
		s := openAt(t, path)
		e := newExample(i)
		e.start(t, s)
		u := e.unit()
		u.Serial = "SN-SAME"
		group.Go(func() { _, errs[i] = s.Reserve(t.Context(), e.run, u, noon) })
	}
	group.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wantErr(t, err, ErrSerialUsed)
		}
	}
	if won != 1 {
		t.Errorf("%d slots got the serial", won)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, s.StartRun(ctx, Run{ID: "r", StartedAt: noon}), context.Canceled)
	_, err := s.Lookup(ctx, "x")
	wantErr(t, err, context.Canceled)
	if _, err := Open(ctx, filepath.Join(t.TempDir(), "x.db")); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v, want context.Canceled", err)
	}
	// A writer that queues behind another gives up when its time is over.
	tx, err := s.w.BeginTx(t.Context(), nil)
	must(t, err)
	ctx, cancel = context.WithTimeout(t.Context(), 1)
	defer cancel()
	wantErr(t, s.StartRun(ctx, Run{ID: "r", StartedAt: noon}), context.DeadlineExceeded)
	must(t, tx.Rollback())
	must(t, s.StartRun(t.Context(), Run{ID: "r", StartedAt: noon}))
}

var everyCut = flag.Bool("every-cut", false, "cut the power in every page of the log, not in every eighth")

// TestPowerCutAnywhereInTheLog keeps the database as it was and only the first N
// bytes of the write-ahead log, for N round and inside its pages: what is found
// is whole transactions, in one chain.
func TestPowerCutAnywhereInTheLog(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	must(t, s.Scrub(t.Context()))
	newExample(1).secure(t, s)
	db, err := os.ReadFile(s.Path())
	must(t, err)
	log, err := os.ReadFile(s.Path() + "-wal")
	must(t, err)
	const header, frame = 32, 24 + 4096 // SQLite file format, "WAL File Format"
	if (len(log)-header)%frame != 0 {
		t.Fatalf("a log of %d bytes is not made of frames", len(log))
	}
	step := 8 * frame
	if *everyCut {
		step = frame
	}
	var last int64
	for n := header; n < len(log); n += step {
		for _, cut := range []int{n - 1, n, n + 24, n + 1000} {
			last = cutTo(t, db, log[:cut], last)
		}
	}
	last = cutTo(t, db, log, last)
	if head, err := s.Head(t.Context()); err != nil || last != head.N {
		t.Errorf("with the whole log %d ledger entries are found, want %d (%v)", last, head.N, err)
	}
}

// cutTo opens what a power cut left and returns how many ledger entries it has,
// which are never fewer than with a shorter log.
func cutTo(t *testing.T, db, log []byte, atLeast int64) int64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cut.db")
	must(t, os.WriteFile(path, db, 0o600))
	must(t, os.WriteFile(path+"-wal", log, 0o600))
	report, err := verify(t.Context(), raw(t, path), nil)
	if err != nil {
		t.Fatalf("cut after %d bytes of the log: %v", len(log), err)
	}
	if report.Head.N < atLeast {
		t.Fatalf("cut after %d bytes of the log: %d entries, %d with less of it", len(log), report.Head.N, atLeast)
	}
	return report.Head.N
}

// child runs one of this package's tests again in a process of its own, with
// RECORDS_TEST_PATH set to path.
func child(t *testing.T, program, test, path string) *osexec.Cmd {
	t.Helper()
	cmd := osexec.CommandContext(t.Context(), program, "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), "RECORDS_TEST_PATH="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestKill kills a program in the middle of its writes, as often as it takes;
// what was acknowledged is there.
func TestKill(t *testing.T) {
	t.Parallel()
	if path := os.Getenv("RECORDS_TEST_PATH"); path != "" {
		writeUntilKilled(t, path)
	}
	path := filepath.Join(t.TempDir(), "records.db")
	for round := range 3 {
		cmd := child(t, os.Args[0], "TestKill", path)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		var run string
		var acknowledged int
		for lines := bufio.NewScanner(out); acknowledged < 5*(round+1) && lines.Scan(); {
			fmt.Sscanf(lines.Text(), "ack %s %d", &run, &acknowledged)
		}
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
		s := openAt(t, path)
		if _, err := s.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		events, err := s.Events(t.Context(), run)
		must(t, err)
		if acknowledged == 0 || len(events) < acknowledged { // more may be: it wrote on until the kill
			t.Errorf("round %d: %d events of %s are there, %d were acknowledged", round, len(events), run, acknowledged)
		}
		must(t, s.Close())
	}
}

func writeUntilKilled(t *testing.T, path string) {
	s := openAt(t, path)
	run := fmt.Sprintf("run-%d", os.Getpid())
	must(t, s.StartRun(t.Context(), Run{ID: run, StartedAt: noon}))
	for seq := 1; seq < 10_000; seq++ {
		_, err := s.Append(t.Context(), Event{RunID: run, Seq: seq, Time: noon, Kind: "step.passed"})
		must(t, err)
		fmt.Printf("ack %s %d\n", run, seq)
	}
	t.Fatal("nobody killed this program")
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	history(t, s)
	dir := t.TempDir()
	backup, restored := filepath.Join(dir, "backup.db"), filepath.Join(dir, "restored.db")
	report, err := s.Backup(ctx, backup)
	must(t, err)
	newExample(9).reserve(t, s) // after the backup
	_, err = s.Backup(ctx, backup)
	wantErr(t, err, fs.ErrExist)
	again, err := Restore(ctx, backup, restored, "")
	must(t, err)
	if report.Head != again.Head || report.Rows["units"] != 3 {
		t.Errorf("backed up %+v, restored %+v", report, again)
	}
	_, err = Restore(ctx, backup, s.Path(), "")
	wantErr(t, err, fs.ErrExist)
	r := openAt(t, restored)
	if _, err := r.UnitBySerial(ctx, newExample(2).serial); err != nil {
		t.Error(err)
	}
	newExample(10).complete(t, r) // it is a database like any other
	must(t, r.Close())
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v (%v), want it private", entry.Name(), info.Mode(), err)
		}
	}
	if len(entries) != 2 {
		t.Errorf("the folder holds %v, want the two databases", entries)
	}
}

func TestBackupRefusesWhatIsNotSound(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	history(t, s)
	exec(t, forge(t, s.Path()), "UPDATE events SET code = 'E000' WHERE id = 1")
	path := filepath.Join(t.TempDir(), "backup.db")
	_, err := s.Backup(t.Context(), path)
	wantErr(t, err, ErrTampered)
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
	_, err = Restore(t.Context(), filepath.Join(t.TempDir(), "none.db"), path, "")
	wantErr(t, err, fs.ErrNotExist)
}

// TestBackupWithoutLinks: a memory stick with FAT knows no links. Whatever has the name
// keeps it there, too. It may not run beside other tests: all make files.
func TestBackupWithoutLinks(t *testing.T) {
	osLink = func(string, string) error { return &os.LinkError{Op: "link", Err: syscall.EPERM} }
	t.Cleanup(func() { osLink = os.Link })
	s := openTemp(t)
	history(t, s)
	dir := t.TempDir()
	backup := filepath.Join(dir, "backup.db")
	report, err := s.Backup(t.Context(), backup)
	must(t, err)
	_, err = s.Backup(t.Context(), backup)
	wantErr(t, err, fs.ErrExist)
	if again, err := verifyFile(t.Context(), backup); err != nil || again.Head != report.Head {
		t.Errorf("the backup holds %+v (%v), want %+v", again, err, report)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v), want the backup", entries, err)
	}
	_, err = s.Backup(t.Context(), filepath.Join(dir, "none", "backup.db"))
	wantErr(t, err, fs.ErrNotExist)
}
