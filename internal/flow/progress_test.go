package flow

import (
	"testing"
	"time"
)

// TestMeterLearns runs two kinds of steps, one half as fast and one twice as fast
// as estimated: the time left follows what was seen, falls all the way, and is
// nothing at the end.
func TestMeterLearns(t *testing.T) {
	write := Step{Name: "write", Cost: 10 * time.Second}
	burn := Step{Name: "burn", Cost: time.Second, Burns: true}
	steps := []Step{write, write, burn, burn, burn, burn}
	m := newMeter(steps)
	now := time.Unix(0, 0)
	left := []float64{m.start(write, now).Remaining}
	for i := 1; i <= 10; i++ { // 20 s for what was thought to take 10
		now = now.Add(2 * time.Second)
		left = append(left, m.at(i, 10, now).Remaining)
	}
	left = append(left, m.finish(write, now).Remaining)
	if got := left[len(left)-1]; got < 23.9 || got > 24.1 {
		t.Errorf("after one write %.1f s are left, want 24: another at the speed seen, four burns as estimated", got)
	}
	left = append(left, m.skip(write, now).Remaining)
	for range 4 {
		m.start(burn, now)
		now = now.Add(500 * time.Millisecond)
		left = append(left, m.finish(burn, now).Remaining)
	}
	if got := left[len(left)-1]; got != 0 {
		t.Errorf("%.1f s are left at the end", got)
	}
	for i := 3; i < len(left); i++ { // from when the speed is known
		if left[i] > left[i-1]+0.01 {
			t.Errorf("the time left rose from %.1f to %.1f s at %d", left[i-1], left[i], i)
		}
	}
}
