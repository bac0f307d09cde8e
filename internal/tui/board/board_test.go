package board

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"provision/internal/catalog"
	"provision/internal/shift"
)

var update = flag.Bool("update", false, "rewrite the golden views")

// move is one line of a scene: an event of the station, a key, or a look at the
// clock.
type move struct {
	shift.Event
	Press string    `json:"press"`
	Tick  time.Time `json:"tick"`
}

var keyNames = map[string]rune{
	"esc": keyEsc, "up": keyUp, "down": keyDown, "pgup": keyPageUp, "pgdown": keyPageDown,
	"backspace": keyBackspace, "enter": keyEnter, "ctrl+c": keyInterrupt,
}

// scene replays testdata/name.jsonl.
func scene(t testing.TB, name string) model {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := model{hand: hand{lang: "en"}}
	moves := 0
	for lines := bufio.NewScanner(f); lines.Scan(); moves++ {
		var x move
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m = m.play(x)
	}
	if moves == 0 {
		t.Fatalf("%s holds nothing", name)
	}
	return m
}

func (m model) play(x move) model {
	switch {
	case x.Press != "":
		key, named := keyNames[x.Press]
		if !named {
			key = []rune(x.Press)[0]
		}
		m, _ = m.press(key)
		return m
	case !x.Tick.IsZero():
		return m.tick(x.Tick)
	}
	return m.apply(x.Event)
}

// scenes are the names of all of them.
func scenes(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d scenes, %v", len(files), err)
	}
	var out []string
	for _, f := range files {
		out = append(out, strings.TrimSuffix(filepath.Base(f), ".jsonl"))
	}
	return out
}

func texts(t testing.TB, lang string) words {
	t.Helper()
	c, err := catalog.Load(lang)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	colour = look{}
	mono   = look{palette: palette{mono: true}}
	asciis = look{palette: palette{mono: true}, ascii: true}
)

// TestViews compares every scene at three sizes with what it looked like when
// somebody looked at it.
func TestViews(t *testing.T) {
	en := texts(t, "en")
	for _, name := range scenes(t) {
		m := scene(t, name)
		for suffix, lk := range map[string]look{"colour": colour, "mono": mono} {
			var b strings.Builder
			for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
				fmt.Fprintf(&b, "%dx%d\n%s\n", size[0], size[1], m.render(size[0], size[1], lk, en))
			}
			golden(t, name+"-"+suffix, b.String())
		}
	}
	for _, lang := range []string{"de", "zh", "xx"} {
		for _, name := range []string{"floor-4", "floor-8", "floor-24", "lock", "help", "counters", "scan-bad"} {
			golden(t, name+"-"+lang, scene(t, name).render(80, 24, mono, texts(t, lang))+"\n")
		}
	}
	for _, name := range []string{"floor-4", "floor-8", "floor-24", "state-PASS", "state-RUN", "lock"} {
		golden(t, name+"-ascii", scene(t, name).render(80, 24, asciis, en)+"\n")
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
