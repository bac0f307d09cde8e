//go:build unix

package board

import (
	"context"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"provision/internal/flow"
	"provision/internal/shift"
)

// TestDrawingLoad measures what drawing 24 running slots costs, through the real
// program: every slot reports four times a second, as a shift passes progress on.
// It takes real time, so it runs only when PROVISION_MEASURE is set.
func TestDrawingLoad(t *testing.T) {
	if os.Getenv("PROVISION_MEASURE") == "" {
		t.Skip("measures for ten seconds; set PROVISION_MEASURE=1")
	}
	const slots, period, length = 24, 250 * time.Millisecond, 10 * time.Second
	var tell func(shift.Event)
	in, keys := io.Pipe()
	defer keys.Close()
	over := make(chan error, 1)
	started := make(chan bool)
	go func() {
		over <- Run(context.Background(), Config{
			Out: io.Discard, In: in, Words: texts(t, "en"), Now: time.Now, Send: func(shift.Intent) {}, Width: 200, Height: 60,
			Events: func(sink func(shift.Event)) func() { tell = sink; close(started); return func() {} },
		})
	}()
	<-started
	var numbers []int
	for n := 1; n <= slots; n++ {
		numbers = append(numbers, n)
	}
	tell(shift.Event{Event: flow.Event{Kind: shift.ShiftStarted, Time: time.Now()}, Shift: &shift.ShiftFacts{Station: "S", Slots: numbers}})
	tell(shift.Event{Event: flow.Event{Kind: shift.Armed}, Job: &shift.JobFacts{ID: "J", Armed: true}})
	for _, n := range numbers {
		tell(shift.Event{Event: flow.Event{Kind: flow.RunStarted, Slot: n, Run: "R", Serial: "AB-000123", Time: time.Now()}, State: shift.Run})
	}
	before, began := cpuTime(t), time.Now()
	for step := 0; time.Since(began) < length; step++ {
		for n := 1; n <= slots; n++ {
			tell(progress(n, float64(step%100), time.Now()))
		}
		time.Sleep(period)
	}
	used, took := cpuTime(t)-before, time.Since(began)
	tell(shift.Event{Event: flow.Event{Kind: shift.ShiftEnded}})
	if err := <-over; err != nil {
		t.Error(err)
	}
	share := 100 * used.Seconds() / took.Seconds()
	t.Logf("%d running slots at 200x60: %.1f %% of a core", slots, share)
	if share > 10 {
		t.Errorf("drawing takes %.1f %% of a core; 10 are allowed", share)
	}
}

// cpuTime is what this process has used so far.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
