package flow_test

import (
	"context"
	"fmt"
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

// busyRecords are busy for a while with one kind of event: nothing of it is written then.
type busyRecords struct {
	flow.Records
	step, kind string
	lasts      time.Duration
	since      time.Time
}

func (b *busyRecords) busy(rows []records.Event) error {
	for _, row := range rows {
		if row.Kind != b.kind || row.Step != b.step {
			continue
		}
		if b.since.IsZero() {
			b.since = time.Now()
		}
		if time.Since(b.since) < b.lasts {
			return records.ErrBusy
		}
	}
	return nil
}

func (b *busyRecords) Append(ctx context.Context, rows ...records.Event) (records.Hash, error) {
	if err := b.busy(rows); err != nil {
		return records.Hash{}, err
	}
	return b.Records.Append(ctx, rows...)
}

func (b *busyRecords) ObserveBurn(ctx context.Context, o records.Observation, rows ...records.Event) error {
	if err := b.busy(rows); err != nil {
		return err
	}
	return b.Records.ObserveBurn(ctx, o, rows...)
}

func (b *busyRecords) Complete(ctx context.Context, c records.Completion, rows ...records.Event) error {
	if err := b.busy(rows); err != nil {
		return err
	}
	return b.Records.Complete(ctx, c, rows...)
}

// TestBusyRecords: between the burn that closes a unit and its PASS a run is patient with
// the records, as long as its step has time. Elsewhere another run costs nothing.
func TestBusyRecords(t *testing.T) {
	t.Parallel()
	const moment, forever = 40 * time.Second, time.Hour
	for _, c := range []struct {
		policy     policy
		step, kind string
		lasts      time.Duration
		waits      time.Duration // at most
		verdict    string
	}{
		{closed, "burn UART_DOWNLOAD_DIS", flow.BurnObserved, moment, flow.BurnLimit, "PASS"},
		{closed, "record", flow.StepStarted, moment, flow.BurnLimit, "PASS"},
		{closed, "record", flow.KeysDestroyed, moment, flow.BurnLimit, "PASS"},
		{closed, "record", flow.KeysDestroyed, forever, flow.BurnLimit, "ERROR"},
		{closed, "burn locks", flow.BurnObserved, moment, 0, "ERROR"},
		{release, "record", flow.KeysDestroyed, moment, 0, "ERROR"},
	} {
		t.Run(fmt.Sprintf("%s/%s at %s, %v", c.policy.name, c.kind, c.step, c.lasts), func(t *testing.T) {
			t.Parallel()
			j := newJob(t, c.policy)
			inBubble(t, func(t *testing.T) {
				r := newRig(t, c.policy, j)
				cfg := r.config()
				busy := &busyRecords{Records: r.store, step: c.step, kind: c.kind, lasts: c.lasts}
				cfg.Records = busy
				res := flow.Run(t.Context(), cfg)
				if waited := time.Since(busy.since); res.Verdict != c.verdict || busy.since.IsZero() || waited > c.waits+time.Second {
					t.Errorf("%s after %v: %v; want %s within %v", res.Verdict, waited, res.Err, c.verdict, c.waits)
				}
				switch {
				case c.verdict == "PASS":
				case res.Code != fault.Database:
					t.Errorf("code %s (%v), want %s", res.Code, res.Err, fault.Database)
				case c.lasts == forever:
					if res := r.vouch(); res.Verdict != "PASS" {
						t.Fatalf("vouched for, it ended as %s: %v", res.Verdict, res.Err)
					}
				default:
					r.mustRun("PASS", "")
				}
				r.mustBeSecured(c.verdict == "ERROR")
			})
		})
	}
}
