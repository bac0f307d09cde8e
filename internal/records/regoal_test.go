package records

import (
	"encoding/json"
	"testing"
	"time"
)

var otherGoal = json.RawMessage(`{"lock":["JTAG_DISABLE"]}`)

// second is another run over the unit of e.
func (e example) second(t *testing.T, s *Store) example {
	t.Helper()
	e.run = "second"
	e.start(t, s)
	return e
}

// TestRegoal: a run takes a unit and gives it another goal in one go. The run that had
// it is out, and so is one that has seen the old goal and comes now.
func TestRegoal(t *testing.T) {
	s := openTemp(t)
	e := newExample(1)
	unit := e.seal(t, s)
	second := e.second(t, s)
	changed, err := s.Regoal(t.Context(), second.run, unit, otherGoal, noon)
	must(t, err)
	got, err := s.UnitByMAC(t.Context(), unit.MAC)
	must(t, err)
	if string(got.Goal) != string(otherGoal) || string(changed.Goal) != string(otherGoal) || changed.ID != unit.ID {
		t.Fatalf("goal is %s, returned as %s, want %s", got.Goal, changed.Goal, otherGoal)
	}
	must(t, s.Holds(t.Context(), second.run, unit.ID))
	wantErr(t, s.Holds(t.Context(), e.run, unit.ID), ErrTakenOver)
	_, err = s.Reserve(t.Context(), e.run, unit, noon.Add(time.Second)) // with the goal of before
	wantErr(t, err, ErrTakenOver)
	_, err = s.Regoal(t.Context(), e.run, unit, json.RawMessage(`{}`), noon)
	wantErr(t, err, ErrTakenOver)
	must(t, s.Holds(t.Context(), second.run, unit.ID))
	if _, err := s.Verify(t.Context()); err != nil {
		t.Errorf("the ledger does not know of the change: %v", err)
	}
}

// TestRegoalRefuses: with a burn on its way the goal stays, and so does whose the unit is.
func TestRegoalRefuses(t *testing.T) {
	s := openTemp(t)
	e := newExample(1)
	unit := e.secure(t, s)
	second := e.second(t, s)
	_, err := s.Regoal(t.Context(), second.run, unit, otherGoal, noon)
	wantErr(t, err, ErrBurnt)
	must(t, s.Holds(t.Context(), e.run, unit.ID))
	_, err = s.Regoal(t.Context(), "nobody", unit, otherGoal, noon)
	wantErr(t, err, ErrNotFound)
	_, err = s.Regoal(t.Context(), second.run, Unit{}, otherGoal, noon)
	wantErr(t, err, ErrInvalid)
}
