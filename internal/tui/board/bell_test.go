package board

import (
	"testing"
	"time"

	"provision/internal/flow"
	"provision/internal/shift"
)

// strikes runs the ringer for a while and returns when it rang, counted from the
// first moment.
func strikes(r *ringer, m model, from time.Time, d time.Duration) (out []time.Duration) {
	for at := from; at.Before(from.Add(d)); at = at.Add(50 * time.Millisecond) {
		if r.ring(m, at) {
			out = append(out, at.Sub(from))
		}
	}
	return out
}

func TestBells(t *testing.T) {
	at := time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)
	for s, want := range map[shift.State]int{
		shift.Off: 0, shift.Ready: 0, shift.Run: 0, shift.Hold: 0, shift.Done: 0, shift.Redo: 0, shift.Skip: 0,
		shift.Scan: 1, shift.Pass: 1, shift.Fail: 2, shift.Park: 3, shift.Lock: 3,
	} {
		from := shift.Run
		if s == shift.Run {
			from = shift.Ready
		}
		m := alone(from).apply(shift.Event{Event: flow.Event{Slot: 1, Kind: "slot.verdict"}, State: s})
		r := &ringer{}
		r.want(m.bell)
		if got := strikes(r, m, at, 5*time.Second); len(got) != want {
			t.Errorf("%s rings %d times, want %d", s, len(got), want)
		}
		m.bell = silent
		if m = m.apply(shift.Event{Event: flow.Event{Slot: 1, Kind: "slot.verdict"}, State: s}); m.bell != silent {
			t.Errorf("%s rings again without a change", s)
		}
	}
	locked := alone(shift.Run).apply(shift.Event{Event: flow.Event{Kind: shift.StationLocked, Code: "E905"}})
	r := &ringer{}
	r.want(locked.bell)
	if got := strikes(r, locked, at, 5*time.Second); len(got) != 3 {
		t.Errorf("a locked station rings %d times", len(got))
	}
}

// TestRefusedScanIsHeard: who scans looks at the label, not at the screen.
func TestRefusedScanIsHeard(t *testing.T) {
	for ok, want := range map[bool]bell{true: silent, false: double} {
		scan := &shift.ScanFacts{Text: "AB-1", Meaning: "serial", OK: ok}
		if m := alone(shift.Scan).apply(shift.Event{Event: flow.Event{Kind: shift.ScanRead}, Scan: scan}); m.bell != want {
			t.Errorf("a scan that is taken (%t) rings %d, want %d", ok, m.bell, want)
		}
	}
}

// TestBellsAreMerged: however many slots end together, one pattern is heard at a
// time, the most urgent one, and one a second.
func TestBellsAreMerged(t *testing.T) {
	at := time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)
	r, m := &ringer{}, alone(shift.Pass)
	for _, b := range []bell{high, double, high, once} {
		r.want(b)
	}
	if got := strikes(r, m, at, 900*time.Millisecond); len(got) != 2 {
		t.Errorf("four at once ring %v", got)
	}
	r = &ringer{}
	rang := 0
	for since := time.Duration(0); since < 10*time.Second; since += 50 * time.Millisecond {
		r.want(high)
		if r.ring(m, at.Add(since)) {
			rang++
		}
	}
	if rang != 10 {
		t.Errorf("ten seconds rang %d times", rang)
	}
}

// TestParkRingsUntilSomebodyComes: every ten seconds, until a key or the unit is out.
func TestParkRingsUntilSomebodyComes(t *testing.T) {
	at := time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)
	m := alone(shift.Run).apply(shift.Event{Event: flow.Event{Slot: 1, Kind: "slot.verdict"}, State: shift.Park})
	again := func(m model) int {
		r := &ringer{}
		r.want(repeated)
		return len(strikes(r, m, at, 35*time.Second)) / 3
	}
	if got := again(m); got != 4 {
		t.Errorf("%d patterns in 35 s, want 4", got)
	}
	heard, _ := m.press(keyEsc)
	if got := again(heard); got != 1 {
		t.Errorf("after a key: %d patterns", got)
	}
	out := m.apply(shift.Event{Event: flow.Event{Slot: 1, Kind: "slot.empty"}})
	if got := again(out); got != 1 {
		t.Errorf("after the unit is out: %d patterns", got)
	}
	back := heard.apply(shift.Event{Event: flow.Event{Slot: 1, Kind: "slot.unit"}, State: shift.Run}).
		apply(shift.Event{Event: flow.Event{Slot: 1, Kind: "slot.verdict"}, State: shift.Park})
	if got := again(back); got != 4 {
		t.Errorf("the next unit: %d patterns", got)
	}
}
