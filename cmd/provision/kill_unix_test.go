//go:build unix

package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/internal/campaign/judge"
)

// everyKill turns a sample of kills into all of them (docs/evidence.md).
var everyKill = os.Getenv("PROVISION_CAMPAIGN") != ""

// killSeed makes the instants at which stations are killed.
const killSeed = 20261122

// killTally counts how the units ended.
type killTally struct {
	mu     sync.Mutex
	kills  int
	missed int // the run was over before its time came
	ended  map[string]int
	left   map[string]int // how each kill left the flash of a unit that encrypts itself
}

func newKillTally() *killTally {
	return &killTally{ended: map[string]int{}, left: map[string]int{}}
}

// join adds the kills of another tally, and those that came too late.
func (y *killTally) join(other *killTally) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.kills += other.kills
	y.missed += other.missed
}

// mustHaveStruck: in a campaign one of so many blows came in time, in a sample one at
// all. A busy machine slows the runs as well as what is to end them.
func (y *killTally) mustHaveStruck(t *testing.T, oneOf int) {
	t.Helper()
	enough := 1
	if everyKill {
		enough = max(1, (y.kills+y.missed)/oneOf)
	}
	if y.kills+y.missed > 0 && y.kills < enough {
		t.Errorf("%d stations were killed in time, and %d too late", y.kills, y.missed)
	}
}

func (y *killTally) String() string {
	parts := []string{fmt.Sprintf("%d kills, %d too late", y.kills, y.missed)}
	for _, counts := range []map[string]int{y.left, y.ended} {
		var each []string
		for _, what := range slices.Sorted(maps.Keys(counts)) {
			each = append(each, fmt.Sprintf("%s: %d", what, counts[what]))
		}
		parts = append(parts, notEmpty(strings.Join(each, ", "))...)
	}
	return strings.Join(parts, "; ")
}

// notUnderRace skips tests whose programs are processes of their own.
func notUnderRace(t *testing.T) {
	t.Helper()
	if testing.Short() || raceDetector {
		t.Skip("starts hundreds of processes, and nothing new for the race detector")
	}
	t.Parallel()
}

// TestKilled kills the station in each of three ways, looks at what it left, and lets
// it finish.
func TestKilled(t *testing.T) {
	notUnderRace(t)
	all := newKillTally() // of the instants: a kill at a commit cannot miss
	t.Cleanup(func() { all.mustHaveStruck(t, 2) })
	for i, k := range killKinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			whole := measure(t, k)
			killAtCommits(t, k, whole.commits)
			all.join(killAtInstants(t, k, "at any instant", killSeed+uint64(i), whole.anywhere))
			if k.byUnit {
				all.join(killAtInstants(t, k, "while it encrypts itself", killSeed+uint64(i), whole.inHandsOfUnit))
			}
		})
	}
}

// killAtCommits kills the station at the N-th commit of its database, before any of it
// is written and, on another unit, after all of it is durable: for every N in a
// campaign, for a sample of them else.
func killAtCommits(t *testing.T, k killKind, commits int) {
	t.Helper()
	began := time.Now()
	tally := newKillTally()
	t.Run("at commits", func(t *testing.T) {
		for _, n := range spread(commits, 1+k.sample()) {
			for _, when := range []string{"before", "after"} {
				t.Run(fmt.Sprintf("%s %d", when, n), func(t *testing.T) {
					t.Parallel()
					newKillBench(t, k).killed(tally, func(b *killBench) ending {
						return b.run(instant{}, fmt.Sprintf("%s=%s %d", envKill, when, n))
					})
				})
			}
		}
	})
	if tally.missed > 0 {
		t.Errorf("%d stations were not killed", tally.missed)
	}
	t.Logf("%s: %d commits: %v, in %v", k.name, commits, tally, time.Since(began).Round(time.Second))
}

// killAtInstants kills the station at instants that are drawn: up to three times one
// after the other.
func killAtInstants(t *testing.T, k killKind, name string, seed uint64, draw func(*rand.Rand) instant) (tally *killTally) {
	t.Helper()
	began := time.Now()
	tally = newKillTally()
	units := k.sample()
	if everyKill {
		units = 150
	}
	t.Run(name, func(t *testing.T) {
		for n := range units {
			t.Run(fmt.Sprint("unit ", n), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(seed, uint64(n)))
				blow := func(b *killBench) ending { return b.run(draw(random)) }
				newKillBench(t, k).killed(tally, slices.Repeat([]func(*killBench) ending{blow}, 1+n%3)...)
			})
		}
	})
	if _, cut := tally.left[halfEncrypted]; everyKill && !k.served && k.byUnit && !cut {
		t.Errorf("no unit was cut off while it encrypted itself")
	}
	if _, untold := tally.left[encryptedUntold]; everyKill && k.byUnit && !untold {
		t.Errorf("no unit had encrypted itself before the station could say so")
	}
	if everyKill {
		tally.mustHaveStruck(t, 4)
	}
	t.Logf("%s, %s: seed %d: %d units, %v, in %v", k.name, name, seed, units, tally, time.Since(began).Round(time.Second))
	return tally
}

// measured is a run that nobody kills.
type measured struct {
	ending
	commits int
}

// anywhere is an instant of a run.
func (m measured) anywhere(random *rand.Rand) instant {
	return m.between(0, m.took, random)
}

// inHandsOfUnit is an instant of the step in which the unit encrypts itself.
func (m measured) inHandsOfUnit(random *rand.Rand) instant {
	at := m.between(m.told[m.handedOver-1], m.told[m.back-1], random)
	at.from, at.lines = encrypts, at.lines-m.handedOver
	return at
}

// between is an instant of a part of the run.
func (m measured) between(from, to time.Duration, random *rand.Rand) instant {
	at := from + time.Duration(random.Int64N(int64(to-from)))
	lines, now := slices.BinarySearch(m.told, at)
	if now {
		lines++
	}
	if lines > 0 {
		at -= m.told[lines-1]
	}
	return instant{lines: lines, delay: 1 + at}
}

func measure(t *testing.T, k killKind) measured {
	t.Helper()
	b := newKillBench(t, k)
	count := filepath.Join(filepath.Dir(b.dir), "commits")
	e := b.run(instant{}, envCommits+"="+count)
	b.mustBeSettled(e)
	if e.verdict != "PASS" || k.byUnit != (e.back > 0) {
		t.Fatalf("nobody killed this one, and it ended as %+v", e)
	}
	text, err := os.ReadFile(count)
	mustDo(t, err)
	return measured{e, len(text)}
}

// spread is about n numbers from 1 to most, evenly; all of them in a campaign.
func spread(most, n int) (out []int) {
	if everyKill {
		n = most
	}
	for i := range n {
		out = append(out, 1+i*(most-1)/max(n-1, 1))
	}
	return out
}

// killed kills the station as often as there are blows, looks at what it left each
// time, and lets it finish.
func (b *killBench) killed(tally *killTally, blows ...func(*killBench) ending) {
	b.t.Helper()
	kills, missed, finished := 0, 0, ""
	var left []string
	for _, blow := range blows {
		e := blow(b)
		if !e.killed {
			missed++
			b.mustBeSettled(e)
			continue
		}
		kills++
		b.held = append(b.held, b.files())
		if b.kind.byUnit {
			left = append(left, b.left(e))
		}
		complete := b.judged(func(j *judge.Judge) ([]judge.Violation, error) {
			if e.verdict == "" {
				return j.Moment(b.t.Context(), b.unit)
			}
			return j.After(b.t.Context(), b.unit, judge.Contact{Run: e.run, Verdict: e.verdict, Code: e.code, Serial: killSerial})
		})
		if complete {
			finished = ", finished before the kill"
		}
	}
	e := b.run(instant{})
	b.mustBeSettled(e)
	if b.t.Failed() {
		b.t.Logf("the runs said\n%s", b.lastWords())
	}
	tally.mu.Lock()
	defer tally.mu.Unlock()
	tally.kills += kills
	tally.missed += missed
	for _, how := range left {
		tally.left[how]++
	}
	tally.ended[strings.TrimSpace(e.verdict+" "+e.code)+finished]++
}

// mustBeSettled: the run has a verdict that stands, and it is true: of the chip, by
// the judge; of the records, by the program itself. Only a unit that closes its
// download mode may have to be parked, when it did so before that was on record.
func (b *killBench) mustBeSettled(e ending) {
	b.t.Helper()
	switch {
	case e.verdict == "PASS" && e.exit == 0, e.verdict == "DONE" && e.exit == 0:
	case e.verdict == "PARK" && e.exit == 4 && b.kind.closed && e.code == "E108":
	default:
		b.t.Fatalf("the unit is not finished: %+v\n%s", e, b.lastWords())
	}
	if left := b.leftovers(); len(left) > 0 {
		b.t.Errorf("left behind: %v", left)
	}
	b.judged(func(j *judge.Judge) ([]judge.Violation, error) {
		return j.After(b.t.Context(), b.unit, judge.Contact{Run: e.run, Verdict: e.verdict, Code: e.code, Serial: killSerial})
	})
	b.mustHideKeys()
	// Looking leaves SQLite's own files, so it is done elsewhere.
	db := filepath.Join(filepath.Dir(b.dir), "looked-at.db")
	mustDo(b.t, os.WriteFile(db, b.files()["provision.db"], 0o600))
	var out, told strings.Builder
	if code := run(b.t.Context(), []string{"records", "verify", "--db", db}, strings.NewReader(""), &out, &told); code != 0 {
		b.t.Errorf("records verify: exit %d: %s", code, told.String())
	}
	out.Reset()
	if code := run(b.t.Context(), []string{"history", "--db", db, "--json"}, strings.NewReader(""), &out, &told); code != 0 {
		b.t.Errorf("history: exit %d: %s", code, told.String())
	}
	if n := strings.Count(out.String(), `"serial":"AB-`); n != strings.Count(out.String(), `"serial":"`+killSerial+`"`) {
		b.t.Errorf("a second serial number was used:\n%s", out.String())
	}
}
