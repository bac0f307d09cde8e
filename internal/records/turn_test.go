package records

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurnIsBounded: a write that does not end, as on a disk that hangs, holds the only
// connection that writes. The others say so after a while, whatever their deadline is,
// and look-ups do not wait at all.
func TestTurnIsBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		limit time.Duration // of the caller; 0: none
		want  time.Duration
	}{
		{"without a deadline", 0, turnLimit},
		{"inside a burn", time.Minute, turnLimit},
		{"near the deadline", 2 * time.Second, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := openTemp(t)
				hung, err := s.w.Conn(t.Context())
				must(t, err)
				ctx := t.Context()
				if c.limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.limit)
					defer cancel()
				}
				begun := time.Now()
				wantErr(t, s.StartRun(ctx, Run{ID: "r", StartedAt: noon}), ErrBusy)
				if waited := time.Since(begun); waited != c.want {
					t.Errorf("waited %v, want %v", waited, c.want)
				}
				_, err = s.Runs(t.Context(), RunFilter{})
				must(t, err)
				err = s.Scrub(context.WithoutCancel(ctx))
				wantErr(t, err, ErrBusy)
				wantErr(t, err, ErrNotScrubbed)
				must(t, hung.Close())
				must(t, s.StartRun(t.Context(), Run{ID: "r", StartedAt: noon}))
			})
		})
	}
}

// TestCanceledTurn: who is interrupted while it waits was interrupted, and no more.
func TestCanceledTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		hung, err := s.w.Conn(t.Context())
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		err = s.StartRun(ctx, Run{ID: "r", StartedAt: noon})
		wantErr(t, err, context.Canceled)
		if errors.Is(err, ErrBusy) {
			t.Errorf("an interruption is told as %v", err)
		}
		must(t, hung.Close())
	})
}
