package board

import (
	"strings"
	"testing"
	"time"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/shift"
)

// alone is a station of one slot in a state, with nothing else to tell it by.
func alone(s shift.State) model {
	m := model{}.apply(shift.Event{
		Event: flow.Event{Kind: shift.ShiftStarted},
		Shift: &shift.ShiftFacts{Station: "S", Mode: shift.Live, Slots: []int{1}},
	})
	m.job = shift.JobFacts{ID: "J", Armed: true}
	m.slots[0].state = s
	return m
}

// drawTile draws the one slot of m as one kind of tile.
func drawTile(t *testing.T, m model, k kind, lk look) string {
	t.Helper()
	c := newCanvas(40, 11)
	p := painter{m, lk, texts(t, "en")}
	switch k {
	case lettered:
		p.letterTile(c.all(), m.slots[0])
	case tiled:
		p.gridTile(c.all(), m.slots[0])
	default:
		p.listTile(c.all(), m.slots[0])
	}
	return c.String(lk.palette)
}

// TestEveryStateLooksDifferent: without colours no two states have the same tile,
// not even when their words cannot be read.
func TestEveryStateLooksDifferent(t *testing.T) {
	for _, lk := range []look{mono, asciis} {
		for _, k := range []kind{lettered, tiled, listed} {
			seen := map[string]shift.State{}
			for _, s := range shift.States() {
				m := alone(s)
				tile := drawTile(t, m, k, lk)
				if other, taken := seen[tile]; taken {
					t.Errorf("%s and %s look the same:\n%s", s, other, tile)
				}
				seen[tile] = s
			}
		}
		shapes, marks := map[string]shift.State{}, map[string]shift.State{}
		for _, s := range shift.States() {
			f, known := faces[s]
			if !known {
				t.Fatalf("%s has no face", s)
			}
			shape, mark := f.shapeIn(lk), f.markIn(lk)
			if width(shape) != 3 || width(mark) != 1 {
				t.Errorf("%s: the shape %q or the mark %q has another width", s, shape, mark)
			}
			if other, taken := shapes[shape]; taken {
				t.Errorf("%s and %s have the shape %q", s, other, shape)
			}
			if other, taken := marks[mark]; taken {
				t.Errorf("%s and %s have the mark %q", s, other, mark)
			}
			shapes[shape], marks[mark] = s, s
		}
	}
}

// TestColoursMeanOneThing holds green to PASS and red to FAIL and LOCK.
func TestColoursMeanOneThing(t *testing.T) {
	for _, s := range shift.States() {
		for _, k := range []kind{lettered, tiled, listed} {
			tile := drawTile(t, alone(s), k, colour)
			if got := strings.Contains(tile, "32m"); got != (s == shift.Pass) {
				t.Errorf("%s: green is %v\n%q", s, got, tile)
			}
			if got := strings.Contains(tile, "31m"); got != (s == shift.Fail || s == shift.Lock) {
				t.Errorf("%s: red is %v\n%q", s, got, tile)
			}
		}
	}
	for _, name := range scenes(t) {
		m := scene(t, name)
		red, pass := m.locked != nil, false
		for _, s := range m.slots {
			red = red || s.state == shift.Fail || s.state == shift.Lock && s.code != fault.NotArmed && s.code != fault.NotAllowed
			pass = pass || s.state == shift.Pass
		}
		frame := m.render(80, 24, colour, texts(t, "en"))
		if strings.Contains(frame, "32m") != pass || strings.Contains(frame, "31m") != red {
			t.Errorf("%s: green or red stands for something else", name)
		}
	}
}

// TestWaitingIsNoAlarm: a unit that only waits for a lead or a badge rings nothing.
func TestWaitingIsNoAlarm(t *testing.T) {
	for _, name := range []string{"unit-before-start", "unit-before-badge"} {
		if m := scene(t, name); m.bell > once || m.last.kind == "state" {
			t.Errorf("%s: rings %d, tells %+v", name, m.bell, m.last)
		}
	}
}

// TestNoColour: a terminal without colours gets none, in no scene.
func TestNoColour(t *testing.T) {
	for _, name := range scenes(t) {
		frame := scene(t, name).render(80, 24, mono, texts(t, "en"))
		for _, code := range []string{"31", "32", "33", "35", "37", "93", "94"} {
			if strings.Contains(frame, code+"m") && strings.Contains(frame, ";"+code+"m") {
				t.Errorf("%s holds the colour %s", name, code)
			}
		}
	}
}

// TestDoNotRemoveBlinks: the tile changes, the words never go, and never look like
// those of a unit that may be touched.
func TestDoNotRemoveBlinks(t *testing.T) {
	for _, lk := range []look{colour, mono, asciis} {
		for _, k := range []kind{tiled, listed} {
			m := alone(shift.Hold)
			m.now = time.Unix(10, 0)
			on := drawTile(t, m, k, lk)
			off := drawTile(t, m.tick(m.now.Add(blinkEvery)), k, lk)
			if on == off {
				t.Error("it does not blink")
			}
			if !strings.Contains(bare(on), "DO NOT REMOVE") || bare(on) != bare(off) {
				t.Errorf("the words change:\n%s\n%s", on, off)
			}
		}
	}
}

// TestVerdictStays: what is on the tile goes when the next unit is there, not
// when the last one is out.
func TestVerdictStays(t *testing.T) {
	en := texts(t, "en")
	m := scene(t, "gone")
	if got := bare(m.render(80, 24, mono, en)); !strings.Contains(got, "Put the next unit in.") || !strings.Contains(got, "AB-000123") {
		t.Errorf("after the unit is out:\n%s", got)
	}
	if m.slots[0].state != shift.Pass {
		t.Errorf("the verdict became %s", m.slots[0].state)
	}
	m = m.apply(shift.Event{Event: flow.Event{Kind: "slot.unit", Slot: 1, MAC: "24:0a:c4:00:00:02"}, State: shift.Scan})
	if s := m.slots[0]; s.serial != "" || s.code != "" || s.gone || s.stage != "" || s.state != shift.Scan {
		t.Errorf("the next unit has something of the last one: %+v", s)
	}
}

// TestReseatedUnitIsNotTheNext: what is to be tried again is put back, not replaced.
func TestReseatedUnitIsNotTheNext(t *testing.T) {
	m := scene(t, "state-REDO").apply(shift.Event{Event: flow.Event{Kind: "slot.empty", Slot: 1}})
	got := bare(m.render(80, 24, mono, texts(t, "en")))
	if !strings.Contains(got, "Re-seat the unit") || strings.Contains(got, "next unit") {
		t.Errorf("after the unit is out:\n%s", got)
	}
}

// TestWhatIsScannedCannotDraw: a barcode with control characters changes nothing
// but the place where it is shown.
func TestWhatIsScannedCannotDraw(t *testing.T) {
	m := alone(shift.Ready).apply(shift.Event{
		Event: flow.Event{Kind: shift.ScanRead},
		Scan:  &shift.ScanFacts{Text: "a\x1b[2Jb\x07\u009b31mc\u202ed", Meaning: "unknown"},
	})
	got := bare(m.render(80, 24, mono, texts(t, "en")))
	if strings.ContainsAny(got, "\x1b\x07\u009b\u202e") || !strings.Contains(got, "a?[2Jb??31mc?d") {
		t.Errorf("%q", got)
	}
}

func TestTerminal(t *testing.T) {
	for _, c := range []struct {
		env         map[string]string
		mono, ascii bool
	}{
		{map[string]string{"TERM": "xterm-256color", "LANG": "de_DE.UTF-8"}, false, false},
		{map[string]string{"NO_COLOR": "1", "LANG": "C.utf8"}, true, false},
		{map[string]string{"TERM": "vt100", "LANG": "C"}, true, true},
		{map[string]string{"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, false, true},
		{map[string]string{}, false, false},
	} {
		if mono, ascii := Terminal(func(k string) string { return c.env[k] }); mono != c.mono || ascii != c.ascii {
			t.Errorf("%v: mono %v, ascii %v", c.env, mono, ascii)
		}
	}
}
