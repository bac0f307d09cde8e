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

// killSeed makes the instants of TestKilledAtAnyInstant.
const killSeed = 20261122

// killTally counts how the units ended.
type killTally struct {
	mu     sync.Mutex
	kills  int
	missed int // the run was over before its time came
	ended  map[string]int
}

func (y *killTally) String() string {
	var parts []string
	for _, how := range slices.Sorted(maps.Keys(y.ended)) {
		parts = append(parts, fmt.Sprintf("%s: %d", how, y.ended[how]))
	}
	return fmt.Sprintf("%d kills, %d too late; %s", y.kills, y.missed, strings.Join(parts, ", "))
}

// notUnderRace skips tests whose programs are processes of their own.
func notUnderRace(t *testing.T) {
	t.Helper()
	if testing.Short() || raceDetector {
		t.Skip("starts hundreds of processes, and nothing new for the race detector")
	}
	t.Parallel()
}

// TestKilledAtCommit kills the station at the N-th commit of its database, before
// any of it is written and, on another unit, after all of it is durable: for every N
// in a campaign, for a sample of them else.
func TestKilledAtCommit(t *testing.T) {
	notUnderRace(t)
	for _, k := range killKinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			commits, _ := measure(t, k)
			tally := &killTally{ended: map[string]int{}}
			t.Run("kills", func(t *testing.T) {
				for _, n := range spread(commits, 5) {
					for _, when := range []string{"before", "after"} {
						t.Run(fmt.Sprintf("%s %d", when, n), func(t *testing.T) {
							t.Parallel()
							newKillBench(t, k).killed(tally, func(b *killBench) ending {
								return b.run(0, fmt.Sprintf("%s=%s %d", envKill, when, n))
							})
						})
					}
				}
			})
			if tally.missed > 0 {
				t.Errorf("%d stations were not killed", tally.missed)
			}
			t.Logf("%s: %d commits: %v, in %v", k.name, commits, tally, time.Since(began).Round(time.Second))
		})
	}
}

// TestKilledAtAnyInstant kills the station at random instants: up to three times one
// after the other, then it may finish.
func TestKilledAtAnyInstant(t *testing.T) {
	notUnderRace(t)
	for i, k := range killKinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, took := measure(t, k)
			tally := &killTally{ended: map[string]int{}}
			units := 4
			if everyKill {
				units = 150
			}
			t.Run("kills", func(t *testing.T) {
				for n := range units {
					t.Run(fmt.Sprint("unit ", n), func(t *testing.T) {
						t.Parallel()
						random := rand.New(rand.NewPCG(killSeed+uint64(i), uint64(n)))
						b := newKillBench(t, k)
						instant := func(b *killBench) ending { return b.run(1 + time.Duration(random.Int64N(int64(took)))) }
						b.killed(tally, slices.Repeat([]func(*killBench) ending{instant}, 1+n%3)...)
					})
				}
			})
			t.Logf("%s: seed %d: %d units, %v, in %v", k.name, killSeed+i, units, tally, time.Since(began).Round(time.Second))
		})
	}
}

// measure is how many commits a run that nobody kills makes, and how long it takes.
func measure(t *testing.T, k killKind) (commits int, took time.Duration) {
	t.Helper()
	b := newKillBench(t, k)
	count := filepath.Join(filepath.Dir(b.dir), "commits")
	e := b.run(0, envCommits+"="+count)
	b.mustBeSettled(e)
	if e.verdict != "PASS" {
		t.Fatalf("nobody killed this one, and it ended as %+v", e)
	}
	text, err := os.ReadFile(count)
	mustDo(t, err)
	return len(text), e.took
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
	for _, blow := range blows {
		e := blow(b)
		if !e.killed {
			missed++
			b.mustBeSettled(e)
			continue
		}
		kills++
		b.held = append(b.held, b.files())
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
	e := b.run(0)
	b.mustBeSettled(e)
	if b.t.Failed() {
		b.t.Logf("the runs said\n%s", b.lastWords())
	}
	tally.mu.Lock()
	defer tally.mu.Unlock()
	tally.kills += kills
	tally.missed += missed
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
