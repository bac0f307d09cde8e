package ota_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"slices"
	"testing"

	"provision/internal/flashcrypt"
	"provision/internal/image"
	"provision/internal/ota"
	"provision/internal/secureboot"
	"provision/internal/simulator"
)

// kind is a way a unit can be locked.
type kind struct {
	name     string
	scheme   int // of Secure Boot
	encrypts bool
}

var kinds = []kind{
	{"encrypted, Secure Boot V1", 1, true},
	{"Secure Boot V1", 1, false},
	{"encrypted", 0, true},
	{"open", 0, false},
	{"encrypted, Secure Boot V2", 2, true},
	{"Secure Boot V2", 2, false},
}

// setup is what is special about the units of a case.
type setup struct {
	table         string // CSV; empty: two slots of 256 KiB
	running       int    // slot
	antiRollback  bool
	secureVersion int // more than 0: anti-rollback, too
	revision      int // major; 0: v3.0
	build         simulator.OTABuild
}

const twoSlots = `
nvs,      data, nvs,     0x9000,   0x6000,
otadata,  data, ota,     0xf000,   0x2000,
ota_0,    app,  ota_0,   0x20000,  256K,
ota_1,    app,  ota_1,   ,         256K,
`

var (
	flashKey = bytes.Repeat([]byte{0x11, 0x9E, 0x03, 0x70}, 8)
	bootKey  = bytes.Repeat([]byte{0x42, 0xD1, 0x5C, 0x08}, 8)
)

// unit is a virtual one, and what is known of it.
type unit struct {
	chip  *simulator.Chip
	facts ota.Device
}

// newUnit makes a unit of that kind whose bootloader trusts the workshop's key.
func (w *workshop) newUnit(t testing.TB, k kind, s setup) unit {
	t.Helper()
	bootloader, app := w.firmware(t, k.scheme, s)
	if s.table == "" {
		s.table = twoSlots
	}
	table, err := image.ParseCSV(s.table, image.Layout{FlashSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	cfg := simulator.DefaultConfig()
	cfg.FlashSize = 1 << 20
	if s.revision != 0 {
		cfg.RevMajor = s.revision
	}
	u := unit{chip: simulator.New(cfg)}
	w.fill(t, u.chip, k, s, bootloader, app, table)
	u.burn(t, w, k, s)
	u.facts = w.facts(t, u.chip, k, s, table)
	return u
}

// fill writes the flash as the line does.
func (w *workshop) fill(t testing.TB, c *simulator.Chip, k kind, s setup, bootloader, app []byte, table image.Table) {
	t.Helper()
	put := func(at uint32, data []byte, crypt bool) {
		if crypt && k.encrypts {
			data = flashcrypt.PadFF(data, 4096)
			if err := flashcrypt.Encrypt(data, data, flashKey, at, flashcrypt.ConfAll); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.SetFlash(int(at), data); err != nil {
			t.Fatal(err)
		}
	}
	sector, err := secureboot.DigestSectorV1(bootKey, bytes.Repeat([]byte{0x77}, secureboot.IVLenV1), bootloader)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := table.Binary()
	if err != nil {
		t.Fatal(err)
	}
	put(0, sector, true)
	put(0x1000, bootloader, true)
	put(0x8000, binary, true)
	apps := table.Apps()
	if p, ok := table.OTAData(); ok {
		data := image.BlankOTAData()
		if s.running > 0 {
			data = image.SelectSlot(s.running, image.OTAValid)
		}
		put(p.Offset, data.Binary(), true)
	}
	put(apps[min(s.running, len(apps)-1)].Offset, app, true)
}

// burn sets the fuses of a finished unit.
func (u unit) burn(t testing.TB, w *workshop, k kind, s setup) {
	t.Helper()
	var f simulator.Fuses
	key := func(block int, key []byte) {
		reversed := slices.Clone(key)
		slices.Reverse(reversed)
		for i := range f[block] {
			f[block][i] = uint32(reversed[4*i]) | uint32(reversed[4*i+1])<<8 | uint32(reversed[4*i+2])<<16 | uint32(reversed[4*i+3])<<24
		}
	}
	switch k.scheme {
	case 1:
		key(2, bootKey)
		f[0][0] |= 1<<17 | 1<<8
		f[0][6] |= 1 << 4
	case 2: // the digest is not reversed: twice is not at all
		digest := w.digestV2(t)
		slices.Reverse(digest)
		key(2, digest)
		f[0][0] |= 1 << 8
		f[0][6] |= 1 << 5
	}
	if k.encrypts {
		key(1, flashKey)
		f[0][0] |= 1<<16 | 1<<7 | 0x7F<<20
		f[0][5] |= 0xF << 28
	}
	f[3][4] = 1<<s.secureVersion - 1
	if err := u.chip.Preburn(f); err != nil {
		t.Fatal(err)
	}
}

// facts are those a complete record has.
func (w *workshop) facts(t testing.TB, c *simulator.Chip, k kind, s setup, table image.Table) ota.Device {
	t.Helper()
	cipher, err := flashcrypt.New(flashKey, flashcrypt.ConfAll)
	if err != nil {
		t.Fatal(err)
	}
	major, minor := c.Revision()
	apps := table.Apps()
	d := ota.Device{
		Chip: ota.Known(image.ESP32), Revision: ota.Known(major*100 + minor),
		SecureBoot: ota.Known(k.scheme), ChecksApps: ota.Known(k.scheme != 0),
		FlashEncryption: ota.Known(k.encrypts), Table: ota.Known(table),
		Running:       ota.Known(apps[min(s.running, len(apps)-1)].Label),
		SecureVersion: ota.Known(s.secureVersion), AntiRollback: ota.Known(s.antiRollback || s.secureVersion > 0),
	}
	switch k.scheme {
	case 1:
		d.Trusts = ota.Known([]string{w.pub.Fingerprint()})
	case 2:
		d.Trusts = ota.Known([]string{hex.EncodeToString(w.digestV2(t))})
	}
	if k.encrypts {
		d.FlashKey = cipher
	}
	if s.build.AppSkipsSignature {
		d.AppVerifies = ota.Known(false)
	}
	return d
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
