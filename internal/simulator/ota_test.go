package simulator

import (
	"bytes"
	"slices"
	"testing"

	"provision/internal/flashcrypt"
	"provision/internal/image"
	"provision/internal/secureboot"
)

// otaSlots is a table for updates: no factory app, as anti-rollback wants it.
var otaSlots = image.Table{Partitions: []image.Partition{
	{Label: "nvs", Type: image.TypeData, Subtype: image.SubtypeNVS, Offset: 0x11000, Size: 0x6000},
	{Label: "otadata", Type: image.TypeData, Subtype: image.SubtypeOTAData, Offset: 0x17000, Size: 0x2000},
	{Label: "ota_0", Type: image.TypeApp, Subtype: image.SubtypeOTA0, Offset: 0x20000, Size: 0x20000},
	{Label: "ota_1", Type: image.TypeApp, Subtype: image.SubtypeOTA0 + 1, Offset: 0x40000, Size: 0x20000},
}}

// otaUnit is a finished, encrypted Secure Boot V1 device that runs b.signed from ota_0.
func (b *bench) otaUnit(spec BootloaderSpec, opts ...Option) *Chip {
	b.t.Helper()
	spec.TableOffset, spec.FlashSize, spec.SecureBootV1 = recordedTable, image.Size4MB, true
	b.bootloader = b.build(spec)
	sector, err := secureboot.DigestSectorV1(bootKey, bytes.Repeat([]byte{0x77}, secureboot.IVLenV1), b.bootloader)
	if err != nil {
		b.t.Fatal(err)
	}
	c := b.chip(opts, encrypted(b.t, flashKey,
		region{digestAt, sector}, region{bootloaderAt, b.bootloader}, tableRegion(b.t, recordedTable, otaSlots),
		region{0x17000, bytes.Repeat([]byte{0xFF}, 0x2000)}, region{0x20000, b.signed})...)
	b.preburn(c, securedFuses(0x7F))
	return c
}

// product is a signed app of that secure version.
func (b *bench) product(version string, secure uint32) []byte {
	b.t.Helper()
	app, err := BuildApp(AppSpec{Project: "product", Version: version, SecureVersion: secure, SecureBootV1: true})
	if err != nil {
		b.t.Fatal(err)
	}
	signed, err := secureboot.AppendSignatureV1(b.key, app, false)
	if err != nil {
		b.t.Fatal(err)
	}
	return signed
}

// otaEntries are both otadata entries as the device reads them.
func otaEntries(t testing.TB, c *Chip) image.OTAData {
	t.Helper()
	raw, err := c.Flash(0x17000, 0x2000)
	if err != nil {
		t.Fatal(err)
	}
	if err := flashcrypt.Decrypt(raw, raw, flashKey, 0x17000, flashcrypt.ConfAll); err != nil {
		t.Fatal(err)
	}
	d, err := image.ParseOTAData(raw)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestOTA updates a finished device twice: into the other slot and back.
func TestOTA(t *testing.T) {
	b := newBench(t)
	c := b.otaUnit(BootloaderSpec{})
	for i, v := range []struct {
		slot  string
		seq   uint32
		entry int
	}{{"ota_1", 2, 1}, {"ota_0", 3, 0}, {"ota_1", 4, 1}} {
		img := b.product(string(rune('1'+i)), 0)
		r := c.OTA(img, OTABuild{})
		if r.Outcome != OTAAccepted || r.Slot.Label != v.slot || r.Boot.App.Label != v.slot || r.Boot.App.Version != string(rune('1'+i)) {
			t.Fatalf("update %d: %v %+v\n%q", i, r, r.Boot.App, r.Lines)
		}
		if !contains(r.Lines, "rst:0xc (SW_CPU_RESET)") || !contains(r.Lines, "Loaded app from partition at offset") {
			t.Errorf("update %d: %q", i, r.Lines)
		}
		raw, err := c.Flash(int(r.Slot.Offset), int(r.Slot.Size))
		if err != nil {
			t.Fatal(err)
		}
		checkSlot(t, raw, img, r.Slot.Offset)
		want := image.NewOTAEntry(v.seq, image.OTAUndefined)
		if got := otaEntries(t, c)[v.entry]; got != want {
			t.Errorf("update %d: otadata %+v, want %+v", i, got, want)
		}
	}
}

// checkSlot wants the image in the slot under the device's key, and nothing behind.
func checkSlot(t *testing.T, raw, img []byte, at uint32) {
	t.Helper()
	n := (len(img) + 15) / 16 * 16
	plain := slices.Clone(raw)
	if err := flashcrypt.Decrypt(plain, plain, flashKey, at, flashcrypt.ConfAll); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plain[:len(img)], img) {
		t.Error("the slot does not hold the image")
	}
	if !bytes.Equal(raw[n:], bytes.Repeat([]byte{0xFF}, len(raw)-n)) {
		t.Error("the rest of the slot is not erased")
	}
}

// TestOTARefused leaves otadata and the running app alone.
func TestOTARefused(t *testing.T) {
	b := newBench(t)
	c := b.otaUnit(BootloaderSpec{})
	c.Boot() // writes the first entry
	before := otaEntries(t, c)
	r := c.OTA(b.app, OTABuild{})
	if r.Outcome != OTARefused || r.Error != errValidate || !contains(r.Lines, "E (", "secure_boot_v1: image has invalid signature version field") {
		t.Fatalf("%v %q", r, r.Lines)
	}
	if after := otaEntries(t, c); after != before {
		t.Errorf("otadata %+v, was %+v", after, before)
	}
	if v := c.Boot(); v.App.Label != "ota_0" {
		t.Errorf("it runs from %s", v.App.Label)
	}
}

// TestOTARollback is an app that never says it works.
func TestOTARollback(t *testing.T) {
	b := newBench(t)
	for _, v := range []struct {
		name  string
		spec  BootloaderSpec
		build OTABuild
		want  OTAOutcome
		state image.OTAState
	}{
		{"confirmed", BootloaderSpec{Rollback: true}, OTABuild{}, OTAAccepted, image.OTAValid},
		{"not confirmed", BootloaderSpec{Rollback: true}, OTABuild{Unconfirmed: true}, OTARolledBack, image.OTAAborted},
		{"not confirmed, built so", BootloaderSpec{}, OTABuild{Unconfirmed: true, Rollback: true}, OTARolledBack, image.OTAAborted},
		{"not confirmed, no rollback", BootloaderSpec{}, OTABuild{Unconfirmed: true}, OTAAccepted, image.OTAUndefined},
	} {
		t.Run(v.name, func(t *testing.T) {
			b.t = t
			c := b.otaUnit(v.spec)
			r := c.OTA(b.product("2", 0), v.build)
			if r.Outcome != v.want {
				t.Fatalf("%v %q", r, r.Lines)
			}
			if got := otaEntries(t, c)[1].State; got != v.state {
				t.Errorf("state %v, want %v", got, v.state)
			}
			want := map[OTAOutcome]string{OTAAccepted: "ota_1", OTARolledBack: "ota_0"}[v.want]
			if got := c.Boot().App.Label; got != want {
				t.Errorf("it runs from %s, want %s", got, want)
			}
		})
	}
}

// TestOTAAntiRollback raises the secure version with the app, and never goes back.
func TestOTAAntiRollback(t *testing.T) {
	b := newBench(t)
	c := b.otaUnit(BootloaderSpec{AntiRollback: true})
	if r := c.OTA(b.product("2", 2), OTABuild{}); r.Outcome != OTAAccepted || c.Fuses().secureVersion() != 2 {
		t.Fatalf("%v, secure version %d\n%q", r, c.Fuses().secureVersion(), r.Lines)
	}
	r := c.OTA(b.product("1", 1), OTABuild{})
	if r.Outcome != OTARefused || r.Error != errSmallVersion || !contains(r.Lines, "secure version is lower than stored in efuse") {
		t.Fatalf("%v %q", r, r.Lines)
	}
	raw, err := c.Flash(0x20000, 0x20000)
	if err != nil || !bytes.Equal(raw, bytes.Repeat([]byte{0xFF}, len(raw))) {
		t.Errorf("the slot was not erased, %v", err)
	}
	if v := c.Boot(); v.App.Label != "ota_1" || !contains(v.Lines, "Secure version (from eFuse) = 2") {
		t.Errorf("%+v %q", v.App, v.Lines)
	}
	if r := c.OTA(b.product("3", 3), OTABuild{Unconfirmed: true}); r.Outcome != OTARolledBack || c.Fuses().secureVersion() != 2 {
		t.Errorf("%v, secure version %d", r, c.Fuses().secureVersion())
	}
}

// TestOTAPowerCut cuts the power at erases and pages from the first to the last, with
// which the new app is confirmed: until then the device comes back with the old one.
func TestOTAPowerCut(t *testing.T) {
	b := newBench(t)
	img := b.product("2", 0)
	whole := b.otaUnit(BootloaderSpec{Rollback: true})
	if r := whole.OTA(img, OTABuild{}); r.Outcome != OTAAccepted {
		t.Fatal(r)
	}
	count := whole.Counters()
	try := func(f Faults) {
		c := b.otaUnit(BootloaderSpec{Rollback: true}, WithFaults(f))
		if r := c.OTA(img, OTABuild{}); r.Outcome != OTAPowerLost {
			t.Errorf("%+v: %v", f, r)
		}
		v := c.Boot()
		if !v.Started || v.App.Label != "ota_0" {
			t.Errorf("%+v: %+v %q", f, v.App, v.Lines)
		}
	}
	for n := 1; n <= count.Erases; n += step(n, count.Erases) {
		try(Faults{CutErase: []int{n}})
	}
	for n := 1; n <= count.Programs; n += step(n, count.Programs) {
		try(Faults{CutProgram: []int{n}})
	}
}

// step passes over most of the writing of the slot, where one cut is as another, and
// over nothing at its ends.
func step(n, count int) int {
	if n < 6 || n >= count-6 {
		return 1
	}
	return min(23, count-6-n)
}

// TestNextSequence holds the arithmetic against ESP-IDF's loop.
func TestNextSequence(t *testing.T) {
	for count := 1; count <= 5; count++ {
		for index := range count {
			for seq := uint32(1); seq < 30; seq++ {
				want := uint32(index+1) % uint32(count)
				for seq > want {
					want += uint32(count)
				}
				if got := nextSequence(seq, index, count); got != want {
					t.Errorf("seq %d, slot %d of %d: %d, want %d", seq, index, count, got, want)
				}
			}
		}
	}
	if got := nextSequence(0xFFFFFFF0, 0, 2); got != 0xFFFFFFF1 {
		t.Errorf("near the end: %#x", got)
	}
}

// TestOTARealBootloader updates the hello-esp32 build as it comes, in a table with
// slots: the bootloader that judges is a real one.
func TestOTARealBootloader(t *testing.T) {
	table := image.Table{Partitions: []image.Partition{
		{Label: "otadata", Type: image.TypeData, Subtype: image.SubtypeOTAData, Offset: 0xe000, Size: 0x2000},
		{Label: "factory", Type: image.TypeApp, Subtype: image.SubtypeFactory, Offset: 0x10000, Size: 0x40000},
		{Label: "ota_0", Type: image.TypeApp, Subtype: image.SubtypeOTA0, Offset: 0x50000, Size: 0x40000},
		{Label: "ota_1", Type: image.TypeApp, Subtype: image.SubtypeOTA0 + 1, Offset: 0x90000, Size: 0x40000},
	}}
	c := helloChip(t)
	r := tableRegion(t, 0x8000, table)
	if err := c.SetFlash(r.at, r.data); err != nil {
		t.Fatal(err)
	}
	hello := readTestdata(t, "hello-esp32/hello_world.bin")
	for _, slot := range []string{"ota_0", "ota_1", "ota_0"} {
		if r := c.OTA(hello, OTABuild{}); r.Outcome != OTAAccepted || r.Boot.App.Label != slot || r.Boot.Lines[len(r.Boot.Lines)-1] != "Hello world!" {
			t.Fatalf("%s: %v %q", slot, r, r.Lines)
		}
	}
	if r := c.OTA(readTestdata(t, "hello-esp32/bootloader.bin"), OTABuild{}); r.Outcome != OTAFellBack || r.Boot.App.Label != "ota_0" ||
		!contains(r.Lines, "invalid: overlaps bootloader data") || !contains(r.Lines, "OTA app partition slot 1 is not bootable") {
		t.Errorf("a bootloader: %v %+v %q", r, r.Boot.App, r.Lines)
	}
}
