package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"provision/internal/efuse"
	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/job"
	"provision/internal/keys"
	"provision/internal/records"
)

// Config is everything a run needs from outside.
type Config struct {
	Job      *job.Job
	Records  Records       // nil only in a dry run without a database
	Identity keys.Identity // seals the unit's keys while it is unfinished

	Open     func(context.Context) (esptool.Port, error)
	Reset    esptool.ResetMode
	PortName string
	Slot     int

	MAC      string // of the unit that was seen in the slot; another is E109. Empty: whichever is there
	Serial   string // as given; empty: the profile's source, or the unit's own when it is known
	Operator string
	DryRun   bool // read and plan, write nothing anywhere
	Attempts int  // so many runs that failed, since the unit was last released or passed, set it aside; 0: never

	RunID   string // unique for ever
	Version string // of this program
	Now     func() time.Time
	Rand    io.Reader
	Sink    func(Event) // sees every event after the records have it
}

// Result is how a run ended.
type Result struct {
	Verdict string // PASS FAIL ERROR PARK DONE, or PLAN for a dry run
	Exit    int
	Code    fault.Code
	MAC     string
	Serial  string
	Text    string
	Do      string
	Err     error // the fault, for engineers; nil on PASS, DONE and PLAN
	Boot    []string
}

// runner is one run over one unit.
type runner struct {
	cfg Config

	seq      int
	recorded bool    // the run has a row in the records, so events are kept
	pending  []Event // what the next act, or flush, takes onto record
	progress *meter

	port   esptool.Port
	dev    *esptool.Device
	chip   esptool.Chip
	flash  esptool.FlashID
	timing efuse.Timing
	words  efuse.Words // as last read
	weak   efuse.Words // bits that a cut burn left half done: not burnt, whatever is read
	asked  int         // commands that had been sent by then

	mac     string
	serial  string
	unit    *records.Unit // nil: the MAC is not in the records
	goal    efuse.Goal
	proven  efuse.Proven
	holds   bool      // this run has reserved the unit
	keys    *unitKeys // nil until opened or made
	regions []region  // what goes into flash, by offset
	boot    []string
	passed  bool // PASS is in the records
}

// Results of a run that end it early without a fault.
var (
	errComplete = errors.New("already complete")
	errPlanned  = errors.New("planned only")
)

// Run takes the unit at the port from first contact to verdict. Cancelling ctx
// ends it between two steps or inside one that can be repeated; a burn is
// finished and read back first. The unit can always be taken up again.
func Run(ctx context.Context, cfg Config) Result {
	r := &runner{cfg: cfg, progress: newMeter(nil)}
	defer r.close()
	err := r.work(ctx)
	return r.finish(ctx, r.whose(ctx, err))
}

func (r *runner) close() {
	r.wipe()
	if r.port != nil {
		// The verdict stands; a port that does not close changes nothing on the unit.
		_ = r.port.Close()
	}
}

// work is the whole story.
func (r *runner) work(ctx context.Context) error {
	if err := r.start(ctx); err != nil {
		return err
	}
	for _, s := range r.contact() {
		if err := r.step(ctx, s); err != nil {
			return err
		}
	}
	if err := r.decide(ctx); err != nil {
		return err
	}
	if err := r.plan(ctx); err != nil {
		return err
	}
	if r.cfg.DryRun {
		return errPlanned
	}
	steps := r.steps()
	r.progress = newMeter(steps)
	for _, s := range steps {
		if err := r.step(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// start checks what can be checked without a unit, and opens the run's record.
func (r *runner) start(ctx context.Context) error {
	const step = "start"
	p := r.cfg.Job.Profile
	if r.cfg.Serial != "" {
		if err := p.CheckSerial(r.cfg.Serial); err != nil {
			return asFault(step, err, fault.SerialForm)
		}
	}
	health, err := CheckStation(ctx, r.cfg)
	if err != nil {
		return err
	}
	if !r.cfg.DryRun {
		err = r.cfg.Records.StartRun(ctx, records.Run{
			ID: r.cfg.RunID, StartedAt: r.cfg.Now(), Station: p.Station.Name, Slot: r.cfg.Slot, Port: r.cfg.PortName,
			ProfileName: p.Path, ProfileSHA256: r.cfg.Job.ProfileSHA256(), Version: r.cfg.Version, Operator: r.cfg.Operator,
		})
		if err != nil {
			return asFault(step, err, fault.Database)
		}
		r.recorded = true
		if err := r.saveFirmware(ctx); err != nil {
			return asFault(step, err, fault.Database)
		}
	}
	r.note(Event{Kind: RunStarted, Station: &StationFacts{
		Name: p.Station.Name, Profile: r.cfg.Job.ProfileSHA256(), Version: r.cfg.Version, Port: r.cfg.PortName, Dry: r.cfg.DryRun, Health: &health,
	}})
	for _, text := range r.cfg.Job.Warnings {
		r.note(Event{Kind: Warning, Step: step, Text: text})
	}
	return r.flush(ctx)
}

// saveFirmware records the job's files, and what they are, for the questions of later.
func (r *runner) saveFirmware(ctx context.Context) error {
	facts := make([]records.Facts, len(r.cfg.Job.Facts))
	for i, f := range r.cfg.Job.Facts {
		text, err := json.Marshal(f.Facts)
		if err != nil {
			return fmt.Errorf("facts of %s: %w", f.SHA256, err)
		}
		facts[i] = records.Facts{SHA256: f.SHA256, Offset: int64(f.Offset), Facts: text}
	}
	if err := r.cfg.Records.SaveFirmware(ctx, firmwareRows(r.cfg.Job)); err != nil {
		return err
	}
	return r.cfg.Records.SaveFacts(ctx, facts)
}

func firmwareRows(j *job.Job) []records.Firmware {
	rows := make([]records.Firmware, 0, len(j.Firmware))
	for _, f := range j.Firmware {
		rows = append(rows, records.Firmware{
			SHA256: f.SHA256, Role: f.Role, Project: f.Project, Version: f.Version, IDF: f.IDF, Size: int64(f.Size),
		})
	}
	return rows
}
