package campaign

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"provision/internal/campaign/memory"
	"provision/internal/flow"
)

// TestMemory lives through some lives twice, with records in a database and in memory:
// they are the same lives, contact for contact and event for event. How many, and from
// which seed on, can be asked for as in TestCampaign.
func TestMemory(t *testing.T) {
	check(t, makeJobs())
	first, units := number(t, "PROVISION_CAMPAIGN_FIRST", 1), number(t, "PROVISION_CAMPAIGN_UNITS", max(24/thin, 1))
	for from := first; from < first+units; from += batch {
		to := min(from+batch, first+units)
		want := toldOf(t, &onDisk{dir: t.TempDir()}, from, to)
		got := toldOf(t, inMemory{memory.NewDisk()}, from, to)
		for i := range min(len(want), len(got)) {
			if got[i] != want[i] {
				t.Fatalf("in memory:\n%s\nwith a database:\n%s", got[i], want[i])
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d lines are told of seeds %d to %d in memory, %d with a database", len(got), from, to-1, len(want))
		}
	}
}

// free is the room on the disk, which is no part of a life.
var free = regexp.MustCompile(`"free_bytes":[0-9]+`)

// plainly is what is told without what has to differ.
func plainly(text string) string {
	return strings.ReplaceAll(free.ReplaceAllString(text, ""), "sql: database is closed", "the records are closed")
}

// toldOf lives through some lives and returns everything that is told of them.
func toldOf(t *testing.T, records books, from, to uint64) (told []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBenchOver(t, records)
		b.told = func(ev flow.Event) {
			text, err := json.Marshal(ev)
			check(t, err)
			told = append(told, plainly(string(text)))
		}
		for seed := from; seed < to; seed++ {
			l := b.live(t.Context(), newPlan(seed))
			told = append(told, plainly(l.String()), fmt.Sprint(l.happened))
		}
	})
	return told
}
