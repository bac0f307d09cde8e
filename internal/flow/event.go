package flow

import (
	"time"

	"provision/internal/fault"
)

// Kinds of events. Published: names and meaning do not change.
const (
	RunStarted     = "run.started"
	UnitIdentified = "unit.identified"
	UnitClassified = "unit.classified"
	PlanMade       = "plan.made"
	SerialReserved = "serial.reserved"
	KeysSealed     = "keys.sealed"
	KeysDestroyed  = "keys.destroyed"
	StepStarted    = "step.started"
	StepProgress   = "step.progress"
	StepPassed     = "step.passed"
	StepSkipped    = "step.skipped" // found done: nothing was changed
	RegionVerified = "region.verified"
	BurnIntended   = "burn.intended"
	BurnObserved   = "burn.observed"
	BootLine       = "boot.line"
	BootSeen       = "boot.seen"
	Warning        = "warning"
	RunFailed      = "run.failed"
	RunFinished    = "run.finished"
)

// Event is one thing that happened in a run. Records, --json and the screen
// consume the same values. Fields that do not apply are left out of the JSON;
// an event never holds a key or anything derived from one but a fingerprint.
type Event struct {
	// Seq is 1, 2, 3 ... within Run, no gaps. Events that are only shown, not kept
	// (step.progress, boot.line), have none.
	Seq  int        `json:"seq,omitempty"`
	Time time.Time  `json:"time"`
	Run  string     `json:"run"`
	Slot int        `json:"slot"`
	Kind string     `json:"kind"`
	Step string     `json:"step,omitempty"`
	Code fault.Code `json:"code,omitempty"`

	MAC    string `json:"mac,omitempty"`
	Serial string `json:"serial,omitempty"`
	Text   string `json:"text,omitempty"` // one sentence for a person

	Chip    *ChipFacts    `json:"chip,omitempty"`    // unit.identified
	Class   string        `json:"class,omitempty"`   // unit.classified
	Plan    *Plan         `json:"plan,omitempty"`    // plan.made
	Burn    *BurnFacts    `json:"burn,omitempty"`    // burn.*
	Region  *RegionFacts  `json:"region,omitempty"`  // region.verified
	Keys    []KeyFacts    `json:"keys,omitempty"`    // keys.*
	Work    *Progress     `json:"work,omitempty"`    // step.*: how far the step and the run are
	Station *StationFacts `json:"station,omitempty"` // run.started

	Lines []string `json:"lines,omitempty"` // boot.seen: the boot log

	Verdict string `json:"verdict,omitempty"` // run.finished: PASS FAIL ERROR PARK DONE, or PLAN for a dry run
	Exit    *int   `json:"exit,omitempty"`    // run.finished: the exit code that goes with it
	Do      string `json:"do,omitempty"`      // run.failed, run.finished: the one action
}

// Permanent reports whether the unit must not be touched from this event until
// burn.observed, or the end of its run: a fuse is about to be burnt, or the unit to
// encrypt itself.
func (e Event) Permanent() bool { return e.Kind == BurnIntended }

// StationFacts says who works on the unit.
type StationFacts struct {
	Name    string `json:"name"`
	Profile string `json:"profile"` // SHA-256 of the profile file
	Version string `json:"version"`
	Port    string `json:"port,omitempty"` // of the run
	Dry     bool   `json:"dry_run,omitempty"`

	Health *HealthFacts `json:"health,omitempty"`
}

// ChipFacts is what the chip says of itself.
type ChipFacts struct {
	Package      string `json:"package"`
	Revision     string `json:"revision"` // "v3.0"
	CodingScheme string `json:"coding_scheme"`
	CrystalMHz   int    `json:"crystal_mhz"`
	FlashID      string `json:"flash_id"` // JEDEC id, hex
	FlashSize    uint32 `json:"flash_size"`
}

// BurnFacts is one eFuse burn. Key bits are never shown: a key block has its
// fingerprint instead.
type BurnFacts struct {
	Block       int      `json:"block"`
	Fields      []string `json:"fields"`
	Bits        []string `json:"bits,omitempty"`        // words to burn, hex, word 0 first; absent for key blocks
	Observed    []string `json:"observed,omitempty"`    // words read back; absent for key blocks
	Fingerprint string   `json:"fingerprint,omitempty"` // of the key, for key blocks
	Meaning     string   `json:"meaning,omitempty"`
}

// RegionFacts is one place in flash. Digests are of what lies in flash:
// ciphertext where the region is encrypted.
type RegionFacts struct {
	Name      string `json:"name"`
	Offset    uint32 `json:"offset"`
	Length    int    `json:"length"`
	Encrypted bool   `json:"encrypted"`
	MD5       string `json:"md5"`
}

// KeyFacts names a key without telling it.
type KeyFacts struct {
	Purpose     string `json:"purpose"`
	Block       int    `json:"block"`
	Fingerprint string `json:"fingerprint"`
}

// Progress is how far a run is, in estimated time.
type Progress struct {
	Done      int     `json:"done"`  // of this step: bytes
	Total     int     `json:"total"` // of this step
	Percent   float64 `json:"percent"`
	Remaining float64 `json:"remaining_s"` // estimated seconds to the end of the run
}
