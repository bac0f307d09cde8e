package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed says which of our packages each package may import, and why. Imports
// point one way: cmd -> tui/board -> shift -> floor -> flow -> job -> the leaves; tui
// draws what flow tells. What is not listed imports nothing of ours, and what nobody
// makes use of is not allowed. Nothing but tests imports what is below campaign.
var allowed = map[string]struct {
	imports []string
	because string
}{
	"provision/internal/simulator": {
		[]string{"secureboot", "flashcrypt", "image"},
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
		[]string{"flow", "job", "esptool", "fault", "records", "mailbox"},
		"it knows slots and who sits in them; what happens to a unit is the flow's",
	},
	"provision/internal/fixture": {
		[]string{"simulator", "esptool"},
		"virtual units and the hands that move them: it knows nothing of the work on a unit",
	},
	"provision/internal/catalog": {
		[]string{"fault"},
		"words in several languages: every published fault code has its page in each",
	},
	"provision/internal/ota": {
		[]string{"image", "secureboot", "flashcrypt"},
		"it judges an image by the facts of a device; it knows no chip and no record",
	},
	"provision/internal/fleet": {
		[]string{"ota", "records", "efuse", "image", "job"},
		"it puts what the records know of a unit into the facts that ota judges by",
	},
	"provision/internal/campaign/judge": {
		[]string{"keys", "simulator", "campaign/memory"},
		"it judges what the flow did by the rows of the records and the chip alone: not by what the flow would have planned",
	},
	"provision/internal/campaign/memory": {
		[]string{"records"},
		"records in memory for simulated units, with the rules and errors of the real ones; no station may reach them",
	},
	"provision/internal/shift": {
		[]string{"floor", "flow", "job", "station", "records", "fault", "scanner", "people", "label", "mailbox", "efuse"},
		"the station at work: it decides what a scan or a badge means; it never draws, and touches units only through the floor",
	},
	"provision/internal/tui/board": {
		[]string{"shift", "flow", "floor", "fault", "catalog", "scanner", "people", "mailbox", "tui/noquery"},
		"the screen draws events and sends intents: killing it must not hurt a unit, so it opens no port and no database; of people it knows what a PIN is",
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
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "provision/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	const own = "provision/internal/"
	seen, left := 0, maps.Clone(allowed)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		if slices.Contains(p.Imports, "os/exec") {
			t.Errorf("%s starts programs: what they get as arguments everybody can read", p.ImportPath)
		}
		rule := allowed[p.ImportPath]
		for _, imp := range p.Imports {
			name, ours := strings.CutPrefix(imp, own)
			if !ours {
				continue
			}
			if strings.HasPrefix(name, "campaign") && !strings.HasPrefix(p.ImportPath, own+"campaign") {
				t.Errorf("%s imports %s, which is for tests: no station may reach it", p.ImportPath, imp)
			}
			if !slices.Contains(rule.imports, "*") && !slices.Contains(rule.imports, name) {
				t.Errorf("%s imports %s; it may import %v (%s)", p.ImportPath, imp, rule.imports, rule.because)
			}
		}
		for _, name := range rule.imports {
			if name != "*" && !slices.Contains(p.Imports, own+name) {
				t.Errorf("%s may import %s, and does not", p.ImportPath, name)
			}
		}
		delete(left, p.ImportPath)
	}
	if seen < 10 {
		t.Fatalf("go list found %d packages", seen)
	}
	for path := range left {
		t.Errorf("%s may import ours, and there is no such package", path)
	}
}
