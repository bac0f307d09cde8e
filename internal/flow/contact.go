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
	"provision/internal/station"
)

// minFlash is attached before the size of the flash is known: asking for its id
// needs no size, only the pins.
const minFlash = 2 << 20

// errRevision and errFlash are what contact finds wrong with a part.
var (
	errRevision = errors.New("chip revision is not accepted")
	errFlash    = errors.New("flash is too small")
	errMAC      = errors.New("MAC address is impossible")
	errCrystal  = errors.New("crystal is not one of 26 or 40 MHz")
)

// contact is the steps that only look.
func (r *runner) contact() []Step {
	return []Step{
		{Name: "connect", Check: always, Do: r.connect, Fault: fault.NoAnswer, Cost: time.Second},
		{Name: "identify", Check: always, Do: r.identify, Fault: fault.LinkLost, Cost: time.Second},
	}
}

// always is the Check of steps that look at the unit: each run needs its own look.
func always(context.Context) (State, error) { return Needed, nil }

func (r *runner) connect(ctx context.Context) error {
	port, err := r.cfg.Open(ctx)
	if err != nil {
		return err
	}
	r.port = port
	var warnings []string
	r.dev, err = esptool.Connect(ctx, port, esptool.Config{
		Reset: r.cfg.Reset,
		Bauds: r.cfg.Job.Profile.Link.Baud,
		Warn:  func(text string) { warnings = append(warnings, text) },
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", r.cfg.PortName, err)
	}
	for _, text := range warnings {
		err = errors.Join(err, r.warn(ctx, "connect", text))
	}
	return err
}

// identify reads what the chip says about itself and refuses parts that are not
// for this job. A refusal here is about the part: nothing was written.
func (r *runner) identify(ctx context.Context) error {
	chip, err := r.dev.Identify(ctx)
	if err != nil {
		return err
	}
	r.chip = chip
	if err := r.readWords(ctx); err != nil {
		return err
	}
	mac, err := r.words.MAC()
	if err != nil {
		return fmt.Errorf("%w: %w", errMAC, err)
	}
	r.mac = fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])
	if r.timing, err = efuse.TimingFor(chip.CrystalMHz); err != nil {
		return fmt.Errorf("%w: %w", errCrystal, err)
	}
	if err := r.attach(ctx); err != nil {
		return err
	}
	if err := r.emit(ctx, Event{Kind: UnitIdentified, Step: "identify", Chip: r.chipFacts(), Text: r.describe()}); err != nil {
		return err
	}
	err = r.suitable()
	if errors.Is(err, errFlash) || errors.Is(err, esptool.ErrFlashProtected) {
		// What the flash says of itself crosses the line without a checksum: no part
		// is refused for what was heard once. A reset undoes what a garbled request
		// may have done to the flash controller.
		if err := errors.Join(r.dev.Reconnect(ctx), r.attach(ctx)); err != nil {
			return err
		}
		err = r.suitable()
	}
	return err
}

// attach finds the flash and tells the ROM its size.
func (r *runner) attach(ctx context.Context) error {
	if err := r.dev.AttachFlash(ctx, r.chip.FlashPins, minFlash); err != nil {
		return err
	}
	id, err := r.dev.FlashID(ctx)
	if err != nil {
		return err
	}
	r.flash = id
	return r.dev.AttachFlash(ctx, r.chip.FlashPins, min(id.Size(), 16<<20))
}

// suitable holds the part against the job.
func (r *runner) suitable() error {
	u := r.cfg.Job.Profile.Unit
	rev := r.chip.Revision.Full()
	switch {
	case !r.chip.Revision.Known:
		return fmt.Errorf("%w: its bits have no meaning", errRevision)
	case rev < int(u.MinRevision) || rev > int(u.MaxRevision):
		return fmt.Errorf("%w: the chip is %v, the profile accepts %s", errRevision, r.chip.Revision, accepted(u))
	case !r.cfg.Job.RunsOn(rev):
		return fmt.Errorf("%w: the chip is %v, and the firmware does not run on that", errRevision, r.chip.Revision)
	}
	if need := max(r.cfg.Job.FlashNeeds, u.FlashSize); r.flash.Size() < need {
		return fmt.Errorf("%w: it has %s, the job needs %s", errFlash, size(r.flash.Size()), size(need))
	}
	return r.flash.Protection()
}

// accepted is the range of revisions of the profile in words.
func accepted(u station.Unit) string {
	if u.MaxRevision == station.NoMaximum {
		return u.MinRevision.String() + " or later"
	}
	return fmt.Sprintf("%v to %v", u.MinRevision, u.MaxRevision)
}

func (r *runner) revision() efuse.Revision {
	return efuse.Revision{Major: r.chip.Revision.Major, Minor: r.chip.Revision.Minor}
}

func (r *runner) chipFacts() *ChipFacts {
	return &ChipFacts{
		Package: r.chip.PackageName, Revision: r.chip.Revision.String(), CodingScheme: efuse.Scheme(r.chip.CodingScheme).String(),
		CrystalMHz: r.chip.CrystalMHz, FlashID: r.flashID(), FlashSize: r.flash.Size(),
	}
}

func (r *runner) flashID() string {
	return fmt.Sprintf("%02x%02x%02x", r.flash.Manufacturer, r.flash.Type, r.flash.CapacityLog2)
}

func (r *runner) describe() string {
	name := r.chip.PackageName
	if name == "" {
		name = fmt.Sprintf("ESP32 (package %d)", r.chip.Package)
	}
	return fmt.Sprintf("%s %v, %s, %d MHz crystal, %s flash", name, r.chip.Revision, r.mac, r.chip.CrystalMHz, size(r.flash.Size()))
}

func size(n uint32) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

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
	if err := r.sameSerial(ctx); err != nil {
		return err
	}
	if err := r.openKeys(ctx); err != nil {
		return asFault(step, err, fault.KeySafety)
	}
	v := efuse.Classify(r.words, efuse.Expectation{Known: r.unit != nil, Goal: r.goal, Proven: r.proven})
	if err := r.emit(ctx, Event{Kind: UnitClassified, Step: step, Class: v.Class.String(), Text: v.Reason}); err != nil {
		return err
	}
	if r.unit != nil && !r.cfg.DryRun {
		// Reserving what is reserved ties this run to the unit's history.
		if _, err := r.cfg.Records.Reserve(ctx, r.cfg.RunID, *r.unit, r.cfg.Now()); err != nil {
			return asFault(step, err, fault.Database)
		}
		if err := r.settleBurns(ctx); err != nil {
			return asFault(step, err, fault.Database)
		}
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

// recall looks the MAC up: what the records know of this unit.
func (r *runner) recall(ctx context.Context) error {
	if r.cfg.Records == nil {
		return nil
	}
	if p, err := r.cfg.Records.ParkingOf(ctx, r.mac); err == nil {
		return fault.New(fault.Code(p.Code), "classify",
			fmt.Errorf("parked since %s UTC: %s (provision release %s when a person has decided)", p.At.UTC().Format(time.DateTime), p.Reason, r.mac))
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
	if r.cfg.Serial != "" && r.cfg.Serial != r.unit.Serial {
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
	err := r.emit(ctx, Event{Kind: UnitClassified, Step: step, Class: efuse.OursComplete.String(),
		Text: fmt.Sprintf("Already complete as %s since %s.", r.unit.Serial, r.unit.CompletedAt.Format(time.DateOnly))})
	return errors.Join(err, errComplete)
}

// sameSerial settles the serial number: the one the unit has, the one given, or
// the next one of the profile's source.
func (r *runner) sameSerial(ctx context.Context) error {
	const step = "serial"
	given := r.cfg.Serial
	switch {
	case r.unit != nil && given != "" && given != r.unit.Serial:
		return fault.New(fault.MACKnown, step, fmt.Errorf("this unit was begun as %s; %s was not used", r.unit.Serial, given))
	case r.unit != nil:
		return nil
	case given == "":
		var err error
		if given, err = r.nextSerial(ctx); err != nil {
			return err
		}
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
