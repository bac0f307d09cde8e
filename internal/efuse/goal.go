package efuse

import (
	"fmt"
	"slices"
)

// Values of FLASH_CRYPT_CNT that a goal may ask for.
const (
	CryptCountRelease     = 0x7F // on for ever
	CryptCountDevelopment = 0x01 // on; can be switched off, three times in all
)

// CryptConfig is the only FLASH_CRYPT_CONFIG that is burnt: every part of the key
// is tweaked with the address. Less is weaker and never needed.
const CryptConfig = 0xF

// Goal is how a policy wants the fuses to be in the end.
type Goal struct {
	Revision Revision // of the chip at hand

	SecureBootV1    bool
	FlashEncryption bool
	CryptCount      uint8 // with FlashEncryption: CryptCountRelease or CryptCountDevelopment
	CryptConfig     uint8 // with FlashEncryption: CryptConfig

	// ByUnit says that the unit's own firmware encrypts the flash in place and burns
	// FLASH_CRYPT_CNT when it has, as ESP-IDF's bootloader does at its first start. As
	// long as the counter is even the flash is plain: then the counter, the locks and
	// what comes after them are not the station's to burn (ErrPlain). UnitBurns names
	// what that firmware burns along with the counter, of Locks, and DIS_CACHE of Freeze.
	ByUnit    bool
	UnitBurns []string

	// Block1 is the flash encryption key, Block2 the Secure Boot V1 key, both from
	// KeyWords. Each may be unknown: not made yet, or destroyed after it was locked.
	Block1, Block2 KeyBlock

	Locks           []string // of Lockable
	Freeze          []string // of Freezable: fields whose WR_DIS group is set
	UARTDownloadDis bool     // chip revision v3.0 and later
}

// lockable and freezable name what Locks and Freeze may hold, in burning order.
var (
	lockable = []string{
		"JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE", "DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT",
		"DISABLE_DL_CACHE", "DISABLE_SDIO_HOST",
	}
	freezable = []string{
		"FLASH_CRYPT_CNT", "DIS_CACHE", "FLASH_CRYPT_CONFIG", "ABS_DONE_0", "ABS_DONE_1",
		"JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE",
	}
)

// Lockable returns the names that Goal.Locks may hold.
func Lockable() []string { return slices.Clone(lockable) }

// Freezable returns the names that Goal.Freeze may hold.
func Freezable() []string { return slices.Clone(freezable) }

// firstUARTDownloadDis is the oldest silicon with UART_DOWNLOAD_DIS. What the bit
// does on older chips is not known, so it is never burnt there.
var firstUARTDownloadDis = Revision{Major: 3}

// MayFreezeCounter reports whether firmware may write-protect FLASH_CRYPT_CNT. Under
// a development goal it may not: encryption is to stay one that can be switched off.
func (g Goal) MayFreezeCounter() bool {
	return !g.FlashEncryption || g.CryptCount == CryptCountRelease || slices.Contains(g.Freeze, "FLASH_CRYPT_CNT")
}

// Check finds what is wrong with a goal before any chip is touched: ErrForbidden
// for a fuse that no goal may name, ErrOrder for a freeze that would fix a fuse the
// goal does not set, ErrWeakKey, or ErrGoal.
func (g Goal) Check() error {
	if g.FlashEncryption && g.CryptCount != CryptCountRelease && g.CryptCount != CryptCountDevelopment {
		return fmt.Errorf("FLASH_CRYPT_CNT %#02x, want 0x7f or 0x01: %w", g.CryptCount, ErrGoal)
	}
	if g.FlashEncryption && g.CryptConfig != CryptConfig {
		return fmt.Errorf("FLASH_CRYPT_CONFIG %#x, want 0xf: %w", g.CryptConfig, ErrGoal)
	}
	if err := g.checkKeys(); err != nil {
		return err
	}
	if err := g.checkUnit(); err != nil {
		return err
	}
	for _, name := range g.Locks {
		if !slices.Contains(lockable, name) {
			return fmt.Errorf("lock %s: %w", name, notAllowed(name))
		}
	}
	for _, name := range g.Freeze {
		if !slices.Contains(freezable, name) {
			return fmt.Errorf("freeze %s: %w", name, notAllowed(name))
		}
		if why := g.freezesTooEarly(name); why != "" {
			return fmt.Errorf("freeze %s: %s: %w", name, why, ErrOrder)
		}
	}
	return g.checkDownload()
}

// checkKeys refuses keys that cannot be told from a blank block or from each other.
func (g Goal) checkKeys() error {
	for i, key := range []KeyBlock{g.Block1, g.Block2} {
		if key.Known() && key.Reveal() == [8]uint32{} {
			return fmt.Errorf("key for BLOCK%d is all zeros: %w", i+1, ErrWeakKey)
		}
	}
	if g.Block1.Known() && g.Block2.Known() && g.Block1.Reveal() == g.Block2.Reveal() {
		return fmt.Errorf("BLOCK1 and BLOCK2 are to hold the same key: %w", ErrWeakKey)
	}
	return nil
}

// checkUnit holds what the unit burns by itself against the rest of the goal: a fuse
// that firmware burns is burnt, whether or not the goal wants it.
func (g Goal) checkUnit() error {
	if !g.ByUnit {
		if len(g.UnitBurns) > 0 {
			return fmt.Errorf("%v burnt by a unit that does not encrypt itself: %w", g.UnitBurns, ErrGoal)
		}
		return nil
	}
	if !g.FlashEncryption {
		return fmt.Errorf("encrypted by the unit, without flash encryption: %w", ErrGoal)
	}
	for _, name := range g.UnitBurns {
		if !slices.Contains(g.Locks, name) && !(name == cacheFreeze && slices.Contains(g.Freeze, name)) {
			return fmt.Errorf("the unit burns %s by itself, and it is not among the locks and freezes: %w", name, ErrGoal)
		}
	}
	return nil
}

// cacheFreeze is the one WR_DIS group that a bootloader freezes by itself.
const cacheFreeze = "DIS_CACHE"

// unitBits are the bits of UnitBurns.
func (g Goal) unitBits() (bits [8]uint32) {
	for _, name := range g.UnitBurns {
		if name == cacheFreeze {
			bits[0] |= 1 << mustLookup(name).WrDis
			continue
		}
		bits = join(bits, mustLookup(name).mask())
	}
	return bits
}

// checkDownload holds the rules of UART_DOWNLOAD_DIS: the right silicon, and a
// counter that firmware does not freeze on its first boot, since both share a
// WR_DIS bit.
func (g Goal) checkDownload() error {
	if !g.UARTDownloadDis {
		return nil
	}
	if g.Revision.Compare(firstUARTDownloadDis) < 0 {
		return fmt.Errorf("UART_DOWNLOAD_DIS on revision %s, it needs %s: %w", g.Revision, firstUARTDownloadDis, ErrForbidden)
	}
	if g.FlashEncryption && g.CryptCount != CryptCountRelease {
		return fmt.Errorf("UART_DOWNLOAD_DIS with FLASH_CRYPT_CNT below 0x7f: firmware may freeze both on its first boot: %w", ErrOrder)
	}
	return nil
}

// freezesTooEarly says which field of name's WR_DIS group would be frozen without
// its final value, or "".
func (g Goal) freezesTooEarly(name string) string {
	switch name {
	case "FLASH_CRYPT_CNT":
		if g.UARTDownloadDis {
			return "its group holds UART_DOWNLOAD_DIS, which is burnt last"
		}
		return choose(g.FlashEncryption, "", "flash encryption could never be switched on")
	case "FLASH_CRYPT_CONFIG":
		return choose(g.FlashEncryption, "", "flash encryption could never be tweaked")
	case "ABS_DONE_0":
		return choose(g.SecureBootV1, "", "Secure Boot V1 could never be switched on")
	case "JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE":
		for _, lock := range g.freezeNeeds(name) {
			if !slices.Contains(g.Locks, lock) {
				return lock + " is not among the locks and could never be set"
			}
		}
	}
	return ""
}

// freezeNeeds returns the fields that hold their final value before name's group
// is frozen.
func (g Goal) freezeNeeds(name string) []string {
	if name == "CONSOLE_DEBUG_DISABLE" && g.FlashEncryption {
		// one WR_DIS bit for all: an open decrypting download mode would stay open
		return []string{name, "DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE"}
	}
	return []string{name}
}

// notAllowed explains why a name stands in no list.
func notAllowed(name string) error {
	f, ok := Lookup(name)
	switch {
	case !ok:
		return fmt.Errorf("no fuse has this name: %w", ErrForbidden)
	case f.Never != "":
		return fmt.Errorf("%s: %w", f.Never, ErrForbidden)
	}
	return fmt.Errorf("it is not burnt this way: %w", ErrForbidden)
}
