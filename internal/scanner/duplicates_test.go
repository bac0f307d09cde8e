package scanner_test

import (
	"fmt"
	"testing"
	"time"

	"provision/internal/scanner"
)

func TestDuplicates(t *testing.T) {
	d := scanner.NewDuplicates()
	for _, s := range []struct {
		ms   int
		text string
		want bool
	}{
		{0, "A", false},
		{0, "A", true},
		{500, "B", false},
		{1900, "A", true}, // also: from here another two seconds
		{3800, "A", true},
		{3900, "B", false},
		{5800, "A", true},
		{7801, "A", false},
	} {
		if got := d.Seen(s.text, began.Add(time.Duration(s.ms)*time.Millisecond)); got != s.want {
			t.Errorf("%s at %d ms: %v, want %v", s.text, s.ms, got, s.want)
		}
	}
}

// TestDuplicatesAreBounded: among very many, the latest are known.
func TestDuplicatesAreBounded(t *testing.T) {
	d := scanner.NewDuplicates()
	for i := range 1000 {
		d.Seen(fmt.Sprint(i), began)
	}
	if !d.Seen("999", began) || !d.Seen("990", began) {
		t.Error("the latest are forgotten")
	}
	if d.Seen("0", began) {
		t.Error("the oldest of a thousand is still known")
	}
}
