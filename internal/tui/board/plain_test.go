package board

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestPlain tells some scenes in sentences.
func TestPlain(t *testing.T) {
	for _, name := range []string{"floor-4", "floor-12", "gone", "lock", "scan-bad", "choice", "check-over", "check-units", "page-fault", "pin-refused", "trouble"} {
		for _, lang := range []string{"en", "de"} {
			var out strings.Builder
			sink := Plain(&out, texts(t, lang))
			f, err := os.Open("testdata/" + name + ".jsonl")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for lines := bufio.NewScanner(f); lines.Scan(); {
				var x move
				if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
					t.Fatal(err)
				}
				if x.Kind != "" {
					sink(x.Event)
				}
			}
			if got := out.String(); strings.ContainsAny(got, "\x1b\a") || strings.Contains(got, "[") {
				t.Errorf("%s: not plain:\n%s", name, got)
			}
			golden(t, "plain-"+name+"-"+lang, out.String())
		}
	}
}
