package catalog

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/mattn/go-runewidth"

	"provision/internal/fault"
)

// Columns of a terminal. A letter such as ü is one column wide whatever the
// locale that the tests run in.
var columns = &runewidth.Condition{}

func load(t testing.TB, lang string) *Catalog {
	t.Helper()
	c, err := Load(lang)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// everyText calls check with each text of each language, the pseudo-locale too
// where pseudo is wanted.
func everyText(t *testing.T, pseudo bool, check func(t *testing.T, lang, key, text string)) {
	langs := Languages()
	if pseudo {
		langs = append(langs, Language{Code: pseudoLang})
	}
	for _, l := range langs {
		c := load(t, l.Code)
		for _, key := range slices.Sorted(maps.Keys(c.texts)) {
			check(t, l.Code, key, c.texts[key])
		}
	}
}

func TestEveryLanguageHasTheKeysOfEnglish(t *testing.T) {
	english := load(t, "en")
	for _, lang := range []string{"de", "zh", pseudoLang} {
		c := load(t, lang)
		for _, key := range slices.Sorted(maps.Keys(english.texts)) {
			if !c.Has(key) {
				t.Errorf("%s lacks %s: %q", lang, key, english.Text(key))
			}
		}
		for _, key := range slices.Sorted(maps.Keys(c.texts)) {
			if !english.Has(key) {
				t.Errorf("%s has %s, which English has not", lang, key)
			}
		}
	}
}

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// placeholders returns those of text, each once, sorted.
func placeholders(text string) []string {
	found := placeholder.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestPlaceholdersAreThoseOfEnglish(t *testing.T) {
	english := load(t, "en")
	everyText(t, true, func(t *testing.T, lang, key, text string) {
		if got, want := placeholders(text), placeholders(english.texts[key]); !slices.Equal(got, want) {
			t.Errorf("%s: %s has the placeholders %v, want %v", lang, key, got, want)
		}
		if rest := placeholder.ReplaceAllString(text, ""); strings.ContainsAny(rest, "{}") {
			t.Errorf("%s: %s has a brace that is no placeholder: %q", lang, key, text)
		}
	})
}

func TestTextsAreOnePlainLine(t *testing.T) {
	everyText(t, true, func(t *testing.T, lang, key, text string) {
		switch {
		case strings.TrimSpace(text) == "":
			t.Errorf("%s: %s is empty", lang, key)
		case strings.TrimSpace(text) != text:
			t.Errorf("%s: %s begins or ends with a space: %q", lang, key, text)
		case strings.ContainsFunc(text, unicode.IsControl):
			t.Errorf("%s: %s holds a tab, a line end or another control character: %q", lang, key, text)
		case strings.Contains(strings.ToLower(text), "0x"):
			t.Errorf("%s: %s makes the operator read hex: %q", lang, key, text)
		}
	})
}

// widest is how many columns the screen has for texts whose key begins or ends so.
// The pseudo-locale is exempt: it is there to be too long.
func widest(key string) int {
	switch {
	case strings.HasPrefix(key, "state."):
		return 14
	case strings.HasPrefix(key, "step."), strings.HasSuffix(key, ".name") && key[0] == 'E':
		return 28
	case strings.HasSuffix(key, ".says"), strings.HasSuffix(key, ".do"):
		return 120
	}
	return 1000
}

func TestTextsFit(t *testing.T) {
	everyText(t, false, func(t *testing.T, lang, key, text string) {
		if got, most := columns.StringWidth(text), widest(key); got > most {
			t.Errorf("%s: %s is %d columns wide, at most %d fit: %q", lang, key, got, most, text)
		}
	})
}

// There are block letters for A to Z only.
func TestVerdictsAreInBlockLetters(t *testing.T) {
	everyText(t, true, func(t *testing.T, lang, key, text string) {
		if blockWords[key] && strings.ContainsFunc(text, func(r rune) bool { return r < 'A' || r > 'Z' }) {
			t.Errorf("%s: %s is %q, which block letters cannot show", lang, key, text)
		}
	})
}

func TestEveryFaultHasAPageInEveryLanguage(t *testing.T) {
	for _, lang := range []string{"de", "zh"} {
		c := load(t, lang)
		names := map[string]fault.Code{}
		end := map[string]string{"de": ".", "zh": "。"}[lang]
		for _, p := range fault.All() {
			name, says, do := c.Fault(p.Code)
			if other, taken := names[name]; taken {
				t.Errorf("%s: %s and %s are both called %q", lang, other, p.Code, name)
			}
			names[name] = p.Code
			for _, text := range []string{name, says, do} {
				if text == "" || text[0] == '[' {
					t.Errorf("%s: %s lacks a text: %q", lang, p.Code, text)
				}
			}
			for _, text := range []string{says, do} {
				if !strings.HasSuffix(text, end) || strings.Count(text, end) != 1 {
					t.Errorf("%s: %s: %q is not one sentence", lang, p.Code, text)
				}
			}
			if says == p.Says || do == p.Do {
				t.Errorf("%s: %s is still English", lang, p.Code)
			}
			if !c.Has("class." + string(p.Class)) {
				t.Errorf("%s: no word for the class %q of %s", lang, p.Class, p.Code)
			}
		}
	}
}

// A text that was copied and never translated has no Chinese character in it.
func TestChineseIsChinese(t *testing.T) {
	c := load(t, "zh")
	for _, key := range slices.Sorted(maps.Keys(c.texts)) {
		table, _, _ := strings.Cut(key, ".")
		if !slices.Contains([]string{"act", "state", "step", "class", "reason", "role"}, table) || blockWords[key] {
			continue
		}
		if !strings.ContainsFunc(c.texts[key], func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s is not translated: %q", key, c.texts[key])
		}
	}
}
