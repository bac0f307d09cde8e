package judge

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// text is words as the records have them.
func text(w words) string {
	return strings.Trim(fmt.Sprintf("%08x", w), "[]")
}

func FuzzParseWords(f *testing.F) {
	f.Add("")
	f.Add(text(words{1, 0xF0000000, 0xFFFFFFFF}))
	f.Add("00000000 00000000")
	f.Add("no words at all, but eight of them")
	f.Fuzz(func(t *testing.T, s string) {
		w, err := parseWords(s)
		if err != nil {
			if !errors.Is(err, errRow) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if again, err := parseWords(text(w)); err != nil || again != w {
			t.Errorf("%q is %08x, and that is %08x, %v", s, w, again, err)
		}
	})
}

func FuzzParseFinal(f *testing.F) {
	f.Add("")
	f.Add(`[{"block":0,"words":"` + text(words{1, 2}) + `"},{"block":3,"words":"` + text(words{7: 9}) + `"}]`)
	f.Add(`[{"block":4}]`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, s string) {
		final, err := parseFinal(s)
		if (err != nil) != errors.Is(err, errRow) {
			t.Fatalf("%q: %v", s, err)
		}
		if err == nil && (final == nil) != (s == "") {
			t.Errorf("%q is %v", s, final)
		}
	})
}

func TestParseFinal(t *testing.T) {
	got, err := parseFinal(`[{"block":0,"words":"` + text(words{1, 2}) + `"},{"block":3,"words":"` + text(words{7: 9}) + `"}]`)
	if want := [4]words{0: {1, 2}, 3: {7: 9}}; err != nil || *got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}
