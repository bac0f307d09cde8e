package simulator

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"provision/internal/image"
	"provision/internal/secureboot"
)

// testKeys are a flash key and a Secure Boot V1 key in file order.
var (
	flashKey = bytes.Repeat([]byte{0x11, 0x9E, 0x03, 0x70}, 8)
	bootKey  = bytes.Repeat([]byte{0x42, 0xD1, 0x5C, 0x08}, 8)
)

// securedFuses are a finished device: both keys hidden and frozen, Secure Boot V1 on,
// encryption on with that counter.
func securedFuses(count uint32) Fuses {
	return keyFuses(1, flashKey).or(keyFuses(2, bootKey)).
		or(fuseRdDis1).or(fuseWrDis1).or(fuseRdDis2).or(fuseWrDis2).
		or(fuseCryptConfig).or(fuseAbsDone0).or(fuse(0, count<<20))
}

// securedRegions are the plain content of a finished device.
func (b *bench) securedRegions(key []byte) []region {
	b.t.Helper()
	sector, err := secureboot.DigestSectorV1(key, bytes.Repeat([]byte{0x77}, secureboot.IVLenV1), b.bootloader)
	if err != nil {
		b.t.Fatal(err)
	}
	return []region{
		{digestAt, sector}, {bootloaderAt, b.bootloader},
		tableRegion(b.t, recordedTable, singleTable), {recordedApp, b.signed},
	}
}

// TestSecuredDevice boots a device as a station leaves it, and with each thing wrong
// that can be wrong about it.
func TestSecuredDevice(t *testing.T) {
	b := newBench(t)
	good := encrypted(t, flashKey, b.securedRegions(bootKey)...)
	plain := b.securedRegions(bootKey)
	for _, v := range []struct {
		name    string
		fuses   Fuses
		regions []region
		cause   Cause
		says    string
	}{
		{"finished", securedFuses(0x7F), good, CauseAppStarted, "Hello world!"},
		{"counter 01", securedFuses(0x01), good, CauseAppStarted, "Hello world!"},
		{"counter even", securedFuses(0x03), good, CauseInvalidHeader, "invalid header: 0x"},
		{"plain flash", securedFuses(0x7F), plain, CauseInvalidHeader, "invalid header: 0x"},
		{"wrong flash key", securedFuses(0x7F), encrypted(t, bootKey, plain...), CauseInvalidHeader, "invalid header: 0x"},
		{"digest under another key", securedFuses(0x7F), encrypted(t, flashKey, b.securedRegions(flashKey)...), CauseSecureBootFail, "secure boot check fail"},
		{"digest sector plain", securedFuses(0x7F), append(slices.Clone(good), plain[0]), CauseSecureBootFail, "secure boot check fail"},
		{"no digest", securedFuses(0x7F), good[1:], CauseSecureBootFail, "secure boot check fail"},
	} {
		t.Run(v.name, func(t *testing.T) {
			c := b.chip(nil, v.regions...)
			b.preburn(c, v.fuses)
			before := c.Fuses()
			verdict := c.Boot()
			if verdict.Cause != v.cause || verdict.Started != (v.cause == CauseAppStarted) {
				t.Errorf("verdict = %v %s, want %s", verdict.Started, verdict.Cause, v.cause)
			}
			if !contains(verdict.Lines, v.says) {
				t.Errorf("no %q in the log:\n%q", v.says, verdict.Lines)
			}
			if c.Fuses() != before {
				t.Error("the boot burnt fuses")
			}
		})
	}
}

// TestSecureBootOnly is the same without encryption: one changed byte of the
// bootloader is enough.
func TestSecureBootOnly(t *testing.T) {
	b := newBench(t)
	fuses := keyFuses(2, bootKey).or(fuseRdDis2).or(fuseWrDis2).or(fuseAbsDone0)
	c := b.chip(nil, b.securedRegions(bootKey)...)
	b.preburn(c, fuses)
	if v := c.Boot(); !v.Started || v.App != (App{"factory", recordedApp, "hello_world", v.App.Version}) || v.App.Version == "" {
		t.Errorf("verdict = %+v", v)
	}
	last := len(b.bootloader) - 40 // in the last segment, before the hash
	if err := c.SetFlash(bootloaderAt+last, []byte{b.bootloader[last] ^ 1}); err != nil {
		t.Fatal(err)
	}
	v := c.Boot()
	if v.Cause != CauseSecureBootFail || !contains(v.Lines, "secure boot check fail") || contains(v.Lines, "entry") {
		t.Errorf("changed bootloader: %s, %q", v.Cause, v.Lines)
	}
}

// TestOldROM complains in other words.
func TestOldROM(t *testing.T) {
	cfg := DefaultConfig()
	cfg.RevMajor = 1
	v := New(cfg).Boot()
	if v.Cause != CauseInvalidHeader || !contains(v.Lines, "flash read err, 1000") || v.Lines[0] != "ets Jun  8 2016 00:22:57" {
		t.Errorf("%s, %q", v.Cause, v.Lines)
	}
}

// TestLateFlash: a chip whose flash is late says that it finds no bootloader, as one with
// a blank flash does, and starts after its watchdog has reset it.
func TestLateFlash(t *testing.T) {
	b := newBench(t)
	for _, starts := range []int{0, 1, 3} {
		c := b.chip([]Option{WithFaults(Faults{LateFlash: starts})},
			region{bootloaderAt, b.bootloader}, tableRegion(t, recordedTable, singleTable), region{recordedApp, b.signed})
		for range 2 { // at each power-on
			v := c.Boot()
			said := strings.Join(v.Lines, "\n")
			if !v.Started || strings.Count(said, "invalid header: 0xffffffff") != starts || strings.Count(said, "rst:0x10 (RTCWDT_RTC_RESET)") != starts {
				t.Errorf("late %d times: %s\n%s", starts, v.Cause, said)
			}
		}
	}
	cfg := DefaultConfig()
	cfg.RevMajor = 1
	blank := New(cfg, WithFaults(Faults{LateFlash: 1})).Boot()
	if n := strings.Count(strings.Join(blank.Lines, "\n"), "flash read err, 1000"); blank.Cause != CauseInvalidHeader || n != 2 {
		t.Errorf("blank: %s, said %d times", blank.Cause, n)
	}
}

// TestFirstBootV1 lets a Secure Boot V1 bootloader finish by itself, and boots again.
func TestFirstBootV1(t *testing.T) {
	b := newBench(t)
	regions := []region{{bootloaderAt, b.bootloader}, tableRegion(t, recordedTable, singleTable), {recordedApp, b.signed}}
	t.Run("makes a key", func(t *testing.T) {
		c := b.chip(nil, regions...)
		b.firstThenSecondBoot(t, c, "Generating new secure boot key...")
		if f := c.Fuses(); f[2] == ([8]uint32{}) {
			t.Error("no key was burnt")
		}
	})
	t.Run("uses the key that is there", func(t *testing.T) {
		c := b.chip(nil, regions...)
		b.preburn(c, keyFuses(2, bootKey).or(fuseRdDis2).or(fuseWrDis2))
		b.firstThenSecondBoot(t, c, "Using pre-loaded secure boot key in EFUSE block 2")
		sector, err := c.Flash(digestAt, norSector)
		if err != nil {
			t.Fatal(err)
		}
		want, err := secureboot.DigestV1(bootKey, sector[:secureboot.IVLenV1], b.bootloader)
		if err != nil || !bytes.Equal(sector[secureboot.IVLenV1:][:secureboot.DigestLenV1], want[:]) {
			t.Errorf("digest in flash is not that of the key: %v", err)
		}
	})
	t.Run("refuses a key protected by half", func(t *testing.T) {
		c := b.chip(nil, regions...)
		b.preburn(c, keyFuses(2, bootKey).or(fuseWrDis2))
		v := c.Boot()
		if v.Started || v.Cause != CauseSecurityIncomplete || !contains(v.Lines, "Pre-loaded key is not read, write protected. Refusing to blow secure boot efuse.") {
			t.Errorf("%s: %q", v.Cause, v.Lines)
		}
	})
}

// firstThenSecondBoot boots twice: first the bootloader burns and says so, then the
// ROM accepts what it made.
func (b *bench) firstThenSecondBoot(t *testing.T, c *Chip, says string) {
	t.Helper()
	if v := c.Boot(); !v.Started || !contains(v.Lines, says) {
		t.Fatalf("first boot: %s %q", v.Cause, v.Lines)
	}
	f := c.Fuses()
	want := fuseAbsDone0.or(fuseRdDis2).or(fuseWrDis2).or(fuseJTAGDisable).or(fuseConsoleDisable)
	if !f.covers(0, want[0]) {
		t.Errorf("BLOCK0 = %08x, want %08x set", f[0], want[0])
	}
	v := c.Boot()
	if !v.Started || !contains(v.Lines, "bootloader secure boot is already enabled, continuing..") {
		t.Fatalf("second boot: %s %q", v.Cause, v.Lines)
	}
	if c.Fuses() != f {
		t.Error("the second boot burnt again")
	}
}

// TestFirstBootEncryption lets a bootloader encrypt the flash by itself; the chip
// restarts into what it made.
func TestFirstBootEncryption(t *testing.T) {
	b := newBench(t)
	for _, release := range []bool{true, false} {
		boot := b.build(BootloaderSpec{FlashSize: image.Size4MB, SecureBootV1: true, FlashEncryption: true, Release: release, TableOffset: recordedTable})
		c := b.chip(nil, region{bootloaderAt, boot}, tableRegion(t, recordedTable, otaTable), region{recordedApp, b.signed})
		v := c.Boot()
		if !v.Started || !contains(v.Lines, "Resetting with flash encryption enabled...") || !contains(v.Lines, "rst:0x3 (SW_RESET)") {
			t.Fatalf("release %v: %s %q", release, v.Cause, v.Lines)
		}
		f := c.Fuses()
		if want := map[bool]uint32{true: 0x7F, false: 0x01}[release]; f.cryptCnt() != want {
			t.Errorf("release %v: counter %#x, want %#x", release, f.cryptCnt(), want)
		}
		if !f.blockHidden(1) || !f.blockFrozen(1) || f.cryptConfig() != 0xF || !f.absDone0() {
			t.Errorf("release %v: BLOCK0 %08x", release, f[0])
		}
		if got := f.covers(0, fuseDLEncrypt[0]); got != release {
			t.Errorf("release %v: DISABLE_DL_ENCRYPT %v", release, got)
		}
		raw, err := c.Flash(recordedApp, len(b.signed))
		if err != nil || bytes.Equal(raw, b.signed) {
			t.Errorf("the app is still plain, %v", err)
		}
		checkPlain(t, c)
		if v = c.Boot(); !v.Started {
			t.Errorf("release %v: second boot %s %q", release, v.Cause, v.Lines)
		}
	}
}

// checkPlain holds that nothing else was encrypted: the empty OTA slots are erased.
func checkPlain(t *testing.T, c *Chip) {
	t.Helper()
	for _, at := range []int{0x120000, 0x220000, 0x320000} {
		b, err := c.Flash(at, norSector)
		if err != nil || !bytes.Equal(b, bytes.Repeat([]byte{0xFF}, norSector)) {
			t.Errorf("flash at %#x was touched, %v", at, err)
		}
	}
}

// TestAppFixesFuses boots apps that set protection they find missing.
func TestAppFixesFuses(t *testing.T) {
	b := newBench(t)
	app, err := BuildApp(AppSpec{Project: "product", Version: "1.0", SecureBootV1: true, Release: true, Says: []string{"product: ready"}})
	if err != nil {
		t.Fatal(err)
	}
	b.app = app
	b.signed = b.sign(b.key)
	for count, frozen := range map[uint32]bool{0x01: true, 0x7F: false} {
		c := b.chip(nil, encrypted(t, flashKey, b.securedRegions(bootKey)...)...)
		b.preburn(c, securedFuses(count).without(fuseRdDis2))
		v := c.Boot()
		if !v.Started || v.Lines[len(v.Lines)-1] != "product: ready" {
			t.Fatalf("%s %q", v.Cause, v.Lines)
		}
		f := c.Fuses()
		if got := f.wrDis()&4 != 0; got != frozen {
			t.Errorf("counter %#x: WR_DIS bit 2 = %v, want %v", count, got, frozen)
		}
		if !f.blockHidden(2) {
			t.Error("the key is still readable")
		}
		if v.App.Project != "product" || v.App.Version != "1.0" {
			t.Errorf("app = %+v", v.App)
		}
	}
}

// TestBadTables are tables the bootloader refuses.
func TestBadTables(t *testing.T) {
	b := newBench(t)
	good := tableRegion(t, recordedTable, singleTable)
	for name, v := range map[string]struct {
		change func([]byte)
		says   string
	}{
		"MD5":       {func(p []byte) { p[0x0C] ^= 1 }, "Incorrect MD5 checksum"},
		"magic":     {func(p []byte) { p[0x20] ^= 1 }, "partition 1 invalid magic number 0x50ab"},
		"too large": {func(p []byte) { p[0x4B] = 0x01 }, "exceeds flash chip size 0x400000"},
	} {
		table := slices.Clone(good.data)
		v.change(table)
		verdict := b.chip(nil, region{bootloaderAt, b.bootloader}, region{recordedTable, table}).Boot()
		if verdict.Cause != CauseBadPartitionTable || !contains(verdict.Lines, v.says) || !contains(verdict.Lines, "Failed to verify partition table") {
			t.Errorf("%s: %s %q", name, verdict.Cause, verdict.Lines)
		}
	}
}

// TestBootloaderDamage is what the ROM finds by itself.
func TestBootloaderDamage(t *testing.T) {
	b := newBench(t)
	bin := slices.Clone(b.bootloader)
	bin[0x100] ^= 0x40
	stored := bin[len(bin)-hashLen-1]
	wrong := fmt.Sprintf("csum err:0x%02x!=0x%02x", stored^0x40, stored)
	for console, says := range map[bool]string{true: "Falling back to built-in command interpreter.", false: "ets_main.c 371 "} {
		c := b.chip(nil, region{bootloaderAt, bin})
		if !console {
			b.preburn(c, fuseConsoleDisable)
		}
		if v := c.Boot(); !contains(v.Lines, wrong) || !contains(v.Lines, says) {
			t.Errorf("checksum, console %v: %q", console, v.Lines)
		}
	}
	for name, at := range map[string]int{"data": 0x100, "segment length": image.HeaderLen + 7} {
		bin := slices.Clone(b.bootloader)
		bin[at] ^= 0x40
		if v := b.chip(nil, region{bootloaderAt, bin}).Boot(); v.Cause != CauseBootloaderCorrupt {
			t.Errorf("%s: %s %q", name, v.Cause, v.Lines)
		}
	}
	c := b.chip(nil, region{bootloaderAt, b.bootloader})
	b.preburn(c, fuse(3, 1<<3))
	if v := c.Boot(); v.Cause != CauseCacheDisabled {
		t.Errorf("DIS_CACHE: %s", v.Cause)
	}
}

// TestAppSignatureV2 is the second stage of a Secure Boot V2 device: it checks the app
// with the digest in BLOCK2, and before the fuse is burnt with the app's own key.
func TestAppSignatureV2(t *testing.T) {
	b := newBench(t)
	key := recordedKeyV2(t)
	digest, err := secureboot.KeyDigestV2(key.Public().(*rsa.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	sign := func(content []byte) []byte {
		out, err := secureboot.AppendSignatureV2(key, content)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	bin, err := BuildBootloader(BootloaderSpec{SecureBootV2: true, FlashSize: image.Size4MB, TableOffset: recordedTable})
	if err != nil {
		t.Fatal(err)
	}
	var trusting Fuses
	for i := range trusting[2] {
		trusting[2][i] = le32(digest[4*i:])
	}
	enabled := fuse(6, 1<<5).or(fuseWrDis2)
	changed := sign(b.app)
	changed[len(b.app)] = 0 // the filling before the signature
	for _, v := range []struct {
		name  string
		fuses Fuses
		app   []byte
		cause Cause
		says  string
	}{
		{"signed", trusting.or(enabled), sign(b.app), CauseAppStarted, "Signature verified successfully!"},
		{"not enabled yet", Fuses{}, sign(b.app), CauseAppStarted, "Secure boot V2 is not enabled yet"},
		{"not signed", trusting.or(enabled), b.app, CauseSignatureBad, "Sig block 0 invalid: magic or CRC"},
		{"signed for V1", trusting.or(enabled), b.signed, CauseSignatureBad, "Secure Boot V2 verification failed."},
		{"changed", trusting.or(enabled), changed, CauseSignatureBad, "Sig block 0 invalid: Image digest does not match"},
		{"digest of another key", keyFuses(2, bootKey), sign(b.app), CauseSignatureBad, "Sig block 0 signed with untrusted key"},
	} {
		c := b.chip(nil, region{bootloaderAt, sign(bin)}, tableRegion(t, recordedTable, singleTable), region{recordedApp, v.app})
		b.preburn(c, v.fuses)
		if got := c.Boot(); got.Cause != v.cause || !contains(got.Lines, v.says) {
			t.Errorf("%s: %s %q", v.name, got.Cause, got.Lines)
		}
	}
}

// recordedKeyV2 is an RSA key that espsecure's recorded answers were made with.
func recordedKeyV2(t *testing.T) *secureboot.SigningKey {
	t.Helper()
	raw, err := os.ReadFile("../secureboot/testdata/espsecure.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		V2 []struct {
			PEM string `json:"private_key_pem"`
		} `json:"secure_boot_v2_rsa"`
	}
	if err := json.Unmarshal(raw, &recorded); err != nil || len(recorded.V2) == 0 {
		t.Fatalf("%d keys, %v", len(recorded.V2), err)
	}
	key, err := secureboot.ParseSigningKey([]byte(recorded.V2[0].PEM))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
