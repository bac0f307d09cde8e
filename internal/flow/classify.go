package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/records"
)

// decide classifies the unit from its fuses and the records, and settles which
// serial number it has.
func (r *runner) decide(ctx context.Context) error {
	const step = "classify"
	if err := r.recall(ctx); err != nil {
		return asFault(step, err, fault.Database)
	}
	r.goal = r.cfg.Job.Goal(r.revision())
	r.regions = r.layout()
	if r.unit != nil && r.unit.State == records.StateComplete {
		return r.complete(ctx)
	}
	if err := r.fits(ctx); err != nil {
		return asFault(step, err, fault.WrongRevision)
	}
	if err := r.sameSerial(ctx); err != nil {
		return err
	}
	if r.unit != nil {
		if err := r.resume(ctx); err != nil {
			return asFault(step, err, fault.Database)
		}
	}
	v := efuse.Classify(r.words, efuse.Expectation{Known: r.unit != nil, Goal: r.goal, Proven: r.proven})
	if err := r.emit(ctx, Event{Kind: UnitClassified, Step: step, Class: v.Class.String(), Text: v.Reason}); err != nil {
		return err
	}
	switch v.Class {
	case efuse.ForeignSecured:
		return fault.New(fault.ForeignSecured, step, errors.New(v.Reason))
	case efuse.UnsupportedChip:
		return asFault(step, v.Cause, fault.CodingScheme)
	case efuse.Contradictory:
		code := fault.Contradictory
		if v.Uncertain() {
			code = fault.KeyUncertain
		}
		return fault.New(code, step, errors.New(v.Reason))
	}
	return nil
}

// resume takes up a unit that was begun before: its policy, its keys and proofs,
// and the burns of a run that was cut. Another run may be at work on it until this one
// has taken it, so what that one sealed and compared is read after that.
func (r *runner) resume(ctx context.Context) error {
	if err := r.takeUp(ctx); err != nil {
		return err
	}
	if err := r.openKeys(ctx); err != nil {
		return asFault("classify", err, fault.KeySafety)
	}
	if r.cfg.DryRun {
		return nil
	}
	// A session that was cut may have burnt what the chip has not loaded since.
	if err := r.senseWords(ctx); err != nil {
		return asFault("classify", err, fault.LinkLost)
	}
	return r.settleBurns(ctx)
}

// takeUp makes this run the one that works on the unit: not one that would have to leave
// it as it is, for its policy or for keys that cannot be opened here.
func (r *runner) takeUp(ctx context.Context) error {
	change, refusal := r.samePolicy(ctx)
	if refusal != nil && change == nil {
		return refusal
	}
	if r.cfg.DryRun {
		return r.wouldTakeUp(ctx, refusal)
	}
	_, opened, err := r.unseal(ctx)
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		return asFault("classify", err, fault.KeySafety)
	}
	opened.Wipe()
	var unit records.Unit
	if change == nil { // reserving what is reserved ties this run to the unit's history
		unit, err = r.cfg.Records.Reserve(ctx, r.cfg.RunID, *r.unit, r.cfg.Now())
	} else {
		unit, err = r.cfg.Records.Regoal(ctx, r.cfg.RunID, *r.unit, change, r.cfg.Now())
	}
	switch {
	case errors.Is(err, records.ErrBurnt):
		return refusal
	case err != nil:
		return err
	}
	r.unit, r.holds = &unit, true
	return nil
}

// wouldTakeUp is what takeUp would say, without changing anything. refusal is for a unit
// with another policy, which it keeps from its first burn on.
func (r *runner) wouldTakeUp(ctx context.Context, refusal error) error {
	if refusal == nil {
		return nil
	}
	burns, err := r.cfg.Records.Burns(ctx, r.unit.ID)
	if err == nil && len(burns) > 0 {
		err = refusal
	}
	return err
}

// recall looks the MAC up: what the records know of this unit.
func (r *runner) recall(ctx context.Context) error {
	if r.cfg.Records == nil {
		return nil
	}
	if p, err := r.cfg.Records.ParkingOf(ctx, r.mac); err == nil {
		return fault.New(fault.Code(p.Code), "classify",
			fmt.Errorf("parked since %s UTC: %s (provision release %s --person NAME --reason TEXT when a person has decided)", p.At.UTC().Format(time.DateTime), p.Reason, r.mac))
	} else if !errors.Is(err, records.ErrNotParked) {
		return err
	}
	unit, err := r.cfg.Records.UnitByMAC(ctx, r.mac)
	switch {
	case errors.Is(err, records.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	r.unit, r.serial = &unit, unit.Serial
	return nil
}

// complete is the way of a unit that passed before: it is greeted, not touched.
func (r *runner) complete(ctx context.Context) error {
	const step = "classify"
	if r.cfg.Serial != "" && !strings.EqualFold(r.cfg.Serial, r.unit.Serial) {
		return fault.New(fault.MACKnown, step,
			fmt.Errorf("this unit was completed as %s on %s; %s was not used", r.unit.Serial, r.unit.CompletedAt.Format(time.DateOnly), r.cfg.Serial))
	}
	var final efuse.Words
	for _, b := range r.unit.FinalWords {
		final[b.Block] = [8]uint32(b.Words)
	}
	for block := range final {
		for i := range final[block] {
			if final[block][i]&^r.words[block][i] != 0 {
				return fault.New(fault.Contradictory, step,
					fmt.Errorf("the records say this unit was completed as %s, but fuses that were burnt then are not burnt now: not the same chip", r.unit.Serial))
			}
		}
	}
	if err := r.meetsPolicy(); err != nil {
		return err
	}
	err := r.emit(ctx, Event{Kind: UnitClassified, Step: step, Class: efuse.OursComplete.String(),
		Text: fmt.Sprintf("Already complete as %s since %s.", r.unit.Serial, r.unit.CompletedAt.Format(time.DateOnly))})
	return errors.Join(err, errComplete)
}

// sameSerial settles the serial number: the one the unit has, as it is spelt on record,
// the one given, or the next one of the profile's source.
func (r *runner) sameSerial(ctx context.Context) error {
	const step = "serial"
	given := r.cfg.Serial
	switch {
	case r.unit != nil && given != "" && !strings.EqualFold(given, r.unit.Serial):
		return fault.New(fault.MACKnown, step, fmt.Errorf("this unit was begun as %s; %s was not used", r.unit.Serial, given))
	case r.unit != nil:
		return nil
	case given == "":
		next, err := r.nextSerial(ctx)
		r.serial = next
		return err
	}
	if r.cfg.Records != nil {
		other, err := r.cfg.Records.UnitBySerial(ctx, given)
		switch {
		case err == nil:
			return fault.New(fault.SerialUsed, step, &records.SerialUsedError{Serial: given, MAC: other.MAC, At: other.CreatedAt})
		case !errors.Is(err, records.ErrNotFound):
			return asFault(step, err, fault.Database)
		}
	}
	r.serial = given
	return nil
}
