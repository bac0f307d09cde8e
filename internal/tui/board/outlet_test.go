package board

import (
	"io"
	"os"
	"strings"
	"testing"
)

// TestNothingOvertakes: whichever way Bubble Tea writes to the terminal, it comes
// out in the order it was written.
func TestNothingOvertakes(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	o := newOutlet(w, func() {})
	out := o.writer()
	var want strings.Builder
	for range 200 {
		for _, s := range []string{"a long frame, ", "code "} {
			want.WriteString(s)
		}
		if _, err := out.Write([]byte("a long frame, ")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, "code "); err != nil {
			t.Fatal(err)
		}
	}
	if !o.close(patience) {
		t.Error("not everything was taken")
	}
	w.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != want.String() {
		t.Errorf("came out as %q, %v", got, err)
	}
}
