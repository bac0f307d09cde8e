package keys

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
)

const unitMAC = "24:0a:c4:a1:b2:c3"

func newUnitKeys(t testing.TB) UnitKeys {
	t.Helper()
	u := UnitKeys{UnitID: 42, MAC: unitMAC}
	for _, purpose := range []string{FlashEncryption, SecureBootV1} {
		k, err := Generate(rand.Reader, 32)
		if err != nil {
			t.Fatal(err)
		}
		u.Keys = append(u.Keys, Named{purpose, k})
	}
	return u
}

func (u UnitKeys) same(other UnitKeys) bool {
	return u.UnitID == other.UnitID && u.MAC == other.MAC && slices.EqualFunc(u.Keys, other.Keys, func(a, b Named) bool {
		return a.Purpose == b.Purpose && a.Key.Equal(b.Key)
	})
}

func TestSealUnitEscrow(t *testing.T) {
	station, _ := newStation(t)
	owner, _ := newStation(t)
	spare, _ := newStation(t)
	u := newUnitKeys(t)
	working, escrow, err := SealUnit(Escrow, station, []Recipient{owner.Recipient(), spare.Recipient()}, u)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		id     Identity
		sealed []byte
		want   error
	}{
		"station, working": {station, working, nil},
		"owner, working":   {owner, working, nil},
		"owner, escrow":    {owner, escrow, nil},
		"spare, escrow":    {spare, escrow, nil},
		"station, escrow":  {station, escrow, ErrNotForUs},
	} {
		got, err := OpenUnit(test.id, test.sealed, u.UnitID, strings.ToUpper(unitMAC))
		if !errors.Is(err, test.want) || test.want == nil && !got.same(u) {
			t.Errorf("%s: %v, want %v and the same keys", name, err, test.want)
		}
	}
	for _, k := range u.Keys {
		if bytes.Contains(working, k.Key.Reveal()) || bytes.Contains(escrow, k.Key.Reveal()) {
			t.Errorf("the key for %s is in the clear", k.Purpose)
		}
	}
}

func TestSealUnitDiscard(t *testing.T) {
	station, _ := newStation(t)
	owner, _ := newStation(t)
	for _, recipients := range [][]Recipient{nil, {owner.Recipient()}} {
		working, escrow, err := SealUnit(Discard, station, recipients, newUnitKeys(t))
		if err != nil || len(working) == 0 || escrow != nil {
			t.Errorf("SealUnit = %d bytes, %d bytes, %v; want a working copy alone", len(working), len(escrow), err)
		}
	}
}

func TestSealUnitRefuses(t *testing.T) {
	station, _ := newStation(t)
	owner, _ := newStation(t)
	good := newUnitKeys(t)
	key := good.Keys[0].Key
	with := func(keys ...Named) UnitKeys { return UnitKeys{UnitID: 1, MAC: unitMAC, Keys: keys} }
	anything := errors.New("any error")
	tests := []struct {
		name    string
		custody Custody
		station Identity
		owner   []Recipient
		unit    UnitKeys
		want    error
	}{
		{"escrow for nobody", Escrow, station, nil, good, ErrNoOwner},
		{"escrow for the station", Escrow, station, []Recipient{owner.Recipient(), station.Recipient()}, good, ErrOwnKey},
		{"unknown custody", "keep", station, nil, good, anything},
		{"no station", Discard, Identity{}, nil, good, ErrNoIdentity},
		{"no keys", Discard, station, nil, with(), anything},
		{"one key twice", Discard, station, nil, with(Named{"a", key}, Named{"b", key}), ErrSameKey},
		{"one purpose twice", Discard, station, nil, with(good.Keys[0], Named{good.Keys[0].Purpose, good.Keys[1].Key}), anything},
		{"no purpose", Discard, station, nil, with(Named{"", key}), anything},
		{"key of zeros", Discard, station, nil, with(Named{"a", NewSecret(make([]byte, 32))}), ErrWeak},
		{"wiped key", Discard, station, nil, with(Named{"a", Secret{}}), ErrWeak},
		{"no MAC", Discard, station, nil, UnitKeys{UnitID: 1, Keys: good.Keys}, anything},
		{"long MAC", Discard, station, nil, UnitKeys{UnitID: 1, MAC: "02:00:5e:10:00:00:00:01", Keys: good.Keys}, anything},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			working, escrow, err := SealUnit(test.custody, test.station, test.owner, test.unit)
			if err == nil || test.want != anything && !errors.Is(err, test.want) {
				t.Errorf("error = %v, want %v", err, test.want)
			}
			if working != nil || escrow != nil {
				t.Error("something is sealed all the same")
			}
		})
	}
}

func TestOpenUnitRefuses(t *testing.T) {
	station, _ := newStation(t)
	stranger, _ := newStation(t)
	u := newUnitKeys(t)
	sealed, _, err := SealUnit(Discard, station, nil, u)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := Seal(sample(), station.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		id     Identity
		sealed []byte
		unitID int64
		mac    string
		want   error
	}{
		{"row of another unit", station, sealed, 43, unitMAC, ErrOtherUnit},
		{"MAC of another unit", station, sealed, 42, "24:0a:c4:a1:b2:c4", ErrOtherUnit},
		{"another station", stranger, sealed, 42, unitMAC, ErrNotForUs},
		{"no identity", Identity{}, sealed, 42, unitMAC, ErrNoIdentity},
		{"empty", station, nil, 42, unitMAC, ErrDamaged},
		{"not age", station, []byte("hello"), 42, unitMAC, ErrDamaged},
		{"cut short", station, sealed[:len(sealed)-1], 42, unitMAC, ErrDamaged},
		{"something else sealed", station, raw, 42, unitMAC, ErrDamaged},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := OpenUnit(test.id, test.sealed, test.unitID, test.mac)
			if !errors.Is(err, test.want) || len(got.Keys) != 0 {
				t.Errorf("OpenUnit = %d keys, %v; want none, %v", len(got.Keys), err, test.want)
			}
		})
	}
	for i := range sealed {
		bent := slices.Clone(sealed)
		bent[i] ^= 1
		if _, err := OpenUnit(station, bent, 42, unitMAC); err == nil {
			t.Fatalf("byte %d can be changed unseen", i)
		}
	}
	if _, err := OpenUnit(station, sealed, 42, "nonsense"); err == nil {
		t.Error("a MAC that is none is taken")
	}
}

func TestSealRefusesNobody(t *testing.T) {
	if sealed, err := Seal(sample()); err == nil || sealed != nil {
		t.Errorf("Seal for nobody = %d bytes, %v", len(sealed), err)
	}
}

func TestUnitKeysByPurpose(t *testing.T) {
	u := newUnitKeys(t)
	k, ok := u.Key(SecureBootV1)
	if !ok || !k.Equal(u.Keys[1].Key) {
		t.Error("the Secure Boot key is not found")
	}
	if _, ok := u.Key("nothing"); ok {
		t.Error("a key is found for nothing")
	}
	u.Wipe()
	if k.Len() != 0 {
		t.Error("a key outlives Wipe")
	}
}

func FuzzDecode(f *testing.F) {
	u := newUnitKeys(f)
	good, err := u.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(slices.Clone(good.Reveal()))
	f.Add([]byte(magic))
	f.Add(append(slices.Clone(good.Reveal()), 0))
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := decode(NewSecret(slices.Clone(payload)))
		if err != nil {
			if !errors.Is(err, ErrDamaged) || len(got.Keys) != 0 {
				t.Errorf("decode = %d keys, %v", len(got.Keys), err)
			}
			return
		}
		again, err := got.encode()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Reveal(), payload) {
			t.Error("a payload decodes and does not encode to itself")
		}
	})
}
