package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"provision/internal/efuse"
	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/records"
)

// burnCost is the estimate for one burn on a fast link.
const burnCost = 700 * time.Millisecond

// keySteps burn one key block: the key, compared, then hidden, then frozen, each a
// step of its own with its own read-back.
func (r *runner) keySteps(block int) []Step {
	return []Step{
		r.keyStep(block),
		r.stageStep(fmt.Sprintf("read-protect BLOCK%d", block), efuse.StageHide, block),
		r.stageStep(fmt.Sprintf("write-protect BLOCK%d", block), efuse.StageProtect, block),
	}
}

// keyStep burns a key and proves it. The proof is journalled before the step
// passes: only with it can the block be hidden.
func (r *runner) keyStep(block int) Step {
	name := fmt.Sprintf("burn BLOCK%d", block)
	return Step{
		Name: name, Burns: true, Twice: true, Cost: burnCost, Fault: fault.ReadBack,
		Check: func(ctx context.Context) (State, error) {
			if err := r.freshWords(ctx); err != nil {
				return Needed, err
			}
			if r.words.Hidden(block) {
				if r.proven.Has(block) {
					return Done, nil
				}
				return Needed, fmt.Errorf("BLOCK%d is hidden: %w", block, efuse.ErrUnproven)
			}
			_, err := efuse.Compare(r.words, block, r.keyBlock(block))
			if err == nil && r.proven.Has(block) {
				return Done, nil
			}
			if err != nil && !errors.Is(err, efuse.ErrReadBack) {
				return Needed, err
			}
			return Needed, nil
		},
		Do: func(ctx context.Context) error {
			if _, err := efuse.Compare(r.words, block, r.keyBlock(block)); err == nil {
				return nil // complete since an earlier run, which could not compare it any more
			}
			return r.burn(ctx, name, efuse.StageKey, block)
		},
		Verify: func(ctx context.Context) error {
			if err := r.readWords(ctx); err != nil {
				return err
			}
			proof, err := efuse.Compare(r.words, block, r.keyBlock(block))
			if err != nil {
				return err
			}
			if err := r.cfg.Records.MarkVerified(ctx, r.cfg.RunID, r.unit.ID, purposeOf(block), r.cfg.Now()); err != nil {
				return asFault(name, err, fault.Database)
			}
			r.proven = r.proven.And(proof)
			return nil
		},
	}
}

// stageStep burns what the plan has for one stage of one key block (0: none).
func (r *runner) stageStep(name string, stage efuse.Stage, block int) Step {
	planned := func(ctx context.Context, read func(context.Context) error) (State, error) {
		if err := read(ctx); err != nil {
			return Needed, err
		}
		plan, err := r.ahead()
		if err != nil {
			return Needed, err
		}
		if slices.ContainsFunc(plan, func(b efuse.Burn) bool { return b.Stage() == stage && b.KeyBlock() == block }) {
			return Needed, nil
		}
		return Done, nil
	}
	return Step{
		Name: name, Burns: true, Twice: true, Cost: burnCost, Fault: fault.ReadBack,
		Check: func(ctx context.Context) (State, error) { return planned(ctx, r.freshWords) },
		Do:    func(ctx context.Context) error { return r.burn(ctx, name, stage, block) },
		Verify: func(ctx context.Context) error {
			state, err := planned(ctx, r.readWords)
			if err == nil && state != Done {
				err = asFault(name, fmt.Errorf("%s: %w", name, efuse.ErrReadBack), fault.LockMissing)
			}
			return err
		},
	}
}

// ahead is what is left to burn. A cut may have left the other key block whole and
// not compared yet: its own step proves it, so that is no reason to stop here.
// efuse.Execute refuses every burn that such a proof is still missing for.
func (r *runner) ahead() ([]efuse.Burn, error) {
	return efuse.Preview(r.words, r.goal, r.proven)
}

// burn executes the next burn of the plan, which must be that of stage and block:
// intent on disk, burn, read-back, observation on disk.
func (r *runner) burn(ctx context.Context, step string, stage efuse.Stage, block int) error {
	plan, err := r.ahead()
	if err != nil {
		return err
	}
	if len(plan) == 0 || plan[0].Stage() != stage || plan[0].KeyBlock() != block {
		return fmt.Errorf("%s is not the next burn of the plan: %w", step, efuse.ErrOrder)
	}
	b := plan[0].Striking(r.weak)
	if err := b.Executable(); err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	facts := r.burnFacts(b)
	id, err := r.intend(ctx, step, b, facts)
	if err != nil {
		return fmt.Errorf("not burning, the intent is not on disk: %w", err)
	}
	observed, burnErr := efuse.Execute(ctx, r.dev, r.timing, b)
	if burnErr == nil || burnShows(burnErr) {
		r.words, r.weak = observed, r.weak.Without(observed)
		err = r.observe(ctx, id, step, b, facts, burnErr == nil)
	}
	return errors.Join(burnErr, err)
}

// burnShows reports whether an error of Execute comes with a trustworthy read-back
// of all fuses.
func burnShows(err error) bool {
	return errors.Is(err, efuse.ErrReadBack) || errors.Is(err, efuse.ErrExtraBits) || errors.Is(err, efuse.ErrNotHidden)
}

// intend puts on record what is about to be burnt, and shows it.
func (r *runner) intend(ctx context.Context, step string, b efuse.Burn, facts BurnFacts) (id int64, err error) {
	intent := records.BurnIntent{
		RunID: r.cfg.RunID, UnitID: r.unit.ID, Step: step, Block: b.Block(), KeyFingerprint: facts.Fingerprint, At: r.cfg.Now(),
	}
	if bits, shown := b.Bits(); shown {
		intent.Before, intent.Bits = records.Words(r.words[b.Block()]), records.Words(bits)
	}
	told, begun := Event{Kind: BurnIntended, Step: step, Burn: &facts, Text: b.Permanent()}, r.cfg.Now()
	err = r.with(told, func(rows []records.Event) (err error) {
		id, err = r.cfg.Records.IntendBurn(ctx, intent, rows...)
		return err
	})
	if err != nil {
		return 0, asFault(step, err, fault.Database)
	}
	return id, r.tooLate(ctx, step, begun)
}

// observe puts on record what a burn did, and shows it.
func (r *runner) observe(ctx context.Context, id int64, step string, b efuse.Burn, facts BurnFacts, ok bool) error {
	seen := records.Observation{BurnID: id, OK: ok, At: r.cfg.Now()}
	if _, shown := b.Bits(); shown {
		seen.Words = records.Words(r.words[b.Block()])
		facts.Observed = hexWords(r.words[b.Block()], b.Block())
	}
	told, begun := Event{Kind: BurnObserved, Step: step, Burn: &facts}, r.cfg.Now()
	err := r.with(told, func(rows []records.Event) error {
		return r.patient(ctx, func() error { return r.cfg.Records.ObserveBurn(ctx, seen, rows...) })
	})
	if err != nil {
		return asFault(step, err, fault.Database)
	}
	return r.tooLate(ctx, step, begun)
}

// cutBlocks is the blocks in which a burn, by the station or by the unit, was ever cut or
// was not seen whole. Later burns of the same block may have been of other bits.
func (r *runner) cutBlocks(ctx context.Context) (blocks []int, err error) {
	burns, err := r.cfg.Records.Burns(ctx, r.unit.ID)
	for _, b := range burns {
		if !b.OK && !slices.Contains(blocks, b.Block) {
			blocks = append(blocks, b.Block)
		}
	}
	return blocks, err
}

// settleBurns closes the intents of a run that was cut inside a burn, with what
// the chip shows now.
func (r *runner) settleBurns(ctx context.Context) error {
	burns, err := r.cfg.Records.Burns(ctx, r.unit.ID)
	if err != nil {
		return err
	}
	for _, b := range burns {
		if !b.ObservedAt.IsZero() {
			continue
		}
		seen := records.Observation{BurnID: b.ID, At: r.cfg.Now()}
		if b.Bits != nil {
			now := records.Words(r.words[b.Block])
			seen.Words, seen.OK = now, covers(now, *b.Bits)
		} else {
			_, err := efuse.Compare(r.words, b.Block, r.keyBlock(b.Block))
			seen.OK = err == nil
		}
		if err := r.cfg.Records.ObserveBurn(ctx, seen); err != nil {
			return err
		}
	}
	return nil
}

// covers reports whether every bit of want is set in have.
func covers(have, want records.Words) bool {
	for i := range want {
		if want[i]&^have[i] != 0 {
			return false
		}
	}
	return true
}

func (r *runner) burnFacts(b efuse.Burn) BurnFacts {
	facts := BurnFacts{Block: b.Block(), Fields: b.Fields(), Meaning: b.Permanent()}
	if bits, shown := b.Bits(); shown {
		facts.Bits = hexWords(bits, b.Block())
	} else if r.keys != nil {
		facts.Fingerprint = r.keys.fingerprint(b.Block())
	}
	return facts
}

// hexWords prints the words a block has, word 0 first.
func hexWords(words [8]uint32, block int) []string {
	n := 8
	if block == 0 {
		n = 7
	}
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%08x", words[i])
	}
	return out
}

// freshWords is readWords for the check of a step, unless the chip has been asked nothing
// since they were read, by the step before. No burn relies on it: efuse.Execute reads all
// fuses once more before it decides what to program.
func (r *runner) freshWords(ctx context.Context) error {
	if r.mac != "" && r.asked == r.dev.Stats().Commands {
		return nil
	}
	return r.readWords(ctx)
}

// readWords takes all fuses off the chip, and asks whose they were when the last of
// them is read: a unit that is changed meanwhile would leave the fuses of two.
func (r *runner) readWords(ctx context.Context) error {
	if r.mac == "" {
		return r.readTwice(ctx)
	}
	return r.take(ctx, func(ctx context.Context, regs efuse.Registers) (efuse.Words, error) {
		return efuse.Reread(ctx, regs, r.words)
	})
}

// readTwice is readWords where a single answer is not enough, even one that is as expected.
func (r *runner) readTwice(ctx context.Context) error { return r.take(ctx, efuse.Read) }

func (r *runner) take(ctx context.Context, read func(context.Context, efuse.Registers) (efuse.Words, error)) error {
	w, err := read(ctx, r.dev)
	if err == nil {
		err = r.dev.SameChip(ctx)
	}
	if err != nil {
		return err
	}
	r.asked = r.dev.Stats().Commands
	return r.see(w)
}

// senseWords is readWords after the chip has loaded its fuses anew, several times where a
// burn was cut: that may have left bits that do not show each time.
func (r *runner) senseWords(ctx context.Context) error {
	cut, err := r.cutBlocks(ctx)
	if err != nil {
		return asFault("", err, fault.Database)
	}
	words, marginal, err := efuse.Reload(ctx, r.dev, r.timing, cut...)
	if err == nil {
		err = r.dev.SameChip(ctx)
	}
	if err != nil {
		return err
	}
	r.weak = marginal
	return r.see(words)
}

// see takes w for the fuses of the unit, unless they are another chip's. Bits that are
// known to be half burnt count as not burnt until a burn has shown them. A key block that
// such a bit hides just now holds what it held when it could be read.
func (r *runner) see(w efuse.Words) error {
	if r.mac != "" && (w[0][1] != r.words[0][1] || w[0][2] != r.words[0][2]) {
		return fmt.Errorf("the work began on %s: %w", r.mac, esptool.ErrOtherChip)
	}
	seen := w.Without(r.weak)
	for block := range seen {
		if w.Hidden(block) && !seen.Hidden(block) {
			seen[block] = r.words[block]
		}
	}
	r.words = seen
	return nil
}
