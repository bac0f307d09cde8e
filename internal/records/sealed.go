package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Key is what the records know of a key in the clear: everything but the key.
type Key struct {
	Purpose     string    `json:"purpose"`     // "flash_encryption", "secure_boot_v1"
	Block       int       `json:"block"`       // eFuse block, 1 to 3
	Fingerprint string    `json:"fingerprint"` // 64 hex digits
	Bits        int       `json:"bits"`
	VerifiedAt  time.Time `json:"verified_at,omitzero"` // when it was read back from the chip and compared; zero: never
}

// Verified reports whether the key was read back from the chip and compared.
func (k Key) Verified() bool { return !k.VerifiedAt.IsZero() }

// SealedKeys are a unit's keys as kept: opaque to this package.
type SealedKeys struct {
	UnitID      int64
	Keys        []Key
	Working     []byte // opens with the station's identity; nil once destroyed
	Escrow      []byte // opens with the owner's alone; nil under custody discard
	IV          []byte // of the bootloader digest; not a secret
	SealedAt    time.Time
	DestroyedAt time.Time // of Working; zero while it is there
}

// SealKeys keeps a new unit's keys, once. From its return on they may be burnt.
// escrow must be there under custody escrow and absent under discard (ErrInvalid).
// Other errors: ErrKeysExist, ErrKeyReused, ErrRunFinished, ErrTakenOver from a run
// that is not the last to have reserved the unit, and those of a unit not open.
func (s *Store) SealKeys(ctx context.Context, runID string, unitID int64, keys []Key, working, escrow, iv []byte, at time.Time) error {
	err := s.write(ctx, func(t *txn) error {
		run, err := unfinishedRun(ctx, t, runID)
		if err != nil {
			return err
		}
		u, err := unitOf(ctx, t, run, unitID)
		if err != nil {
			return err
		}
		if err := checkSealed(u.Custody, keys, working, escrow); err != nil {
			return err
		}
		if err := t.insertSealed(ctx, unitID, working, escrow, iv, at); err != nil {
			return err
		}
		for _, k := range keys {
			if err := t.insertKey(ctx, unitID, k); err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "seal keys of unit %d", unitID)
}

func checkSealed(custody Custody, keys []Key, working, escrow []byte) error {
	switch {
	case len(keys) == 0 || len(working) == 0:
		return fmt.Errorf("%w: no keys", ErrInvalid)
	case custody == Escrow && len(escrow) == 0:
		return fmt.Errorf("%w: custody is escrow and there is no copy for the owner", ErrInvalid)
	case custody == Discard && len(escrow) != 0:
		return fmt.Errorf("%w: custody is discard and there is a copy for the owner", ErrInvalid)
	}
	return nil
}

func (t *txn) insertSealed(ctx context.Context, unitID int64, working, escrow, iv []byte, at time.Time) error {
	sealedAt, err := stamp(at)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, "INSERT INTO sealed_keys (id, working, escrow, iv, sealed_at) VALUES (?, ?, ?, ?, ?)",
		unitID, working, blobOrNull(escrow), blobOrNull(iv), sealedAt)
	if isUnique(err) {
		return ErrKeysExist
	}
	if err != nil {
		return err
	}
	return t.note(ctx, "sealed_keys", unitID)
}

func (t *txn) insertKey(ctx context.Context, unitID int64, k Key) error {
	fingerprint, err := parseHash("fingerprint", k.Fingerprint)
	if err != nil {
		return err
	}
	var reused bool
	if err := t.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM keys WHERE fingerprint = ?)", fingerprint).Scan(&reused); err != nil {
		return err
	}
	if reused {
		return fmt.Errorf("%s %s: %w", k.Purpose, fingerprint, ErrKeyReused)
	}
	_, err = t.insert(ctx, "keys", "INSERT INTO keys (unit_id, purpose, block, fingerprint, bits) VALUES (?, ?, ?, ?, ?)",
		unitID, k.Purpose, k.Block, fingerprint, k.Bits)
	if isUnique(err) { // of the unit's own: the fingerprint was just looked up
		return fmt.Errorf("%w: two keys of one unit share purpose %s or block %d", ErrInvalid, k.Purpose, k.Block)
	}
	return err
}

// SealedKeys returns a unit's keys as kept, ErrNotFound when none were sealed.
func (s *Store) SealedKeys(ctx context.Context, unitID int64) (SealedKeys, error) {
	k, err := one(ctx, s.r, scanSealed,
		"SELECT id, working, escrow, iv, sealed_at, destroyed_at FROM sealed_keys WHERE id = ?", unitID)
	if err == nil {
		k.Keys, err = keysOf(ctx, s.r, unitID)
	}
	return k, named(classify(ctx, err), "sealed keys of unit %d", unitID)
}

// WorkingKeys counts the units whose keys only the station's identity opens: those
// that were begun and are not complete.
func (s *Store) WorkingKeys(ctx context.Context) (n int, err error) {
	err = s.r.QueryRowContext(ctx, "SELECT count(*) FROM sealed_keys WHERE working IS NOT NULL").Scan(&n)
	return n, named(classify(ctx, err), "count sealed keys")
}

func scanSealed(scan func(...any) error) (SealedKeys, error) {
	var k SealedKeys
	err := scan(&k.UnitID, &k.Working, &k.Escrow, &k.IV, timestamp{&k.SealedAt}, timestamp{&k.DestroyedAt})
	return k, err
}

func keysOf(ctx context.Context, q querier, unitID int64) ([]Key, error) {
	return list(ctx, q, func(scan func(...any) error) (Key, error) {
		var k Key
		err := scan(&k.Purpose, &k.Block, &k.Fingerprint, &k.Bits, timestamp{&k.VerifiedAt})
		return k, err
	}, "SELECT purpose, block, fingerprint, bits, verified_at FROM keys WHERE unit_id = ? ORDER BY id", unitID)
}

// MarkVerified records that a key was read back from the chip and compared. The
// first time counts; again changes nothing. ErrTakenOver from a run that is not the
// last to have reserved the unit.
func (s *Store) MarkVerified(ctx context.Context, runID string, unitID int64, purpose string, at time.Time) error {
	err := s.write(ctx, func(t *txn) error {
		run, err := unfinishedRun(ctx, t, runID)
		if err != nil {
			return err
		}
		if _, err := unitOf(ctx, t, run, unitID); err != nil {
			return err
		}
		return t.markVerified(ctx, unitID, purpose, at)
	})
	return named(err, "mark key %s of unit %d as compared", purpose, unitID)
}

func (t *txn) markVerified(ctx context.Context, unitID int64, purpose string, at time.Time) error {
	verifiedAt, err := stamp(at)
	if err != nil {
		return err
	}
	var id int64
	var verified bool
	err = t.QueryRowContext(ctx, "SELECT id, verified_at IS NOT NULL FROM keys WHERE unit_id = ? AND purpose = ?",
		unitID, purpose).Scan(&id, &verified)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case err != nil || verified:
		return err
	}
	if _, err := t.ExecContext(ctx, "UPDATE keys SET verified_at = ? WHERE id = ?", verifiedAt, id); err != nil {
		return err
	}
	return t.note(ctx, "keys", id)
}
