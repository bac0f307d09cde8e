//go:build unix

package flow_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"provision/internal/campaign/judge"
	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/records"
)

// storageSeed makes what survives a power cut.
const storageSeed = 5

// troubles are what disks do. Operations that only a cut has are counted as those of
// an I/O error: every one that changes something.
var troubles = []trouble{
	{name: "no space, once", codes: noSpace},
	{name: "no space from then on", codes: noSpace, lasting: true},
	{name: "I/O error, once", codes: ioError},
	{name: "I/O error from then on", codes: ioError, lasting: true},
	{name: "I/O error of a read, once", codes: readError},
	{name: "I/O error of reads from then on", codes: readError, lasting: true},
	{name: "read-only from then on", codes: readOnly, lasting: true},
	{name: "power cut, nothing unsynced survives", codes: ioError, cut: true, keep: "none"},
	{name: "power cut, everything survives", codes: ioError, cut: true, keep: "all"},
	{name: "power cut, some survives and torn", codes: ioError, cut: true, keep: "some"},
}

// TestStorage has the disk under the records fail at its N-th operation of opening
// them, of a whole run, or of closing them: for every N in a campaign, for a sample
// else. The run ends for that reason or goes on rightly, and the next one, over a
// disk that works, finishes the unit.
func TestStorage(t *testing.T) {
	t.Parallel()
	jobs := map[string]*job.Job{}
	policies := []policy{release, closed, escrowed, byUnit}
	for _, p := range policies {
		jobs[p.name] = newJob(t, p)
	}
	for i, tr := range troubles {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			p := policies[i%len(policies)]
			tally := &campaign{policy: p, outcomes: map[string]int{}}
			most, intents := storageOperations(t, p, jobs[p.name], tr)
			points := sample(numbers(most), 4)
			if !everyFrame {
				points = append(points, sample(intents, 2)...)
			}
			t.Run("at", func(t *testing.T) {
				for _, n := range points {
					t.Run(fmt.Sprint(n), func(t *testing.T) {
						t.Parallel()
						inBubble(t, func(t *testing.T) { tally.badDisk(t, jobs[p.name], tr, n) })
					})
				}
			})
			t.Logf("%s, %s: %d of %d operations: %s, in %v", p.name, tr.name, len(points), most, tally.summary(), time.Since(began).Round(time.Second))
		})
	}
}

// storageOperations is how many operations that trouble can strike at, and which of
// them are the first of writing down what is about to be burnt.
func storageOperations(t *testing.T, p policy, j *job.Job, tr trouble) (most int, intents []int) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		d := newDisk(tr, 0, storageSeed)
		b := newStorageRig(t, p, j, d)
		begun := 0
		b.sink = func(ev flow.Event) {
			switch ev.Kind {
			case flow.StepStarted:
				begun = d.count + 1
			case flow.BurnIntended:
				intents = append(intents, begun)
			}
		}
		check(t, b.open())
		b.mustRun("PASS", "")
		check(t, b.store.Close())
		unmount(b.dir)
		most = d.count
	})
	if most < 50 {
		t.Fatalf("only %d operations were seen: the layer is not in place", most)
	}
	return most, intents
}

// storageRig is a rig whose records lie on a disk that may fail.
type storageRig struct {
	*rig
	dir    string
	disk   *disk
	passed bool // PASS was told while there was power
	unit   *judge.Unit
}

func newStorageRig(t *testing.T, p policy, j *job.Job, d *disk) *storageRig {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir()) // as SQLite names them
	check(t, err)
	r := &rig{t: t, policy: p, job: j, keys: newKeySource(1), serial: "SN-0001"}
	r.insert(smallChip())
	b := &storageRig{rig: r, dir: dir, disk: d}
	b.unit = &judge.Unit{Chip: r.chip, Config: smallChip(), Origin: r.blank, Order: p.judged()}
	r.port = func(port esptool.Port) esptool.Port { return poweredPort{port, d} }
	r.sink = func(ev flow.Event) {
		b.passed = b.passed || ev.Kind == flow.RunFinished && ev.Verdict == string(fault.Pass) && d.power()
	}
	mount(dir, d)
	t.Cleanup(func() { unmount(dir) })
	return b
}

func (b *storageRig) open() (err error) {
	b.store, err = records.Open(b.t.Context(), filepath.Join(b.dir, "provision.db"))
	return err
}

// judged is what the judge has to know of a policy.
func (p policy) judged() judge.Order {
	o := judge.Order{
		SecureBoot: p.secureBoot, Encryption: p.encryption != "", ByUnit: p.byUnit, Escrow: p.escrow,
		Final:   [8]uint32{0: p.word0, 5: p.word5, 6: p.word6},
		Regions: []int64{0, 0x1000, 0x8000, 0xd000, 0x10000}, Volatile: 0xd000, Project: "line-test",
	}
	if p.byUnit || p.encryption == "" {
		o.HeldBack = 0x1000
	}
	return o
}

// poweredPort is at a station that may have lost its power: then nothing goes out.
type poweredPort struct {
	esptool.Port
	disk *disk
}

var errNoPower = errors.New("the station has no power")

func (p poweredPort) Write(b []byte) (int, error) {
	if !p.disk.power() {
		return 0, errNoPower
	}
	return p.Port.Write(b)
}

func (p poweredPort) SetLines(dtr, rts bool) error {
	if !p.disk.power() {
		return errNoPower
	}
	return p.Port.SetLines(dtr, rts)
}

// badDisk is one unit whose records lie on a disk that fails at its n-th operation.
func (c *campaign) badDisk(t *testing.T, j *job.Job, tr trouble, n int) {
	d := newDisk(tr, n, storageSeed)
	b := newStorageRig(t, c.policy, j, d)
	outcome := b.hurtRun()
	if !d.struck {
		t.Errorf("operation %d never came", n)
	}
	unmount(b.dir)
	if tr.cut {
		check(t, d.restart())
	}
	check(t, b.open())
	defer func() { check(t, b.store.Close()) }()
	b.mustBeSound()
	if n%16 == 0 { // it costs as much as everything else
		b.mustHideKeysInFiles()
	}
	if n%2 == 0 { // the unit lost its power with the station
		b.chip.PowerCycle()
	}
	b.sink, b.port = nil, nil
	res := b.run()
	switch fault.Verdict(res.Verdict) {
	case fault.Pass, fault.Done:
		b.mustBeSecured(true)
	case fault.Park:
		b.mustParkTruly(res)
	default:
		t.Fatalf("with a disk that works, after %s: %s %s: %v", d.what, res.Verdict, res.Code, res.Err)
	}
	b.mustJudge(func(j *judge.Judge) ([]judge.Violation, error) {
		return j.After(t.Context(), b.unit, judge.Contact{Run: fmt.Sprintf("run-%d", b.runs), Verdict: res.Verdict, Code: string(res.Code), Serial: b.serial})
	})
	c.count(outcome + ", then " + strings.TrimSpace(res.Verdict+" "+string(res.Code)))
	if t.Failed() {
		t.Logf("%s, operation %d: %s", tr.name, n, d.what)
	}
}

// hurtRun opens the records, runs and closes them, as a command does; it returns how
// that ended.
func (b *storageRig) hurtRun() string {
	b.t.Helper()
	if err := b.open(); err != nil {
		b.mustBlameStorage(err)
		return "not opened"
	}
	res := b.run()
	// A disk that fails may fail here too; whoever runs next finds what is there.
	closed := b.store.Close()
	switch {
	case !b.disk.power():
		return "no power"
	case res.Verdict == string(fault.Pass):
		if closed != nil {
			return "PASS, not closed"
		}
		return "PASS"
	case res.Verdict != string(fault.Error):
		b.t.Fatalf("after %s the run ended as %s %s: %v", b.disk.what, res.Verdict, res.Code, res.Err)
	}
	b.mustBlameStorage(res.Err)
	return "ERROR " + string(res.Code)
}

// mustBlameStorage: the code of an error is one of the records, whatever the disk did.
func (b *storageRig) mustBlameStorage(err error) {
	b.t.Helper()
	if !b.disk.power() {
		return // nobody is there to be told
	}
	if code := fault.CodeOf(flow.AsFault(err, fault.Database)); code != fault.Database && code != fault.DiskFull {
		b.t.Errorf("%s is blamed on %s: %v", b.disk.what, code, err)
	}
}

// mustBeSound: what is found on the disk is whole, holds for the chip, and has every
// PASS that was told.
func (b *storageRig) mustBeSound() {
	b.t.Helper()
	if _, err := b.store.Verify(b.t.Context()); err != nil {
		b.t.Errorf("after %s the ledger does not hold: %v", b.disk.what, err)
	}
	b.mustJudge(func(j *judge.Judge) ([]judge.Violation, error) { return j.Moment(b.t.Context(), b.unit) })
	b.mustKeepKeys()
	if u := b.rig.unit(); b.passed && (u == nil || u.State != records.StateComplete) {
		b.t.Errorf("PASS was told, and after %s the records hold %+v", b.disk.what, u)
	}
}

// mustJudge asks a judge that reads the records beside the station.
func (b *storageRig) mustJudge(ask func(*judge.Judge) ([]judge.Violation, error)) {
	b.t.Helper()
	found, err := b.asked(ask)
	check(b.t, err)
	for _, v := range found {
		b.t.Errorf("after %s: %v", b.disk.what, v)
	}
}

func (b *storageRig) asked(ask func(*judge.Judge) ([]judge.Violation, error)) (found []judge.Violation, err error) {
	j, err := judge.Open(b.store.Path(), identity(), owner())
	if err != nil {
		return nil, err
	}
	found, err = ask(j)
	return found, errors.Join(err, j.Close())
}

// TestStorageLies: a disk that acknowledges syncs and does not do them loses what
// was on record before a burn, and that is noticed: these tests can tell. The cuts come
// before the intents of burns, the last one first: then the most is lost.
func TestStorageLies(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	lies := trouble{name: "liar", codes: map[operation]int32{opSync: sqlite3.SQLITE_IOERR_FSYNC}, cut: true, keep: "none", liar: true}
	_, intents := storageOperations(t, release, j, lies)
	for _, n := range slices.Backward(intents) {
		if liarNoticed(t, j, lies, n) {
			return
		}
	}
	t.Errorf("a disk that does not sync is not noticed, wherever it is cut of %v", intents)
}

// liarNoticed has a disk that lies lose its power at the n-th operation of a run, and
// says whether the judge finds what is missing afterwards.
func liarNoticed(t *testing.T, j *job.Job, lies trouble, n int) (noticed bool) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		b := newStorageRig(t, release, j, newDisk(lies, n, storageSeed))
		b.hurtRun()
		unmount(b.dir)
		check(t, b.disk.restart())
		if b.open() != nil { // not even the schema is there
			return
		}
		found, err := b.asked(func(j *judge.Judge) ([]judge.Violation, error) { return j.Moment(t.Context(), b.unit) })
		check(t, errors.Join(err, b.store.Close()))
		noticed = len(found) > 0
	})
	return noticed
}
