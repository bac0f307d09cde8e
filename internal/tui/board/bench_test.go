package board

import (
	"testing"
	"time"

	"provision/internal/flow"
	"provision/internal/shift"
)

// busy is a floor with 24 units at work.
func busy(t testing.TB) model {
	m := scene(t, "idle-24")
	for n := 1; n <= 24; n++ {
		m = m.apply(shift.Event{Event: flow.Event{Kind: flow.RunStarted, Slot: n, Run: "R", Serial: "AB-000123", Time: m.now}, State: shift.Run})
		m = m.apply(progress(n, 38, m.now))
	}
	return m
}

func progress(slot int, percent float64, at time.Time) shift.Event {
	return shift.Event{Event: flow.Event{
		Kind: flow.StepProgress, Slot: slot, Run: "R", Step: "write app at 0x20000", Time: at,
		Work: &flow.Progress{Percent: percent, Remaining: 11.7},
	}}
}

// BenchmarkFloor24 is one frame of 24 running slots; four of them are drawn in a
// second.
func BenchmarkFloor24(b *testing.B) {
	m, en := busy(b), texts(b, "en")
	for _, size := range []struct {
		name string
		w, h int
	}{{"80x24", 80, 24}, {"200x60", 200, 60}} {
		b.Run(size.name, func(b *testing.B) {
			for b.Loop() {
				m.render(size.w, size.h, colour, en)
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	m := busy(b)
	ev := progress(7, 40, m.now)
	for b.Loop() {
		m = m.apply(ev)
	}
}
