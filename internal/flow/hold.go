package flow

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"time"

	"provision/internal/fault"
	"provision/internal/image"
	"provision/internal/job"
)

// heldBack reports whether a region must not be startable yet. A bootloader built
// for Secure Boot V1 that lies in flash as plain text starts as soon as the unit
// gets power without us, finds BLOCK2 blank or open, and makes a key of its own or
// hides ours before it was compared (ESP-IDF secure_boot_v1/secure_boot.c). It gets
// its header only when BLOCK2 is locked: from then on all it can do is what we are
// about to do. Ciphertext needs no such care: the ROM does not start it.
func (r *runner) heldBack(g *region) bool {
	return r.goal.SecureBootV1 && !r.goal.FlashEncryption && g.Offset == job.BootloaderOffset
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
			if r.words.Hidden(2) && r.words.WriteProtected(2) {
				return Done, nil // it is no longer held back
			}
			err := r.matches(ctx, g.withoutHeader())
			if errors.Is(err, errDigest) {
				return Needed, nil
			}
			return Done, err
		},
		Do:     func(ctx context.Context) error { return r.write(ctx, name, g.withoutHeader()) },
		Verify: func(ctx context.Context) error { return r.proves(ctx, g.withoutHeader()) },
	}
}
