package records

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

// TestCancelledWriteLeavesNothingOpen: whenever a write is cancelled, the only
// connection that writes is not left inside its transaction, and the next write works.
func TestCancelledWriteLeavesNothingOpen(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "cancelled.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	random, cancelled := rand.New(rand.NewPCG(1, 2)), 0
	touch := func(*txn) error { return nil }
	for n := range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		wait, began := time.Duration(random.IntN(40_000)), time.Now()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			for time.Since(began) < wait { // shorter than any timer
			}
			cancel()
		}()
		if err := s.write(ctx, touch); errors.Is(err, context.Canceled) {
			cancelled++
		} else if err != nil {
			t.Fatalf("write %d: %v", n, err)
		}
		<-gone
		if err := s.write(t.Context(), touch); err != nil {
			t.Fatalf("write %d, after one that was cancelled at %v (%d so far): %v", n, wait, cancelled, err)
		}
	}
	t.Logf("%d of 2000 writes were cancelled", cancelled)
}
