package efuse

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	maxPrograms = 3 // of one burn: the first, and two more for bits that did not take
	senses      = 5 // loads of a block before its fuses are believed
	// finishLimit bounds a burn from its first program command to the last
	// read-back, which a cancelled context does not cut short.
	finishLimit = 30 * time.Second
)

// ReadBackError says that bits did not take, although they were programmed as often
// as is allowed. It is ErrReadBack.
type ReadBackError struct {
	Burn    string
	Block   int
	Missing int       // bits that do not read as set every time
	Have    [8]uint32 // BLOCK0 as it reads; zeros for a key block
	Want    [8]uint32 // bits that should be set in BLOCK0; zeros for a key block
}

// Error says which burn and how much of it is missing.
func (e *ReadBackError) Error() string {
	text := fmt.Sprintf("burn %s: %d bits of BLOCK%d: %v", e.Burn, e.Missing, e.Block, ErrReadBack)
	if e.Block == 0 {
		text += fmt.Sprintf(" (have %08x, want %08x)", e.Have[:7], e.Want[:7])
	}
	return text
}

// Unwrap makes it ErrReadBack.
func (e *ReadBackError) Unwrap() error { return ErrReadBack }

// Execute does one burn and reads it back. It looks at the chip first and decides
// from what it finds there, not from what the plan was made of: bits that are set
// already are not programmed again, and a chip on which the burn is not allowed is
// left alone (ErrOtherChip, ErrOrder, ErrWriteProtected, ErrForeign, ErrHidden,
// ErrUnproven, ErrNoKey, ErrForbidden, ErrUnsupported, ErrUnstable, ErrMarginal). Whose chip it
// is, is asked again right before each program command. Bits that are known to be half
// burnt (Burn.Striking) get a pulse whatever is found.
//
// Bits that do not take are programmed twice more, alone; then the error is a
// *ReadBackError. ErrExtraBits, ErrUnstable and ErrNotHidden tell of a chip that
// did something else. Any other error is the line's: what was burnt is then unknown
// until the chip is read again, and Execute may be called again with the same burn.
//
// From the first program command on, cancelling ctx no longer interrupts. observed
// is what was last read, also beside an error; zeros when nothing was.
func Execute(ctx context.Context, regs Registers, t Timing, b Burn) (observed Words, err error) {
	if err := b.Executable(); err != nil {
		return Words{}, fmt.Errorf("burn %s: %w", b.Name(), err)
	}
	if t == (Timing{}) {
		return Words{}, fmt.Errorf("burn %s without timing: %w", b.Name(), ErrCrystal)
	}
	c := controller{link{regs}, t}
	if err := c.prepare(ctx); err != nil {
		return Words{}, fmt.Errorf("burn %s: %w", b.Name(), err)
	}
	seen, err := c.find(ctx, b)
	if err != nil {
		return Words{}, fmt.Errorf("burn %s: %w", b.Name(), err)
	}
	if err := c.is(ctx, b.chip); err != nil {
		return Words{}, fmt.Errorf("burn %s: %w", b.Name(), err)
	}
	missing, err := b.allowed(seen)
	if err != nil {
		return seen.always, fmt.Errorf("burn %s: %w", b.Name(), err)
	}
	return c.burn(ctx, b, seen.always, missing)
}

// find looks at the chip before b. Before a key is hidden it is sensed as often as after
// it was burnt: a marginal bit in it would be out of reach afterwards. So are bits of b
// that are set already: a pulse that was cut short leaves such.
func (c controller) find(ctx context.Context, b Burn) (observation, error) {
	rounds := 1
	if b.stage == StageHide {
		rounds = senses
	}
	seen, err := c.observe(ctx, c.words, b.keyBlock, rounds)
	if err != nil || without(b.wanted(), seen.ever[b.block]) == b.wanted() {
		return seen, err
	}
	return c.sense(ctx, seen, b.block, senses-1)
}

// Executable is nil for a burn that Execute takes, given a chip on which it is allowed:
// no intent is worth recording for any other. The error is ErrOrder, ErrPlain,
// ErrForbidden, or what Waits says.
func (b Burn) Executable() error {
	switch {
	case b.stage == 0:
		return fmt.Errorf("it was not planned: %w", ErrOrder)
	case b.byUnit:
		return fmt.Errorf("only the unit burns it: %w", ErrPlain)
	case b.waits != nil:
		return b.waits
	case without(b.bits, burnable) != [8]uint32{}:
		return fmt.Errorf("%v: %w", touched(0, without(b.bits, burnable)), ErrForbidden)
	}
	return nil
}

// wanted is every bit of the burn's block that is set when it is done.
func (b Burn) wanted() [8]uint32 {
	if b.stage == StageKey {
		return b.key.Reveal()
	}
	return b.bits
}

// halfBurnt is what is known to be half burnt of the bits that the burn sets.
func (b Burn) halfBurnt() [8]uint32 {
	wanted := b.wanted()
	return without(wanted, without(wanted, b.weak[b.block]))
}

// done is what the fuses read as when the burn is done on a chip that reads as have.
func (b Burn) done(have Words) Words {
	have[b.block] = join(have[b.block], b.wanted())
	if b.stage == StageHide {
		have[b.keyBlock] = [8]uint32{}
	}
	return have
}

// allowed checks a burn against the chip and returns the bits it still lacks.
func (b Burn) allowed(seen observation) (missing [8]uint32, err error) {
	have := seen.always
	if err := supported(have); err != nil {
		return missing, err
	}
	if early := without(b.needs, have[0]); early != [8]uint32{} {
		return missing, fmt.Errorf("%s not burnt yet: %w", describe(0, early), ErrOrder)
	}
	if b.crypted && !encrypts(have) {
		return missing, fmt.Errorf("FLASH_CRYPT_CNT is even: %w: %w", ErrPlain, ErrOrder)
	}
	if b.stage == StageKey {
		return b.allowedKey(have)
	}
	missing = join(without(b.bits, have[0]), b.halfBurnt())
	if missing == [8]uint32{} {
		return missing, nil
	}
	if name := frozenBy(have, 0, missing); name != "" {
		return missing, fmt.Errorf("%s: %w", name, ErrWriteProtected)
	}
	// A block that no load shows is hidden already, by a bit that is half burnt: the pulse
	// hides nothing that could still be compared.
	if b.stage == StageHide && !have.Hidden(b.keyBlock) {
		if seen.always[b.keyBlock] != seen.ever[b.keyBlock] {
			return missing, fmt.Errorf("BLOCK%d: %w", b.keyBlock, ErrMarginal)
		}
		_, err = Compare(have, b.keyBlock, b.key)
	}
	return missing, err
}

// allowedKey is allowed for the content of a key block.
func (b Burn) allowedKey(have Words) (missing [8]uint32, err error) {
	if have.Hidden(b.block) {
		return missing, fmt.Errorf("BLOCK%d: %w", b.block, ErrHidden)
	}
	missing, err = missingKey(have, b.block, b.key)
	missing = join(missing, b.halfBurnt())
	if err == nil && missing != [8]uint32{} && have.WriteProtected(b.block) {
		err = fmt.Errorf("BLOCK%d: %w", b.block, ErrWriteProtected)
	}
	return missing, err
}

// burn programs the missing bits and reads them back, up to maxPrograms times.
func (c controller) burn(ctx context.Context, b Burn, have Words, missing [8]uint32) (observed Words, err error) {
	if missing == [8]uint32{} {
		return have, b.hides(have)
	}
	if ctx.Err() != nil {
		return have, fmt.Errorf("burn %s, nothing burnt: %w", b.Name(), context.Cause(ctx))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishLimit)
	defer cancel()
	full := []int{0, 1, 2, 3} // what the registers may hold, of an earlier session too
	defer func() { err = errors.Join(err, c.clear(ctx, full)) }()

	observed = have
	// Read back against what the burn should have made of the fuses, not against what
	// they were: a question that goes astray on the line is answered with zeros, which
	// is what most of them were.
	asBurnt := func(ctx context.Context) (Words, error) { return c.wordsFrom(ctx, b.done(observed)) }
	var lost error // what became of the answers to the program commands
	for range maxPrograms {
		sent, err := c.program(ctx, b.chip, b.block, &missing)
		if !sent {
			return observed, fmt.Errorf("burn %s: %w", b.Name(), err)
		}
		full = []int{b.block} // loading it has emptied the others
		lost = errors.Join(lost, err)
		seen, err := c.observe(ctx, asBurnt, b.block, senses)
		if err != nil {
			return observed, fmt.Errorf("burn %s: %w", b.Name(), errors.Join(err, lost))
		}
		if err := c.is(ctx, b.chip); err != nil { // before anything it showed is believed
			return observed, fmt.Errorf("burn %s, read back: %w", b.Name(), errors.Join(err, lost))
		}
		observed = seen.always
		if err := b.unexpected(have, seen); err != nil {
			return observed, fmt.Errorf("burn %s: %w", b.Name(), err)
		}
		if missing = without(b.wanted(), observed[b.block]); missing == [8]uint32{} {
			return observed, b.hides(observed)
		}
	}
	return observed, errors.Join(b.readBackError(observed, missing), lost)
}

// readBackError tells of missing bits; of a key only how many.
func (b Burn) readBackError(have Words, missing [8]uint32) error {
	e := &ReadBackError{Burn: b.Name(), Block: b.block, Missing: count(missing)}
	if b.block == 0 {
		e.Have, e.Want = have[0], b.bits
	}
	return e
}

// hides checks, once a block is read-protected, that it reads as zeros.
func (b Burn) hides(have Words) error {
	if b.stage == StageHide && have[b.keyBlock] != [8]uint32{} {
		return fmt.Errorf("burn %s: %w", b.Name(), ErrNotHidden)
	}
	return nil
}

// unexpected compares everything that was read after programming with what was
// there before. Nothing may have appeared but bits of the burn, and nothing may
// have gone but marginal bits of the burn, which are programmed again, and the
// content of a block that is hidden now.
func (b Burn) unexpected(before Words, after observation) error {
	for block := range before {
		may, must := before[block], before[block]
		if block == b.block {
			may, must = join(may, b.wanted()), without(must, b.wanted())
		}
		if after.always.Hidden(block) {
			must = [8]uint32{}
		}
		if extra := without(after.ever[block], may); extra != [8]uint32{} {
			return fmt.Errorf("%s: %w", describe(block, extra), ErrExtraBits)
		}
		if gone := without(must, after.always[block]); gone != [8]uint32{} {
			return fmt.Errorf("%s no longer read as set: %w", describe(block, gone), ErrUnstable)
		}
	}
	return nil
}

// describe names bits of a block, without giving a key away.
func describe(block int, bits [8]uint32) string {
	if block == 1 || block == 2 {
		return fmt.Sprintf("%d bits of BLOCK%d", count(bits), block)
	}
	return fmt.Sprintf("%v of BLOCK%d (%08x)", touched(block, bits), block, bits[:blockLen(block)])
}
