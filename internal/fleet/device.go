package fleet

import (
	"context"
	"encoding/json"
	"math/bits"

	"provision/internal/efuse"
	"provision/internal/image"
	"provision/internal/job"
	"provision/internal/ota"
	"provision/internal/records"
)

// DeviceOf is what the records tell of one unit. files are those it carries, in the
// order they were verified, as Store.FactsOf returns them.
func DeviceOf(u records.Unit, files ...records.Carried) ota.Device {
	carries, _ := carriedBy(files)
	return device(revisionOf(u.ChipRevision), fusesOf(u.FinalWords), carries)
}

// Load is DeviceOf with the files that the store has for the unit.
func Load(ctx context.Context, store *records.Store, u records.Unit) (ota.Device, error) {
	files, err := store.FactsOf(ctx, u.ID)
	if err != nil {
		return ota.Device{}, err
	}
	return DeviceOf(u, files...), nil
}

// fuses are those that matter to an update. It is comparable.
type fuses struct {
	known         bool
	secureBoot    int
	encryption    bool
	block3Hidden  bool
	secureVersion int // bits burnt, whether they mean that or not
}

// fusesOf reads the words of a complete unit. Where BLOCK0 or BLOCK3 is not among
// them, nothing is known.
func fusesOf(final []records.BlockWords) fuses {
	var w efuse.Words
	var have [len(w)]bool
	for _, b := range final {
		if b.Block >= 0 && b.Block < len(w) {
			w[b.Block], have[b.Block] = b.Words, true
		}
	}
	if !have[0] || !have[3] {
		return fuses{}
	}
	return readFuses(w)
}

func readFuses(w efuse.Words) fuses {
	f := fuses{
		known:         true,
		encryption:    bits.OnesCount64(w.Field("FLASH_CRYPT_CNT"))%2 == 1,
		block3Hidden:  w.Hidden(3),
		secureVersion: bits.OnesCount64(w.Field("SECURE_VERSION")),
	}
	switch {
	case w.Field("ABS_DONE_1") != 0:
		f.secureBoot = 2
	case w.Field("ABS_DONE_0") != 0:
		f.secureBoot = 1
	}
	return f
}

// revisionOf reads "v3.1".
func revisionOf(text string) ota.Fact[int] {
	r, err := efuse.ParseRevision(text)
	if err != nil {
		return ota.Fact[int]{} // another program's
	}
	return ota.Known(r.Major*100 + r.Minor)
}

// carriedBy gathers the facts of the bootloader, the table and the app that were
// verified last. One that is on record without its facts leaves none, and an older
// one's do not stand in for them: old reports such records.
func carriedBy(files []records.Carried) (carries job.Facts, old bool) {
	for _, f := range files {
		var facts job.Facts
		if f.Facts != nil && json.Unmarshal(f.Facts, &facts) != nil {
			facts = job.Facts{} // another program's: they tell us nothing
		}
		switch {
		case facts.Bootloader != nil || f.Role == "bootloader":
			carries.Bootloader = facts.Bootloader
		case facts.Table != nil || f.Role == "partition-table":
			carries.Table = facts.Table
		case facts.App != nil || f.Role == "app":
			carries.App = facts.App
		default:
			continue
		}
		old = old || f.Facts == nil
	}
	return carries, old
}

// device puts facts together. Every unit on record is an ESP32: no station works on
// another chip.
func device(revision ota.Fact[int], f fuses, carries job.Facts) ota.Device {
	d := ota.Device{Chip: ota.Known(image.ESP32), Revision: revision}
	if f.known {
		d.SecureBoot = ota.Known(f.secureBoot)
		d.FlashEncryption = ota.Known(f.encryption)
	}
	if carries.Table != nil {
		if table, err := image.ParseTable(carries.Table.Binary); err == nil {
			d.Table = ota.Known(table)
		}
	}
	if b := carries.Bootloader; b != nil {
		d.ChecksApps = checksApps(f, b)
		d.Trusts = trusts(f, b)
		if !b.Silent {
			d.AntiRollback = ota.Known(b.AntiRollback)
		}
	}
	d.SecureVersion = secureVersion(f, carries.Bootloader, carries.App)
	return d
}

// checksApps: with Secure Boot V2 always, else what the bootloader was built for.
func checksApps(f fuses, b *job.BootloaderFacts) ota.Fact[bool] {
	switch {
	case f.known && f.secureBoot == 2:
		return ota.Known(true)
	case b.Silent && !b.Checks:
		return ota.Fact[bool]{}
	}
	return ota.Known(b.Checks)
}

// trusts are the keys of apps, where the bootloader holds them. Of several, which one
// it means does not show. The digest that V2 has in BLOCK2 is not on record.
func trusts(f fuses, b *job.BootloaderFacts) ota.Fact[[]string] {
	if !f.known || f.secureBoot == 2 || len(b.AppKeys) != 1 {
		return ota.Fact[[]string]{}
	}
	return ota.Known(b.AppKeys)
}

// secureVersion is that of the fuses, where the bootloader has anti-rollback: without
// it, those bits are the user's. A unit whose app is above its fuses burns the missing
// ones at a time that is in no record.
func secureVersion(f fuses, b *job.BootloaderFacts, app *job.AppFacts) ota.Fact[int] {
	switch {
	case b == nil || !f.known:
	case !b.Silent && !b.AntiRollback:
		return ota.Known(0)
	case f.block3Hidden || app == nil || int(app.SecureVersion) > f.secureVersion:
	case !b.Silent || f.secureVersion == 0:
		return ota.Known(f.secureVersion)
	}
	return ota.Fact[int]{}
}
