package campaign

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// oneSeed is the life that TestSeed lives through.
var oneSeed = flag.Uint64("seed", 0, "the life that TestSeed lives through")

// unitsOfCI is how many units a plain test run has.
const unitsOfCI = 240

// batch is how many units share a database and a bubble.
const batch = 60

// TestMain keeps the databases in memory where the system offers it: what a sync
// promises is the records' own to test.
func TestMain(m *testing.M) {
	debug.SetGCPercent(1000) // memory is not what these tests are short of
	if dir, err := os.MkdirTemp("/dev/shm", "campaign-test-"); err == nil {
		os.Setenv("TMPDIR", dir)
		code := m.Run()
		os.RemoveAll(dir)
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// TestCampaign lives through as many lives as it is asked for, from a listed seed on:
// PROVISION_CAMPAIGN_UNITS and PROVISION_CAMPAIGN_FIRST (docs/evidence.md). One that is
// asked for says every minute how far it is, and ends before its -timeout: as a failure,
// when there are units left.
func TestCampaign(t *testing.T) {
	check(t, makeJobs())
	first, units := number(t, "PROVISION_CAMPAIGN_FIRST", 1), number(t, "PROVISION_CAMPAIGN_UNITS", unitsOfCI/thin)
	p := newProgress(first, first+units)
	if limit, ok := t.Deadline(); ok && asked() {
		p.until = limit.Add(-lastMinutes)
	}
	t.Run("workers", func(t *testing.T) {
		for i := range workers() {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for from, to := range p.batches() {
					if text := p.done(from, liveThrough(t, from, to)); text != "" {
						t.Log(text)
					}
				}
			})
		}
	})
	t.Logf("%v\n%v", p, p.all)
	if left := p.unfinished(); left != "" {
		t.Error(left)
	} else if units >= unitsOfCI {
		p.all.everything(t)
	}
}

// everything is what has to happen in a campaign that means something.
func (y *tally) everything(t *testing.T) {
	must := []string{
		killAtWrite, killAtEvent, ctrlC, swapped, noRecords, setAside, "cloned", "released", "looked at in between", "PASS shown",
		"run: ERROR E501", "run: ERROR E813", "run: PARK E502", "run: PARK E303", "run: PARK E205", "run: FAIL E301",
	}
	for _, what := range []string{
		cutOnWire, cutInBurn, cutInErase, cutInProgram, unplugged, hung, "bytes lost", "bytes changed", "bytes doubled", "bytes late",
		"a weak fuse", "a fuse that never takes", "a worn sector", "an unfit part", "burnt before",
	} {
		must = append(must, "hurt: "+what)
	}
	for _, o := range orders {
		must = append(must, "PASS: "+o.name)
	}
	for _, what := range must {
		if y.happened[what].n == 0 {
			t.Errorf("%q never happened", what)
		}
	}
}

// asked reports whether somebody asked for a campaign of some size.
func asked() bool { return os.Getenv("PROVISION_CAMPAIGN_UNITS") != "" }

// workers is how many units are lived through side by side: as many as the machine
// can in a campaign, one in a plain test run, which is not alone.
func workers() int {
	if !asked() {
		return 1
	}
	return runtime.GOMAXPROCS(0)
}

// liveThrough lives through the seeds from one to before another, with one database.
func liveThrough(t *testing.T, from, to uint64) *tally {
	t.Helper()
	mine := newTally()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for seed := from; seed < to; seed++ {
			mine.add(b.live(t.Context(), newPlan(seed)))
		}
	})
	for _, text := range mine.failures { // not in the bubble: that would end the others
		t.Error(text)
	}
	return mine
}

// TestSeed lives through one life again, and tells it.
func TestSeed(t *testing.T) {
	if *oneSeed == 0 {
		t.Skip("no -seed given")
	}
	check(t, makeJobs())
	synctest.Test(t, func(t *testing.T) {
		l := newBench(t).live(t.Context(), newPlan(*oneSeed))
		t.Log(l)
		if len(l.found) > 0 {
			t.Fail()
		}
	})
}

// number is a setting of the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 40)
	check(t, err)
	return n
}

// tally counts what became of units, and what happened to them.
type tally struct {
	units      int
	violations int
	failures   []string // the stories of the lives that had any
	happened   map[string]counted
}

// counted is how often something happened, and the first life it happened in.
type counted struct {
	n     int
	first uint64
}

func newTally() *tally { return &tally{happened: map[string]counted{}} }

func (y *tally) count(what string, c counted) {
	old := y.happened[what]
	if old.n > 0 {
		c.first = min(c.first, old.first)
	}
	y.happened[what] = counted{old.n + c.n, c.first}
}

// add counts one life.
func (y *tally) add(l *life) {
	y.units++
	y.violations += len(l.found)
	for what, n := range l.happened {
		y.count(what, counted{n, l.seed})
	}
	if len(l.found) > 0 {
		y.failures = append(y.failures, l.String())
	}
}

func (y *tally) join(other *tally) {
	y.units += other.units
	y.violations += other.violations
	for what, c := range other.happened {
		y.count(what, c)
	}
}

// String lists what was counted.
func (y *tally) String() string {
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(y.happened)) {
		fmt.Fprintf(&b, "  %-40s %8d  first in seed %d\n", what, y.happened[what].n, y.happened[what].first)
	}
	return b.String()
}
