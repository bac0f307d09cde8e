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
		{Name: "identify", Twice: true, Check: always, Do: r.identify, Fault: fault.LinkLost, Cost: time.Second},
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
	if errors.Is(err, esptool.ErrDownloadDisabled) {
		err = r.closedUnit(ctx, err)
	}
	for _, text := range warnings {
		err = errors.Join(err, r.warn(ctx, "connect", text))
	}
	return err
}

// closedUnit says what is known of a unit that can no longer tell its MAC, from the
// serial number given with it. A unit whose last intent was to close download mode
// is set aside, unless it was seen to be open after that: only a person can look at it.
// One that is set aside already stays so for the reason it was.
func (r *runner) closedUnit(ctx context.Context, because error) error {
	if r.cfg.Serial == "" || r.cfg.Records == nil {
		return because
	}
	unit, err := r.cfg.Records.UnitBySerial(ctx, r.cfg.Serial)
	if err != nil {
		return because
	}
	if unit.State == records.StateComplete {
		return fmt.Errorf("%s was completed on %s, and may be this unit: %w", unit.Serial, unit.CompletedAt.Format(time.DateOnly), because)
	}
	burns, err := r.cfg.Records.Burns(ctx, unit.ID)
	if err != nil || atDoor(burns) != nil {
		return because
	}
	r.mac, r.serial = unit.MAC, unit.Serial
	if unit.State == records.StateParked {
		return fmt.Errorf("%s is set aside (%s: %s); this may be it: %w", unit.Serial, unit.ParkCode, unit.ParkReason, because)
	}
	return fmt.Errorf("%s was to be closed and was cut before that was recorded; this may be it: %w", unit.Serial, because)
}

// identify reads what the chip says about itself. Whether it is a part for this
// job is asked later: a finished unit is greeted on any station.
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
	found := fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])
	if r.cfg.MAC != "" && found != r.cfg.MAC {
		return fault.New(fault.UnitChanged, "identify", fmt.Errorf("%s was seen here, and now it is %s", r.cfg.MAC, found))
	}
	r.mac = found
	if r.timing, err = efuse.TimingFor(chip.CrystalMHz); err != nil {
		return fmt.Errorf("%w: %w", errCrystal, err)
	}
	if err := r.attach(ctx); err != nil {
		return err
	}
	return r.emit(ctx, Event{Kind: UnitIdentified, Step: "identify", Chip: r.chipFacts(), Text: r.describe()})
}

// fits holds the part against the job.
func (r *runner) fits(ctx context.Context) error {
	err := r.suitable()
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

// suitable is fits, asked once.
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
