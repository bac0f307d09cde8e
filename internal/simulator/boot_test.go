package simulator

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"provision/internal/flashcrypt"
	"provision/internal/image"
	"provision/internal/secureboot"
)

// bootLogs is testdata/boot-logs.json: what a real Secure Boot V1 bootloader printed.
type bootLogs struct {
	Origin string
	Cases  []struct {
		Case string
		Log  []string
	}
}

// recordedSegments and recordedEntry are those of the bootloader in the logs.
var recordedSegments = []SegmentSize{
	{0x3fff00b8, 11288}, {0x40078000, 25348}, {0x40080400, 4}, {0x40080404, 3876},
}

const (
	recordedEntry   = 0x4008064c
	recordedVersion = "v5.1.6-1361-g20dd78b02e"
	recordedTime    = "Nov 25 2025 17:10:38"
	recordedTable   = 0x10000
	recordedApp     = 0x20000
)

// bench is a chip with the recorded bootloader, the hello-esp32 app and two signing
// keys.
type bench struct {
	t             *testing.T
	key, otherKey *secureboot.SigningKey
	bootloader    []byte
	app, signed   []byte
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, app: readTestdata(t, "hello-esp32/hello_world.bin")}
	var err error
	if b.key, err = secureboot.GenerateSigningKeyV1(); err != nil {
		t.Fatal(err)
	}
	if b.otherKey, err = secureboot.GenerateSigningKeyV1(); err != nil {
		t.Fatal(err)
	}
	b.bootloader = b.build(BootloaderSpec{
		Version: recordedVersion, Compiled: recordedTime, TableOffset: recordedTable, FlashSize: image.Size4MB,
		SecureBootV1: true, Segments: recordedSegments, Entry: recordedEntry,
	})
	b.signed = b.sign(b.key)
	return b
}

// build makes a bootloader that trusts the bench's key.
func (b *bench) build(s BootloaderSpec) []byte {
	b.t.Helper()
	pub, err := secureboot.NewPublicKeyV1(b.key.Public())
	if err != nil {
		b.t.Fatal(err)
	}
	s.AppKey = &pub
	bin, err := BuildBootloader(s)
	if err != nil {
		b.t.Fatal(err)
	}
	return bin
}

func (b *bench) sign(key *secureboot.SigningKey) []byte {
	b.t.Helper()
	signed, err := secureboot.AppendSignatureV1(key, b.app, false)
	if err != nil {
		b.t.Fatal(err)
	}
	return signed
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// singleTable and otaTable are the partition tables of the logs.
var (
	singleTable = image.Table{Partitions: []image.Partition{
		{Label: "nvs", Type: image.TypeData, Subtype: image.SubtypeNVS, Offset: 0x11000, Size: 0x6000},
		{Label: "phy_init", Type: image.TypeData, Subtype: image.SubtypePHY, Offset: 0x17000, Size: 0x1000},
		{Label: "factory", Type: image.TypeApp, Subtype: image.SubtypeFactory, Offset: 0x20000, Size: 0x100000},
	}}
	otaTable = image.Table{Partitions: []image.Partition{
		{Label: "nvs", Type: image.TypeData, Subtype: image.SubtypeNVS, Offset: 0x11000, Size: 0x6000},
		{Label: "otadata", Type: image.TypeData, Subtype: image.SubtypeOTAData, Offset: 0x17000, Size: 0x2000},
		{Label: "factory", Type: image.TypeApp, Subtype: image.SubtypeFactory, Offset: 0x20000, Size: 0x100000},
		{Label: "ota_0", Type: image.TypeApp, Subtype: image.SubtypeOTA0, Offset: 0x120000, Size: 0x100000},
		{Label: "ota_1", Type: image.TypeApp, Subtype: image.SubtypeOTA0 + 1, Offset: 0x220000, Size: 0x100000},
		{Label: "cert", Type: image.TypeData, Subtype: 0x3f, Offset: 0x320000, Size: 0x2000},
	}}
)

// region is bytes with their place in flash.
type region struct {
	at   int
	data []byte
}

func tableRegion(t testing.TB, at int, table image.Table) region {
	t.Helper()
	b, err := table.Binary()
	if err != nil {
		t.Fatal(err)
	}
	return region{at, b}
}

// otaRegion is an otadata sector that selects with that sequence number.
func otaRegion(at int, seq uint32) region {
	e := otaEntry{seq: seq, state: 0xFFFFFFFF}
	e.crc = crc32.Update(0xFFFFFFFF, crc32.IEEETable, binary.LittleEndian.AppendUint32(nil, seq))
	return region{at, e.bytes()}
}

// chip is a fresh one with those regions in flash.
func (b *bench) chip(opts []Option, regions ...region) *Chip {
	b.t.Helper()
	c := New(DefaultConfig(), opts...)
	for _, r := range regions {
		if err := c.SetFlash(r.at, r.data); err != nil {
			b.t.Fatal(err)
		}
	}
	return c
}

// encrypted turns regions into ciphertext under key.
func encrypted(t testing.TB, key []byte, regions ...region) []region {
	t.Helper()
	var out []region
	for _, r := range regions {
		p := flashcrypt.PadFF(r.data, norSector)
		if err := flashcrypt.Encrypt(p, p, key, uint32(r.at), flashcrypt.ConfAll); err != nil {
			t.Fatal(err)
		}
		out = append(out, region{r.at, p})
	}
	return out
}

// keyFuses are the words of a key block that holds a key in file order.
func keyFuses(block int, key []byte) (f Fuses) {
	reversed := slices.Clone(key)
	slices.Reverse(reversed)
	for i := range f[block] {
		f[block][i] = le32(reversed[4*i:])
	}
	return f
}

// timestamp is what the recorded logs have replaced by t.
var timestamp = regexp.MustCompile(`^([IWE]) \([0-9]+\) `)

func withoutTimes(lines []string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, timestamp.ReplaceAllString(l, "$1 (t) "))
	}
	return out
}

// diffLines says where two logs part.
func diffLines(got, want []string) string {
	for i := range max(len(got), len(want)) {
		g, w := "(nothing)", "(nothing)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			return fmt.Sprintf("line %d:\n got  %q\n want %q", i, g, w)
		}
	}
	return ""
}

// TestBootLogs reproduces the recorded logs. The one of an encrypted chip ends where
// the emulator it was recorded from stopped: there the chip goes on.
func TestBootLogs(t *testing.T) {
	v := load(t, "boot-logs.json", func(v bootLogs) bool { return len(v.Cases) == 0 || v.Origin == "" })
	b := newBench(t)
	setups := b.setups()
	for _, c := range v.Cases {
		t.Run(c.Case, func(t *testing.T) {
			setup, ok := setups[c.Case]
			if !ok {
				t.Fatal("no chip for this case")
			}
			chip := setup.chip()
			verdict := chip.Boot()
			got := withoutTimes(verdict.Lines)
			if setup.cut {
				got = got[:min(len(got), len(c.Log))]
			}
			if d := diffLines(got, c.Log); d != "" {
				t.Error(d)
			}
			if verdict.Cause != setup.cause {
				t.Errorf("cause = %s, want %s", verdict.Cause, setup.cause)
			}
			if started := setup.cause == CauseAppStarted; verdict.Started != started {
				t.Errorf("started = %v, want %v", verdict.Started, started)
			}
			checkPortText(t, chip, verdict)
		})
	}
}

// checkPortText holds what came out of the port against the verdict's lines. A ROM that
// reads no bootloader says there once more what the verdict has once.
func checkPortText(t *testing.T, c *Chip, v Verdict) {
	t.Helper()
	got := textLines(string(drain(t, c)))
	if i := slices.IndexFunc(got, func(l string) bool { return strings.Contains(l, "RTCWDT_RTC_RESET") }); i > 0 {
		if d := diffLines(got[i+1:], got[2:i-1]); d != "" {
			t.Errorf("port, after the watchdog: %s", d)
		}
		got = got[:i-1]
	}
	want := slices.DeleteFunc(slices.Clone(v.Lines), func(l string) bool { return l == loopMark })
	if d := diffLines(got, want); d != "" {
		t.Errorf("port: %s", d)
	}
}

type bootSetup struct {
	chip  func() *Chip
	cause Cause
	cut   bool // the recording ends before the boot does
}

// setups are the chips of the recorded logs.
func (b *bench) setups() map[string]bootSetup {
	boot := region{bootloaderAt, b.bootloader}
	single := tableRegion(b.t, recordedTable, singleTable)
	ota := tableRegion(b.t, recordedTable, otaTable)
	app := func(data []byte) region { return region{recordedApp, data} }
	leftOver := append(slices.Clone(b.app), 0x7a, 0x0c, 0xb6, 0xf6)
	changed := slices.Clone(b.signed)
	changed[0x5000] ^= 0xFF
	flashKey := bytes.Repeat([]byte{0x5A, 0xC3}, 16)
	cipher := encrypted(b.t, flashKey, boot, single, app(b.signed))

	plain := func(cause Cause, regions ...region) bootSetup {
		return bootSetup{cause: cause, chip: func() *Chip { return b.chip(nil, regions...) }}
	}
	return map[string]bootSetup{
		"signed app, secure boot not yet enabled":             plain(CauseAppStarted, boot, single, app(b.signed)),
		"unsigned app, blank flash after it":                  plain(CauseSignatureMissing, boot, single, app(b.app)),
		"unsigned app, left-overs of an older image after it": plain(CauseSignatureMissing, boot, single, app(leftOver)),
		"app signed with another key":                         plain(CauseSignatureBad, boot, single, app(b.sign(b.otherKey))),
		"signed app, one byte of code changed":                plain(CauseAppCorrupt, boot, single, app(changed)),
		"no partition table":                                  plain(CauseNoPartitionTable, boot),
		"no app":                                              plain(CauseNoApp, boot, single),
		"two OTA slots, blank otadata, factory app":           plain(CauseAppStarted, boot, ota, app(b.signed)),
		"two OTA slots, otadata selects ota_0, signed": plain(CauseAppStarted,
			boot, ota, otaRegion(0x17000, 1), region{0x120000, b.signed}),
		"two OTA slots, otadata selects ota_1 (unsigned), ota_0 signed: falls back": plain(CauseAppStarted,
			boot, ota, otaRegion(0x17000, 1), otaRegion(0x18000, 2), region{0x120000, b.signed}, region{0x220000, b.app}),
		"flash encryption on, ciphertext of a signed app": {cause: CauseAppStarted, cut: true, chip: func() *Chip {
			c := b.chip(nil, cipher...)
			b.preburn(c, keyFuses(1, flashKey).or(fuseCryptConfig).or(fuse(0, 1<<20)))
			return c
		}},
		"flash encryption off, ciphertext in flash": plain(CauseInvalidHeader,
			region{bootloaderAt, []byte{0x9b, 0xd9, 0x1f, 0x37}}),
	}
}

func (b *bench) preburn(c *Chip, f Fuses) {
	b.t.Helper()
	if err := c.Preburn(f); err != nil {
		b.t.Fatal(err)
	}
}

// contains says whether some line has all of the parts in it.
func contains(lines []string, parts ...string) bool {
	return slices.ContainsFunc(lines, func(l string) bool {
		return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(l, p) })
	})
}
