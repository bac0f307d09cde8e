package flow

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"provision/internal/fault"
	"provision/internal/flashcrypt"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/secureboot"
)

// bytesPerSecond is a cautious estimate of ROM writes, for the display: about what
// 460800 baud gives after framing.
const bytesPerSecond = 36_000

var (
	// errDigest is flash that does not hold what was written.
	errDigest = errors.New("flash does not hold what was written")
	// errMeanwhile is a unit that was started by somebody else and has encrypted itself.
	errMeanwhile = errors.New("the unit has encrypted itself since this run looked")
)

// region is a job's region as this unit's flash has it.
type region struct {
	job.Region
	flash []byte // ciphertext where the region is encrypted; empty until the keys are there
	md5   [md5.Size]byte
	plain *region // the same before the unit has encrypted it; nil where the unit does not
}

// layout lists the regions of this unit. The digest sector, which depends on the
// unit's key, is empty until buildRegions.
func (r *runner) layout() []region {
	var out []region
	if r.goal.SecureBootV1 {
		out = append(out, region{Region: job.Region{
			Name: "secure boot digest", Data: make([]byte, job.SectorSize), Encrypt: r.goal.FlashEncryption,
		}})
	}
	for _, g := range r.cfg.Job.Regions {
		out = append(out, region{Region: g})
	}
	return out
}

// buildRegions makes this unit's flash contents: the digest sector from the boot
// key, everything that is read through the cipher encrypted with the flash key.
func (r *runner) buildRegions() error {
	if r.goal.SecureBootV1 {
		sector, err := secureboot.DigestSectorV1(r.keys.boot.Reveal(), r.keys.iv, r.cfg.Job.Bootloader)
		if err != nil {
			return err
		}
		r.regions[0].Data = sector
	}
	var cipher *flashcrypt.Cipher
	if r.goal.FlashEncryption {
		var err error
		if cipher, err = flashcrypt.New(r.keys.flash.Reveal(), r.goal.CryptConfig); err != nil {
			return err
		}
	}
	for i := range r.regions {
		g := &r.regions[i]
		g.flash = g.Data
		if g.Encrypt {
			g.flash = make([]byte, len(g.Data))
			if err := encrypt(cipher, g); err != nil {
				return fmt.Errorf("encrypt %s: %w", g.Name, err)
			}
		}
		g.md5 = md5.Sum(g.flash)
		if g.Encrypt && r.goal.ByUnit {
			g.plain = &region{Region: g.Region, flash: g.Data, md5: md5.Sum(g.Data)}
			g.plain.Encrypt = false
		}
	}
	return nil
}

// now is g as flash is to hold it at this moment: where the unit encrypts itself, in
// plain text as long as FLASH_CRYPT_CNT is even. That fuse alone decides, and the
// region's own MD5 whether it is so: how far the last run thought it was does not
// count.
func (r *runner) now(g *region) *region {
	if g.plain != nil && !r.words.Encrypted() {
		return g.plain
	}
	return r.last(g)
}

// last is g as the record of a finished unit has it. What is the firmware's own from
// its first start on was only ever compared before that.
func (r *runner) last(g *region) *region {
	if g.plain != nil && g.Volatile {
		return g.plain
	}
	return g
}

// encrypt fills in a region's ciphertext and decrypts it again: what is burnt for
// ever is not left to one computation.
func encrypt(cipher *flashcrypt.Cipher, g *region) error {
	if err := cipher.EncryptAt(g.flash, g.Data, g.Offset); err != nil {
		return err
	}
	back := make([]byte, len(g.flash))
	if err := cipher.DecryptAt(back, g.flash, g.Offset); err != nil {
		return err
	}
	if !bytes.Equal(back, g.Data) {
		return errors.New("it does not decrypt to what it was made from")
	}
	return nil
}

// flashSteps write every region and prove it, but for the header of a region that
// is held back.
func (r *runner) flashSteps() []Step {
	steps := make([]Step, len(r.regions))
	for i := range r.regions {
		if g := &r.regions[i]; r.heldBack(g) {
			steps[i] = r.holdStep(g)
		} else {
			steps[i] = r.writeStep(g)
		}
	}
	return steps
}

// heldSteps finish what flashSteps held back.
func (r *runner) heldSteps() (steps []Step) {
	for i := range r.regions {
		if g := &r.regions[i]; r.heldBack(g) {
			steps = append(steps, r.writeStep(g))
		}
	}
	return steps
}

func (r *runner) writeStep(g *region) Step {
	name := fmt.Sprintf("write %s at %#x", g.Name, g.Offset)
	return Step{
		Name: name, Fault: fault.WriteFailed, Cost: time.Duration(len(g.Data)) * time.Second / bytesPerSecond,
		Check: func(ctx context.Context) (State, error) {
			if err := r.dev.SameChip(ctx); err != nil {
				return Needed, err
			}
			if g.Volatile && r.mayHaveRun() {
				// The firmware's own by now, unless it never was there: files that came since
				// may have moved it. A unit that encrypts itself would want it otherwise.
				if ok, err := r.onRecord(ctx, r.last(g)); ok || err != nil || r.goal.ByUnit {
					return Done, err
				}
			}
			err := r.looks(ctx, r.now(g))
			switch {
			case errors.Is(err, errDigest):
				return Needed, nil
			case err != nil && r.doorsShut() && !r.stillPlain():
				return Done, r.proved(ctx, g, err)
			case err != nil:
				return Needed, err
			}
			return Done, r.verified(ctx, name, r.now(g))
		},
		Do: func(ctx context.Context) error { return r.write(ctx, name, r.now(g)) },
		Verify: func(ctx context.Context) error {
			if err := r.proves(ctx, r.now(g)); err != nil {
				return err
			}
			return r.verified(ctx, name, r.now(g))
		},
	}
}

// mayWrite asks right before flash is written whether this run is still the one to do
// it. Another may have taken the unit up and finished it: plain text over what the unit
// has encrypted by now is a unit that never starts again. Whoever it was, and in whatever
// records, FLASH_CRYPT_CNT tells.
func (r *runner) mayWrite(ctx context.Context) error {
	if encrypted := r.words.Encrypted(); r.goal.ByUnit {
		if err := r.readTwice(ctx); err != nil {
			return err
		}
		if r.words.Encrypted() != encrypted {
			return errMeanwhile
		}
	}
	return r.isMine(ctx)
}

// isMine asks the records whether this run is still the one to work on the unit.
func (r *runner) isMine(ctx context.Context) error {
	return asFault("", r.cfg.Records.Holds(ctx, r.cfg.RunID, r.unit.ID), fault.Database)
}

// write puts a region into flash and tells how far it is.
func (r *runner) write(ctx context.Context, step string, g *region) error {
	return r.writeWhileMine(ctx, g, func(done, total int) {
		if now := r.cfg.Now(); r.progress.due(now) {
			r.show(Event{Kind: StepProgress, Step: step, Work: r.progress.at(done, total, now)})
		}
	})
}

// writeWhileMine writes a region as long as the unit is this run's. The records are asked
// before each piece, and all of mayWrite where the line failed: the unit may have been
// through other hands while this run waited for an answer, or slept.
func (r *runner) writeWhileMine(ctx context.Context, g *region, progress func(done, total int)) error {
	if err := r.mayWrite(ctx); err != nil {
		return err
	}
	return r.dev.WriteFlashWhile(ctx, g.Offset, g.flash, progress, func(ctx context.Context, again bool) error {
		if again {
			return r.mayWrite(ctx)
		}
		return r.isMine(ctx)
	})
}

// mayHaveRun reports whether the chip could have started the firmware: encryption
// and secure boot are on as far as the job wants them. (With Secure Boot alone that is a
// little early: the bootloader's header comes after the fuse.) A unit that encrypts itself has
// all its flash written anew as long as the counter is even.
func (r *runner) mayHaveRun() bool {
	if r.goal.ByUnit {
		return r.words.Encrypted()
	}
	crypt := r.words.Field("FLASH_CRYPT_CNT") != 0
	boot := r.words.Field("ABS_DONE_0") != 0
	return (crypt || !r.goal.FlashEncryption) && (boot || !r.goal.SecureBootV1) && (crypt || boot)
}

// doorsShut reports whether the loader may have lost its view of flash. Espressif
// does not say; where it answers, it is asked as ever.
func (r *runner) doorsShut() bool { return r.words.Field("DISABLE_DL_CACHE") != 0 }

// proved accepts a region that the loader can no longer look at, because is the
// error it gave, when the records show that it was verified in this very unit with
// this very content. Anything else is for a person; but a loader that does not answer
// at all is gone, not blind.
func (r *runner) proved(ctx context.Context, g *region, because error) error {
	if ctx.Err() != nil {
		return because
	}
	if err := r.dev.Reconnect(ctx); err != nil {
		return errors.Join(because, err)
	}
	ok, err := r.onRecord(ctx, g)
	switch {
	case err != nil:
		return err
	case !ok:
		return fault.New(fault.Contradictory, "", fmt.Errorf(
			"the loader can no longer read flash (DISABLE_DL_CACHE is burnt), and the records do not show %s as it should be: %w", g.Name, because))
	}
	return nil
}

// looks is matches where the loader may have lost its view of flash: what it refuses is
// asked once more after a reset, since a request that was garbled on its way is refused
// in the same words.
func (r *runner) looks(ctx context.Context, g *region) error {
	err := r.matches(ctx, g)
	if err == nil || errors.Is(err, errDigest) || !r.doorsShut() || ctx.Err() != nil {
		return err
	}
	if lost := r.dev.Reconnect(ctx); lost != nil {
		return errors.Join(err, lost)
	}
	return r.matches(ctx, g)
}

// onRecord reports whether the records show g, as it should be now, as what this
// unit carries.
func (r *runner) onRecord(ctx context.Context, g *region) (bool, error) {
	rows, err := r.cfg.Records.Regions(ctx, r.unit.ID)
	if err != nil {
		return false, asFault("", err, fault.Database)
	}
	return slices.ContainsFunc(rows, func(row records.Region) bool {
		return row.Offset == int64(g.Offset) && row.Length == int64(len(g.flash)) && row.FlashMD5 == hex.EncodeToString(g.md5[:])
	}), nil
}

// matches compares the MD5 of a region. The loader reads flash raw, so that it is
// of ciphertext where the region is encrypted.
func (r *runner) matches(ctx context.Context, g *region) error {
	sum, err := r.dev.FlashMD5(ctx, g.Offset, uint32(len(g.flash)))
	if err != nil {
		return err
	}
	if sum != g.md5 {
		return fmt.Errorf("%s at %#x: MD5 is %x, want %x: %w", g.Name, g.Offset, sum, g.md5, errDigest)
	}
	return nil
}

// proves is matches, asked twice before a difference is believed: the answer
// crosses the line without a checksum.
func (r *runner) proves(ctx context.Context, g *region) error {
	err := r.looks(ctx, g)
	if errors.Is(err, errDigest) {
		err = r.looks(ctx, g)
	}
	return err
}

// verified records a region that was just compared.
func (r *runner) verified(ctx context.Context, step string, g *region) error {
	plain, cipher := sha256.Sum256(g.Data), sha256.Sum256(g.flash)
	told := Event{Kind: RegionVerified, Step: step, Region: &RegionFacts{
		Name: g.Name, Offset: g.Offset, Length: len(g.flash), Encrypted: g.Encrypt, MD5: hex.EncodeToString(g.md5[:]),
	}}
	err := r.with(told, func(rows []records.Event) error {
		return r.cfg.Records.SaveRegion(ctx, records.Region{
			RunID: r.cfg.RunID, UnitID: r.unit.ID, Name: g.Name, Offset: int64(g.Offset), Length: int64(len(g.flash)),
			PlainSHA256: hex.EncodeToString(plain[:]), FlashMD5: hex.EncodeToString(g.md5[:]), FlashSHA256: hex.EncodeToString(cipher[:]),
			Encrypted: g.Encrypt, FirmwareSHA256: g.Firmware, VerifiedAt: r.cfg.Now(),
		}, rows...)
	})
	if err != nil {
		return asFault(step, err, fault.Database)
	}
	return nil
}

// proveFlash compares every region once more when the chip is armed and before the
// loader's doors are shut: afterwards the loader may no longer be able to.
func (r *runner) proveFlash() Step {
	const name = "verify flash"
	return Step{
		Name: name, Fault: fault.DigestDiffer, Cost: time.Second,
		Check: func(context.Context) (State, error) {
			if r.doorsShut() {
				return Done, nil // each region was looked at, or for, a moment ago
			}
			return Needed, nil
		},
		Do: func(ctx context.Context) error {
			for i := range r.regions {
				if g := &r.regions[i]; !g.Volatile || !r.mayHaveRun() {
					if err := r.proves(ctx, r.now(g)); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
}
