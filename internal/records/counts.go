package records

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// trendLength is how many runs of a slot its trend shows.
const trendLength = 20

// interrupted is the code of a run that somebody stopped: nothing failed.
const interrupted = "E902"

// unitChanged is the code of a run whose unit was taken out for another one.
const unitChanged = "E109"

// Counts are the counters of a shift at one station, over its runs that started
// then and are finished. Units are counted by MAC, attempts by run.
type Counts struct {
	Since    time.Time    `json:"since"`
	In       int          `json:"in"`         // units that were worked on: more than greeted as DONE
	First    int          `json:"first_pass"` // passed in the first run they ever had, anywhere
	Retested int          `json:"retested"`   // passed in a later one
	Passed   int          `json:"passed"`     // First and Retested
	Failed   int          `json:"failed"`     // units whose last verdict is FAIL, but for those that are parked
	Parked   int          `json:"parked"`     // units whose last verdict is PARK, or that were parked after it and still are
	Errors   int          `json:"errors"`     // runs that ended in ERROR, interruptions aside
	FPY      float64      `json:"fpy"`        // First / In, 0 to 1; 0 without units
	Slots    []SlotCounts `json:"slots"`      // those that had runs, by number
}

// SlotCounts are those of one slot.
type SlotCounts struct {
	Slot   int    `json:"slot"`
	Runs   int    `json:"runs"`
	Passed int    `json:"passed"`
	Failed int    `json:"failed"` // FAIL, PARK and ERROR, interruptions aside
	Trend  string `json:"trend"`  // the last 20 verdicts, oldest first: P F E K (parked) D (done)
}

// ShiftCounts counts what a station did in the runs it started at or after since.
func (s *Store) ShiftCounts(ctx context.Context, station string, since time.Time) (Counts, error) {
	c, err := shiftCounts(ctx, s.r, station, since)
	return c, named(classify(ctx, err), "count the shift of %s", station)
}

func shiftCounts(ctx context.Context, q querier, station string, since time.Time) (Counts, error) {
	aside, err := setAside(ctx, q, since)
	if err != nil {
		return Counts{}, err
	}
	rows, err := q.QueryContext(ctx, countedRuns, station, since.UTC().Format(timeLayout))
	if err != nil {
		return Counts{}, err
	}
	defer rows.Close()
	t := tally{units: map[string]*unitTally{}, slots: map[int]*slotTally{}}
	for rows.Next() {
		var r countedRun
		if err := rows.Scan(&r.slot, &r.mac, &r.outcome, &r.finished); err != nil {
			return Counts{}, err
		}
		t.add(r)
	}
	if err := rows.Err(); err != nil {
		return Counts{}, err
	}
	return t.counts(since, aside), nil
}

// setAside returns the MACs that are parked now, each with the time of its parking as it
// is stored. One parked more than an hour before since may be missing.
func setAside(ctx context.Context, q querier, since time.Time) (map[string]string, error) {
	rows, err := q.QueryContext(ctx, parkedLast)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	enough := since.UTC().Add(-time.Hour).Format(timeLayout) // not all clocks agree
	aside, seen := map[string]string{}, map[string]bool{}
	for rows.Next() {
		var mac, action, at string
		if err := rows.Scan(&mac, &action, &at); err != nil {
			return nil, err
		}
		if at < enough {
			return aside, nil
		}
		if action == "park" && !seen[mac] {
			aside[mac] = at
		}
		seen[mac] = true
	}
	return aside, rows.Err()
}

// parkedLast are all parkings and releases, the latest first: a few thousand units are
// parked in years, and the first rows are all that is read.
const parkedLast = "SELECT mac, action, at FROM parkings WHERE id > 0 ORDER BY id DESC"

// countedRuns are a station's finished runs in the order they started, each with the
// letter of its outcome. Only a PASS asks whether the unit had a run before: one step
// into an index that holds no unit that passed at once.
const countedRuns = `SELECT slot, coalesce(mac, ''), CASE verdict
		WHEN 'PASS' THEN iif(EXISTS (SELECT 1 FROM runs AS earlier WHERE earlier.mac = runs.mac AND earlier.id < runs.id
			AND earlier.verdict IS NOT 'PASS' AND earlier.verdict IS NOT 'DONE'), 'P', 'p')
		WHEN 'FAIL' THEN 'F'
		WHEN 'ERROR' THEN iif(code = '` + interrupted + `', 'e', 'E')
		WHEN 'PARK' THEN 'K'
		WHEN 'DONE' THEN 'D' END, finished_at
	FROM runs WHERE station = ? AND started_at >= ? AND verdict IS NOT NULL ORDER BY started_at, id`

// Outcomes are letters of the trend; a small one is a special case of its capital:
// "e" was interrupted, which is nobody's failure.
const (
	passed      = "P"
	passedFirst = "p" // in the unit's first run
	failed      = "F"
	erred       = "E"
	parked      = "K"
	done        = "D"
)

type countedRun struct {
	slot     int
	mac      string // "" where the unit never told it
	outcome  string
	finished string // a time as it is stored
}

// tally is what the runs so far come to.
type tally struct {
	units  map[string]*unitTally // by MAC
	slots  map[int]*slotTally
	errors int
}

type unitTally struct {
	worked, passed, first bool
	last                  countedRun
}

type slotTally struct {
	SlotCounts
	outcomes []string
}

func (t *tally) add(r countedRun) {
	t.errors += count(r.outcome == erred)
	pass := r.outcome == passed || r.outcome == passedFirst
	s := entry(t.slots, r.slot)
	s.Runs++
	s.Passed += count(pass)
	s.Failed += count(r.outcome == failed || r.outcome == parked || r.outcome == erred)
	s.outcomes = append(s.outcomes, r.outcome)
	if r.mac == "" {
		return
	}
	u := entry(t.units, r.mac)
	u.worked = u.worked || r.outcome != done
	u.passed = u.passed || pass
	u.first = u.first || r.outcome == passedFirst
	u.last = r
}

// entry returns the value of a key, a new one where there is none.
func entry[K comparable, V any](m map[K]*V, key K) *V {
	v, ok := m[key]
	if !ok {
		v = new(V)
		m[key] = v
	}
	return v
}

func (t *tally) counts(since time.Time, aside map[string]string) Counts {
	c := Counts{Since: since, Errors: t.errors, Slots: []SlotCounts{}}
	for mac, u := range t.units {
		at, is := aside[mac]
		after := is && at >= u.last.finished
		c.In += count(u.worked)
		c.First += count(u.first)
		c.Passed += count(u.passed)
		c.Failed += count(u.last.outcome == failed && !after)
		c.Parked += count(u.last.outcome == parked || after)
	}
	c.Retested = c.Passed - c.First
	if c.In > 0 {
		c.FPY = float64(c.First) / float64(c.In)
	}
	for _, slot := range slices.Sorted(maps.Keys(t.slots)) {
		s := t.slots[slot]
		s.Slot = slot
		latest := s.outcomes[max(0, len(s.outcomes)-trendLength):]
		s.Trend = strings.ToUpper(strings.Join(latest, ""))
		c.Slots = append(c.Slots, s.SlotCounts)
	}
	return c
}

// count is 1 for true.
func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// CompletedSince returns how many units passed at a station at or after a time:
// under a job, when that is the time of the act that began it.
func (s *Store) CompletedSince(ctx context.Context, station string, at time.Time) (int, error) {
	var n int
	err := s.r.QueryRowContext(ctx, completedSince, station, at.UTC().Format(timeLayout)).Scan(&n)
	return n, named(classify(ctx, err), "count what %s completed", station)
}

// Complete ends one run of a unit as PASS, and no other does.
const completedSince = "SELECT count(*) FROM runs WHERE station = ? AND verdict = 'PASS' AND finished_at >= ?"

// LastHour returns how many units passed at a station in the hour before now.
func (s *Store) LastHour(ctx context.Context, station string, now time.Time) (int, error) {
	return s.CompletedSince(ctx, station, now.Add(-time.Hour))
}

// Attempts returns how often a MAC (any notation) was tried in vain since it last
// passed or was last released: runs that ended in FAIL, ERROR or PARK for what may be
// the unit's fault or its contact's. Identity, records, profiles and the station
// itself (E5xx, E6xx, E8xx, E9xx) say nothing of the unit, and that it was taken out
// (E109) nothing either. A unit that is complete has none: nothing is tried on it any
// more, and what is said of it then is what somebody typed, or the profile at hand (E209).
func (s *Store) Attempts(ctx context.Context, mac string) (int, error) {
	mac, err := ParseMAC(mac)
	if err != nil {
		return 0, err
	}
	var n int
	err = s.r.QueryRowContext(ctx, attempts, mac).Scan(&n)
	return n, named(classify(ctx, err), "count the attempts of MAC %s", mac)
}

const attempts = `SELECT count(*) FROM runs WHERE mac = ?1
	AND verdict IN ('FAIL', 'ERROR', 'PARK') AND code <> '` + unitChanged + `' AND code NOT GLOB 'E[5689][0-9][0-9]'
	AND NOT EXISTS (SELECT 1 FROM units WHERE mac = ?1 AND completed_at IS NOT NULL)
	AND finished_at > (SELECT coalesce(max(at), '') FROM (
		SELECT at FROM parkings WHERE mac = ?1 AND action = 'release'
		UNION ALL SELECT finished_at FROM runs WHERE mac = ?1 AND verdict = 'PASS'))`
