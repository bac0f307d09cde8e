package flow_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // a second program at the same database

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/simulator"
)

// recordedEvents is how many events a whole run over a unit has on record.
func recordedEvents(t *testing.T, p policy, j *job.Job) (n int) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		r := newRig(t, p, j)
		r.mustRun("PASS", "")
		for _, ev := range r.events {
			n = max(n, ev.Seq)
		}
	})
	if n < 40 {
		t.Fatalf("a run has %d events", n)
	}
	return n
}

// steps is every event of a run, or a sample of them.
func steps(n int) []int {
	all := make([]int, n)
	for k := range all {
		all[k] = k + 1
	}
	return sample(all, 16)
}

// TestInterrupted ends the run at each of its events, as Ctrl-C does. What was begun
// inside a burn is finished and read back; the next run finishes the unit. It comes too
// late only where PASS is on record.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, p := range []policy{release, byUnit} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			interruptedAtEach(t, p)
		})
	}
}

func interruptedAtEach(t *testing.T, p policy) {
	t.Helper()
	j := newJob(t, p)
	tally := &campaign{policy: p, outcomes: map[string]int{}}
	recorded := passRecorded(t, p, j)
	t.Run("at", func(t *testing.T) {
		for _, k := range steps(recordedEvents(t, p, j)) {
			t.Run(fmt.Sprint("event ", k), func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T) {
					r := newRig(t, p, j)
					res := r.runInterrupted(k)
					if passed := res.Verdict == "PASS"; passed != (k >= recorded) {
						t.Errorf("PASS is on record with event %d; interrupted at %d, the run ended as %s %s: %v", recorded, k, res.Verdict, res.Code, res.Err)
					}
					r.mustEndInterrupted(res)
					tally.count(strings.TrimSpace(res.Verdict + " " + string(res.Code)))
					r.mustTellItAll()
					r.chip.PowerCycle()
					res = r.run()
					if res.Exit != 0 {
						t.Fatalf("taken up again, the run ended as %s: %v", res.Verdict, res.Err)
					}
					r.mustBeSecured(true)
				})
			})
		}
	})
	t.Logf("%s, PASS is on record with event %d: %s", p.name, recorded, tally.summary())
}

// passRecorded is the event of a whole run that goes on record with PASS.
func passRecorded(t *testing.T, p policy, j *job.Job) (seq int) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		r := newRig(t, p, j)
		r.mustRun("PASS", "")
		for _, ev := range r.events {
			if ev.Kind == flow.KeysDestroyed {
				seq = ev.Seq
			}
		}
	})
	if seq == 0 {
		t.Fatal("no event goes with PASS")
	}
	return seq
}

// runInterrupted is a run that is told to stop at event k.
func (r *rig) runInterrupted(k int) flow.Result {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	r.sink = func(ev flow.Event) {
		if ev.Seq == k {
			cancel()
		}
	}
	defer func() { r.sink = nil }()
	return r.runContext(ctx)
}

// mustEndInterrupted accepts a run that stopped where it was told to, with every
// burn looked at, and one that had nothing left to do but to say so.
func (r *rig) mustEndInterrupted(res flow.Result) {
	r.t.Helper()
	if res.Verdict == "PASS" {
		r.mustBeOnRecord()
		return
	}
	if res.Code != fault.Interrupted || res.Exit != fault.ExitInterrupted {
		r.t.Errorf("interrupted, the run ended as %s %s: %v", res.Verdict, res.Code, res.Err)
	}
	for _, b := range r.burns() {
		if b.ObservedAt.IsZero() || !b.OK {
			r.t.Errorf("burn %d (%s) was left without a look at it", b.ID, b.Step)
		}
	}
	r.mustKeepKeys()
}

// TestInterruptedInBurn cancels while a program command is on its way.
func TestInterruptedInBurn(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	for _, k := range sample([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 11) {
		t.Run(fmt.Sprint("burn ", k), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, j)
				ctx, cancel := context.WithCancel(t.Context())
				n := 0
				r.watch().burning = func(simulator.Fuses) {
					if n++; n == k {
						cancel()
					}
				}
				r.mustEndInterrupted(r.runContext(ctx))
				if got := r.chip.Counters().Burns; got != k {
					t.Errorf("%d burns were done, want %d", got, k)
				}
				r.mustRun("PASS", "")
				r.mustBeSecured(false)
			})
		})
	}
}

// TestRecordsVanish closes the records at each event of a run, and takes the unit up
// again with the records back.
func TestRecordsVanish(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	for _, k := range steps(recordedEvents(t, release, j)) {
		t.Run(fmt.Sprint("event ", k), func(t *testing.T) {
			t.Parallel()
			withoutRecords(t, release, j, k, (*rig).closeRecords, (*rig).reopenRecords)
		})
	}
}

// TestRecordsVanishUnderUnit closes the records at each event of the step in which the
// unit encrypts itself, of which it has one intent and writes flash after that.
func TestRecordsVanishUnderUnit(t *testing.T) {
	t.Parallel()
	j := newJob(t, byUnit)
	var within []int
	inBubble(t, func(t *testing.T) {
		r := newRig(t, byUnit, j)
		r.mustRun("PASS", "")
		for _, ev := range r.events {
			if ev.Step == unitEncrypts && ev.Seq > 0 {
				within = append(within, ev.Seq)
			}
		}
	})
	if len(within) < 5 {
		t.Fatalf("the step has events %v", within)
	}
	for _, k := range within {
		t.Run(fmt.Sprint("event ", k), func(t *testing.T) {
			t.Parallel()
			withoutRecords(t, byUnit, j, k, (*rig).closeRecords, (*rig).reopenRecords)
		})
	}
}

// TestRecordsRefuse has the database refuse one kind of write after another.
func TestRecordsRefuse(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	writes := []string{
		"INSERT ON units", "INSERT ON sealed_keys", "INSERT ON keys", "INSERT ON regions", "INSERT ON burns", "INSERT ON events",
		"UPDATE ON runs", "UPDATE ON keys", "UPDATE ON burns", "UPDATE ON units", "UPDATE ON sealed_keys",
	}
	for _, write := range sample(writes, len(writes)) {
		t.Run(write, func(t *testing.T) {
			t.Parallel()
			refuse := func(r *rig) {
				r.asIntruder("CREATE TRIGGER broken BEFORE " + write + " BEGIN SELECT RAISE(ABORT, 'disk failure'); END")
			}
			withoutRecords(t, release, j, 1, refuse, func(r *rig) { r.asIntruder("DROP TRIGGER broken") })
		})
	}
}

// TestRecordsLocked has another program hold the database. Each write waits five
// real seconds for it, so this is for the full campaign.
func TestRecordsLocked(t *testing.T) {
	t.Parallel()
	if !everyFrame {
		t.Skip("waits for real time; set PROVISION_CAMPAIGN=1")
	}
	j := newJob(t, release)
	for k := 1; k <= recordedEvents(t, release, j); k += 11 {
		t.Run(fmt.Sprint("event ", k), func(t *testing.T) {
			t.Parallel()
			lock := func(r *rig) { r.asIntruder("BEGIN IMMEDIATE") }
			withoutRecords(t, release, j, k, lock, func(r *rig) { r.asIntruder("ROLLBACK") })
		})
	}
}

// withoutRecords takes the records away at event k and gives them back after the
// run. The station is to blame, nothing is burnt without its intent, and the next
// run finishes the unit.
func withoutRecords(t *testing.T, p policy, j *job.Job, k int, fail, heal func(*rig)) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		r := newRig(t, p, j)
		w := r.watch()
		r.sink = func(ev flow.Event) {
			if ev.Seq == k {
				fail(r)
			}
		}
		res := r.run()
		r.sink = nil
		heal(r)
		r.mustBlameRecords(res)
		r.mustHaveIntended(w.acts)
		r.mustKeepKeys()
		r.chip.PowerCycle()
		if res := r.run(); res.Exit != 0 {
			t.Fatalf("with the records back, the run ended as %s: %v", res.Verdict, res.Err)
		}
		r.mustBeSecured(true)
	})
}

// mustBlameRecords accepts ERROR with a code of the records, and PASS or a remark
// after it once the records have it.
func (r *rig) mustBlameRecords(res flow.Result) {
	r.t.Helper()
	if res.Verdict == "PASS" {
		r.mustBeOnRecord()
		return
	}
	if res.Verdict != "ERROR" || !strings.HasPrefix(string(res.Code), "E6") {
		r.t.Errorf("without records, the run ended as %s %s: %v", res.Verdict, res.Code, res.Err)
	}
}

// mustHaveIntended counts the burns that went over the wire against the intents on
// record.
func (r *rig) mustHaveIntended(acts []string) {
	r.t.Helper()
	sent := 0
	for _, act := range acts {
		if strings.HasPrefix(act, "burn") {
			sent++
		}
	}
	if n := len(r.burns()); sent > n {
		r.t.Errorf("%d burns were sent, %d intents are on record", sent, n)
	}
}

func (r *rig) closeRecords() { check(r.t, r.store.Close()) }

func (r *rig) reopenRecords() {
	r.t.Helper()
	store, err := records.Open(r.t.Context(), r.store.Path())
	check(r.t, err)
	r.store = store
}

// asIntruder does something to the database from beside the station.
func (r *rig) asIntruder(statement string) {
	r.t.Helper()
	if r.intruder == nil {
		db, err := sql.Open("sqlite", "file://"+r.store.Path())
		check(r.t, err)
		db.SetMaxOpenConns(1)
		r.t.Cleanup(func() { check(r.t, db.Close()) })
		r.intruder = db
	}
	_, err := r.intruder.ExecContext(r.t.Context(), statement)
	check(r.t, err)
}
