package flow

import (
	"slices"
	"testing"

	"provision/internal/job"
	"provision/internal/station"
)

// TestRecipientsInAnyOrder: the same people in another order are the same policy.
func TestRecipientsInAnyOrder(t *testing.T) {
	policyFor := func(recipients ...string) policy {
		p := &station.Profile{}
		p.Keys.Custody, p.Keys.Recipients = station.Escrow, recipients
		r := runner{cfg: Config{Job: &job.Job{Profile: p}}}
		return r.policy()
	}
	ab, ba, ac := policyFor("age1a", "age1b"), policyFor("age1b", "age1a"), policyFor("age1a", "age1c")
	if names := ab.differs(ba); names != nil || !ab.sealing(ba) {
		t.Errorf("another order differs in %v", names)
	}
	begun := policy{Recipients: []string{"age1b", "age1a"}} // as rows have it that were begun in that order
	if !slices.Equal(begun.ordered().Recipients, ab.Recipients) {
		t.Error("a row's order counts")
	}
	if names := ab.differs(ac); !slices.Equal(names, []string{"recipients"}) || ab.sealing(ac) {
		t.Errorf("another person differs in %v", names)
	}
}
