package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"provision/internal/floor"
	"provision/internal/station"
)

// TestWorkOrders: what spreadsheets write, and nothing that only looks like it.
func TestWorkOrders(t *testing.T) {
	dir, err := makeDemo(filepath.Join(t.TempDir(), "demo"), "host")
	if err != nil {
		t.Fatal(err)
	}
	p, err := loadProfile(filepath.Join(dir, "demo.toml"))
	if err != nil {
		t.Fatal(err)
	}
	p.Link.Slots = []station.Slot{{Number: 1}, {Number: 2}}
	want := []floor.Order{{Serial: "DEMO-000001", Slot: 2}, {Serial: "DEMO-000002"}}
	for name, text := range map[string]string{
		"commas":          "serial,slot\nDEMO-000001,2\nDEMO-000002,\n",
		"no slot":         "serial,slot\nDEMO-000001,2\nDEMO-000002\n",
		"semicolons":      "\uFEFFserial;slot\r\nDEMO-000001;2\r\nDEMO-000002;\r\n",
		"tabs, reordered": "note\tSlot\tSerial\nx\t2\tDEMO-000001\n\t\tDEMO-000002\n",
		"quotes, spaces":  "\"serial\", \"slot\"\n\" DEMO-000001 \", 2\n\"DEMO-000002\"\n",
	} {
		got, err := ordersIn(t, p, text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "no names": "DEMO-000001,2\n", "other names": "number,place\nDEMO-000001,2\n", "twice": "serial\nDEMO-000001\ndemo-000001\n",
		"no such slot": "serial,slot\nDEMO-000001,3\n", "no number": "serial,slot\nDEMO-000001,two\n", "a hole": "serial,slot\n,1\n", "open quote": "serial\n\"DEMO-000001\n",
	} {
		if got, err := ordersIn(t, p, text); err == nil {
			t.Errorf("%s: taken as %+v", name, got)
		}
	}
}

func ordersIn(t *testing.T, p *station.Profile, text string) ([]floor.Order, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "order.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return readCSV(p, path)
}
