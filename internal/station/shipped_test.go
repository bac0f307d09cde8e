package station

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestShippedProfilesLoad(t *testing.T) {
	names, err := filepath.Glob("../../stations/*.toml")
	if err != nil || len(names) < 2 {
		t.Fatalf("profiles %v, %v", names, err)
	}
	for _, name := range names {
		p, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if p.SecureBoot.Version != 1 || !p.FlashEncryption.Enabled || p.SecureBoot.AllowUnverifiedApp {
			t.Errorf("%s secures less than it could: %+v, %+v", name, p.SecureBoot, p.FlashEncryption)
		}
	}
}

func TestDemoProfile(t *testing.T) {
	p, err := Load("../../stations/demo.toml")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckSerial("DEMO-000001"); err != nil {
		t.Error(err)
	}
	if p.Job != (Job{ID: "DEMO", Revision: "A"}) || p.Unit.Serial.Source != SourceSequence {
		t.Errorf("job %+v, serial numbers by %s", p.Job, p.Unit.Serial.Source)
	}
	for want, got := range map[string]string{
		"bootloader.bin": p.Images.Bootloader, "partition-table.bin": p.Images.PartitionTable,
		"app-signed.bin": p.Images.App, "app-public.pem": p.SecureBoot.PublicKey, "provision.db": p.Records.Database,
	} {
		if got != filepath.Join(filepath.Dir(p.Path), want) {
			t.Errorf("%s is at %s", want, got)
		}
	}
}

// TestEveryKeyIsShown: the example profile and the manual must not fall behind
// the program.
func TestEveryKeyIsShown(t *testing.T) {
	for name, form := range map[string]string{
		"../../stations/line.example.toml": `(?m)^(# *|\[+)?(\w+\.)*%s( *=|\]+$)`,
		"../../docs/profile.md":            "`(\\[+)?(\\w+\\.)*%s(\\]+)?`",
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range known.order {
			shown := regexp.MustCompile(strings.Replace(form, "%s", regexp.QuoteMeta(lastPart(key)), 1))
			if !shown.Match(text) {
				t.Errorf("%s does not show %s", name, key)
			}
		}
	}
}
