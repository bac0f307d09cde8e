package flow_test

import (
	"context"
	"testing"
	"time"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/records"
)

// stalling are records that hang once, on their way to the disk, at one kind of event.
type stalling struct {
	flow.Records
	kind string
	hung *bool
}

func (s stalling) hang(rows []records.Event) {
	for _, row := range rows {
		if row.Kind == s.kind && row.Step == "burn BLOCK1" && !*s.hung {
			*s.hung = true
			time.Sleep(flow.BurnLimit + time.Second)
		}
	}
}

func (s stalling) Append(ctx context.Context, rows ...records.Event) (records.Hash, error) {
	s.hang(rows)
	return s.Records.Append(ctx, rows...)
}

func (s stalling) IntendBurn(ctx context.Context, b records.BurnIntent, rows ...records.Event) (int64, error) {
	id, err := s.Records.IntendBurn(ctx, b, rows...)
	s.hang(rows)
	return id, err
}

// TestRecordsStall: a disk that hangs for the time of a whole burn is not a connection
// that broke. Nothing is burnt after that time, and the next run goes on.
func TestRecordsStall(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	for _, kind := range []string{flow.StepStarted, flow.BurnIntended} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, j)
				first, hung := r.config(), false
				first.Records = stalling{r.store, kind, &hung}
				r.mustEnd(first, "ERROR", fault.Database)
				if !hung || r.chip.Fuses() != r.blank {
					t.Errorf("hung: %v; fuses %08x", hung, r.chip.Fuses())
				}
				r.mustRun("PASS", "")
				r.mustBeSecured(true)
			})
		})
	}
}
