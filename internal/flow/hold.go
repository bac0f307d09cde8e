package flow

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"time"

	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/image"
	"provision/internal/job"
)

// heldBack reports whether a region must not be startable yet. A bootloader built
// for Secure Boot V1 that lies in flash as plain text starts as soon as the unit
// gets power without us, finds BLOCK2 blank or open, and makes a key of its own or
// hides ours before it was compared (ESP-IDF secure_boot_v1/secure_boot.c). One that
// encrypts the flash does the like with BLOCK1 (flash_encryption/flash_encrypt.c). It
// gets its header only when it can do nothing of its own any more: mayStart.
// Ciphertext needs no such care: the ROM does not start it.
func (r *runner) heldBack(g *region) bool {
	plain := r.goal.SecureBootV1 && !r.goal.FlashEncryption || r.goal.ByUnit
	return plain && g.Offset == job.BootloaderOffset
}

// mayStart reports whether a plain bootloader can do no harm any more: the station has
// burnt everything that it would else make up or burn in its own way. With ABS_DONE_0 it
// takes the digest in flash as it is, instead of making one with an IV of its own, and
// burns nothing for Secure Boot. One that is to encrypt the flash finds its key, locked,
// and FLASH_CRYPT_CONFIG.
func (r *runner) mayStart() bool {
	if r.goal.SecureBootV1 && !(r.locked(2) && r.words.Field("ABS_DONE_0") == 1) {
		return false
	}
	return !r.goal.ByUnit || r.locked(1) && r.words.Field("FLASH_CRYPT_CONFIG") == efuse.CryptConfig
}

// locked reports whether a key block is hidden and write-protected.
func (r *runner) locked(block int) bool {
	return r.words.Hidden(block) && r.words.WriteProtected(block)
}

// withoutHeader is a region as flash holds it while it is held back: everything but
// the image header, without which the ROM starts nothing.
func (g *region) withoutHeader() *region {
	held := *g
	held.flash = slices.Concat(bytes.Repeat([]byte{0xFF}, image.HeaderLen), g.flash[image.HeaderLen:])
	held.md5 = md5.Sum(held.flash)
	return &held
}

// holdStep writes a region that is held back, and so proves its sectors before a
// fuse is burnt.
func (r *runner) holdStep(g *region) Step {
	name := fmt.Sprintf("write %s at %#x, all but its header", g.Name, g.Offset)
	return Step{
		Name: name, Fault: fault.WriteFailed, Cost: time.Duration(len(g.Data)) * time.Second / bytesPerSecond,
		Check: func(ctx context.Context) (State, error) {
			if err := r.dev.SameChip(ctx); err != nil {
				return Needed, err
			}
			if r.mayStart() {
				return Done, nil // it is no longer held back
			}
			err := r.matches(ctx, r.now(g).withoutHeader())
			if errors.Is(err, errDigest) {
				return Needed, nil
			}
			return Done, err
		},
		Do:     func(ctx context.Context) error { return r.write(ctx, name, r.now(g).withoutHeader()) },
		Verify: func(ctx context.Context) error { return r.proves(ctx, r.now(g).withoutHeader()) },
	}
}
