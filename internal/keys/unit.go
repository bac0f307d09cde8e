package keys

import (
	"errors"
	"fmt"
	"net"
)

// The purposes of a unit's keys.
const (
	FlashEncryption = "flash_encryption"
	SecureBootV1    = "secure_boot_v1"
)

// Custody says what stays of a unit's keys once the unit is complete.
type Custody string

// Discard leaves nothing; Escrow leaves a copy that only the owner can open.
const (
	Discard Custody = "discard"
	Escrow  Custody = "escrow"
)

// What SealUnit and OpenUnit refuse.
var (
	ErrNoOwner   = errors.New("custody is escrow and there is no owner's recipient")
	ErrOwnKey    = errors.New("the station's own key is among the owner's recipients")
	ErrOtherUnit = errors.New("sealed keys belong to another unit")
	ErrSameKey   = errors.New("two keys of one unit are equal")
)

// Named is a key and what it is for.
type Named struct {
	Purpose string
	Key     Secret
}

// UnitKeys are all keys of one unit, bound to it.
type UnitKeys struct {
	UnitID int64
	MAC    string // any notation net.ParseMAC reads; six bytes
	Keys   []Named
}

// Key returns the key for a purpose, and whether there is one.
func (u UnitKeys) Key(purpose string) (Secret, bool) {
	for _, k := range u.Keys {
		if k.Purpose == purpose {
			return k.Key, true
		}
	}
	return Secret{}, false
}

// Wipe wipes every key.
func (u UnitKeys) Wipe() {
	for _, k := range u.Keys {
		k.Key.Wipe()
	}
}

// SealUnit seals a unit's keys twice: working, for the station's identity and
// the owner, while the unit is unfinished; escrow, for the owner alone, under
// custody Escrow (nil under Discard). The working copy was opened again and
// compared. ErrNoOwner; ErrOwnKey where the escrow would be no escrow; ErrSameKey;
// ErrWeak.
func SealUnit(custody Custody, station Identity, owner []Recipient, u UnitKeys) (working, escrow []byte, err error) {
	fail := func(err error) ([]byte, []byte, error) {
		return nil, nil, fmt.Errorf("seal keys of unit %d (%s): %w", u.UnitID, u.MAC, err)
	}
	if err := checkCustody(custody, station, owner); err != nil {
		return fail(err)
	}
	if err := u.check(); err != nil {
		return fail(err)
	}
	plain, err := u.encode()
	if err != nil {
		return fail(err)
	}
	defer plain.Wipe()
	if working, err = Seal(plain, append([]Recipient{station.Recipient()}, owner...)...); err != nil {
		return fail(err)
	}
	again, err := Open(station, working)
	if err != nil {
		return fail(err)
	}
	defer again.Wipe()
	if !again.Equal(plain) {
		return fail(ErrDamaged)
	}
	if custody == Escrow {
		if escrow, err = Seal(plain, owner...); err != nil {
			return fail(err)
		}
	}
	return working, escrow, nil
}

func checkCustody(custody Custody, station Identity, owner []Recipient) error {
	if custody != Discard && custody != Escrow {
		return fmt.Errorf("unknown custody %q", custody)
	}
	if station.key == nil {
		return ErrNoIdentity
	}
	if custody == Escrow && len(owner) == 0 {
		return ErrNoOwner
	}
	for _, r := range owner {
		if r.String() == station.Recipient().String() {
			return ErrOwnKey
		}
	}
	return nil
}

// check refuses keys that must never be burnt.
func (u UnitKeys) check() error {
	if len(u.Keys) == 0 {
		return errors.New("no keys")
	}
	for i, k := range u.Keys {
		if k.Key.Len() < minLen || weak(k.Key.Reveal()) {
			return fmt.Errorf("%s: %w", k.Purpose, ErrWeak)
		}
		for _, other := range u.Keys[:i] {
			if k.Purpose == other.Purpose {
				return fmt.Errorf("two keys for %s", k.Purpose)
			}
			if k.Key.Equal(other.Key) {
				return fmt.Errorf("%s and %s: %w", other.Purpose, k.Purpose, ErrSameKey)
			}
		}
	}
	return nil
}

// OpenUnit opens a working or escrow copy and checks that it is this unit's:
// ErrOtherUnit when unit id or MAC differ from those sealed in. Otherwise the
// errors of Open. Wipe the keys when done.
func OpenUnit(id Identity, sealed []byte, unitID int64, mac string) (UnitKeys, error) {
	fail := func(err error) (UnitKeys, error) {
		return UnitKeys{}, fmt.Errorf("open keys of unit %d (%s): %w", unitID, mac, err)
	}
	want, err := net.ParseMAC(mac)
	if err != nil {
		return fail(err)
	}
	plain, err := Open(id, sealed)
	if err != nil {
		return fail(err)
	}
	defer plain.Wipe()
	u, err := decode(plain)
	if err != nil {
		return fail(err)
	}
	if u.UnitID != unitID || u.MAC != want.String() {
		u.Wipe()
		return fail(fmt.Errorf("%w: unit %d (%s)", ErrOtherUnit, u.UnitID, u.MAC))
	}
	return u, nil
}
