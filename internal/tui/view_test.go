package tui

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"
	"github.com/mattn/go-runewidth"
	"github.com/muesli/termenv"

	"provision/internal/fault"
	"provision/internal/flow"
)

var update = flag.Bool("update", false, "rewrite the golden views")

// replay reads the events of a run.
func replay(t *testing.T, name string) []flow.Event {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []flow.Event
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var ev flow.Event
		if err := json.Unmarshal(lines.Bytes(), &ev); err != nil {
			t.Fatal(err)
		}
		out = append(out, ev)
	}
	if len(out) == 0 {
		t.Fatalf("%s holds no events", name)
	}
	return out
}

func stylesFor(profile termenv.Profile) styles {
	r := lipgloss.NewRenderer(&strings.Builder{})
	r.SetColorProfile(profile)
	return newStyles(r)
}

// upTo stops a replay before the first event that match accepts.
func upTo(events []flow.Event, match func(flow.Event) bool) []flow.Event {
	for i, ev := range events {
		if match(ev) {
			return events[:i]
		}
	}
	return events
}

func TestViews(t *testing.T) {
	burning := func(ev flow.Event) bool { return ev.Kind == flow.BurnObserved && ev.Step == "burn FLASH_CRYPT_CNT" }
	writing := func(ev flow.Event) bool { return ev.Kind == flow.RegionVerified && strings.Contains(ev.Step, "app") }
	for _, c := range []struct {
		name   string
		events []flow.Event
	}{
		{"pass", replay(t, "pass")},
		{"writing", upTo(replay(t, "pass"), writing)},
		{"burning", upTo(replay(t, "pass"), burning)},
		{"error", replay(t, "error")},
	} {
		var m model
		m.title = "provision run   AB-000123   sim:unit1"
		for _, ev := range c.events {
			m = m.apply(ev)
		}
		for _, width := range []int{40, 80, 120} {
			for profile, st := range map[string]styles{"mono": stylesFor(termenv.Ascii), "color": stylesFor(termenv.ANSI)} {
				golden(t, fmt.Sprintf("%s-%d-%s", c.name, width, profile), m.render(width, st))
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update rewrites it):\n%s", name, got)
	}
}

// TestDoNotRemove holds the words to the burns: they stand there while a fuse is
// being burnt and at no other time, however narrow the terminal, and so does the
// time that is left.
func TestDoNotRemove(t *testing.T) {
	st := stylesFor(termenv.Ascii)
	for _, width := range []int{20, 40, 80} {
		var m model
		burning := false
		for _, ev := range replay(t, "pass") {
			m = m.apply(ev)
			switch ev.Kind {
			case flow.BurnIntended:
				burning = true
			case flow.BurnObserved:
				burning = false
			}
			got := m.render(width, st)
			if strings.Contains(got, "DO NOT REMOVE") != burning {
				t.Fatalf("%d columns, after %s of %q: a burn is going on: %v\n%s", width, ev.Kind, ev.Step, burning, got)
			}
			if m.verdict.Kind == "" && m.work.Remaining > 0 && !strings.Contains(got, "s left") {
				t.Fatalf("%d columns: no time left\n%s", width, got)
			}
		}
	}
}

// TestDoNotRemoveWhileUnitEncrypts: the words stand there for as long as a unit that
// encrypts itself is at work, whatever it prints meanwhile.
func TestDoNotRemoveWhileUnitEncrypts(t *testing.T) {
	const step = "let the unit encrypt itself"
	var m model
	for _, ev := range []struct {
		kind string
		held bool
	}{
		{flow.StepStarted, false}, {flow.BurnIntended, true}, {flow.BootLine, true}, {flow.StepProgress, true},
		{flow.BootLine, true}, {flow.BootSeen, true}, {flow.BurnObserved, false}, {flow.StepPassed, false},
	} {
		m = m.apply(flow.Event{Kind: ev.kind, Step: step, Text: "x", Work: &flow.Progress{Done: 1, Total: 2, Percent: 50, Remaining: 20}})
		if got := m.render(80, stylesFor(termenv.Ascii)); strings.Contains(got, "DO NOT REMOVE") != ev.held || !strings.Contains(got, step) {
			t.Errorf("after %s, held: %v\n%s", ev.kind, ev.held, got)
		}
	}
}

// TestStopped: what a person stops has not failed.
func TestStopped(t *testing.T) {
	for code, want := range map[fault.Code]string{fault.Interrupted: "- write   stopped", fault.LinkLost: "x write   failed"} {
		m := model{}.apply(flow.Event{Kind: flow.StepStarted, Step: "write"}).
			apply(flow.Event{Kind: flow.RunFailed, Step: "write", Code: code, Text: "EOF"})
		got := m.render(40, stylesFor(termenv.Ascii))
		if !strings.Contains(got, want) || strings.Contains(got, "EOF") {
			t.Errorf("%s: want %q\n%s", code, want, got)
		}
	}
}

// TestVerdictIsWhole: a verdict is never cut, however long its serial number.
func TestVerdictIsWhole(t *testing.T) {
	serial := strings.Repeat("S", 36)
	m := model{}.apply(flow.Event{
		Kind: flow.RunFinished, Verdict: "PARK", Serial: serial, MAC: "24:0a:c4:00:00:01", Code: "E303",
		Text: "The unit's fuses do not fit together.", Do: "Put the unit aside for the lead.",
	})
	got := strings.Join(strings.Fields(m.render(40, stylesFor(termenv.Ascii))), " ")
	want := "PARK " + serial + " 24:0a:c4:00:00:01 E303 The unit's fuses do not fit together. Put the unit aside for the lead."
	if got != want {
		t.Errorf("got %q", got)
	}
}

// TestColoursMeanOneThing holds green to PASS and red to FAIL.
func TestColoursMeanOneThing(t *testing.T) {
	st := stylesFor(termenv.ANSI)
	for _, verdict := range []string{"PASS", "FAIL", "ERROR", "PARK", "DONE", "PLAN"} {
		m := model{}.apply(flow.Event{Kind: flow.RunFinished, Verdict: verdict, Text: "words"})
		out := m.render(80, st)
		if got := strings.Contains(out, "32m"); got != (verdict == "PASS") {
			t.Errorf("%s: green is %v", verdict, got)
		}
		if got := strings.Contains(out, "31m"); got != (verdict == "FAIL") {
			t.Errorf("%s: red is %v", verdict, got)
		}
		if !strings.Contains(out, verdict) {
			t.Errorf("%s: the word is missing", verdict)
		}
	}
}

func TestNothingIsWiderThanTheScreen(t *testing.T) {
	m := model{title: strings.Repeat("封装站", 60)}
	for _, ev := range replay(t, "pass") {
		ev.Text = strings.Repeat("宽字 wide ", 30)
		m = m.apply(ev)
		for _, line := range strings.Split(m.render(80, stylesFor(termenv.Ascii)), "\n") {
			if w := runewidth.StringWidth(line); w > 80 {
				t.Fatalf("%d columns: %q", w, line)
			}
		}
	}
}
