package memory

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"provision/internal/records"
)

// SealKeys keeps a new unit's keys, once.
func (s *Store) SealKeys(ctx context.Context, runID string, unitID int64, keys []records.Key, working, escrow, iv []byte, at time.Time) error {
	err := s.write(ctx, func(t *txn) error {
		run, err := t.unfinished(runID)
		if err != nil {
			return err
		}
		u, err := t.unitOf(run, unitID)
		if err != nil {
			return err
		}
		if err := checkSealed(u.Custody, keys, working, escrow); err != nil {
			return err
		}
		if err := t.insertSealed(unitID, working, escrow, iv, at); err != nil {
			return err
		}
		for _, k := range keys {
			if err := t.insertKey(unitID, k); err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "seal keys of unit %d", unitID)
}

func checkSealed(custody records.Custody, keys []records.Key, working, escrow []byte) error {
	switch {
	case len(keys) == 0 || len(working) == 0:
		return fmt.Errorf("%w: no keys", records.ErrInvalid)
	case custody == records.Escrow && len(escrow) == 0:
		return fmt.Errorf("%w: custody is escrow and there is no copy for the owner", records.ErrInvalid)
	case custody == records.Discard && len(escrow) != 0:
		return fmt.Errorf("%w: custody is discard and there is a copy for the owner", records.ErrInvalid)
	}
	return nil
}

func (t *txn) insertSealed(unitID int64, working, escrow, iv []byte, at time.Time) error {
	if err := given(at); err != nil {
		return err
	}
	if t.sealedOf(unitID) != nil {
		return records.ErrKeysExist
	}
	insert(t, &t.Sealed, &Sealed{Place: t.next(), SealedKeys: records.SealedKeys{
		UnitID: unitID, Working: copied(working), Escrow: copied(escrow), IV: copied(iv), SealedAt: kept(at),
	}})
	return nil
}

// copied is nil for no bytes.
func copied(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return bytes.Clone(b)
}

func (t *txn) insertKey(unitID int64, k records.Key) error {
	fingerprint, err := parseHash("fingerprint", k.Fingerprint)
	if err != nil {
		return err
	}
	if first(t.Keys, func(other *Key) bool { return other.Fingerprint == fingerprint }) != nil {
		return fmt.Errorf("%s %s: %w", k.Purpose, fingerprint, records.ErrKeyReused)
	}
	if k.Purpose == "" || k.Block < 1 || k.Block > 3 || k.Bits <= 0 {
		return errSchema
	}
	for _, other := range t.keysOf(unitID) {
		if other.Purpose == k.Purpose || other.Block == k.Block {
			return fmt.Errorf("%w: two keys of one unit share purpose %s or block %d", records.ErrInvalid, k.Purpose, k.Block)
		}
	}
	k.Fingerprint, k.VerifiedAt = fingerprint, time.Time{}
	insert(t, &t.Keys, &Key{Key: k, UnitID: unitID, Place: t.next()})
	return nil
}

// parseHash checks a SHA-256 given as 64 hex digits and returns it in lower case.
func parseHash(what, s string) (string, error) {
	if b, err := hex.DecodeString(s); err != nil || len(b) != 32 {
		return "", fmt.Errorf("%w: %s %q is not a SHA-256 in hex", records.ErrInvalid, what, s)
	}
	return strings.ToLower(s), nil
}

func (r *Rows) sealedOf(unitID int64) *Sealed {
	return last(r.Sealed, func(k *Sealed) bool { return k.UnitID == unitID })
}

func (r *Rows) keysOf(unitID int64) []*Key {
	var of []*Key
	for _, k := range r.Keys {
		if k.UnitID == unitID {
			of = append(of, k)
		}
	}
	return of
}

// SealedKeys returns a unit's keys as kept, ErrNotFound when none were sealed.
func (s *Store) SealedKeys(ctx context.Context, unitID int64) (records.SealedKeys, error) {
	var out records.SealedKeys
	err := s.read(ctx, func(r *Rows) error {
		k := r.sealedOf(unitID)
		if k == nil {
			return records.ErrNotFound
		}
		out = k.SealedKeys
		out.Working, out.Escrow, out.IV = copied(k.Working), copied(k.Escrow), copied(k.IV)
		out.Keys = []records.Key{}
		for _, k := range r.keysOf(unitID) {
			out.Keys = append(out.Keys, k.Key)
		}
		return nil
	})
	return out, named(err, "sealed keys of unit %d", unitID)
}

// MarkVerified records that a key was read back from the chip and compared. The first
// time counts; again changes nothing.
func (s *Store) MarkVerified(ctx context.Context, runID string, unitID int64, purpose string, at time.Time) error {
	err := s.write(ctx, func(t *txn) error {
		run, err := t.unfinished(runID)
		if err != nil {
			return err
		}
		if _, err := t.unitOf(run, unitID); err != nil {
			return err
		}
		return t.markVerified(unitID, purpose, at)
	})
	return named(err, "mark key %s of unit %d as compared", purpose, unitID)
}

func (t *txn) markVerified(unitID int64, purpose string, at time.Time) error {
	if err := given(at); err != nil {
		return err
	}
	k := first(t.Keys, func(k *Key) bool { return k.UnitID == unitID && k.Purpose == purpose })
	switch {
	case k == nil:
		return records.ErrNotFound
	case k.Verified():
		return nil
	}
	k = update(t, k)
	k.VerifiedAt, k.Place = kept(at), t.next()
	return nil
}
