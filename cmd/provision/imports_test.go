package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed says which of our packages each package may import, and why. Imports
// point one way: cmd -> tui -> flow -> job -> the leaves. What is not listed
// imports nothing of ours.
var allowed = map[string]struct {
	imports []string
	because string
}{
	"provision/internal/simulator": {
		[]string{"efuse", "secureboot", "flashcrypt", "image"},
		"the virtual chip judges what these made; it never sees the flow or the client",
	},
	"provision/internal/job": {
		[]string{"station", "image", "secureboot", "efuse", "keys", "fault"},
		"a job is a profile whose files, fuses and age recipients have been checked; it knows no chip, port or record",
	},
	"provision/internal/demo": {
		[]string{"image", "secureboot", "simulator"},
		"it makes the files of a product that only a virtual chip can start, and knows nothing of the work on a unit",
	},
	"provision/internal/flow": {
		[]string{"job", "esptool", "efuse", "flashcrypt", "secureboot", "image", "keys", "records", "fault", "station"},
		"the one place that knows the whole story; it never draws and never parses flags",
	},
	"provision/internal/floor": {
		[]string{"flow", "esptool", "fault", "records", "mailbox"},
		"it knows slots and who sits in them; what happens to a unit is the flow's",
	},
	"provision/internal/tui": {
		[]string{"flow", "fault", "mailbox", "tui/noquery"},
		"the screen draws events: killing it must not hurt a unit, so it can reach no port and no database",
	},
	"provision/cmd/provision": {
		[]string{"*"},
		"wiring",
	},
}

func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports", "provision/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	const own = "provision/internal/"
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Imports, TestImports any }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		path := p.ImportPath.(string)
		rule := allowed[path]
		for _, imp := range toStrings(p.Imports) {
			name, ours := strings.CutPrefix(imp, own)
			if !ours || slices.Contains(rule.imports, "*") || slices.Contains(rule.imports, name) {
				continue
			}
			t.Errorf("%s imports %s; it may import %v (%s)", path, imp, rule.imports, rule.because)
		}
	}
	if seen < 10 {
		t.Fatalf("go list found %d packages", seen)
	}
}

func toStrings(v any) []string {
	list, _ := v.([]any)
	out := make([]string, 0, len(list))
	for _, e := range list {
		out = append(out, e.(string))
	}
	return out
}
