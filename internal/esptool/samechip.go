package esptool

import (
	"context"
	"fmt"
)

// macWords is words 1 and 2 of eFuse BLOCK0: the factory MAC and its CRC. No two
// chips have the same, and nothing that a station burns changes them.
type macWords [2]uint32

// SameChip asks the chip who it is. The error wraps ErrOtherChip when it is not the
// one that the session began with: somebody changed the unit in the slot.
//
// Connect remembers the chip. From then on each way back into the loader asks by
// itself, and so do a command that is refused and the first one after a SYNC: a
// chip that has just got its power loses what it hears before. Until the first
// chip is back, all else is refused.
func (d *Device) SameChip(ctx context.Context) error {
	d.asking = true
	defer func() { d.asking = false }()
	var found macWords
	for i := range found {
		addr := regEfuseBLK0 + 4*uint32(i+1)
		var err error
		if found[i], err = d.ReadReg(ctx, addr); err == nil && (d.mac == nil || found[i] != d.mac[i]) {
			found[i], err = d.readSettled(ctx, addr) // noise hardly makes it the MAC that is known
		}
		if err != nil {
			return fmt.Errorf("ask the chip for its MAC: %w", err)
		}
	}
	if d.mac == nil {
		d.mac = &found
	}
	if found != *d.mac {
		d.doubted = true
		return fmt.Errorf("%w: MAC %v, not %v", ErrOtherChip, found, *d.mac)
	}
	d.doubted = false
	return nil
}

// known reports whether there is a chip to compare with, and SameChip is not what
// is under way.
func (d *Device) known() bool { return d.mac != nil && !d.asking }

// String is the MAC as it is printed on labels.
func (w macWords) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", byte(w[1]>>8), byte(w[1]), byte(w[0]>>24), byte(w[0]>>16), byte(w[0]>>8), byte(w[0]))
}
