package station

import (
	"slices"
	"strings"
)

const (
	uartDownloadDis = "UART_DOWNLOAD_DIS"
	fieldCryptCount = "FLASH_CRYPT_CNT"
	fieldConsole    = "CONSOLE_DEBUG_DISABLE"
	fieldCache      = "DIS_CACHE"
)

// lockFuse is a fuse of [lock] other than UART_DOWNLOAD_DIS, which has an order
// and rules of its own.
type lockFuse struct {
	name    string
	written func(*document) *bool
	closes  string // what is closed, for Explain
	// encryption: only wanted with flash encryption, where its release form needs it.
	encryption bool
	// Defaults; those of a fuse for encryption only hold with encryption.
	release, development bool
}

// lockFuses is in the order of the burn. The defaults are what ESP-IDF burns
// itself (Flash Encryption, "Development Mode" and "Release Mode"): development
// leaves DISABLE_DL_ENCRYPT open so that plain text can still be flashed.
var lockFuses = []lockFuse{
	{"DISABLE_DL_ENCRYPT", func(d *document) *bool { return d.Lock.DisableDLEncrypt },
		"the serial port can no longer have the chip encrypt what is flashed", true, true, false},
	{"DISABLE_DL_DECRYPT", func(d *document) *bool { return d.Lock.DisableDLDecrypt },
		"the serial port can no longer have the chip decrypt its flash", true, true, true},
	{"DISABLE_DL_CACHE", func(d *document) *bool { return d.Lock.DisableDLCache },
		"the serial port can no longer read decrypted flash through the chip's cache", true, true, true},
	{"JTAG_DISABLE", func(d *document) *bool { return d.Lock.JTAGDisable },
		"the debug port is closed for ever, for the factory and for repair as well", false, true, true},
	{fieldConsole, func(d *document) *bool { return d.Lock.ConsoleDebugDisable },
		"the chip's built-in BASIC can never be entered again", false, true, true},
	{"DISABLE_SDIO_HOST", func(d *document) *bool { return d.Lock.DisableSDIOHost },
		"the chip can never be driven as an SDIO card by another processor", false, false, false},
}

// freezable is every field whose WR_DIS bit may be set by policy, in the order of
// those bits (ESP-IDF esp_efuse_table.csv). BLOCK1 and BLOCK2 are always frozen
// with their keys and need no entry.
var freezable = []struct {
	name string
	says string
}{
	{fieldCryptCount, "the encryption counter can no longer change, and neither can UART_DOWNLOAD_DIS"},
	{fieldCache, "nobody can kill the unit by burning the cache fuse; MAC address and core settings freeze with it"},
	{"FLASH_CRYPT_CONFIG", "the encryption setting can no longer change"},
	{"ABS_DONE_0", "the secure boot fuse can no longer change"},
	{"ABS_DONE_1", "Secure Boot V2 can never be switched on in this unit, not even to upset it"},
	{"JTAG_DISABLE", "the debug port's fuse can no longer change"},
	{fieldConsole, "the console fuse and the three DISABLE_DL fuses can no longer change"},
}

func freezableNames() []string {
	names := make([]string, len(freezable))
	for i, f := range freezable {
		names[i] = f.name
	}
	return names
}

// lock resolves [lock] after everything its defaults and rules depend on.
func (r *resolver) lock(d *document, p *Profile) Lock {
	var l Lock
	for _, f := range lockFuses {
		if or(f.written(d), f.byDefault(p.FlashEncryption)) {
			l.Burn = append(l.Burn, f.name)
		} else if f.encryption && p.FlashEncryption.Enabled && p.FlashEncryption.Policy == Release {
			r.add(ErrConflict, join("lock", f.name),
				`must be true with flash_encryption.policy = "release": a unit that leaves this door open is not released`)
		}
	}
	l.UARTDownloadDis = or(d.Lock.UARTDownloadDis, false)
	if d.Lock.Freeze == nil {
		l.Freeze = defaultFreeze(l, p)
	} else {
		l.Freeze = r.freeze(*d.Lock.Freeze, l, p)
	}
	if p.FlashEncryption.OnDevice && !slices.Contains(l.Freeze, fieldCache) {
		r.add(ErrConflict, "lock.freeze",
			`must hold DIS_CACHE with flash_encryption.mode = "device": the unit's bootloader freezes it when it encrypts`)
	}
	if l.UARTDownloadDis {
		r.closeDownload(l, p)
	}
	return l
}

func (f lockFuse) byDefault(e FlashEncryption) bool {
	switch {
	case f.encryption && !e.Enabled:
		return false
	case e.Enabled && e.Policy == Development:
		return f.development
	}
	return f.release
}

// defaultFreeze freezes what holds its last value under this policy. A unit in
// development only has the one fuse frozen that could kill it.
func defaultFreeze(l Lock, p *Profile) []string {
	development := p.FlashEncryption.Enabled && p.FlashEncryption.Policy == Development
	var names []string
	for _, name := range freezableNames() {
		byDefault := name == fieldCache || !development && name != fieldCryptCount && name != "ABS_DONE_1"
		if byDefault && notFinal(name, l, p) == "" {
			names = append(names, name)
		}
	}
	return names
}

// freeze checks a written list and returns it in the order of the table.
func (r *resolver) freeze(written []string, l Lock, p *Profile) []string {
	for i, name := range written {
		at := element("lock.freeze", i)
		if !slices.Contains(freezableNames(), name) {
			r.add(ErrValue, at, "%s cannot be frozen%s", clip(name), didYouMean(name, freezableNames()))
			continue
		}
		if slices.Contains(written[:i], name) {
			r.add(ErrConflict, at, "%s stands in the list twice", name)
		}
		if why := notFinal(name, l, p); why != "" {
			r.add(ErrConflict, at, "%s must not be frozen: %s", name, why)
		}
	}
	return slices.DeleteFunc(freezableNames(), func(name string) bool { return !slices.Contains(written, name) })
}

// notFinal says why the fields behind a freeze bit would not hold their last value
// when it is burnt; empty when they would.
func notFinal(name string, l Lock, p *Profile) string {
	encrypted := p.FlashEncryption.Enabled
	switch name {
	case fieldCryptCount:
		switch {
		case !encrypted:
			return "without flash encryption it would stay off for ever"
		case p.FlashEncryption.Policy == Development:
			return "in development the counter must be able to change"
		case l.UARTDownloadDis:
			return "the same bit freezes UART_DOWNLOAD_DIS, which is burnt last of all"
		}
	case "FLASH_CRYPT_CONFIG":
		if !encrypted {
			return "without flash encryption it would freeze a setting that makes later encryption worthless"
		}
	case "ABS_DONE_0":
		if p.SecureBoot.Version == 0 {
			return "without secure boot it would stay off for ever"
		}
	case "JTAG_DISABLE":
		if !l.Burns("JTAG_DISABLE") {
			return "the debug port would stay open for ever"
		}
	case fieldConsole:
		if open := stillOpen(l, fieldConsole, "DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE"); len(open) > 0 {
			return "the same bit freezes " + strings.Join(open, ", ") + ", which would stay open for ever"
		}
	}
	return ""
}

func stillOpen(l Lock, fuses ...string) []string {
	return slices.DeleteFunc(fuses, l.Burns)
}

// closeDownload holds UART_DOWNLOAD_DIS to the cases where nothing can be left to
// mend: once it is burnt the station cannot reach the unit again.
func (r *resolver) closeDownload(l Lock, p *Profile) {
	key := join("lock", uartDownloadDis)
	if p.Unit.MinRevision < revisionV3 {
		r.add(ErrConflict, key, `exists from chip revision v3.0 on and must not be burnt on older ones; write min_revision = "v3.0" in [unit]`)
	}
	if p.FlashEncryption.Enabled && p.FlashEncryption.Policy == Development {
		r.add(ErrConflict, key, `does not go with flash_encryption.policy = "development": the firmware may freeze this fuse at its first start`)
	}
	if p.BootCheck == nil {
		r.add(ErrConflict, key, "needs a [boot_check]: after it a unit that does not start is scrap")
	}
}
