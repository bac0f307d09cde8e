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

// TestLastToReserve: it is not the run that started last, but the one that reserved the
// unit last. One that was killed, or has ended, blocks nobody.
func TestLastToReserve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(t *testing.T, s *Store, run string)
	}{
		{"killed", func(*testing.T, *Store, string) {}},
		{"ended", func(t *testing.T, s *Store, run string) {
			must(t, s.FinishRun(t.Context(), Finish{RunID: run, At: noon, Verdict: Error, Code: "E902"}))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openTemp(t)
			ctx := t.Context()
			must(t, s.StartRun(ctx, Run{ID: "first", StartedAt: noon}))
			e := newExample(1)
			u := e.seal(t, s) // by a run that started after it
			c.end(t, s, e.run)
			wantErr(t, s.Holds(ctx, "first", u.ID), ErrTakenOver)

			_, err := s.Reserve(ctx, "first", e.unit(), noon)
			must(t, err)
			must(t, s.Holds(ctx, "first", u.ID))
			_, err = s.IntendBurn(ctx, BurnIntent{RunID: "first", UnitID: u.ID, Step: "burn locks", Block: 0, Bits: Words{6: 1}, At: noon})
			must(t, err)
			if c.name == "killed" { // it may come to itself again
				wantErr(t, s.Holds(ctx, e.run, u.ID), ErrTakenOver)
			}
			_, err = s.Verify(ctx)
			must(t, err)
		})
	}
}

// TestSealsNothingOverTaken: keys of a run that has lost its unit are not sealed in the
// way of the run that has it.
func TestSealsNothingOverTaken(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	e := newExample(1)
	u := e.reserve(t, s)
	second := e.second(t, s)
	_, err := s.Reserve(t.Context(), second.run, u, noon)
	must(t, err)
	wantErr(t, s.SealKeys(t.Context(), e.run, u.ID, e.keys, e.working, e.escrow, nil, noon), ErrTakenOver)
	must(t, s.SealKeys(t.Context(), second.run, u.ID, e.keys, e.working, e.escrow, nil, noon))
}
