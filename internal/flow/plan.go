package flow

import (
	"context"
	"fmt"

	"provision/internal/efuse"
	"provision/internal/fault"
)

// Plan is what a run is about to do to the unit: every region, every burn.
type Plan struct {
	Regions []PlannedRegion `json:"regions"`
	Burns   []PlannedBurn   `json:"burns"`
	Boot    string          `json:"boot,omitempty"` // the line it is started for
	Custody string          `json:"custody"`
	Steps   int             `json:"steps,omitempty"` // of the run from here on, found done or not
}

// PlannedRegion is a region to be written where it is not there already.
type PlannedRegion struct {
	Name      string `json:"name"`
	Offset    uint32 `json:"offset"`
	Length    int    `json:"length"`
	Encrypted bool   `json:"encrypted"`
}

// PlannedBurn is one burn, in the order of the plan.
type PlannedBurn struct {
	Name    string   `json:"name"`
	Block   int      `json:"block"`
	ByUnit  bool     `json:"by_unit,omitempty"` // by the unit's own firmware, when it has encrypted the flash
	Bits    []string `json:"bits,omitempty"`    // words to burn, hex; absent for keys
	Meaning string   `json:"meaning"`
}

// plan checks the whole plan against the chip and shows it. A plan that cannot be
// carried out to its end ends the run here, before anything is written.
func (r *runner) plan(ctx context.Context) error {
	const step = "plan"
	burns, err := efuse.Preview(r.words, r.goal, r.proven)
	if err != nil {
		return asFault(step, err, fault.CannotBurn)
	}
	p := &Plan{Custody: string(r.cfg.Job.Profile.Keys.Custody), Steps: len(r.steps())}
	if check := r.cfg.Job.Profile.BootCheck; check != nil {
		p.Boot = check.Expect.String()
		if !r.dev.CanReset() {
			return fault.New(fault.Unsupported, step, fmt.Errorf(
				"the profile has a boot check, and %s has no reset lines to start the unit with: leave [boot_check] out or use a port with reset lines", r.cfg.PortName))
		}
	}
	if r.goal.ByUnit && !r.dev.CanReset() {
		return fault.New(fault.Unsupported, step, fmt.Errorf(
			"the profile has the unit encrypt itself, and %s has no reset lines to start the unit with: write mode = \"host\" in [flash_encryption] or use a port with reset lines", r.cfg.PortName))
	}
	bytes := 0
	for _, g := range r.regions {
		p.Regions = append(p.Regions, PlannedRegion{Name: g.Name, Offset: g.Offset, Length: len(g.Data), Encrypted: g.Encrypt})
		bytes += len(g.Data)
	}
	for _, b := range burns {
		pb := PlannedBurn{Name: b.Name(), Block: b.Block(), ByUnit: b.ByUnit(), Meaning: b.Permanent()}
		if bits, shown := b.Bits(); shown {
			pb.Bits = hexWords(bits, b.Block())
		}
		p.Burns = append(p.Burns, pb)
	}
	left := fmt.Sprintf("%d burns", len(p.Burns))
	if len(p.Burns) == 1 {
		left = "one burn"
	}
	return r.emit(ctx, Event{Kind: PlanMade, Step: step, Plan: p,
		Text: fmt.Sprintf("%d regions (%d KiB) to prove or write, %s left", len(p.Regions), bytes>>10, left)})
}
