package board

import (
	"regexp"
	"strings"
	"testing"

	"provision/internal/flow"
	"provision/internal/shift"
)

var langs = []string{"en", "de", "zh", "xx"}

// floorOf is a floor of n slots, each in another state.
func floorOf(n int) model {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i + 1
	}
	m := model{}.apply(shift.Event{
		Event: flow.Event{Kind: shift.ShiftStarted},
		Shift: &shift.ShiftFacts{Station: "SITE-LINE-FUNCTION-0001", Mode: shift.Training, Slots: numbers, Scanner: "keyboard", Printer: "ZD421"},
	})
	m = m.apply(shift.Event{Event: flow.Event{Kind: shift.Armed}, Job: &shift.JobFacts{ID: "WO-2291", Revision: "C", Quota: 500}})
	for i, n := range numbers {
		m = m.apply(shift.Event{Event: flow.Event{Kind: flow.RunStarted, Run: "R", Slot: n, Serial: "AB-000123"}})
		m = m.apply(progress(n, 40, m.now))
		s := shift.States()[(i*7+n)%len(shift.States())]
		ev := shift.Event{Event: flow.Event{Kind: "slot.verdict", Slot: n}, State: s}
		switch s {
		case shift.Fail, shift.Redo, shift.Park, shift.Lock:
			ev.Code = "E105"
		}
		m = m.apply(ev)
	}
	return m
}

// fits checks that a frame is as high as the window and nowhere wider.
func fits(t *testing.T, what, frame string, w, h int) {
	t.Helper()
	lines := strings.Split(frame, "\n")
	if len(lines) != h {
		t.Fatalf("%s at %dx%d: %d lines\n%s", what, w, h, len(lines), frame)
	}
	for _, l := range lines {
		if n := width(bare(l)); n > w {
			t.Fatalf("%s at %dx%d: %d columns: %q\n%s", what, w, h, n, l, frame)
		}
	}
}

// sequence is one that a terminal is controlled with.
var sequence = regexp.MustCompile("\x1b\\[[0-9;?]*[@-~]")

// bare is s without what is not drawn.
func bare(s string) string { return sequence.ReplaceAllString(s, "") }

// TestEverySizeFits draws floors of every number of slots and every scene at many
// sizes, in one language after the other.
func TestEverySizeFits(t *testing.T) {
	looks := []look{colour, asciis}
	turn := 0
	next := func() (look, words) {
		turn++
		return looks[turn/len(langs)%2], texts(t, langs[turn%len(langs)])
	}
	widths, heights := []int{40, 53, 66, 80, 97, 120, 161, 220}, []int{10, 13, 16, 21, 24, 31, 45, 70}
	for n := 1; n <= 24; n++ {
		m := floorOf(n)
		for _, w := range widths {
			for _, h := range heights {
				lk, tx := next()
				fits(t, "floor of slots", m.render(w, h, lk, tx), w, h)
			}
		}
	}
	for _, name := range scenes(t) {
		m := scene(t, name)
		for _, size := range [][2]int{{40, 10}, {57, 14}, {80, 24}, {80, 30}, {113, 37}, {220, 70}} {
			for range langs {
				lk, tx := next()
				fits(t, name, m.render(size[0], size[1], lk, tx), size[0], size[1])
			}
		}
	}
}

// TestTinyWindows: a window that is dragged small shows what it can, and how large
// it should be.
func TestTinyWindows(t *testing.T) {
	m, en := floorOf(8), texts(t, "en")
	for w := 1; w <= 42; w++ {
		for h := 1; h <= 12; h++ {
			fits(t, "tiny", m.render(w, h, colour, en), w, h)
		}
	}
	got := m.render(39, 9, mono, en)
	for _, want := range []string{"Make the window bigger.", "40 columns, 10 rows", "now: 39 columns, 9 rows"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing\n%s", want, got)
		}
	}
}

// TestNeededSizeIsEnough: a window of the size that is asked for shows the floor.
func TestNeededSizeIsEnough(t *testing.T) {
	for _, lang := range langs {
		tx := texts(t, lang)
		for n := 1; n <= 24; n++ {
			m := floorOf(n)
			for _, locked := range []*reason{nil, {code: "E905"}} {
				m.locked = locked
				for _, w := range []int{10, 40, 50, 80} {
					w, h := painter{m, mono, tx}.needs(w)
					if w <= 80 && h > 24 {
						t.Errorf("%s: %d slots need %d rows in %d columns", lang, n, h, w)
					}
					if got := m.render(w, h, mono, tx); strings.Contains(got, tx.Text("small.title")) {
						t.Errorf("%s: %d slots do not fit into the %dx%d they need", lang, n, w, h)
					}
				}
			}
		}
	}
}

// TestWordsAreWhole: wherever a floor is shown at all, the word of every slot that
// is not in block letters stands there as a whole.
func TestWordsAreWhole(t *testing.T) {
	for _, lang := range langs {
		tx := texts(t, lang)
		for _, n := range []int{5, 8, 12, 13, 24} {
			m := floorOf(n)
			for _, size := range [][2]int{{40, 24}, {60, 16}, {80, 24}, {100, 30}} {
				p := painter{m, mono, tx}
				head, foot := bands(size[1])
				if p.plan(area{w: size[0], h: size[1] - head - foot}).kind == lettered {
					continue
				}
				got := bare(m.render(size[0], size[1], mono, tx))
				if strings.Contains(got, tx.Text("small.title")) {
					continue
				}
				for _, s := range m.slots {
					if !strings.Contains(got, s.word(m, tx)) {
						t.Errorf("%s %dx%d, %d slots: %q is missing\n%s", lang, size[0], size[1], n, s.word(m, tx), got)
					}
				}
			}
		}
	}
}

// TestEightSlotsFitTheSmallestTerminal, each with its word.
func TestEightSlotsFitTheSmallestTerminal(t *testing.T) {
	for _, lang := range langs {
		got := bare(floorOf(8).render(80, 24, mono, texts(t, lang)))
		for _, s := range floorOf(8).slots {
			if !strings.Contains(got, s.word(floorOf(8), texts(t, lang))) {
				t.Errorf("%s: slot %d has no word\n%s", lang, s.number, got)
			}
		}
	}
}

// TestVerdictsAreTall: block letters of five rows for one slot, of three for up to
// four.
func TestVerdictsAreTall(t *testing.T) {
	for _, lang := range langs {
		for _, lk := range []look{mono, asciis} {
			for n, least := range map[int]int{1: tall, 2: small, 3: small, 4: small} {
				for _, s := range []shift.State{shift.Pass, shift.Fail} {
					m := floorOf(n)
					for i := range m.slots {
						m.slots[i].state = s
					}
					p := painter{m, lk, texts(t, lang)}
					tile := newCanvas(80/min(n, 2), 20/((n+1)/2)).all()
					inner := tile.inner(2, 1)
					big, _ := p.bigWord(inner.sub(0, 1, inner.w, inner.h-1), m.slots[0], p.letterFoot(m.slots[0], inner.w))
					if len(big) < least {
						t.Errorf("%s, %d slots: %s is %d rows high", lang, n, s, len(big))
					}
				}
			}
		}
	}
}
