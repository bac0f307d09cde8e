package fleet_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"provision/internal/efuse"
	"provision/internal/fleet"
	"provision/internal/image"
	"provision/internal/job"
	"provision/internal/ota"
	"provision/internal/records"
	"provision/internal/simulator"
)

// words are final words with these fields of one word.
func words(word0, word6, secureVersion uint32) []records.BlockWords {
	return []records.BlockWords{{Block: 0, Words: records.Words{0: word0, 6: word6}}, {Block: 1}, {Block: 2}, {Block: 3, Words: records.Words{4: secureVersion}}}
}

// carried is a file with its facts; nil: none are recorded.
func carried(t testing.TB, role string, facts any) records.Carried {
	t.Helper()
	c := records.Carried{Role: role}
	if facts != nil {
		text, err := json.Marshal(facts)
		check(t, err)
		c.Facts = text
	}
	return c
}

const (
	cryptOnce = 0x01 << 20
	cryptMax  = 0x7F << 20
	hidesBLK3 = 1 << 18
	absDone0  = 1 << 4
	absDone1  = 1 << 5
)

// TestFuses: what the fuses tell, and that nothing is told of fuses without words.
func TestFuses(t *testing.T) {
	for _, v := range []struct {
		name           string
		words          []records.BlockWords
		boot, encrypts string
	}{
		{"none", nil, "unknown", "unknown"},
		{"without BLOCK3", words(cryptMax, absDone0, 0)[:3], "unknown", "unknown"},
		{"without BLOCK0", words(cryptMax, absDone0, 0)[1:], "unknown", "unknown"},
		{"a block that is none", append(words(0, 0, 0)[:3], records.BlockWords{Block: 7}), "unknown", "unknown"},
		{"open", words(0, 0, 0), "0", "false"},
		{"Secure Boot V1, release", words(cryptMax, absDone0, 0), "1", "true"},
		{"development", words(cryptOnce, 0, 0), "0", "true"},
		{"encryption switched off again", words(3<<20, 0, 0), "0", "false"},
		{"Secure Boot V2", words(0, absDone1, 0), "2", "false"},
		{"both", words(0, absDone0|absDone1, 0), "2", "false"},
	} {
		d := fleet.DeviceOf(records.Unit{FinalWords: v.words})
		if d.SecureBoot.String() != v.boot || d.FlashEncryption.String() != v.encrypts {
			t.Errorf("%s: Secure Boot %v, encryption %v; want %s, %s", v.name, d.SecureBoot, d.FlashEncryption, v.boot, v.encrypts)
		}
		if chip, known := d.Chip.Get(); !known || chip != image.ESP32 {
			t.Errorf("%s: chip %v", v.name, d.Chip)
		}
		for _, unknown := range []fmt.Stringer{d.ChecksApps, d.AppVerifies, d.Trusts, d.Table, d.Running, d.SecureVersion, d.AntiRollback, d.Revision} {
			if unknown.String() != "unknown" {
				t.Errorf("%s: it tells %v, of which there is no record", v.name, unknown)
			}
		}
	}
	for bit, name := range map[uint32]string{absDone0: "ABS_DONE_0", absDone1: "ABS_DONE_1"} {
		if f, _ := efuse.Lookup(name); f.Bit != 6*32+len(fmt.Sprintf("%b", bit))-1 {
			t.Errorf("%s is bit %d", name, f.Bit)
		}
	}
}

func TestRevision(t *testing.T) {
	for text, want := range map[string]string{"v3.1": "301", "v0.0": "0", "v1.0": "100", "": "unknown", "unknown": "unknown", "3.1": "unknown", "v3": "unknown", "v3.1 or so": "unknown"} {
		if d := fleet.DeviceOf(records.Unit{ChipRevision: text}); d.Revision.String() != want {
			t.Errorf("%q is %v, want %s", text, d.Revision, want)
		}
	}
}

// TestBootloader: what it checks and trusts.
func TestBootloader(t *testing.T) {
	type boot = job.BootloaderFacts
	for _, v := range []struct {
		name           string
		words          []records.BlockWords
		boot           boot
		checks, trusts string
	}{
		{"checks", words(0, absDone0, 0), boot{Checks: true, AppKeys: []string{"ab"}}, "true", "[ab]"},
		{"checks before the fuse is burnt", words(0, 0, 0), boot{Checks: true, AppKeys: []string{"ab"}}, "true", "[ab]"},
		{"does not check", words(0, absDone0, 0), boot{}, "false", "unknown"},
		{"without messages", words(0, absDone0, 0), boot{Silent: true, AppKeys: []string{"ab"}}, "unknown", "[ab]"},
		{"two keys", words(0, absDone0, 0), boot{Checks: true, AppKeys: []string{"ab", "cd"}}, "true", "unknown"},
		{"V2", words(0, absDone1, 0), boot{Silent: true, AppKeys: []string{"ab"}}, "true", "unknown"},
		{"fuses not known", nil, boot{Checks: true, AppKeys: []string{"ab"}}, "true", "unknown"},
	} {
		d := fleet.DeviceOf(records.Unit{FinalWords: v.words}, carried(t, "bootloader", job.Facts{Bootloader: &v.boot}))
		if d.ChecksApps.String() != v.checks || d.Trusts.String() != v.trusts {
			t.Errorf("%s: checks %v, trusts %v; want %s, %s", v.name, d.ChecksApps, d.Trusts, v.checks, v.trusts)
		}
	}
}

// TestSecureVersion: bits that firmware burns by itself are known where it has no more
// to burn, and those of BLOCK3 are the user's where no firmware reads them.
func TestSecureVersion(t *testing.T) {
	with, without, silent := &job.BootloaderFacts{AntiRollback: true}, &job.BootloaderFacts{}, &job.BootloaderFacts{Silent: true}
	app := func(version uint32) *job.AppFacts { return &job.AppFacts{SecureVersion: version} }
	for _, v := range []struct {
		name  string
		words []records.BlockWords
		boot  *job.BootloaderFacts
		app   *job.AppFacts
		want  string
	}{
		{"as its app", words(0, 0, 3), with, app(2), "2"},
		{"above its app", words(0, 0, 7), with, app(2), "3"},
		{"still to be burnt", words(0, 0, 1), with, app(2), "unknown"},
		{"app not known", words(0, 0, 3), with, nil, "unknown"},
		{"hidden", words(hidesBLK3, 0, 0), with, app(0), "unknown"},
		{"no anti-rollback", words(0, 0, 0), without, app(0), "0"},
		{"no anti-rollback, the user's bits", words(0, 0, 0xFF), without, app(0), "0"},
		{"no anti-rollback, hidden, app not known", words(hidesBLK3, 0, 0), without, nil, "0"},
		{"without messages, nothing burnt", words(0, 0, 0), silent, app(0), "0"},
		{"without messages, the user's bits or not", words(0, 0, 1), silent, app(0), "unknown"},
		{"without messages, still to be burnt", words(0, 0, 0), silent, app(1), "unknown"},
		{"bootloader not known", words(0, 0, 0), nil, app(0), "unknown"},
		{"fuses not known", nil, without, app(0), "unknown"},
	} {
		var files []records.Carried
		if v.boot != nil {
			files = append(files, carried(t, "bootloader", job.Facts{Bootloader: v.boot}))
		}
		if v.app != nil {
			files = append(files, carried(t, "app", job.Facts{App: v.app}))
		}
		if d := fleet.DeviceOf(records.Unit{FinalWords: v.words}, files...); d.SecureVersion.String() != v.want {
			t.Errorf("%s: %v, want %s", v.name, d.SecureVersion, v.want)
		}
	}
}

// TestFiles: the last file of a kind counts, whatever it was first recorded as, and
// one without facts is not stood in for.
func TestFiles(t *testing.T) {
	files := twoFleets(t)
	table, first, second := files[2].facts, files[0].facts, files[1].facts
	damaged := job.Facts{Table: &job.TableFacts{Binary: table.Table.Binary[:40]}}
	key := func(f job.Facts) string { return fmt.Sprint(f.Bootloader.AppKeys) }
	unit := records.Unit{FinalWords: words(cryptMax, absDone0, 0)}
	for _, v := range []struct {
		name   string
		files  []records.Carried
		trusts string
		table  bool
	}{
		{"both", []records.Carried{carried(t, "bootloader", first), carried(t, "partition-table", table)}, key(first), true},
		{"two bootloaders", []records.Carried{carried(t, "bootloader", first), carried(t, "bootloader", second)}, key(second), false},
		{"the newer one without facts", []records.Carried{carried(t, "bootloader", first), carried(t, "bootloader", nil)}, "unknown", false},
		{"recorded as something else", []records.Carried{carried(t, "extra image 1", table), carried(t, "extra image 2", nil)}, "unknown", true},
		{"of another program", []records.Carried{carried(t, "bootloader", []string{"?"}), carried(t, "partition-table", map[string]any{"partition_table": 7})}, "unknown", false},
		{"damaged", []records.Carried{carried(t, "partition-table", damaged)}, "unknown", false},
	} {
		d := fleet.DeviceOf(unit, v.files...)
		if _, known := d.Table.Get(); d.Trusts.String() != v.trusts || known != v.table {
			t.Errorf("%s: trusts %v, table known %v; want %s, %v", v.name, d.Trusts, known, v.trusts, v.table)
		}
	}
}

// TestOldRecords: units made before facts were kept are not guessed about, until their
// files are seen again.
func TestOldRecords(t *testing.T) {
	files := twoFleets(t)
	old := files
	for i := range old {
		old[i].facts = job.Facts{}
	}
	store := generated(t, 30, old)
	update := ota.Read(signed(t, ours(), newApp(t, simulator.AppSpec{})))
	ask := func(img *ota.Image) fleet.Answer {
		t.Helper()
		a, err := fleet.Ask(t.Context(), store, img, fleet.Filter{})
		check(t, err)
		return a
	}
	learn := func(n int) {
		t.Helper()
		text, err := json.Marshal(files[n-1].facts)
		check(t, err)
		check(t, store.SaveFacts(t.Context(), []records.Facts{{SHA256: sum(n), Offset: files[n-1].offset, Facts: text}}))
	}
	a := ask(update)
	if told(a) != "30 UNKNOWN" || a.All() || !strings.Contains(a.Groups[0].Says, "before") || !strings.Contains(a.Groups[0].Do, "profile") {
		t.Fatalf("%+v", a)
	}
	for _, fact := range []string{"partition table", "verifies the signature", "secure version"} {
		if !strings.Contains(strings.Join(a.Groups[0].Missing, "; "), fact) {
			t.Errorf("%q is not told to be missing: %q", fact, a.Groups[0].Missing)
		}
	}
	if a := ask(ota.Read([]byte("hello"))); told(a) != "30 REFUSED not-an-image" {
		t.Errorf("what no unit accepts: %s", told(a))
	}
	learn(1)
	learn(3)
	if a := ask(update); told(a) != "27 ACCEPTED, 3 UNKNOWN" {
		t.Errorf("when one bootloader and the table are known: %s", told(a))
	}
	learn(2)
	if a := ask(update); told(a) != "27 ACCEPTED, 3 REFUSED other-key" {
		t.Errorf("when all is known: %s", told(a))
	}
}

// TestUnknownForOtherReasons: what no record has is told in other words than what an
// old one lacks.
func TestUnknownForOtherReasons(t *testing.T) {
	files := twoFleets(t)
	table, err := image.ParseCSV("otadata,data,ota,0xd000,0x2000\nfactory,app,factory,0x10000,64K\nota_0,app,ota_0,,64K\n", image.Layout{})
	check(t, err)
	files[2].facts.Table = &job.TableFacts{}
	files[2].facts.Table.Binary, err = table.Binary()
	check(t, err)
	store := generated(t, 20, files)
	a, err := fleet.Ask(t.Context(), store, ota.Read(signed(t, ours(), newApp(t, simulator.AppSpec{}))), fleet.Filter{})
	check(t, err)
	if told(a) != "2 REFUSED other-key, 18 UNKNOWN" {
		t.Fatal(told(a))
	}
	g := a.Groups[1]
	if len(g.Missing) != 1 || !strings.Contains(g.Missing[0], "runs from") || strings.Contains(g.Says, "before") || g.Do == "" {
		t.Errorf("%+v", g)
	}
}

// appForV31 is a signed app for chips of revision v3.1 and later.
func appForV31(t *testing.T) []byte {
	t.Helper()
	im, err := image.Parse(newApp(t, simulator.AppSpec{}))
	check(t, err)
	im.MinRev = 301
	app, err := image.Build(image.Spec{Header: im.Header, Segments: im.Segments})
	check(t, err)
	return signed(t, ours(), app)
}

// TestUnitsAreToldApart: units with the same files are judged together only where all
// else that matters is the same as well.
func TestUnitsAreToldApart(t *testing.T) {
	store := generated(t, 30, twoFleets(t))
	app := newApp(t, simulator.AppSpec{})
	for _, v := range []struct {
		name string
		data []byte
		want string
	}{
		{"by their fuses", app, "27 REFUSED not-signed, 3 REFUSED not-signed"}, // what they print differs
		{"by their chips", appForV31(t), "9 ACCEPTED, 20 REFUSED chip-too-old, 1 REFUSED other-key"},
	} {
		a, err := fleet.Ask(t.Context(), store, ota.Read(v.data), fleet.Filter{})
		check(t, err)
		if told(a) != v.want {
			t.Errorf("%s: %s; want %s", v.name, told(a), v.want)
		}
	}
}

// TestAnswerAsJSON: the names that scripts read.
func TestAnswerAsJSON(t *testing.T) {
	store := generated(t, 10, twoFleets(t))
	a, err := fleet.Ask(t.Context(), store, ota.Read(newApp(t, simulator.AppSpec{})), fleet.Filter{})
	check(t, err)
	text, err := json.Marshal(a)
	check(t, err)
	var got map[string]any
	check(t, json.Unmarshal(text, &got))
	groups, _ := got["groups"].([]any)
	if len(groups) != 2 || got["units"] != 10.0 || got["refused"] != 10.0 || got["accepted"] != 0.0 || got["falls_back"] != 0.0 || got["unknown"] != 0.0 {
		t.Fatalf("%s", text)
	}
	g, _ := groups[0].(map[string]any)
	for name, want := range map[string]any{"verdict": "REFUSED", "code": "not-signed", "count": 9.0} {
		if !reflect.DeepEqual(g[name], want) {
			t.Errorf("%s is %v, want %v", name, g[name], want)
		}
	}
	if lines, _ := g["lines"].([]any); len(lines) == 0 || g["says"] == "" || g["do"] == "" {
		t.Errorf("%s", text)
	}
}
