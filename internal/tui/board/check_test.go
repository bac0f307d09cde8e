package board

import (
	"strings"
	"testing"

	"provision/internal/fault"
)

// TestSelfTestSaysWhatToDo: what is wrong, its code and what to do about it are told as
// a whole, in every language and in the narrowest window; no word of them is cut off.
func TestSelfTestSaysWhatToDo(t *testing.T) {
	solid := func(s string) string { return strings.Join(strings.Fields(s), "") }
	for _, lang := range []string{"en", "de", "zh"} {
		tx := texts(t, lang)
		for _, width := range []int{40, 60, 80, 200} {
			got := solid(bare(scene(t, "check-over").render(width, 60, mono, tx)))
			want := []string{tx.Text("check.ports_slots", "n", "7"), tx.Text("check.algorithms"), "no paper"}
			for _, code := range []fault.Code{fault.PortMissing, fault.PrinterFailed} {
				name, _, do := tx.Fault(code)
				want = append(want, string(code)+" "+name+": "+do)
			}
			for _, w := range want {
				if !strings.Contains(got, solid(w)) {
					t.Errorf("%s, %d columns: %q is not told:\n%s", lang, width, w, got)
				}
			}
		}
	}
}
