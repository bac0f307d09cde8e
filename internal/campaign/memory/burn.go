package memory

import (
	"context"
	"fmt"

	"provision/internal/records"
)

// isKeyBlock: BLOCK1 and BLOCK2 hold keys, whose words are never kept.
func isKeyBlock(block int) bool { return block == 1 || block == 2 }

// IntendBurn records a burn before it is done and returns its id.
func (s *Store) IntendBurn(ctx context.Context, b records.BurnIntent, events ...records.Event) (int64, error) {
	var id int64
	err := checkIntent(b)
	if err == nil {
		err = s.write(ctx, func(t *txn) (err error) {
			if id, err = t.intend(b); err != nil {
				return err
			}
			return t.append(events)
		})
	}
	return id, named(err, "record the intent to burn BLOCK%d of unit %d", b.Block, b.UnitID)
}

func checkIntent(b records.BurnIntent) error {
	switch {
	case b.Block < 0 || b.Block > 3:
		return fmt.Errorf("%w: no such block", records.ErrInvalid)
	case isKeyBlock(b.Block) && (b.Before != records.Words{} || b.Bits != records.Words{}):
		return records.ErrKeyWords
	case !isKeyBlock(b.Block) && b.Bits == records.Words{}:
		return fmt.Errorf("%w: no bits to burn", records.ErrInvalid)
	case !isKeyBlock(b.Block) && b.KeyFingerprint != "":
		return fmt.Errorf("%w: a key fingerprint for a block that holds no key", records.ErrInvalid)
	}
	return nil
}

func (t *txn) intend(b records.BurnIntent) (int64, error) {
	if err := given(b.At); err != nil {
		return 0, err
	}
	run, err := t.unfinished(b.RunID)
	if err != nil {
		return 0, err
	}
	if _, err := t.unitOf(run, b.UnitID); err != nil {
		return 0, err
	}
	row := &Burn{UnitID: b.UnitID, Burn: records.Burn{
		ID: int64(len(t.Burns)) + 1, RunID: b.RunID, Step: b.Step, Block: b.Block, IntendedAt: kept(b.At),
	}}
	if isKeyBlock(b.Block) {
		if !t.sealedFor(b) {
			return 0, records.ErrKeyNotSealed
		}
		row.KeyFingerprint = b.KeyFingerprint
	} else {
		row.Before, row.Bits = &b.Before, &b.Bits
	}
	if b.Step == "" {
		return 0, errSchema
	}
	row.Place = t.next()
	insert(t, &t.Burns, row)
	return row.ID, nil
}

// sealedFor reports whether the key of an intent is sealed, and can still be opened.
func (t *txn) sealedFor(b records.BurnIntent) bool {
	sealed := t.sealedOf(b.UnitID)
	return sealed != nil && sealed.Working != nil && first(t.Keys, func(k *Key) bool {
		return k.UnitID == b.UnitID && k.Block == b.Block && k.Fingerprint == b.KeyFingerprint
	}) != nil
}

// ObserveBurn records what a block held after a burn, once.
func (s *Store) ObserveBurn(ctx context.Context, o records.Observation, events ...records.Event) error {
	err := s.write(ctx, func(t *txn) error {
		if err := t.observe(o); err != nil {
			return err
		}
		return t.append(events)
	})
	return named(err, "record what burn %d did", o.BurnID)
}

func (t *txn) observe(o records.Observation) error {
	if err := given(o.At); err != nil {
		return err
	}
	b := numbered(t.Burns, o.BurnID)
	switch {
	case b == nil:
		return records.ErrNotFound
	case !b.ObservedAt.IsZero():
		return records.ErrObserved
	case isKeyBlock(b.Block) && o.Words != records.Words{}:
		return records.ErrKeyWords
	}
	b = update(t, b)
	if !isKeyBlock(b.Block) {
		b.After = &o.Words
	}
	b.OK, b.ObservedAt = o.OK, kept(o.At)
	t.next()
	return nil
}

// Burns returns a unit's burns in the order they were intended.
func (s *Store) Burns(ctx context.Context, unitID int64) ([]records.Burn, error) {
	var out []records.Burn
	err := s.read(ctx, func(r *Rows) error {
		out = []records.Burn{}
		for _, row := range r.Burns {
			if row.UnitID == unitID {
				b := row.Burn
				b.Before, b.Bits, b.After = copiedWords(b.Before), copiedWords(b.Bits), copiedWords(b.After)
				out = append(out, b)
			}
		}
		return nil
	})
	return out, named(err, "burns of unit %d", unitID)
}

func copiedWords(w *records.Words) *records.Words {
	if w == nil {
		return nil
	}
	out := *w
	return &out
}
