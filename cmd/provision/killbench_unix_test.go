//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"provision/internal/campaign/judge"
	"provision/internal/demo"
	"provision/internal/keys"
	"provision/internal/records"
	"provision/internal/simulator"
)

// killBench is a folder with a station in it, and its one unit.
type killBench struct {
	t    *testing.T
	kind killKind
	dir  string // the station's own: everything it writes is in here
	port string
	unit *judge.Unit
	own  keys.Identity // the owner's

	at     *exec.Cmd // the station at work
	served *simulator.Chip
	wired  []string            // settings of a station that reaches the chip by an adapter
	held   []map[string][]byte // the station's files, as they lay there after each kill
	said   []string            // everything it printed
}

// killProduct is the firmware of all units, made once in a folder of its own.
var killProduct = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "provision-product-")
	if err != nil {
		return "", err
	}
	return dir, demo.Write(dir)
})

// memoryDir is a new folder, in memory where the system has room for it: kill -9
// takes nothing from the system's own cache, and a thousand runs would wait for the
// disk.
func memoryDir(t *testing.T) string {
	t.Helper()
	const memory, room = "/dev/shm", 512 << 20
	var volume unix.Statfs_t
	if unix.Statfs(memory, &volume) != nil || volume.Bavail*uint64(volume.Bsize) < room {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "provision-kill-")
	mustDo(t, err)
	t.Cleanup(func() { mustDo(t, os.RemoveAll(dir)) })
	return dir
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newKillBench makes the station and puts a blank unit into its slot.
func newKillBench(t *testing.T, k killKind) *killBench {
	t.Helper()
	product, err := killProduct()
	mustDo(t, err)
	root := memoryDir(t)
	b := &killBench{t: t, kind: k, dir: filepath.Join(root, "station")}
	mustDo(t, os.MkdirAll(filepath.Join(b.dir, "tmp"), 0o755))
	b.own, err = keys.CreateOwnerIdentity(filepath.Join(root, "owner.txt"))
	mustDo(t, err)
	mustDo(t, os.WriteFile(filepath.Join(b.dir, "line.toml"), []byte(k.profile(product, b.own.Recipient().String())), 0o644))
	cfg := simulator.DefaultConfig()
	b.unit = &judge.Unit{Config: cfg, Order: k.order()}
	if k.served {
		if k.reset() {
			b.plugIn(cfg)
		} else {
			b.serve(cfg)
		}
		b.unit.Origin = b.served.Fuses()
		return b
	}
	b.port = "sim:" + filepath.Join(root, "unit")
	mustDo(t, simulator.Create(filepath.Join(root, "unit"), cfg))
	b.look(func() { b.unit.Origin = b.unit.Chip.Fuses() })
	return b
}

// serve offers a chip from this process, as provision sim serve does.
func (b *killBench) serve(cfg simulator.Config) {
	b.t.Helper()
	b.served = simulator.New(cfg, simulator.WithDownloadMode())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	mustDo(b.t, err)
	b.port = "tcp://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- simulator.Serve(ctx, l, b.served) }()
	b.t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-over, b.served.Close()); err != nil {
			b.t.Error(err)
		}
	})
}

// look calls f while the unit's chip can be looked at.
func (b *killBench) look(f func()) {
	b.t.Helper()
	if b.kind.served {
		b.unit.Chip = b.served
		f()
		return
	}
	// A program that is started meanwhile holds the lock of the chip until it is there.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	chip, err := simulator.Open(strings.TrimPrefix(b.port, "sim:"))
	mustDo(b.t, err)
	b.unit.Chip = chip
	f()
	mustDo(b.t, chip.Close())
}

// station is the program at work, with these settings in its environment.
func (b *killBench) station(settings ...string) *exec.Cmd {
	cmd := exec.Command("provision", "run", "--station", "line.toml", "--port", b.port, "--json")
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "HOME="+b.dir, "XDG_STATE_HOME="+filepath.Join(b.dir, ".state"), "TMPDIR="+filepath.Join(b.dir, "tmp"),
		"USER=anna", "PROVISION_SIM_DIR=", "PROVISION_STATION=", "PROVISION_DB=", envMemory+"=1")
	cmd.Env = append(append(cmd.Env, b.wired...), settings...)
	return cmd
}

// killLimit bounds a run: one that waits for ever is killed and fails the test.
const killLimit = 60 * time.Second

// instant is when a run is killed: a while after it has told so many lines, counted from
// its start or from a line with these words. A busy machine stretches everything
// alike then. The zero instant is never.
type instant struct {
	from  string
	lines int
	delay time.Duration
}

// ending is how a run of the program ended.
type ending struct {
	killed  bool
	exit    int
	run     string // its name, from its first line
	verdict string
	code    string
	took    time.Duration
	told    []time.Duration // when each line came

	handedOver int // the line that told it: to the unit's own bootloader. 0: it was not
	back       int // the line that told what the unit did
}

// run lets the station work, and kills it at an instant.
func (b *killBench) run(at instant, settings ...string) ending {
	b.t.Helper()
	return b.end(at, func() error { return b.at.Process.Kill() }, settings...)
}

// end is run with another end than kill -9.
func (b *killBench) end(at instant, end func() error, settings ...string) ending {
	b.t.Helper()
	cmd := b.station(settings...)
	b.at = cmd
	var out, told bytes.Buffer
	cmd.Stderr = &told
	killer := time.AfterFunc(killLimit, func() { _ = end() })
	defer killer.Stop()
	began := time.Now()
	met := func() { killer.Reset(at.delay) }
	lines := &lineWatch{out: &out, began: began, at: at, met: met}
	cmd.Stdout = lines
	mustDo(b.t, cmd.Start())
	if at.lines == 0 && at.from == "" && at.delay > 0 {
		met()
	}
	_ = cmd.Wait() // how it ended is in ProcessState
	e := ending{took: time.Since(began), exit: cmd.ProcessState.ExitCode(), told: lines.told}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	e.killed = ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	if e.killed && e.took > killLimit {
		b.t.Fatalf("a run did not end within %v:\n%s%s", killLimit, out.String(), told.String())
	}
	e.read(out.Bytes())
	b.said = append(b.said, out.String(), told.String())
	return e
}

// lineWatch keeps what is written to it, and when each line came. It calls met once, when
// the lines of an instant have.
type lineWatch struct {
	out   *bytes.Buffer
	began time.Time
	told  []time.Duration
	at    instant
	met   func()
	start int // of the line that is not whole yet
}

func (w *lineWatch) Write(p []byte) (int, error) {
	w.out.Write(p) // never fails
	for {
		line, _, whole := bytes.Cut(w.out.Bytes()[w.start:], []byte("\n"))
		if !whole {
			return len(p), nil
		}
		w.start += len(line) + 1
		w.told = append(w.told, time.Since(w.began))
		w.count(line)
	}
}

func (w *lineWatch) count(line []byte) {
	switch {
	case w.at.from != "" && bytes.Contains(line, []byte(w.at.from)):
		w.at.from = ""
	case w.at.from == "" && w.at.lines > 0:
		w.at.lines--
	default:
		return
	}
	if w.at.lines == 0 {
		w.met()
		w.at.lines = -1
	}
}

// encrypts is what a station tells when it is about to hand a unit over to its own
// bootloader.
const encrypts = `"kind":"burn.intended","step":"let the unit encrypt itself"`

// read takes what the run said of itself. The last line may be half a line.
func (e *ending) read(out []byte) {
	n := 0
	for line := range bytes.Lines(out) {
		n++
		var ev struct{ Kind, Step, Run, Verdict, Code string }
		if json.Unmarshal(line, &ev) != nil {
			continue
		}
		e.run = ev.Run
		switch {
		case bytes.Contains(line, []byte(encrypts)):
			e.handedOver = n
		case ev.Kind == "burn.observed" && ev.Step == "let the unit encrypt itself":
			e.back = n
		case ev.Kind == "run.finished":
			e.verdict, e.code = ev.Verdict, ev.Code
		}
	}
}

// lastWords is the end of what each run said.
func (b *killBench) lastWords() string {
	var out strings.Builder
	for _, text := range b.said {
		lines := strings.SplitAfter(text, "\n")
		out.WriteString(strings.Join(lines[max(0, len(lines)-6):], "") + "--\n")
	}
	return out.String()
}

// files is everything in the station's folder.
func (b *killBench) files() map[string][]byte {
	b.t.Helper()
	out := map[string][]byte{}
	mustDo(b.t, filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(b.dir, path)
		if err == nil {
			out[name], err = os.ReadFile(path)
		}
		return err
	}))
	return out
}

// judged holds the unit against the records as they lie there: f asks the judge. The
// files are copied first, so that the station finds what it left. complete says that
// the unit is on record as finished.
func (b *killBench) judged(f func(*judge.Judge) ([]judge.Violation, error)) (complete bool) {
	b.t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(b.dir), "copy")
	mustDo(b.t, err)
	defer func() { mustDo(b.t, os.RemoveAll(dir)) }()
	files := b.files()
	path := filepath.Join(dir, "provision.db")
	for _, suffix := range []string{"", "-wal"} {
		if data, ok := files["provision.db"+suffix]; ok {
			mustDo(b.t, os.WriteFile(path+suffix, data, 0o600))
		}
	}
	store, err := records.Open(b.t.Context(), path)
	mustDo(b.t, err)
	defer func() { mustDo(b.t, store.Close()) }()
	if _, err := store.Verify(b.t.Context()); err != nil {
		b.t.Errorf("the records do not hold: %v", err)
	}
	j, err := judge.Open(path, b.identity(), b.own)
	mustDo(b.t, err)
	defer func() { mustDo(b.t, j.Close()) }()
	b.look(func() {
		found, err := f(j)
		mustDo(b.t, err)
		for _, v := range found {
			b.t.Error(v)
		}
		mac := b.unit.Chip.MAC()
		u, err := store.UnitByMAC(b.t.Context(), hexMAC(mac))
		complete = err == nil && u.State == records.StateComplete
	})
	return complete
}

// identity is the station's; the owner's while there is none, which opens nothing
// that matters then.
func (b *killBench) identity() keys.Identity {
	b.t.Helper()
	id, err := keys.LoadIdentity(filepath.Join(b.dir, "station-identity.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return b.own
	}
	mustDo(b.t, err)
	return id
}

// usual are the files a station leaves that ended in order.
var usual = []string{".state/provision/last-database", "line.toml", "provision.db", "station-identity.txt"}

// leftovers are files that nobody needs any more.
func (b *killBench) leftovers() (out []string) {
	for _, name := range slices.Sorted(maps.Keys(b.files())) {
		if !slices.Contains(usual, name) {
			out = append(out, name)
		}
	}
	return out
}
