package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/records"
)

// whoseLimit bounds the last question to a unit that is about to be blamed.
const whoseLimit = 10 * time.Second

// blames reports whether err is a verdict on the unit, of one of these classes, that
// rests on what the chip was heard to say. That another program has parked the unit is
// none.
func blames(err error, classes ...fault.Class) bool {
	var parked *records.ParkedError
	if err == nil || errors.As(err, &parked) {
		return false
	}
	page, ok := fault.Lookup(fault.CodeOf(err))
	return ok && slices.Contains(classes, page.Class) && (page.Verdict == fault.Fail || page.Verdict == fault.Park)
}

// secondLook prepares for another attempt at a step that ended as because: the fuses
// are sensed anew, and the burns that it left open are told. Requests and answers cross
// the line without a checksum, and one that goes astray can make a good unit look bad,
// or take a pulse from it; the same does not happen twice.
func (r *runner) secondLook(ctx context.Context, s Step, because error) error {
	if err := r.warn(ctx, s.Name, "looked at once more: "+because.Error()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), BurnLimit)
	defer cancel()
	look := r.readTwice
	if r.holds {
		look = r.senseWords
	}
	err := look(ctx)
	if err == nil && r.holds {
		err = r.settleBurns(ctx)
	}
	if err != nil { // nobody can say any more whether it was true
		err = fmt.Errorf("%w (before that: %v)", err, because)
	}
	return r.fault(s, err)
}

// whose asks who is in the slot before a unit is blamed for what its registers or its
// flash said: a unit that is changed in the middle leaves the words of two.
func (r *runner) whose(ctx context.Context, err error) error {
	if r.dev == nil || !blames(err, fault.Part, fault.Fuse, fault.Flash) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), whoseLimit)
	defer cancel()
	if other := r.dev.SameChip(ctx); errors.Is(other, esptool.ErrOtherChip) {
		return fault.New(fault.UnitChanged, stepOf(err), fmt.Errorf("%w (%v)", other, err))
	}
	return err
}
