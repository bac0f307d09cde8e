package label

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// answer is a real one's shape with the given flags.
func answer(first, second string) string {
	return "\x02" + first + "\x03\r\n\x02" + second + "\x03\r\n\x021234,0\x03\r\n"
}

const (
	quiet1 = "030,0,0,1245,000,0,0,0,000,0,0,0"
	quiet2 = "001,0,0,0,1,2,6,0,00000000,1,000"
)

func TestParseStatus(t *testing.T) {
	for _, v := range []struct {
		name, answer string
		want         Status
		says         string
	}{
		{"ready", answer(quiet1, quiet2), Status{Known: true, Ready: true}, "ready"},
		{"without the last line end", strings.TrimSuffix(answer(quiet1, quiet2), "\r\n"), Status{Known: true, Ready: true}, "ready"},
		{"paper", answer("030,1,0,1245,000,0,0,0,000,0,0,0", quiet2), Status{Known: true, PaperOut: true}, "paper is out"},
		{"paused", answer("030,0,1,1245,000,0,0,0,000,0,0,0", quiet2), Status{Known: true, Paused: true}, "paused"},
		{"full", answer("030,0,0,1245,000,1,0,0,000,0,0,0", quiet2), Status{Known: true, BufferFull: true}, "too many labels are waiting"},
		{"cover and ribbon", answer(quiet1, "001,0,1,1,1,2,6,0,00000000,1,000"), Status{Known: true, HeadOpen: true, RibbonOut: true}, "ribbon is out, cover is open"},
		{"diagnostics and heat are not ours", answer("030,0,0,1245,000,0,1,1,000,1,1,1", quiet2), Status{Known: true, Ready: true}, "ready"},
	} {
		t.Run(v.name, func(t *testing.T) {
			got, err := parseStatus([]byte(v.answer))
			if err != nil || got != v.want || got.String() != v.says {
				t.Errorf("parseStatus = %+v (%s), %v; want %+v (%s)", got, got, err, v.want, v.says)
			}
		})
	}
	if got := (Status{}).String(); got != "not known" {
		t.Errorf("Status{} is %q", got)
	}
}

// malformed answers: none may be taken for a printer that is ready.
var malformed = []string{
	"", "\x02", "\x02\x03\x02\x03\x02\x03", "OK\r\n", "HTTP/1.1 400 Bad Request\r\n",
	answer("030,0,0,1245,000,0,0,0,000,0,0", quiet2),
	answer(quiet1+",0", quiet2),
	answer(quiet1, "001,0,0,0,1,2,6,0,00000000,1"),
	answer("030,2,0,1245,000,0,0,0,000,0,0,0", quiet2),
	answer("030,,0,1245,000,0,0,0,000,0,0,0", quiet2),
	answer("030,00,0,1245,000,0,0,0,000,0,0,0", quiet2),
	answer("030,-,0,1245,000,0,0,0,000,0,0,0", quiet2),
	answer(quiet1, "001,0,x,0,1,2,6,0,00000000,1,000"),
	answer(quiet1, "001,0,0,0,1,2,6,0,000000000,1,000"),
	answer(quiet1, quiet2) + "x",
	"x" + answer(quiet1, quiet2),
	answer(quiet1, quiet2)[:60],
	strings.ReplaceAll(answer(quiet1, quiet2), "\r\n", ""),
	strings.ReplaceAll(answer(quiet1, quiet2), "\x02", ""),
}

func TestParseStatusRefuses(t *testing.T) {
	for _, m := range malformed {
		if s, err := parseStatus([]byte(m)); err == nil || s != (Status{}) {
			t.Errorf("parseStatus(%q) = %+v, %v; want an error", m, s, err)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	whole := answer(quiet1, quiet2)
	got, err := readAnswer(iotest.OneByteReader(strings.NewReader(whole)))
	if err != nil || string(got) != strings.TrimSuffix(whole, "\r\n") {
		t.Errorf("byte by byte: %q, %v", got, err)
	}
	got, err = readAnswer(strings.NewReader(whole[:50]))
	if !errors.Is(err, io.EOF) || string(got) != whole[:50] {
		t.Errorf("cut off: %q, %v", got, err)
	}
	got, err = readAnswer(bytes.NewReader(make([]byte, 1<<20)))
	if err != nil || len(got) != maxAnswer {
		t.Errorf("a flood: %d bytes, %v; want %d", len(got), err, maxAnswer)
	}
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte(answer(quiet1, quiet2)))
	f.Add([]byte(answer("030,1,1,1245,000,1,0,0,000,0,0,0", "001,0,1,1,1,2,6,0,00000000,1,000")))
	for _, m := range malformed {
		f.Add([]byte(m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseStatus(b)
		if err != nil {
			if s != (Status{}) {
				t.Fatalf("an error and %+v", s)
			}
			return
		}
		trouble := s.PaperOut || s.RibbonOut || s.HeadOpen || s.Paused || s.BufferFull
		if !s.Known || s.Ready == trouble {
			t.Fatalf("%+v of %q", s, b)
		}
		ones := strings.Split(string(b), ",") // the flags stand where the guide says
		if got := []bool{ones[1] == "1", ones[2] == "1", ones[5] == "1"}; !slices.Equal(got, []bool{s.PaperOut, s.Paused, s.BufferFull}) {
			t.Fatalf("%+v of %q", s, b)
		}
	})
}
