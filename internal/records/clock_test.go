package records

import (
	"testing"
	"time"
)

// TestAcceptClock: a run with the clock ahead is what later ones are compared with, until
// a person stands for the clock; from then on the runs since count.
func TestAcceptClock(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	latest := func(want time.Time) {
		t.Helper()
		h, err := s.Check(ctx)
		must(t, err)
		if got, err := s.LatestTime(ctx); err != nil || !got.Equal(want) || !h.LatestAt.Equal(want) {
			t.Errorf("the latest time is %v and %v (%v), want %v", got, h.LatestAt, err, want)
		}
	}
	run := func(id string, at time.Time) { must(t, s.StartRun(ctx, Run{ID: id, StartedAt: at, Station: "A"})) }
	latest(time.Time{})
	wantErr(t, s.AcceptClock(ctx, noon, "ada", "x"), ErrNotFound)
	ahead := noon.AddDate(1, 0, 0)
	run("first", noon)
	run("ahead", ahead)
	latest(ahead)
	run("other station", noon.Add(time.Minute))
	latest(ahead)
	now := noon.Add(2 * time.Minute)
	must(t, s.AcceptClock(ctx, now, "ada", "the year was wrong"))
	latest(now)
	run("again", now)
	latest(now)
	run("back", noon)
	latest(now)
	must(t, s.AcceptClock(ctx, noon, "ada", "and the hour"))
	latest(noon)
	acts, err := s.Acts(ctx, ActFilter{Kind: "clock", Limit: 1})
	must(t, err)
	want := Act{At: now, Person: "ada", Kind: "clock", Reason: "the year was wrong", Subject: "other station"}
	if len(acts) != 1 || acts[0] != want {
		t.Errorf("on record is %+v, want %+v", acts, want)
	}
	if _, err := s.Verify(ctx); err != nil {
		t.Error(err)
	}
}
