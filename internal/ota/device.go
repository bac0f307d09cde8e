package ota

import (
	"fmt"

	"provision/internal/flashcrypt"
	"provision/internal/image"
)

// Fact is something about a unit that may not be known. The zero value is unknown.
type Fact[T any] struct {
	value T
	known bool
}

// Known is a fact with that value.
func Known[T any](v T) Fact[T] { return Fact[T]{value: v, known: true} }

// Get returns the value, and whether it is known.
func (f Fact[T]) Get() (T, bool) { return f.value, f.known }

// is reports a fact that is known and has that value.
func is[T comparable](f Fact[T], v T) bool { return f.known && f.value == v }

// String prints the value, or "unknown".
func (f Fact[T]) String() string {
	if !f.known {
		return "unknown"
	}
	return fmt.Sprint(f.value)
}

// Device is what is known of one unit. Every field may be unknown.
type Device struct {
	Chip     Fact[image.ChipID]
	Revision Fact[int] // major*100 + minor

	// SecureBoot is 1 or 2 for a unit that has Secure Boot V1 or V2 enabled, else 0.
	// ChecksApps says whether its bootloader verifies the signature of an app before
	// it starts it. V2 always does; a V1 bootloader may have been built without its
	// verification key, and one built for V1 checks before the fuse is burnt.
	SecureBoot Fact[int]
	ChecksApps Fact[bool]

	// AppVerifies says whether the running app's esp_ota verifies signatures as well.
	// Unknown: as the bootloader does, since one build makes both.
	AppVerifies Fact[bool]

	// Trusts are the fingerprints of the keys that the unit accepts apps of, 64 hex
	// digits each. V1: of the public key in the bootloader (PublicKeyV1.Fingerprint).
	// V2: the public key's digest in BLOCK2.
	Trusts Fact[[]string]

	// FlashEncryption: FLASH_CRYPT_CNT has an odd number of bits. FlashKey is the
	// unit's own key, for those who still have it; nil: not known.
	FlashEncryption Fact[bool]
	FlashKey        *flashcrypt.Cipher

	Table   Fact[image.Table]
	Running Fact[string] // label of the partition the unit runs from now

	// SecureVersion is the number of bits burnt in SECURE_VERSION: an app below it is
	// not accepted. Only firmware built with anti-rollback burns them, so that more
	// than 0 tells that the unit has it. AntiRollback tells it of one with 0, too.
	SecureVersion Fact[int]
	AntiRollback  Fact[bool]
}

// schemes are the kinds of signature the unit may want to see behind an app: 0 for
// none, 1 or 2. There is one where the facts decide it.
func (d Device) schemes() []int {
	version, known := d.SecureBoot.Get()
	switch {
	case version == 2:
		return []int{2}
	case is(d.ChecksApps, false):
		return []int{0}
	case is(d.ChecksApps, true) && known:
		return []int{1} // without the fuse too: the bootloader is what checks
	case is(d.ChecksApps, true):
		return []int{1, 2}
	case known:
		return []int{0, 1}
	}
	return []int{0, 1, 2}
}
