package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// BurnIntent is what is about to be burnt into one eFuse block. For a key block
// (BLOCK1, BLOCK2) Before and Bits stay zero, since the words are the key, and
// KeyFingerprint names the sealed key they come from; for the others it is "".
//
// KeyFingerprint is the whole key's, also when only a few bits are topped up: a
// digest of three bits would tell which three.
type BurnIntent struct {
	RunID          string
	UnitID         int64
	Step           string
	Block          int   // 0 to 3
	Before         Words // as just read
	Bits           Words // to be set
	KeyFingerprint string
	At             time.Time
}

// Observation is what a block held after a burn. Words stay zero for a key block.
type Observation struct {
	BurnID int64
	Words  Words
	OK     bool // all intended bits are set; for a key block, compared equal
	At     time.Time
}

// Burn is an intent and, once ObservedAt is set, what came of it. The words are
// nil for key blocks.
type Burn struct {
	ID             int64     `json:"id"`
	RunID          string    `json:"run_id"`
	Step           string    `json:"step"`
	Block          int       `json:"block"`
	Before         *Words    `json:"before,omitempty"`
	Bits           *Words    `json:"bits,omitempty"`
	KeyFingerprint string    `json:"key_fingerprint,omitempty"`
	IntendedAt     time.Time `json:"intended_at"`
	After          *Words    `json:"after,omitempty"`
	OK             bool      `json:"ok"`
	ObservedAt     time.Time `json:"observed_at,omitzero"` // zero: cut before the read-back
}

// isKeyBlock: the ESP32 keeps the flash encryption key in BLOCK1 and the Secure
// Boot V1 key in BLOCK2 (ESP32 TRM, "eFuse Controller").
func isKeyBlock(block int) bool { return block == 1 || block == 2 }

// IntendBurn records a burn before it is done and returns its id. Do not burn
// when it fails. Errors: ErrKeyWords for words of a key block, ErrKeyNotSealed
// when KeyFingerprint is not that of a key sealed for this unit and block,
// ErrRunFinished, ErrTakenOver when another run has reserved the unit since this one
// did, and those of a unit not open. Events that tell of it are taken into the same
// transaction, here and in ObserveBurn, SaveRegion and Complete: as in Append.
func (s *Store) IntendBurn(ctx context.Context, b BurnIntent, events ...Event) (int64, error) {
	var id int64
	err := b.check()
	if err == nil {
		err = s.write(ctx, func(t *txn) (err error) {
			if id, err = t.intend(ctx, b); err != nil {
				return err
			}
			return t.append(ctx, events)
		})
	}
	return id, named(err, "record the intent to burn BLOCK%d of unit %d", b.Block, b.UnitID)
}

func (b BurnIntent) check() error {
	switch {
	case b.Block < 0 || b.Block > 3:
		return fmt.Errorf("%w: no such block", ErrInvalid)
	case isKeyBlock(b.Block) && (b.Before != Words{} || b.Bits != Words{}):
		return ErrKeyWords
	case !isKeyBlock(b.Block) && b.Bits == Words{}:
		return fmt.Errorf("%w: no bits to burn", ErrInvalid)
	case !isKeyBlock(b.Block) && b.KeyFingerprint != "":
		return fmt.Errorf("%w: a key fingerprint for a block that holds no key", ErrInvalid)
	}
	return nil
}

func (t *txn) intend(ctx context.Context, b BurnIntent) (int64, error) {
	at, err := stamp(b.At)
	if err != nil {
		return 0, err
	}
	run, err := unfinishedRun(ctx, t, b.RunID)
	if err != nil {
		return 0, err
	}
	if _, err := unitOf(ctx, t, run, b.UnitID); err != nil {
		return 0, err
	}
	var before, bits, fingerprint any = b.Before.String(), b.Bits.String(), nil
	if isKeyBlock(b.Block) {
		before, bits, fingerprint = nil, nil, b.KeyFingerprint
		if err := t.sealedFor(ctx, b); err != nil {
			return 0, err
		}
	}
	return t.insert(ctx, "burns", `INSERT INTO burns (run_id, unit_id, step, block, words_before, words_bits,
		key_fingerprint, intended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		run, b.UnitID, b.Step, b.Block, before, bits, fingerprint, at)
}

// sealedFor makes "no key is burnt that is not already durable" a rule of the
// database.
func (t *txn) sealedFor(ctx context.Context, b BurnIntent) error {
	var sealed bool
	err := t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM keys JOIN sealed_keys ON sealed_keys.id = unit_id
		WHERE unit_id = ? AND block = ? AND fingerprint = ? AND working IS NOT NULL)`,
		b.UnitID, b.Block, b.KeyFingerprint).Scan(&sealed)
	if err == nil && !sealed {
		err = ErrKeyNotSealed
	}
	return err
}

// ObserveBurn records what a block held after a burn, once: ErrObserved
// afterwards. ErrKeyWords for words of a key block. A burn cut short is observed
// by the run that resumes the unit.
func (s *Store) ObserveBurn(ctx context.Context, o Observation, events ...Event) error {
	err := s.write(ctx, func(t *txn) error {
		if err := t.observe(ctx, o); err != nil {
			return err
		}
		return t.append(ctx, events)
	})
	return named(err, "record what burn %d did", o.BurnID)
}

func (t *txn) observe(ctx context.Context, o Observation) error {
	at, err := stamp(o.At)
	if err != nil {
		return err
	}
	var block int
	var observed bool
	err = t.QueryRowContext(ctx, "SELECT block, observed_at IS NOT NULL FROM burns WHERE id = ?", o.BurnID).Scan(&block, &observed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case err != nil:
		return err
	case observed:
		return ErrObserved
	case isKeyBlock(block) && o.Words != Words{}:
		return ErrKeyWords
	}
	var after any = o.Words.String()
	if isKeyBlock(block) {
		after = nil
	}
	if _, err := t.ExecContext(ctx, "UPDATE burns SET words_after = ?, ok = ?, observed_at = ? WHERE id = ?",
		after, o.OK, at, o.BurnID); err != nil {
		return err
	}
	return t.note(ctx, "burns", o.BurnID)
}

// Burns returns a unit's burns in the order they were intended.
func (s *Store) Burns(ctx context.Context, unitID int64) ([]Burn, error) {
	burns, err := burnsOf(ctx, s.r, unitID)
	return burns, named(classify(ctx, err), "burns of unit %d", unitID)
}

func burnsOf(ctx context.Context, q querier, unitID int64) ([]Burn, error) {
	return list(ctx, q, func(scan func(...any) error) (Burn, error) {
		var b Burn
		err := scan(&b.ID, &b.RunID, &b.Step, &b.Block, storedWords{&b.Before}, storedWords{&b.Bits},
			orZero[string]{&b.KeyFingerprint}, timestamp{&b.IntendedAt}, storedWords{&b.After},
			orZero[bool]{&b.OK}, timestamp{&b.ObservedAt})
		return b, err
	}, `SELECT burns.id, run, step, block, words_before, words_bits, key_fingerprint, intended_at, words_after, ok, observed_at
		FROM burns JOIN runs ON runs.id = run_id WHERE burns.unit_id = ? ORDER BY burns.id`, unitID)
}
