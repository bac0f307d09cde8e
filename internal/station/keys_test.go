package station

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	fuses := known.below("lock")
	for _, c := range []struct {
		word       string
		candidates []string
		want       string
	}{
		{"JTAG_DISBLE", fuses, "JTAG_DISABLE"},
		{"jtag_disable", fuses, "JTAG_DISABLE"},
		{"jtag-disable", fuses, "JTAG_DISABLE"},
		{"DISABLE_DL_DECRPYT", fuses, "DISABLE_DL_DECRYPT"},
		{"DISABLE_DL_ENCRYP", fuses, "DISABLE_DL_ENCRYPT"},
		{"UART_DOWNLOAD_DISABLE", fuses, "UART_DOWNLOAD_DIS"},
		{"CONSOLE", fuses, "CONSOLE_DEBUG_DISABLE"},
		{"freze", fuses, "freeze"},
		{"XPD_SDIO_FORCE", fuses, ""},
		{"", fuses, ""},
		{"nmae", known.below("station"), "name"},
		{"bauds", known.below("link"), "baud"},
		{"speed", known.below("link"), ""},
		{"secureboot", known.below(""), "secure_boot"},
		{"flash-encryption", known.below(""), "flash_encryption"},
		{"bootcheck", known.below(""), "boot_check"},
		{"x", known.below(""), ""},
		{strings.Repeat("name", 1000), known.below("station"), ""},
	} {
		if got := nearest(c.word, c.candidates); got != c.want {
			t.Errorf("nearest(%.20q) = %q, want %q", c.word, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ab", 1},
		{"abc", "xabc", 1}, {"abc", "axc", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestLines(t *testing.T) {
	keys, err := indexKeys([]byte(strings.Join([]string{
		`# a comment`,              // 1
		`top = 1`,                  // 2
		`[a]`,                      // 3
		`b.c = [`,                  // 4
		`  1,`,                     // 5
		`  2,`,                     // 6
		`]`,                        // 7
		`d = { e = "x", f = 2 }`,   // 8
		`"g.h" = """`,              // 9
		`text`,                     // 10
		`"""`,                      // 11
		`[[a.list]]`,               // 12
		`i = 1`,                    // 13
		`[a.list.sub]`,             // 14
		`j = 1`,                    // 15
		`[[a.list]]`,               // 16
		`i = [{ k = 1 }, {l = 2}]`, // 17
	}, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"top": 2, "a": 3, "a.b": 4, "a.b.c": 4, "a.b.c[1]": 4, "a.d": 8, "a.d.e": 8, "a.d.f": 8, `a."g.h"`: 9,
		"a.list": 12, "a.list[0]": 12, "a.list[0].i": 13, "a.list[0].sub": 14, "a.list[0].sub.j": 15,
		"a.list[1]": 16, "a.list[1].i": 17, "a.list[1].i[0].k": 17, "a.list[1].i[1].l": 17,
		// Not in the file: the line of what would hold it.
		"a.z": 3, "a.list[1].z": 16, "a.list[0].sub.z": 14, "z": 0, "": 0,
	} {
		if got := keys.line(path); got != want {
			t.Errorf("line(%s) = %d, want %d", path, got, want)
		}
	}
}

func TestSyntaxErrorsNameTheirLine(t *testing.T) {
	for text, want := range map[string]int{
		"[a\n":               1,
		"a = 1\nb = \n":      2,
		"a = 1\n\nb = [1,\n": 3,
		"a = 1\nb = \"x\n":   2,
		"a = 1\n=":           2,
		"a = 1\n\xff = 2":    2,
	} {
		_, err := indexKeys([]byte(text))
		var syntax *syntaxError
		if !errors.As(err, &syntax) || syntax.line != want {
			t.Errorf("indexKeys(%q) = %v, want line %d", text, err, want)
		}
	}
}

func TestSchemaMatchesLockTable(t *testing.T) {
	fuses := []string{"freeze", uartDownloadDis}
	for _, f := range lockFuses {
		fuses = append(fuses, f.name)
	}
	written := known.below("lock")
	slices.Sort(fuses)
	slices.Sort(written)
	if !slices.Equal(fuses, written) {
		t.Errorf("keys of [lock] %v, table %v", written, fuses)
	}
}

func TestInlineAndDottedFormsMeanTheSame(t *testing.T) {
	base := read(t, "minimal.toml")
	const serial, slot = `pattern = "[0-9]{6}"`, `number = 3`
	for _, text := range []string{
		base + "[unit]\nserial = { " + serial + " }\n[link]\nslots = [{ " + slot + ", port = \"COM3\" }]",
		base + "[unit.serial]\n" + serial + "\n[[link.slots]]\n" + slot + "\nport = \"COM3\"",
		"unit.serial." + serial + "\nlink.slots = [{ " + slot + ", port = \"COM3\" }]\n" + base,
	} {
		p := parse(t, text)
		if p.Unit.Serial.Pattern != "[0-9]{6}" || !slices.Equal(p.Link.Slots, []Slot{{3, "COM3"}}) {
			t.Errorf("%s\ngives %+v, %+v", text, p.Unit.Serial, p.Link.Slots)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"minimal.toml", "full.toml", "wrong.toml", "wrong-work.toml"} {
		f.Add([]byte(read(f, name)))
	}
	for _, c := range refusals {
		f.Add([]byte(c.to))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data, "line.toml")
		if (p == nil) == (err == nil) {
			t.Fatalf("profile %v with error %v", p, err)
		}
		if err == nil {
			if len(p.Explain()) == 0 || p.Station.Name == "" || len(p.Link.Baud) == 0 || p.Job.ID == "" || p.Screen.Attempts < 1 {
				t.Errorf("an accepted profile is not complete: %+v", p)
			}
			return
		}
		var all Invalid
		if !errors.As(err, &all) || len(all) == 0 {
			t.Fatalf("not an Invalid: %v", err)
		}
		for _, problem := range all {
			if problem.Line < 0 || problem.Line > 1+strings.Count(string(data), "\n") || problem.Text == "" || problem.Kind == nil {
				t.Errorf("problem %+v", problem)
			}
		}
	})
}
