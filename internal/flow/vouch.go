package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"provision/internal/efuse"
	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/records"
)

// Voucher is who says which unit it is that can no longer tell, and how they know.
type Voucher struct{ Person, Reason string }

var (
	errStillOpen  = errors.New("the unit's download mode is not closed: run it, as any other")
	errNotAtDoor  = errors.New("the unit's last burn is not that of UART_DOWNLOAD_DIS")
	errOtherCause = errors.New("the unit is set aside for another reason")
	errSeenOpen   = errors.New("the burn of UART_DOWNLOAD_DIS was read back, and was not what it should be")
	errUnseen     = errors.New("the profile has no [boot_check], and nobody can vouch for a unit that is not seen to start")
)

// Vouch completes a unit that lost its power between the burn of UART_DOWNLOAD_DIS and
// the record of PASS. Everything but that fuse was read back, and is on record. Of the
// fuse the ROM itself tells, and the unit is seen to start its app. Which unit it is,
// nobody can read any more: for that somebody stands with name and reason, on record.
func Vouch(ctx context.Context, cfg Config, v Voucher) Result {
	r := &runner{cfg: cfg, progress: newMeter(nil)}
	defer r.close()
	err := r.start(ctx)
	steps := []Step{
		{Name: "find the record", Check: always, Do: r.atTheDoor, Fault: fault.Database},
		{Name: "find it closed", Check: always, Do: r.findClosed, Fault: fault.NoAnswer},
		{Name: "boot check", Check: always, Do: r.watchClosed, Fault: fault.LinkLost},
		{Name: "record", Check: always, Closing: true, Fault: fault.Database, Do: func(ctx context.Context) error { return r.vouch(ctx, v) }},
	}
	for _, s := range steps {
		if err == nil {
			err = r.step(ctx, s)
		}
	}
	return r.finish(ctx, err)
}

// atTheDoor holds the record of the unit against the plan: with what its last burn
// showed, or with the bits of its intent where nobody looked, nothing may be left to burn.
func (r *runner) atTheDoor(ctx context.Context) error {
	unit, err := r.cfg.Records.UnitBySerial(ctx, r.cfg.Serial)
	if err != nil {
		return err
	}
	if unit.State == records.StateComplete {
		r.mac, r.serial = unit.MAC, unit.Serial
		return errComplete
	}
	if unit.State == records.StateParked && unit.ParkCode != string(fault.DownloadDisabled) {
		return fault.New(fault.Code(unit.ParkCode), "", fmt.Errorf(
			"%w: %s (provision release %s --person NAME --reason TEXT when a person has decided)", errOtherCause, unit.ParkReason, unit.Serial))
	}
	burns, err := r.cfg.Records.Burns(ctx, unit.ID)
	if err != nil {
		return err
	}
	if err := atDoor(burns); err != nil {
		return err
	}
	r.unit, r.serial, r.mac = &unit, unit.Serial, unit.MAC
	r.words[0] = shown(burns[len(burns)-1])
	revision, err := efuse.ParseRevision(unit.ChipRevision)
	if err != nil {
		return fmt.Errorf("on record: %w", err)
	}
	r.goal = r.cfg.Job.Goal(revision)
	r.regions = r.layout()
	if _, err := r.samePolicy(ctx); err != nil {
		return err
	}
	if err := r.openKeys(ctx); err != nil {
		return asFault("", err, fault.KeySafety)
	}
	left, err := efuse.Plan(r.words, r.goal, r.proven)
	if err == nil && len(left) > 0 {
		err = fault.New(fault.LockMissing, "", fmt.Errorf("by the records %s is still to be burnt", left[0].Name()))
	}
	return errors.Join(err, r.flashOnRecord(ctx))
}

// atDoor says why a unit with those burns on record cannot have closed its download mode
// without anybody seeing it; nil: it can.
func atDoor(burns []records.Burn) error {
	if len(burns) == 0 || burns[len(burns)-1].Step != closeDownload {
		return errNotAtDoor
	}
	if last := burns[len(burns)-1]; !last.ObservedAt.IsZero() && !last.OK {
		return errSeenOpen
	}
	return nil
}

// shown are the words of BLOCK0 after a burn of it: as they were read back, else as its
// intent says.
func shown(b records.Burn) (words [8]uint32) {
	if b.After != nil {
		return *b.After
	}
	for i := range b.Before {
		words[i] = b.Before[i] | b.Bits[i]
	}
	return words
}

// looksAtDoor is how often the ROM is asked whether it is closed: as often as fuses are
// sensed after a burn that was cut. The one that closes it may be half burnt, and show at
// one start and not at the next.
const looksAtDoor = 5

// findClosed has the ROM itself say that download mode is closed, at every start.
func (r *runner) findClosed(ctx context.Context) error {
	port, err := r.cfg.Open(ctx)
	if err != nil {
		return err
	}
	r.port = port
	cfg := esptool.Config{Reset: r.cfg.Reset, Bauds: r.cfg.Job.Profile.Link.Baud}
	for range looksAtDoor {
		switch _, err := esptool.Connect(ctx, port, cfg); {
		case err == nil && r.unit.State == records.StateParked:
			return fmt.Errorf("%w; it is set aside, so first: provision release %s --person NAME --reason TEXT", errStillOpen, r.serial)
		case err == nil:
			return errStillOpen
		case !errors.Is(err, esptool.ErrDownloadDisabled):
			return fmt.Errorf("%s: %w", r.cfg.PortName, err)
		}
	}
	r.dev = esptool.Unreached(port, cfg)
	return nil
}

// watchClosed starts the unit and watches what it says. A profile that closes download
// mode has a boot check; without one nobody would see the unit start.
func (r *runner) watchClosed(ctx context.Context) error {
	const name = "boot check"
	check := r.cfg.Job.Profile.BootCheck
	if check == nil {
		return errUnseen
	}
	silence := fmt.Errorf("%q within %v: %w", check.Expect, check.Timeout, errNoLine)
	verdict, err := r.startAndWatch(ctx, name, check.Timeout, silence, r.judge)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("seen: %s", check.Expect)
	if verdict != nil {
		text = verdict.Error()
	}
	return errors.Join(verdict, r.emit(ctx, Event{Kind: BootSeen, Step: name, Text: text, Lines: r.boot}))
}

// vouch puts on record what was seen, and who stands for the rest: the last burn's
// observation, then PASS.
func (r *runner) vouch(ctx context.Context, v Voucher) error {
	now := r.cfg.Now()
	reason := fmt.Sprintf("%s vouches that this is %s: %s", v.Person, r.serial, v.Reason)
	if r.unit.State == records.StateParked {
		err := r.cfg.Records.Release(ctx, records.Release{MAC: r.mac, Person: v.Person, Reason: reason, At: now})
		if err != nil {
			return err
		}
	}
	if _, err := r.cfg.Records.Reserve(ctx, r.cfg.RunID, *r.unit, now); err != nil {
		return err
	}
	r.holds = true
	if err := r.warn(ctx, "record", reason); err != nil {
		return err
	}
	if err := r.sawClosed(ctx, now); err != nil {
		return err
	}
	return r.pass(ctx, "record", finalWords(r.words)[:1], reason)
}

// sawClosed observes the last burn, where the run that was cut did not.
func (r *runner) sawClosed(ctx context.Context, now time.Time) error {
	burns, err := r.cfg.Records.Burns(ctx, r.unit.ID)
	if err != nil {
		return err
	}
	last := burns[len(burns)-1]
	if !last.ObservedAt.IsZero() {
		return nil
	}
	return r.cfg.Records.ObserveBurn(ctx, records.Observation{BurnID: last.ID, Words: records.Words(r.words[0]), OK: true, At: now})
}
