package mailbox_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"provision/internal/mailbox"
)

func TestInOrderAndWhole(t *testing.T) {
	var got []int
	b := mailbox.New(func(n int) { got = append(got, n) })
	var want []int
	for n := range 1000 {
		b.Put(n)
		want = append(want, n)
	}
	<-b.Close()
	if !slices.Equal(got, want) {
		t.Errorf("received %d values, not the 1000 in order", len(got))
	}
}

// TestPutNeverWaits: the receiver hangs; putting goes on, from several sides.
func TestPutNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		n := 0
		b := mailbox.New(func(int) { <-release; n++ })
		began := time.Now()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for i := range 100 {
					b.Put(i)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("putting took %v", took)
		}
		close(release)
		<-b.Close()
		if n != 400 {
			t.Errorf("received %d, want 400", n)
		}
	})
}
