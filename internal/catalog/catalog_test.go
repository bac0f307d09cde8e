package catalog

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"provision/internal/fault"
)

func TestLoadRefusesOtherLanguages(t *testing.T) {
	for _, lang := range []string{"", "fr", "EN", "de_DE", "../de"} {
		if _, err := Load(lang); !errors.Is(err, ErrNoLanguage) {
			t.Errorf("Load(%q) = %v", lang, err)
		}
	}
}

func TestLanguagesNameThemselves(t *testing.T) {
	want := map[string]string{"en": "English", "de": "Deutsch", "zh": "中文"}
	for _, l := range Languages() {
		if want[l.Code] != l.Name {
			t.Errorf("%s calls itself %q", l.Code, l.Name)
		}
		if c := load(t, l.Code); c.Lang() != l.Code {
			t.Errorf("the catalogue of %s says it is %s", l.Code, c.Lang())
		}
		delete(want, l.Code)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestText(t *testing.T) {
	c := &Catalog{texts: map[string]string{
		"a.plain": "Put a unit in.",
		"a.named": "{serial} is in slot {slot}, {serial}.",
	}}
	for _, tc := range []struct {
		key   string
		pairs []string
		want  string
	}{
		{"a.plain", nil, "Put a unit in."},
		{"a.plain", []string{"serial", "S1"}, "Put a unit in."},
		{"a.named", []string{"slot", "3", "serial", "S1"}, "S1 is in slot 3, S1."},
		{"a.named", []string{"serial", "{slot}", "slot", "3"}, "{slot} is in slot 3, {slot}."},
		{"a.named", []string{"serial", "S1", "slot"}, "S1 is in slot {slot}, S1."},
		{"a.named", []string{"serial"}, "{serial} is in slot {slot}, {serial}."},
		{"a.none", []string{"serial", "S1"}, "[a.none]"},
		{"", nil, "[]"},
	} {
		if got := c.Text(tc.key, tc.pairs...); got != tc.want {
			t.Errorf("Text(%q, %q) = %q, want %q", tc.key, tc.pairs, got, tc.want)
		}
	}
	if c.Has("a.none") || !c.Has("a.plain") {
		t.Error("Has does not say what there is")
	}
}

func TestFault(t *testing.T) {
	for lang, want := range map[string]string{"en": "no answer", "de": "keine Antwort", "zh": "无应答", "xx": "[no answer ~~~~]"} {
		if name, _, _ := load(t, lang).Fault(fault.NoAnswer); name != want {
			t.Errorf("%s: E101 is called %q, want %q", lang, name, want)
		}
	}
	page, _ := fault.Lookup(fault.DiskFull)
	if name, says, do := load(t, "en").Fault(fault.DiskFull); name != page.Name || says != page.Says || do != page.Do {
		t.Errorf("English differs from the published page: %q %q %q", name, says, do)
	}
	c := load(t, "de")
	for code, want := range map[fault.Code]string{"E999": "E999", "": "E901"} {
		_, wantSays, wantDo := c.Fault(fault.Internal)
		if name, says, do := c.Fault(code); name != want || says != wantSays || do != wantDo {
			t.Errorf("Fault(%q) = %q, %q, %q", code, name, says, do)
		}
	}
}

func TestClass(t *testing.T) {
	c := load(t, "en")
	for code, want := range map[fault.Code]string{
		fault.NoAnswer:       "class.link",
		fault.PrinterFailed:  "class.records",
		fault.StationStopped: "class.station",
		"E999":               "class.station",
	} {
		if got := c.Class(code); got != c.texts[want] || got == "" {
			t.Errorf("Class(%s) = %q, want the text of %s", code, got, want)
		}
	}
}

func TestStep(t *testing.T) {
	c := load(t, "en")
	for name, want := range map[string]string{
		"connect":                    "look for the unit",
		"burn BLOCK1":                "lock in the memory key",
		"burn BLOCK9":                "lock in settings",
		"write bootloader at 0x1000": "write the start program",
		"write app at 0x20000, all but its header": "write the program",
		"write calibration at 0x310000":            "write the memory",
		"verify flash":                             "check the memory",
		"  boot   check ":                          "start the unit",
		"let the unit encrypt itself":              "unit encrypts itself",
		"compare app at 0x20000":                   "check the memory",
		"polish at 0x1000":                         "[polish]",
		"":                                         "",
		" ":                                        "",
	} {
		if got := c.Step(name); got != want {
			t.Errorf("Step(%q) = %q, want %q", name, got, want)
		}
	}
}

// TestEveryStepOfARunHasAName goes through the events of a whole run: a step that
// flow renames must not reach a tile as it is.
func TestEveryStepOfARunHasAName(t *testing.T) {
	stream, err := os.ReadFile("../tui/testdata/pass.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]bool{}
	for line := range strings.Lines(string(stream)) {
		var ev struct{ Step string }
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatal(err)
		}
		steps[ev.Step] = true
	}
	if len(steps) < 20 {
		t.Fatalf("only %d steps", len(steps))
	}
	for _, lang := range []string{"en", "de", "zh"} {
		c := load(t, lang)
		for step := range steps {
			if got := c.Step(step); strings.HasPrefix(got, "[") || got == c.Text("step.burn") {
				t.Errorf("%s: the step %q is called %q", lang, step, got)
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := &fstest.MapFile{Data: []byte("[state]\nREADY = \"x\"\n")}
	steps := &fstest.MapFile{Data: []byte("[step]\nconnect = \"x\"\n")}
	for name, screen := range map[string]string{
		"a text outside of a table":  "READY = \"x\"\n",
		"a number":                   "[state]\nREADY = 3\n",
		"a table in a table":         "[state.more]\nREADY = \"x\"\n",
		"a key twice":                "[state]\nREADY = \"x\"\nREADY = \"y\"\n",
		"a key of another file":      "[step]\nconnect = \"y\"\n",
		"not TOML":                   "READY: x\n",
		"bytes that are no UTF-8":    "[state]\nREADY = \"\xff\"\n",
		"a line end within the text": "[state]\nREADY = \"x\ny\"\n",
	} {
		dir := fstest.MapFS{"words/en.screen.toml": {Data: []byte(screen)}, "words/en.steps.toml": steps}
		if _, err := read(dir, "en"); err == nil || !strings.Contains(err.Error(), "words/en.") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := read(fstest.MapFS{"words/en.screen.toml": good}, "en"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	c, err := read(fstest.MapFS{"words/en.screen.toml": good, "words/en.steps.toml": steps}, "en")
	if err != nil || c.Text("state.READY") != "x" || c.Step("connect") != "x" {
		t.Errorf("good files: %v, %v", c, err)
	}
}

func TestPseudoIsLongAndMarked(t *testing.T) {
	if got := stretch("LOAD UNIT"); got != "[LOAD UNIT ~~~~]" {
		t.Errorf("got %q", got)
	}
	english, long := load(t, "en"), load(t, pseudoLang)
	for key, text := range english.texts {
		got := long.Text(key)
		if blockWords[key] {
			if got != text {
				t.Errorf("%s: %q became %q", key, text, got)
			}
			continue
		}
		if !strings.HasPrefix(got, "["+text) || !strings.HasSuffix(got, "~]") {
			t.Errorf("%s: %q is not marked at both ends", key, got)
		}
		if was, is := utf8.RuneCountInString(text), utf8.RuneCountInString(got); 10*is < 14*was {
			t.Errorf("%s: %q is less than 40 %% longer than %q", key, got, text)
		}
	}
}

// FuzzText holds that no value, however odd, breaks a text or is read as part of it.
func FuzzText(f *testing.F) {
	f.Add("serial", "S1")
	f.Add("slot", "{serial}")
	f.Add("", "")
	f.Add("}", "\x00\xff")
	c := &Catalog{texts: map[string]string{"k": "<{serial}|{slot}>"}}
	f.Fuzz(func(t *testing.T, name, value string) {
		want := strings.Replace("<{serial}|{slot}>", "{"+name+"}", value, 1)
		if got := c.Text("k", name, value); got != want {
			t.Errorf("Text(%q, %q) = %q, want %q", name, value, got, want)
		}
		if c.Text(value, name) == "" {
			t.Errorf("the missing text %q is empty", value)
		}
		if step := c.Step(name); (step == "") != (strings.TrimSpace(name) == "") {
			t.Errorf("the step %q is called %q", name, step)
		}
	})
}

// FuzzParse holds that a file of words is refused whole or read whole.
func FuzzParse(f *testing.F) {
	f.Add([]byte("[state]\nREADY = \"LOAD UNIT\"\n"))
	f.Add([]byte("[a]\n\"b.c\" = '''x'''\n[\"\"]\nx = \"\"\n"))
	f.Add([]byte("a.b = \"c\"\n[[d]]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &Catalog{texts: map[string]string{}}
		if c.parse(data) != nil {
			return
		}
		for key, text := range c.texts {
			if !utf8.ValidString(key) || !utf8.ValidString(text) || c.Text(key) != text {
				t.Errorf("%q reads back as %q", key, c.Text(key))
			}
		}
	})
}
