package ota_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"provision/internal/image"
	"provision/internal/ota"
	"provision/internal/simulator"
)

// layouts are tables with every choice of factory and the first four slots, with
// otadata and without.
func layouts() (csv []string) {
	names := []string{"factory", "ota_0", "ota_1", "ota_2", "ota_3"}
	for choice := 1; choice < 1<<len(names); choice++ {
		for _, otadata := range []string{"otadata, data, ota, 0xf000, 0x2000,\n", ""} {
			rows := "nvs, data, nvs, 0x9000, 0x6000,\n" + otadata
			for i, name := range names {
				if choice>>i&1 != 0 {
					rows += fmt.Sprintf("%s, app, %s, %#x, 64K,\n", name, name, 0x20000+i*0x10000)
				}
			}
			csv = append(csv, rows)
		}
	}
	return csv
}

// TestEveryTable updates units again and again, of every table: where one will not take
// an update any more has been said before, and where each update goes to.
func TestEveryTable(t *testing.T) {
	w := newWorkshop(t)
	app := w.app(t, simulator.AppSpec{Project: "small", Version: "1"})
	for _, csv := range layouts() {
		table, err := image.ParseCSV(csv, image.Layout{FlashSize: 1 << 20})
		if err != nil {
			t.Fatalf("%v\n%s", err, csv)
		}
		u := w.newUnit(t, kinds[3], setup{table: csv})
		for _, p := range table.Apps() { // whichever it starts from
			if err := u.chip.SetFlash(int(p.Offset), app); err != nil {
				t.Fatal(err)
			}
		}
		var path []string
		for range 6 {
			boot := u.chip.Boot()
			if !boot.Started {
				break // no unit: nothing runs that could update it
			}
			u.facts.Running = ota.Known(boot.App.Label)
			report := ota.Check(app, u.facts)
			did := u.chip.OTA(app, simulator.OTABuild{})
			path = append(path, did.Slot.Label)
			if report.Verdict != verdicts[did.Outcome] {
				t.Errorf("by %q: said %s, the unit: %v\n%s%s", path, report.Verdict, did, csv, show(report))
			}
			if len(report.Reasons) > 0 {
				checkLines(t, report.Reasons[0], did)
				break
			}
		}
		if strings.Contains(csv, "otadata") && strings.Contains(csv, "ota_0") && strings.Contains(csv, "ota_1") && !slices.Contains(path, "ota_1") {
			t.Errorf("it never came to ota_1, by %q\n%s", path, csv)
		}
	}
}
