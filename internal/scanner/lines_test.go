package scanner_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"provision/internal/scanner"
)

// collect reads all lines; an error is the last entry.
func collect(r io.Reader) []string {
	var got []string
	for e, err := range scanner.Lines(r) {
		if err != nil {
			got = append(got, "error: "+err.Error())
			continue
		}
		got = append(got, tell(e))
	}
	return got
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		name, stream string
		want         []string
	}{
		{"nothing", "", nil},
		{"CR", "A1\rSN-1234\r", []string{"scan:A1", "scan:SN-1234"}},
		{"CRLF", "SN-1234\r\nSN-1235\r\n", []string{"scan:SN-1234", "scan:SN-1235"}},
		{"LF and Tab", "SN-1234\nSN-1235\t", []string{"scan:SN-1234", "scan:SN-1235"}},
		{"STX, ETX and NUL", "\x00\x02SN-1234\x03\r\x00\r", []string{"scan:SN-1234"}},
		{"GS stays", "01\x1d21\r", []string{"scan:01\x1d21"}},
		{"garbage", "\xff\xfe\r\xc3SN\rSN-1234\r", []string{"scan:\ufffd\ufffd", "scan:\ufffdSN", "scan:SN-1234"}},
		{"cut", "SN-1234\rSN-12", []string{"scan:SN-1234", "broken:SN-12"}},
		{"as long as can be", long + "\r", []string{"scan:" + long}},
		{"too long", long + "xyz\rSN-1234\r", []string{"broken:" + long, "scan:SN-1234"}},
		{"no end to it", strings.Repeat(long, 100), []string{"broken:" + long}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := collect(strings.NewReader(c.stream)); !slices.Equal(got, c.want) {
				t.Errorf("whole:\ngot  %q\nwant %q", got, c.want)
			}
			if got := collect(iotest.OneByteReader(strings.NewReader(c.stream))); !slices.Equal(got, c.want) {
				t.Errorf("byte by byte:\ngot  %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestLinesTellsWhyItEnds: an unplugged scanner is an error, after what it sent.
func TestLinesTellsWhyItEnds(t *testing.T) {
	gone := errors.New("device gone")
	var events []string
	var last error
	for e, err := range scanner.Lines(io.MultiReader(strings.NewReader("SN-1234\rSN"), iotest.ErrReader(gone))) {
		if last != nil {
			t.Fatal("goes on after the error")
		}
		if last = err; err == nil {
			events = append(events, tell(e))
		}
	}
	if want := []string{"scan:SN-1234", "broken:SN"}; !slices.Equal(events, want) || !errors.Is(last, gone) {
		t.Errorf("got %q, %v; want %q, %v", events, last, want, gone)
	}
}

func TestLinesCanBeLeft(t *testing.T) {
	for range scanner.Lines(strings.NewReader("A\rB\r")) {
		break
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("SN-1234\r\nSN-1235\r\n"))
	f.Add([]byte("\xff\x00\x1d\r"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		ends := 1 + bytes.Count(stream, []byte("\r")) + bytes.Count(stream, []byte("\n")) + bytes.Count(stream, []byte("\t"))
		n := 0
		for e, err := range scanner.Lines(bytes.NewReader(stream)) {
			if err != nil {
				t.Fatal(err)
			}
			if textOf(t, e) == "" {
				t.Error("a scan of nothing")
			}
			if n++; n > ends {
				t.Fatal("more scans than ends")
			}
		}
	})
}
