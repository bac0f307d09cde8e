package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/records"
)

// letEncrypt is the step in which the unit's own bootloader encrypts the flash.
const letEncrypt = "let the unit encrypt itself"

// How long the unit takes for a MiB of flash that it encrypts in place: what
// Espressif's log of a first start shows. The wait ends at three times that, and
// something for the start itself.
const (
	conversionPerMiB = 12 * time.Second
	conversionStart  = 30 * time.Second
)

func conversionTime(bytes uint32) time.Duration {
	return time.Duration(bytes) * conversionPerMiB / (1 << 20)
}

// conversionLimit is for the most that a unit may find to encrypt.
func conversionLimit(most uint32) time.Duration { return conversionStart + 3*conversionTime(most) }

// errNotEncrypted is a unit that was started to encrypt itself and has not.
var errNotEncrypted = errors.New("the unit has not encrypted itself")

// convertStep makes the unit startable and starts it; its bootloader then encrypts the
// flash in place and burns FLASH_CRYPT_CNT (ESP-IDF flash_encryption/flash_encrypt.c).
// What it prints only says when to look; whether it has done it is read from the fuses
// here, and from the MD5 of every region in the steps that follow. A unit that is cut off
// in between has an even counter, and begins again from plain text.
func (r *runner) convertStep() Step {
	c := r.cfg.Job.Conversion
	return Step{
		Name: letEncrypt, Burns: true, Fault: fault.NotEncrypted,
		Cost: conversionTime(c.Bytes), Limit: conversionLimit(c.Most) + BurnLimit,
		Check: func(ctx context.Context) (State, error) {
			if err := r.readWords(ctx); err != nil {
				return Needed, err
			}
			if r.words.Encrypted() {
				return Done, nil
			}
			return Needed, nil
		},
		Do: r.convert,
		Verify: func(ctx context.Context) error {
			err := r.readWords(ctx)
			if err == nil && !r.words.Encrypted() {
				err = errNotEncrypted
			}
			return err
		},
	}
}

// makeStartable writes what was held back of the flash. From then on the unit encrypts
// itself whenever it gets power, whoever gives it.
func (r *runner) makeStartable(ctx context.Context) error {
	for i := range r.regions {
		g := r.now(&r.regions[i])
		if !r.heldBack(g) {
			continue
		}
		err := r.matches(ctx, g)
		if errors.Is(err, errDigest) {
			if err = r.writeWhileMine(ctx, g, nil); err == nil {
				err = r.proves(ctx, g)
			}
		}
		if err != nil {
			return err
		}
		if err := r.verified(ctx, letEncrypt, g); err != nil {
			return err
		}
	}
	return nil
}

// provePlain compares every region right before the unit is started: what it is about
// to encrypt for ever is what it was given.
func (r *runner) provePlain(ctx context.Context) error {
	if err := r.dev.SameChip(ctx); err != nil {
		return err
	}
	for i := range r.regions {
		if err := r.proves(ctx, r.now(&r.regions[i])); err != nil {
			return err
		}
	}
	return nil
}

// stillPlain reports whether the unit is to encrypt itself and has not. Until it has,
// no record says what is in flash: it may have been started, and cut off.
func (r *runner) stillPlain() bool { return r.goal.ByUnit && !r.words.Encrypted() }

// convert has the unit do it: intent on disk, the bootloader's header, start, watch,
// look, observation on disk. The intent holds the bits that the unit is going to burn,
// and comes before the header: with it the unit needs nobody any more to burn them.
func (r *runner) convert(ctx context.Context) error {
	plan, err := r.ahead()
	if err != nil {
		return err
	}
	if len(plan) == 0 || !plan[0].ByUnit() {
		return fmt.Errorf("%s is not next in the plan: %w", letEncrypt, efuse.ErrOrder)
	}
	b := plan[0]
	facts := r.burnFacts(b)
	id, err := r.intend(ctx, letEncrypt, b, facts)
	if err != nil {
		return fmt.Errorf("not starting the unit, the intent is not on disk: %w", err)
	}
	if err := r.makeStartable(ctx); err != nil {
		return err
	}
	if err := r.provePlain(ctx); err != nil {
		return err
	}
	said, err := r.watchConversion(ctx)
	if err != nil {
		return err
	}
	// Its intent is still open, so what the unit has burnt is sensed as often as what the
	// station burns; a bit that a cut had left half burnt has had its pulse, or has not.
	looked := r.afterStart(ctx, r.senseWords)
	if looked != nil && !errors.Is(looked, errFirmware) {
		return errors.Join(looked, said)
	}
	bits, _ := b.Bits()
	err = r.observe(ctx, id, letEncrypt, b, facts, covers(records.Words(r.words[0]), records.Words(bits)))
	if err = errors.Join(looked, err); err != nil || r.words.Encrypted() {
		return err // whatever it said
	}
	return fault.New(fault.NotEncrypted, letEncrypt, errors.Join(errNotEncrypted, said))
}

// watchConversion starts the unit and follows its log until it says that it is done,
// or that it will not do it; said is nil, or why not.
func (r *runner) watchConversion(ctx context.Context) (said, err error) {
	c := r.cfg.Job.Conversion
	limit, total := conversionLimit(c.Most), int(c.Bytes)
	silence := fmt.Errorf("it did not say so within %v: %w", limit, errNotEncrypted)
	log := conversionLog{judge: r.judge}
	said, err = r.startAndWatch(ctx, letEncrypt, limit, silence, func(line string) (bool, error) {
		ends, why := log.read(line)
		if now := r.cfg.Now(); !ends && r.progress.due(now) {
			r.show(Event{Kind: StepProgress, Step: letEncrypt, Work: r.progress.at(min(log.done, total), total, now)})
		}
		return ends, why
	})
	if err != nil {
		return nil, err
	}
	if errors.Is(said, errRefused) {
		said = fmt.Errorf("%v: %w", said, errNotEncrypted)
	}
	text := "the unit says that its flash is encrypted"
	if said != nil {
		text = said.Error()
	}
	return said, r.emit(ctx, Event{Kind: BootSeen, Step: letEncrypt, Text: text, Lines: r.boot})
}

// cipherSteps hold each region that the unit has encrypted against the ciphertext that
// was known beforehand.
func (r *runner) cipherSteps() (steps []Step) {
	for i := range r.regions {
		if g := &r.regions[i]; g.Encrypt && !g.Volatile {
			steps = append(steps, r.cipherStep(g))
		}
	}
	return steps
}

// cipherStep compares a region. One that is not what it must be is written again, as
// ciphertext, like any region that is found damaged.
func (r *runner) cipherStep(g *region) Step {
	name := fmt.Sprintf("compare %s at %#x", g.Name, g.Offset)
	return Step{
		Name: name, Fault: fault.DigestDiffer, Cost: 200 * time.Millisecond, Check: always,
		Do: func(ctx context.Context) error {
			if !r.words.Encrypted() {
				return efuse.ErrPlain
			}
			err := r.provesOrProved(ctx, g)
			if !errors.Is(err, errDigest) {
				return err
			}
			if err := r.warn(ctx, name, fmt.Sprintf("the unit made something else of %s than was computed; it is written again", g.Name)); err != nil {
				return err
			}
			return r.write(ctx, name, g)
		},
		Verify: func(ctx context.Context) error {
			if err := r.provesOrProved(ctx, g); err != nil {
				return err
			}
			return r.verified(ctx, name, g)
		},
	}
}

// provesOrProved is proves, and where the loader can no longer look, what the records
// say of the same ciphertext.
func (r *runner) provesOrProved(ctx context.Context, g *region) error {
	err := r.proves(ctx, g)
	if err != nil && !errors.Is(err, errDigest) && r.doorsShut() {
		return r.proved(ctx, g, err)
	}
	return err
}
