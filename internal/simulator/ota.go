package simulator

import (
	"errors"
	"fmt"

	"provision/internal/image"
)

// OTAOutcome says in one machine word how an update went. The set is closed.
type OTAOutcome string

// The ways an update can end.
const (
	OTAAccepted   OTAOutcome = "accepted"    // the unit runs the new app
	OTARefused    OTAOutcome = "refused"     // esp_ota gave up; the unit goes on with what it has
	OTAFellBack   OTAOutcome = "fell-back"   // the bootloader did not start the new app, and started another
	OTARolledBack OTAOutcome = "rolled-back" // the new app started, did not prove itself, and was given up
	OTANoApp      OTAOutcome = "no-app"      // nothing runs that could update, or nothing runs any more
	OTAPowerLost  OTAOutcome = "power-lost"  // an injected fault
)

// OTABuild is how the firmware of a unit was built, as far as its bootloader does not
// show it, and how the new app behaves.
type OTABuild struct {
	// Rollback: built with CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE. The bootloaders of
	// BuildBootloader show it, as does every one with anti-rollback.
	Rollback bool
	// Unconfirmed: the new app never says that it works.
	Unconfirmed bool
	// AppSkipsSignature: the running app's esp_ota does not verify signatures, though
	// the bootloader does.
	AppSkipsSignature bool
}

// OTAResult is how one update went.
type OTAResult struct {
	Outcome OTAOutcome
	Error   string          // by ESP-IDF's name, of the call that refused; empty when none did
	Slot    image.Partition // written to; zero when it did not come to that
	Lines   []string        // what the unit printed, from the start of the update
	Boot    Verdict         // of the last boot: after the update, or without one before it
}

// OTA boots the chip and lets the app that then runs update itself with img: the calls
// of esp_ota that an app makes once it has the bytes. Where esp_ota itself prints
// nothing, the line is the one esp_https_ota has for it. It erases the
// slot after the running one, writes through the flash encryption when that is on,
// verifies what it reads back, selects the slot in otadata, restarts, and boots. The
// log also comes out of the port.
//
// The virtual app is taken to be of the bootloader's build: it verifies signatures
// when that does, with the same key.
func (c *Chip) OTA(img []byte, build OTABuild) OTAResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.port.closed || c.broken != nil {
		return OTAResult{Outcome: OTAPowerLost}
	}
	if errors.Is(c.port.failed, ErrPowerCut) {
		c.port.failed = nil
	}
	c.rollback = build.Rollback
	defer func() { c.rollback = false }()
	c.strap = c.board.bootStraps | strapIO0
	u := update{build: build, img: img}
	u.result.Boot = c.restart(resetPowerOn)
	if !u.result.Boot.Started {
		u.end(c, OTANoApp)
		return u.result
	}
	u.boot = c.booted.runningApp(build)
	u.run()
	u.result.Lines = append(u.boot.verdict.Lines, u.result.Lines...)
	return u.result
}

// update is one update under way.
type update struct {
	*boot  // the running app
	build  OTABuild
	img    []byte
	result OTAResult
}

// end settles the outcome; a chip without power has only one.
func (u *update) end(c *Chip, o OTAOutcome) {
	if !c.running() {
		o = OTAPowerLost
	}
	u.result.Outcome = o
}

// runningApp is the code of the bootloader as it stands in the app that b started.
func (b *boot) runningApp(build OTABuild) *boot {
	app := &boot{
		chip: b.chip, flash: newCacheView(b.chip), clock: b.clock + 1000,
		loaded: b.loaded, features: b.features, tableAt: b.tableAt, table: b.table,
		inApp: true, probing: true,
	}
	app.verdict.App = b.verdict.App
	if build.AppSkipsSignature {
		app.features.ChecksApps = false
	}
	return app
}

// run is the update, step by step.
func (u *update) run() {
	if !u.confirm() {
		u.end(u.chip, OTAPowerLost)
		return
	}
	slot, index, err := u.begin()
	if err == "" {
		err = u.write(slot)
	}
	if err == "" {
		err = u.finish(slot, index)
	}
	if err != "" {
		u.result.Error = err
		u.end(u.chip, OTARefused)
		return
	}
	u.restart(slot)
}

// Names of the errors of ESP-IDF that an update can end with.
const (
	errInvalidArg   = "ESP_ERR_INVALID_ARG"
	errInvalidSize  = "ESP_ERR_INVALID_SIZE"
	errNotFound     = "ESP_ERR_NOT_FOUND"
	errConflict     = "ESP_ERR_OTA_PARTITION_CONFLICT"
	errValidate     = "ESP_ERR_OTA_VALIDATE_FAILED"
	errSmallVersion = "ESP_ERR_OTA_SMALL_SEC_VER"
	errChipStopped  = "the chip stopped"
)

// espErrors are their numbers, as the log shows them.
var espErrors = map[string]int{
	errInvalidArg: 0x102, errInvalidSize: 0x104, errNotFound: espErrNotFound,
	errConflict: 0x1501, errValidate: 0x1503, errSmallVersion: 0x1504,
}

const (
	tagHTTPS = "esp_https_ota"
	tagOTA   = "esp_ota_ops"
)

// begin chooses the slot after the one the app runs from, or the first, and erases
// it. Source: esp_ota_get_next_update_partition, esp_ota_begin.
func (u *update) begin() (slot image.Partition, index int, err string) {
	u.info(tagHTTPS, "Starting OTA...")
	next, found := -1, false
	for i := range u.table.ota {
		p := u.table.ota[i]
		if p == nil {
			continue
		}
		if next < 0 {
			next = i // the first, unless one comes after the running one
		}
		if found {
			next = i
			break
		}
		found = p.Offset == u.verdict.App.Offset
	}
	if next < 0 {
		u.fail(tagHTTPS, "Passive OTA partition not found")
		return slot, 0, errNotFound
	}
	slot = *u.table.ota[next]
	u.info(tagHTTPS, "Writing to partition subtype %d at offset %#x", slot.Subtype, slot.Offset)
	if slot.Offset == u.verdict.App.Offset {
		u.fail(tagHTTPS, "esp_ota_begin failed (%s)", errConflict)
		return slot, 0, errConflict
	}
	u.result.Slot = slot
	return slot, next, u.erase(slot)
}

func (u *update) erase(slot image.Partition) (err string) {
	for at := slot.Offset; uint64(at) < slot.End(); at += norSector {
		if !u.eraseSector(at) {
			return errChipStopped
		}
	}
	return ""
}

// finish verifies what has been written, as the app then reads it, and selects the
// slot. Source: esp_ota_end, esp_https_ota_finish.
func (u *update) finish(slot image.Partition, index int) (err string) {
	if _, ok := u.checkImage(int(slot.Offset), slot.Size, false); !ok {
		return errValidate
	}
	err = u.setBoot(slot, index)
	if number, known := espErrors[err]; known {
		u.fail(tagHTTPS, "esp_ota_set_boot_partition failed! err=%#x", number)
	}
	return err
}

// setBoot is esp_ota_set_boot_partition. It verifies again, and finds nothing that
// was not found before.
func (u *update) setBoot(slot image.Partition, index int) (err string) {
	if _, ok := u.checkImage(int(slot.Offset), slot.Size, false); !ok {
		return errValidate
	}
	if u.features.antiRollback {
		if version, ok := u.secureVersion(slot); !ok {
			return errNotFound
		} else if version < u.chip.efuse.fuses.secureVersion() {
			u.fail(tagOTA, "This a new partition can not be booted due to a secure version is lower than stored in efuse. Partition will be erased.")
			if err := u.erase(slot); err != "" {
				return err
			}
			return errSmallVersion
		}
	}
	return u.selectNext(index)
}

// restart lets the unit start what has been selected, and judges.
func (u *update) restart(slot image.Partition) {
	c := u.chip
	u.reboot()
	switch v := u.result.Boot; {
	case !v.Started:
		u.end(c, OTANoApp)
		return
	case v.App.Offset != slot.Offset:
		u.end(c, OTAFellBack)
		return
	}
	next := c.booted.runningApp(u.build)
	if !u.build.Unconfirmed {
		next.confirm()
		u.result.Lines = append(u.result.Lines, next.verdict.Lines...)
		u.end(c, OTAAccepted)
		return
	}
	u.reboot()
	switch v := u.result.Boot; {
	case !v.Started:
		u.end(c, OTANoApp)
	case v.App.Offset != slot.Offset:
		u.end(c, OTARolledBack)
	default:
		u.end(c, OTAAccepted) // without rollback nobody minds
	}
}

func (u *update) reboot() {
	if !u.chip.running() {
		return
	}
	u.result.Boot = u.chip.restart(resetCPU)
	u.result.Lines = append(u.result.Lines, u.result.Boot.Lines...)
}

// String is the outcome in one line, for messages of tests and people.
func (r OTAResult) String() string {
	if r.Error != "" {
		return fmt.Sprintf("%s: %s", r.Outcome, r.Error)
	}
	return string(r.Outcome)
}
