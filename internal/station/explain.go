package station

import (
	"fmt"
	"strings"
)

// Consequence is one thing that follows from a profile, in words for the lead of
// the line.
type Consequence struct {
	Permanent bool   // burnt into every unit, cannot be taken back
	Key       string // the key that decides it: "lock.JTAG_DISABLE"
	Text      string
}

// Explain lists every consequence of the profile, the permanent ones first, each
// group in the order in which a profile is read.
func (p *Profile) Explain() []Consequence {
	e := &explanation{}
	e.secureBoot(p)
	e.flashEncryption(p)
	e.lock(p)
	e.keys(p)
	e.procedure(p)
	e.work(p)
	return append(e.permanent, e.other...)
}

type explanation struct{ permanent, other []Consequence }

func (e *explanation) forEver(key, format string, args ...any) {
	e.permanent = append(e.permanent, Consequence{true, key, fmt.Sprintf(format, args...)})
}

func (e *explanation) note(key, format string, args ...any) {
	e.other = append(e.other, Consequence{false, key, fmt.Sprintf(format, args...)})
}

func (e *explanation) secureBoot(p *Profile) {
	if p.SecureBoot.Version == 0 {
		e.note("secure_boot.version", "No secure boot: whoever can write to the flash can run any program on the unit.")
		return
	}
	e.forEver("secure_boot.version", "ABS_DONE_0: the unit only ever starts a bootloader that was made for this one unit with its own key.")
	if p.Keys.Custody == Discard {
		e.forEver("keys.custody", "The bootloader can only be replaced by somebody who holds this unit's own key, and discard means nobody does.")
	} else {
		e.forEver("keys.custody", "The bootloader can only be replaced by somebody who holds this unit's own key: the owners of keys.recipients.")
	}
	if p.SecureBoot.AllowUnverifiedApp {
		e.forEver("secure_boot.allow_unverified_app",
			"A bootloader that does not check signatures is accepted: it will run any app, and secure boot protects only the bootloader.")
	} else {
		e.forEver("secure_boot.public_key",
			"The unit only ever runs apps signed with the key whose public half is in the bootloader; if that key is lost, no unit can be updated again.")
	}
	e.note("images.app", "Updates over the air are signed with the app-signing key and sent in plain text; never encrypt them.")
}

func (e *explanation) flashEncryption(p *Profile) {
	f := p.FlashEncryption
	switch {
	case !f.Enabled:
		e.note("flash_encryption.mode", "No flash encryption: whoever has the unit in hand can read the program and everything it stores.")
		return
	case f.Policy == Development:
		e.forEver("flash_encryption.policy",
			"Development: encryption can be switched off again only three times in the unit's life, and plain text can still be flashed. Not for units that are sold.")
	default:
		e.forEver("flash_encryption.policy",
			"FLASH_CRYPT_CNT at its maximum: the flash stays encrypted for ever, and no plain program can be flashed through the serial port again.")
	}
	e.forEver("flash_encryption.mode", "Each unit has its own flash key, hidden in the chip; a copy of the flash is useless in any other unit.")
	if f.OnDevice {
		e.onDevice()
	}
	if p.SecureBoot.Version == 0 {
		e.note("secure_boot.version", "Encryption without secure boot hides the program but does not prove it: altered flash contents are not noticed.")
	}
}

// onDevice explains what it means that the unit encrypts itself.
func (e *explanation) onDevice() {
	e.forEver("flash_encryption.mode",
		"Each unit encrypts itself at its first start, with the key that the station has burnt: its own bootloader then burns FLASH_CRYPT_CNT and locks by itself, and the station checks what it did.")
	e.note("flash_encryption.mode",
		"Flash is written in plain text, and the first start takes about 12 s for each MB of the partitions that are encrypted, with nobody touching the unit. If its power is lost meanwhile, the next run writes the plain text again.")
}

func (e *explanation) lock(p *Profile) {
	for _, f := range lockFuses {
		key := join("lock", f.name)
		if p.Lock.Burns(f.name) {
			e.forEver(key, "%s: %s.", f.name, f.closes)
		}
	}
	for _, f := range freezable {
		for _, name := range p.Lock.Freeze {
			if name == f.name {
				e.forEver("lock.freeze", "%s frozen: %s.", f.name, f.says)
			}
		}
	}
	if p.Lock.UARTDownloadDis {
		e.forEver(join("lock", uartDownloadDis),
			"UART_DOWNLOAD_DIS: the serial port can never again read, write or repair the unit; only updates over the air remain, and a unit that does not start is scrap.")
	}
	if !p.Lock.Burns("JTAG_DISABLE") {
		e.note("lock.JTAG_DISABLE", "JTAG_DISABLE is not burnt: anybody with a debugger gets around secure boot and reads the flash decrypted.")
	}
	if !p.Lock.Burns(fieldConsole) {
		e.note("lock.CONSOLE_DEBUG_DISABLE", "CONSOLE_DEBUG_DISABLE is not burnt: the chip's built-in BASIC stays within reach when the flash does not start.")
	}
}

func (e *explanation) keys(p *Profile) {
	switch {
	case p.Keys.Custody == Escrow:
		e.note("keys.custody", "After PASS a sealed copy of the unit's keys is kept that %s can open; the station cannot.", owners(p.Keys.Recipients))
	default:
		e.note("keys.custody", "After PASS the unit's keys are destroyed; only their fingerprints stay in the record.")
	}
	if len(p.Keys.Recipients) > 0 {
		e.note("keys.recipients", "While a unit is unfinished, its keys can be opened by this station and by %s.", owners(p.Keys.Recipients))
	} else {
		e.note("keys.recipients", "While a unit is unfinished, only this station can open its keys: if %s is lost, so are the unfinished units.", p.Keys.Identity)
	}
}

func owners(recipients []string) string {
	if len(recipients) == 1 {
		return "the holder of " + recipients[0]
	}
	return fmt.Sprintf("any of the %d holders of %s", len(recipients), strings.Join(recipients, ", "))
}

func (e *explanation) procedure(p *Profile) {
	if p.Station.Armed {
		e.note("station.armed", "Armed: run burns every unit that is inserted, without asking.")
	} else {
		e.note("station.armed", "Not armed: on a real port run refuses (E812) until it is told --yes; run --dry-run shows its plan.")
	}
	if p.BootCheck != nil {
		e.note("boot_check.expect", "PASS needs the unit to print %q within %v of its start.", p.BootCheck.Expect.String(), p.BootCheck.Timeout)
	} else {
		e.note("boot_check", "No boot check: PASS does not mean that the unit was seen running its app.")
	}
	if p.OTA.NextImage != "" {
		e.note("ota.next_image", "Units are made only as long as they would accept %s, the update that is planned next.", p.OTA.NextImage)
	}
	switch p.Unit.Serial.Source {
	case SourceSequence:
		e.note("unit.serial.source", "Serial numbers are counted up from %s%s by this station alone: no second station may use this profile.", p.Unit.Serial.Prefix, p.Unit.Serial.Next)
	case SourceList:
		e.note("unit.serial.source", "Serial numbers are taken from %s, one a unit, in the order of the file.", p.Unit.Serial.File)
	}
	e.note("records.database", "Every unit is recorded in %s; without it no unit is touched.", p.Records.Database)
}
