package flow

import (
	"context"
	"errors"
	"fmt"

	"provision/internal/fault"
	"provision/internal/records"
	"provision/internal/station"
)

// told is the serial number that a run tells as its unit's: the one that the unit has, or
// that was given for it. One that was only chosen may become another unit's until it is
// reserved; a dry run tells it as its plan.
func (r *runner) told() string {
	if r.unit == nil && r.cfg.Serial == "" && !r.cfg.DryRun {
		return ""
	}
	return r.serial
}

// nextSerial takes the next unused serial number of the profile's own source.
// Where a person or a script has to give it, its absence is an input error.
func (r *runner) nextSerial(ctx context.Context) (string, error) {
	rule := r.cfg.Job.Profile.Unit.Serial
	switch rule.Source {
	case station.SourceSequence:
		return r.fromSequence(ctx, rule)
	case station.SourceList:
		return r.fromList(ctx, rule)
	}
	return "", fault.New(fault.SerialMissing, "serial", fmt.Errorf("give it with --serial (the unit is %s)", r.mac))
}

// fromSequence finds a free number: the first one, as long as they are used
// without gaps. What was given by hand further on is stepped over.
func (r *runner) fromSequence(ctx context.Context, rule station.SerialRule) (string, error) {
	const step = "serial"
	i, err := r.firstFree(ctx, rule)
	if err != nil {
		return "", asFault(step, err, fault.Database)
	}
	s, err := rule.InSequence(i)
	if err == nil {
		err = rule.Check(s)
	}
	if err != nil { // no fault of its own: nobody typed this number
		return "", fault.New(fault.SerialMissing, step, fmt.Errorf("the profile's sequence gives no more serial numbers: %w", err))
	}
	return s, nil
}

// byHand is how many numbers at the end of a sequence may have been given by hand,
// to try things out, without the sequence being taken for used up.
const byHand = 100

// firstFree returns the place of a free number, by doubling and halving, or the
// place behind the last one when the sequence has run out.
func (r *runner) firstFree(ctx context.Context, rule station.SerialRule) (uint64, error) {
	end, err := rule.SequenceLen()
	if err != nil {
		return 0, err
	}
	taken := func(i uint64) bool { // after an error: no, which ends every search
		if err != nil {
			return false
		}
		var s string
		if s, err = rule.InSequence(i); err != nil {
			return false
		}
		var used bool
		used, err = r.used(ctx, s)
		return used
	}
	var low, high uint64 // what is below low is taken for used; high is free, or the end
	for high < end && taken(high) {
		low, high = high+1, min(2*high+1, end)
	}
	for back := uint64(1); high == end && back <= min(byHand, end-low); back++ {
		if !taken(end - back) {
			high = end - back
		}
	}
	for low < high {
		if mid := low + (high-low)/2; taken(mid) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, err
}

// fromList finds the first line of the list that is not used yet.
func (r *runner) fromList(ctx context.Context, rule station.SerialRule) (string, error) {
	list, err := r.cfg.Job.SerialList()
	if err != nil {
		return "", fault.New(fault.FileMissing, "serial", err)
	}
	for _, s := range list {
		if err := rule.Check(s); err != nil {
			return "", fault.New(fault.SerialForm, "serial", fmt.Errorf("%s: %q: %w", rule.File, s, err))
		}
		taken, err := r.used(ctx, s)
		if err != nil {
			return "", asFault("serial", err, fault.Database)
		}
		if !taken {
			return s, nil
		}
	}
	return "", fault.New(fault.SerialMissing, "serial", fmt.Errorf("every serial number in %s is used", rule.File))
}

func (r *runner) used(ctx context.Context, serial string) (bool, error) {
	if r.cfg.Records == nil {
		return false, nil
	}
	_, err := r.cfg.Records.UnitBySerial(ctx, serial)
	if errors.Is(err, records.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// claimTries bounds the search for a number that no other run takes first. Each
// failure is another unit's success, and no station has that many slots.
const claimTries = 100

// claim reserves the serial number of u for its MAC. Between the choice of a number
// and this, another run may have taken it: where the station counts by itself, the
// unit gets the next one.
func (r *runner) claim(ctx context.Context, step string, u records.Unit) (records.Unit, error) {
	for try := 1; ; try++ {
		u.Serial = r.serial
		unit, err := r.cfg.Records.Reserve(ctx, r.cfg.RunID, u, r.cfg.Now())
		chosenHere := r.cfg.Serial == "" && r.unit == nil
		if !chosenHere || try == claimTries || !errors.Is(err, records.ErrSerialUsed) {
			return unit, err
		}
		next, err := r.nextSerial(ctx)
		if err != nil {
			return unit, err
		}
		if err := r.warn(ctx, step, fmt.Sprintf("another run took %s first; this unit becomes %s", r.serial, next)); err != nil {
			return unit, err
		}
		r.serial = next
	}
}
