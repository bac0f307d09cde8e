package board

import (
	"strings"
	"testing"
	"unicode"
)

// FuzzWrap holds that lines fit and that no character but blanks is lost.
func FuzzWrap(f *testing.F) {
	f.Add("Put the unit in the red bin and do not retry it.", 24)
	f.Add("请把产品放入红箱，不要重试。", 7)
	f.Add("  wide  宽字 and\tnarrow ", 2)
	f.Add("ffffffffffffffffffffffffff", 3)
	f.Fuzz(func(t *testing.T, s string, w int) {
		if w < 2 || w > 200 || !ascii(s) && strings.ContainsRune(s, unicode.ReplacementChar) {
			return
		}
		lines := wrap(s, w)
		for _, l := range lines {
			if width(l) > w {
				t.Errorf("%q is wider than %d", l, w)
			}
		}
		if got, want := unblanked(strings.Join(lines, "")), unblanked(s); got != want {
			t.Errorf("%q became %q", want, got)
		}
	})
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

func unblanked(s string) string { return strings.ReplaceAll(s, " ", "") }

// FuzzPut holds that what is drawn stays in its area and leaves no half characters.
func FuzzPut(f *testing.F) {
	f.Add("AB-000123", "请", 3, 5)
	f.Add("宽字宽字", "x", 1, 2)
	f.Add("\x1b[31m", "\u0301", 0, 0)
	f.Fuzz(func(t *testing.T, under, over string, x, y int) {
		if x < -9 || x > 9 || y < -9 || y > 9 {
			return
		}
		c := newCanvas(9, 3)
		a := c.all().sub(1, 1, 7, 1)
		a.put(0, 0, plain, under)
		a.put(x, y, bold, over)
		a.put(0, 0, plain, look{}.cut(under, 5))
		for i, r := range c.cells {
			if row, col := i/9, i%9; (row != 1 || col == 0 || col == 8) && r.r != ' ' {
				t.Fatalf("%q left its area: %q", under+over, c.String(palette{}))
			}
		}
		for _, l := range strings.Split(bare(c.String(palette{})), "\n") {
			if width(l) > 9 {
				t.Errorf("%q is too wide", l)
			}
		}
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in   string
		w    int
		want string
	}{{"label", 5, "label"}, {"labels", 5, "labe…"}, {"标签标签", 7, "标签标…"}, {"标签标签", 6, "标签…"}, {"x", 0, ""}, {"xy", 1, "…"}} {
		if got := (look{}).cut(c.in, c.w); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.in, c.w, got, c.want)
		}
	}
}

// TestFonts: letters have five rows of one width, there is one for every character
// that is promised, and no two look alike.
func TestFonts(t *testing.T) {
	for name, font := range map[string]map[rune][5]string{"wide": wide, "narrow": narrow} {
		seen := map[[5]string]rune{}
		for _, r := range "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-?" {
			shape, ok := font[r]
			if !ok {
				t.Errorf("%s: no %c", name, r)
			}
			for _, row := range shape {
				if len(row) != len(shape[0]) || strings.Trim(row, "# ") != "" {
					t.Errorf("%s: %c has the row %q", name, r, row)
				}
			}
			if other, taken := seen[shape]; taken && !strings.ContainsRune("O0S5Z2NI1", r) {
				t.Errorf("%s: %c looks like %c", name, r, other)
			}
			seen[shape] = r
		}
	}
	for r, shape := range lined {
		for _, row := range shape {
			if len(row) != len(shape[0]) {
				t.Errorf("lined: %c has the row %q", r, row)
			}
		}
	}
}

// TestLettersFit: letters are never larger than their place, and nothing is drawn
// for words that there are no letters for.
func TestLettersFit(t *testing.T) {
	for _, lk := range []look{{}, {ascii: true}} {
		for _, word := range []string{"PASS", "DO NOT REMOVE", "QUARANTÄNE", "X"} {
			for w := 1; w < 90; w += 4 {
				for h := 1; h < 30; h++ {
					rows := letters(word, w, h, lk)
					if len(rows) > h {
						t.Fatalf("%s: %d rows in %d", word, len(rows), h)
					}
					for _, row := range rows {
						if width(row) > w {
							t.Fatalf("%s: %d columns in %d", word, width(row), w)
						}
					}
				}
			}
		}
		for _, word := range []string{"隔离", "pass", ""} {
			if rows := letters(word, 200, 50, lk); rows != nil {
				t.Errorf("%q is drawn as %q", word, rows)
			}
		}
	}
}
