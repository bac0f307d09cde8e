package records

import (
	"encoding/json"
	"testing"
)

func TestRegoal(t *testing.T) {
	s := openTemp(t)
	e := newExample(1)
	unit := e.seal(t, s)
	goal := json.RawMessage(`{"lock":["JTAG_DISABLE"]}`)
	must(t, s.Regoal(t.Context(), unit.ID, goal))
	got, err := s.UnitByMAC(t.Context(), unit.MAC)
	must(t, err)
	if string(got.Goal) != string(goal) {
		t.Fatalf("goal is %s, want %s", got.Goal, goal)
	}
	if _, err := s.Verify(t.Context()); err != nil {
		t.Errorf("the ledger does not know of the change: %v", err)
	}
}

func TestRegoalRefusesWhatIsBurnt(t *testing.T) {
	s := openTemp(t)
	e := newExample(1)
	unit := e.secure(t, s)
	wantErr(t, s.Regoal(t.Context(), unit.ID, json.RawMessage(`{}`)), ErrBurnt)
}
