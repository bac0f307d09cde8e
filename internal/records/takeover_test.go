package records

import (
	"testing"
	"time"
)

// TestTakenOver: of two runs that have taken up one unit, only the one that came last
// may burn, write or complete it, whoever of them is still at work.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	e := newExample(1)
	u := e.seal(t, s)
	intent := BurnIntent{RunID: e.run, UnitID: u.ID, Step: "burn locks", Block: 0, Bits: Words{6: 1}, At: noon}
	first, err := s.IntendBurn(ctx, intent)
	must(t, err)

	must(t, s.StartRun(ctx, Run{ID: "second", StartedAt: noon.Add(time.Minute)}))
	_, err = s.IntendBurn(ctx, intent)
	must(t, err) // it has not taken the unit up yet
	must(t, s.Holds(ctx, e.run, u.ID))
	_, err = s.Reserve(ctx, "second", e.unit(), noon.Add(time.Minute))
	must(t, err)

	_, err = s.IntendBurn(ctx, intent)
	wantErr(t, err, ErrTakenOver)
	wantErr(t, s.Holds(ctx, e.run, u.ID), ErrTakenOver)
	wantErr(t, s.MarkVerified(ctx, e.run, u.ID, e.keys[0].Purpose, noon), ErrTakenOver)
	wantErr(t, s.SaveRegion(ctx, Region{RunID: e.run, UnitID: u.ID, Name: "app", Length: 1, FlashMD5: sum("x")[:32], VerifiedAt: noon}), ErrTakenOver)
	must(t, s.Holds(ctx, "second", u.ID))
	wantErr(t, s.Complete(ctx, Completion{UnitID: u.ID, RunID: e.run, At: noon}), ErrTakenOver)
	must(t, s.ObserveBurn(ctx, Observation{BurnID: first, OK: true, At: noon})) // what was begun is still told
	intent.RunID = "second"
	_, err = s.IntendBurn(ctx, intent)
	must(t, err)
	must(t, s.FinishRun(ctx, Finish{RunID: "second", At: noon.Add(time.Minute), Verdict: Error}))
	intent.RunID = e.run
	_, err = s.IntendBurn(ctx, intent)
	wantErr(t, err, ErrTakenOver) // the unit is not what it was when this run looked
	_, err = s.Verify(ctx)
	must(t, err)
}
