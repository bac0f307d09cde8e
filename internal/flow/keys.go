package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/keys"
	"provision/internal/records"
	"provision/internal/secureboot"
)

const keyLen = 32 // bytes, coding scheme NONE

// blockOf is the eFuse block of each key.
var blockOf = map[string]int{keys.FlashEncryption: 1, keys.SecureBootV1: 2}

func purposeOf(block int) string {
	if block == blockOf[keys.FlashEncryption] {
		return keys.FlashEncryption
	}
	return keys.SecureBootV1
}

// unitKeys are the open keys of the unit in the slot. A purpose the job does not
// need stays empty.
type unitKeys struct {
	unit        keys.UnitKeys
	flash, boot keys.Secret
	iv          []byte // of the bootloader digest; no secret
}

func newUnitKeys(u keys.UnitKeys, iv []byte) *unitKeys {
	k := &unitKeys{unit: u, iv: iv}
	k.flash, _ = u.Key(keys.FlashEncryption)
	k.boot, _ = u.Key(keys.SecureBootV1)
	return k
}

func (k *unitKeys) of(block int) keys.Secret {
	if block == blockOf[keys.FlashEncryption] {
		return k.flash
	}
	return k.boot
}

func (k *unitKeys) fingerprint(block int) string {
	return keys.Fingerprint(purposeOf(block), k.of(block))
}

func (k *unitKeys) facts() []KeyFacts {
	var out []KeyFacts
	for _, n := range k.unit.Keys {
		out = append(out, KeyFacts{Purpose: n.Purpose, Block: blockOf[n.Purpose], Fingerprint: keys.Fingerprint(n.Purpose, n.Key)})
	}
	return out
}

// wipe forgets the keys and what was made of them.
func (r *runner) wipe() {
	if r.keys != nil {
		r.keys.unit.Wipe()
		r.keys = nil
	}
	r.goal.Block1, r.goal.Block2 = efuse.KeyBlock{}, efuse.KeyBlock{}
}

// keyBlock is what a block is to hold.
func (r *runner) keyBlock(block int) efuse.KeyBlock {
	if block == 1 {
		return r.goal.Block1
	}
	return r.goal.Block2
}

// openKeys takes up the keys of a unit that was begun before. Which blocks were
// compared then comes back as proof.
func (r *runner) openKeys(ctx context.Context) error {
	if r.unit == nil {
		return nil
	}
	sealed, opened, err := r.unseal(ctx)
	if errors.Is(err, records.ErrNotFound) {
		return nil // cut before they were sealed, so before any burn
	}
	if err != nil {
		return err
	}
	if err := r.useKeys(newUnitKeys(opened, sealed.IV)); err != nil {
		return err
	}
	var compared [3]bool
	for _, k := range sealed.Keys {
		if k.Block < len(compared) {
			compared[k.Block] = k.Verified()
		}
	}
	r.proven = efuse.ProvenFromJournal(compared[1], compared[2])
	return nil
}

// unseal opens the keys that are on record for the unit; ErrNotFound without any.
func (r *runner) unseal(ctx context.Context) (records.SealedKeys, keys.UnitKeys, error) {
	sealed, err := r.cfg.Records.SealedKeys(ctx, r.unit.ID)
	if err != nil {
		return sealed, keys.UnitKeys{}, asFault("keys", err, fault.Database)
	}
	opened, err := keys.OpenUnit(r.cfg.Identity, sealed.Working, r.unit.ID, r.mac)
	if err != nil {
		err = fmt.Errorf("the keys of %s were sealed by another station identity, or are damaged: %w", r.unit.Serial, err)
	}
	return sealed, opened, err
}

// useKeys makes k the keys of this run: the words of the goal, the flash contents.
func (r *runner) useKeys(k *unitKeys) error {
	r.keys = k
	for _, n := range k.unit.Keys {
		words, err := efuse.KeyWords(n.Key.Reveal(), efuse.SchemeNone)
		if err != nil {
			return err
		}
		block := efuse.NewKeyBlock(words)
		if blockOf[n.Purpose] == 1 {
			r.goal.Block1 = block
		} else {
			r.goal.Block2 = block
		}
	}
	return r.buildRegions()
}

// keysStep reserves the serial number and makes keys that are durable before any
// of their bits is burnt: sealed, committed, read back, opened, compared.
func (r *runner) keysStep() Step {
	const name = "make and seal keys"
	return Step{
		Name: name, Fault: fault.KeySafety, Cost: 200 * time.Millisecond,
		Check: func(context.Context) (State, error) {
			if r.keys != nil {
				return Done, nil
			}
			return Needed, nil
		},
		Do: func(ctx context.Context) error {
			if err := r.reserve(ctx, name); err != nil {
				return err
			}
			if err := r.seal(ctx, name); err != nil {
				return err
			}
			return r.reopen(ctx, name)
		},
	}
}

func (r *runner) reserve(ctx context.Context, step string) error {
	p := r.cfg.Job.Profile
	goal, err := json.Marshal(r.policy())
	if err != nil {
		return err
	}
	unit, err := r.claim(ctx, step, records.Unit{
		MAC: r.mac, ChipRevision: r.chip.Revision.String(), ChipPackage: r.chip.PackageName,
		FlashID: r.flashID(), FlashSize: int64(r.flash.Size()), Station: p.Station.Name,
		Custody: records.Custody(p.Keys.Custody), Goal: goal,
	})
	if err != nil {
		return asFault(step, err, fault.Database)
	}
	r.unit, r.holds = &unit, true
	return r.emit(ctx, Event{Kind: SerialReserved, Step: step, Text: "serial " + r.serial})
}

func (r *runner) seal(ctx context.Context, step string) error {
	made, iv, err := r.generate()
	if err != nil {
		return err
	}
	defer made.Wipe()
	owner, err := keys.ParseRecipients(r.cfg.Job.Profile.Keys.Recipients)
	if err != nil {
		return asFault(step, err, fault.BadProfile)
	}
	working, escrow, err := keys.SealUnit(keys.Custody(r.unit.Custody), r.cfg.Identity, owner, made)
	if err != nil {
		return err
	}
	rows := make([]records.Key, 0, len(made.Keys))
	for _, n := range made.Keys {
		rows = append(rows, records.Key{
			Purpose: n.Purpose, Block: blockOf[n.Purpose], Fingerprint: keys.Fingerprint(n.Purpose, n.Key), Bits: 8 * n.Key.Len(),
		})
	}
	if err := r.cfg.Records.SealKeys(ctx, r.cfg.RunID, r.unit.ID, rows, working, escrow, iv, r.cfg.Now()); err != nil {
		return asFault(step, err, fault.Database)
	}
	return nil
}

// generate makes the keys the goal needs, and the IV of the bootloader digest.
func (r *runner) generate() (keys.UnitKeys, []byte, error) {
	made := keys.UnitKeys{UnitID: r.unit.ID, MAC: r.mac}
	var iv []byte
	for _, need := range []struct {
		purpose string
		wanted  bool
	}{{keys.FlashEncryption, r.goal.FlashEncryption}, {keys.SecureBootV1, r.goal.SecureBootV1}} {
		if !need.wanted {
			continue
		}
		key, err := keys.Generate(r.cfg.Rand, keyLen)
		if err != nil {
			return made, nil, err
		}
		made.Keys = append(made.Keys, keys.Named{Purpose: need.purpose, Key: key})
	}
	if r.goal.SecureBootV1 {
		iv = make([]byte, secureboot.IVLenV1)
		if _, err := io.ReadFull(r.cfg.Rand, iv); err != nil {
			return made, nil, fmt.Errorf("make the digest's IV: %w", err)
		}
	}
	return made, iv, nil
}

// reopen proves that what was committed can be opened: the keys that the run goes
// on with are those from the database.
func (r *runner) reopen(ctx context.Context, step string) error {
	if err := r.openKeys(ctx); err != nil {
		return err
	}
	sealed, err := r.cfg.Records.SealedKeys(ctx, r.unit.ID)
	if err != nil {
		return asFault(step, err, fault.Database)
	}
	for _, k := range sealed.Keys {
		if r.keys.fingerprint(k.Block) != k.Fingerprint {
			return fmt.Errorf("the sealed %s key is not the one in the records", k.Purpose)
		}
	}
	return r.emit(ctx, Event{Kind: KeysSealed, Step: step, Keys: r.keys.facts(), Text: "sealed and committed, serial " + r.serial})
}
