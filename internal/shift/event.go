package shift

import (
	"time"

	"provision/internal/floor"
	"provision/internal/flow"
)

// Event is one thing that happened at the station: an event of a run or of a slot,
// as the floor tells it, or one of the kinds below. Fields that do not apply are
// left out of the JSON.
type Event struct {
	floor.Event

	// State is the new state of the slot, on every event that changes it.
	State State `json:"state,omitempty"`

	Shift  *ShiftFacts  `json:"shift,omitempty"`  // shift.started
	Job    *JobFacts    `json:"job,omitempty"`    // job.set, station.armed, station.disarmed
	Person *PersonFacts `json:"person,omitempty"` // person.*
	Scan   *ScanFacts   `json:"scan,omitempty"`   // scan.read
	Choice *Choice      `json:"choice,omitempty"` // choice.asked
	Label  *LabelFacts  `json:"label,omitempty"`  // label.*
	Counts *Counts      `json:"counts,omitempty"` // counts
	Check  *CheckFacts  `json:"check,omitempty"`  // check.line
	Page   *Page        `json:"page,omitempty"`   // page.shown

	Machine *MachineFacts `json:"machine,omitempty"` // machine.state
}

// Kinds of events of the station. Those of runs and slots are flow's and floor's.
const (
	ShiftStarted  = "shift.started"
	ShiftEnded    = "shift.ended" // the screen may close: nobody is at work any more
	JobSet        = "job.set"     // another job, or another count of it
	Armed         = "station.armed"
	Disarmed      = "station.disarmed"
	StationLocked = "station.locked"   // Code, Text, Do: the whole station waits for a lead
	StationFree   = "station.unlocked" // work goes on
	Trouble       = "station.trouble"  // Code, Text, Do: something is wrong that stops nobody
	SlotAsks      = "slot.asks"        // for a serial number
	SlotStopped   = "slot.stopped"     // Code, Text, Do: out of use until a lead unlocks it
	SlotOff       = "slot.off"         // left out by a lead
	SlotOn        = "slot.on"
	UnitParked    = "unit.parked"   // after its run: too many attempts, or by hand
	UnitReleased  = "unit.released" // by a lead: it may be put in again
	ScanRead      = "scan.read"     // something was scanned, and what it meant
	PersonIn      = "person.in"
	PersonOut     = "person.out"
	PINAsked      = "pin.asked"   // Person: whose
	PINRefused    = "pin.refused" // Text
	PINClosed     = "pin.closed"  // right, or given up: nothing is asked any more
	ChoiceAsked   = "choice.asked"
	ChoiceClosed  = "choice.closed" // made, given up, or out of time
	LabelDue      = "label.due"     // the unit passed; its label is to be printed
	LabelPrinted  = "label.printed" // now scan it
	LabelFailed   = "label.failed"  // Code, Text, Do: the PASS stands
	LabelClosed   = "label.closed"  // it was scanned and is the right one
	LabelWrong    = "label.wrong"   // Code, Text, Do
	CountsMade    = "counts"
	CheckLine     = "check.line" // one line of the self-test; Code, Text, Do: what is wrong
	CheckEnded    = "check.ended"
	MachineState  = "machine.state" // the scanner, the printer or the disk is otherwise than before
	PageShown     = "page.shown"    // an answer: a record, a history, a detail page
)

// Mode says what is at stake.
type Mode string

// The modes. Only Live touches real units and real records.
const (
	Live     Mode = "live"
	DemoMode Mode = "demo"     // virtual units, put in and taken out by themselves
	Training Mode = "training" // virtual units with injected faults
)

// ShiftFacts says what the station is. They do not change while it works.
type ShiftFacts struct {
	Station  string    `json:"station"`
	Site     string    `json:"site,omitempty"`
	Line     string    `json:"line,omitempty"`
	Mode     Mode      `json:"mode"`
	Slots    []int     `json:"slots"`             // numbers, ascending
	Began    time.Time `json:"began"`             // of the shift
	Scanner  string    `json:"scanner"`           // where scans come from: "keyboard" or a device
	Printer  string    `json:"printer,omitempty"` // where labels go; empty: none are printed
	Target   int       `json:"target,omitempty"`  // units an hour that are needed; 0: not said
	Version  string    `json:"version"`
	Open     int       `json:"open_units"`      // begun and not finished, at the start
	Hands    bool      `json:"hands,omitempty"` // units can be put in and taken out by intent
	SerialBy string    `json:"serial_by"`       // "scan": a label is scanned for each unit; else the station counts
}

// JobFacts is what the station makes.
type JobFacts struct {
	ID         string   `json:"id"`
	Revision   string   `json:"revision,omitempty"`
	Product    string   `json:"product"`             // project and version of the app
	Quota      int      `json:"quota,omitempty"`     // units to make; 0: no end
	Made       int      `json:"made"`                // of them
	SerialLeft int      `json:"serial_left"`         // serial numbers that are left; -1: labels bring them
	Permanent  []string `json:"permanent,omitempty"` // what it does for ever, a sentence each
	Armed      bool     `json:"armed"`
}

// PersonFacts is who is signed in.
type PersonFacts struct {
	Name  string    `json:"name"`
	Role  string    `json:"role"`           // "operator", "lead", "engineer"
	Until time.Time `json:"until,omitzero"` // signed out by itself at this time
}

// ScanFacts is what was read and what it meant.
type ScanFacts struct {
	Text    string `json:"text"`    // as read; a badge is shown as its person's name
	Meaning string `json:"meaning"` // "badge", "job", "serial", "slot", "command", "label", "lookup", "unknown"
	OK      bool   `json:"ok"`      // false: Code, Text and Do of the event say why
}

// Choice is a question with a closed list of answers: the reason of a lead's act, or
// yes to another job. It is answered with Intent{Kind: Choose, Text: key}.
type Choice struct {
	Action  string    `json:"action"`            // the intent it is about: "unlock", "job", ...
	Subject string    `json:"subject,omitempty"` // a slot, serial number or job
	Facts   []Fact    `json:"facts,omitempty"`   // what to look at before answering
	Keys    []string  `json:"keys"`              // answers, words of the catalogue: "reason.fixture_cleaned"
	Until   time.Time `json:"until,omitzero"`    // given up by itself at this time
}

// LabelFacts is a label on its way from the printer to the unit.
type LabelFacts struct {
	Serial string `json:"serial"`
	Copy   int    `json:"copy,omitempty"` // 1: the first; more: reprints, and what was printed after a failure
	Read   string `json:"read,omitempty"` // what was scanned instead
	Due    int    `json:"due"`            // labels that are not closed yet, with this one
}

// Counts are the counters of the shift. Units are counted by MAC, attempts by run.
type Counts struct {
	Since    time.Time    `json:"since"`
	In       int          `json:"in"`         // units that were worked on
	First    int          `json:"first_pass"` // passed in their first run
	Retested int          `json:"retested"`   // passed in a later one
	Failed   int          `json:"failed"`     // units whose last verdict is FAIL
	Parked   int          `json:"parked"`     // units whose last verdict is PARK
	Errors   int          `json:"errors"`     // runs that ended in ERROR: the station's, not the units'
	PerHour  float64      `json:"per_hour"`   // PASS, over the last hour or since the shift began
	FPY      float64      `json:"fpy"`        // First / In, 0 to 1; 0 without units
	Slots    []SlotCounts `json:"slots,omitempty"`
}

// SlotCounts are those of one slot.
type SlotCounts struct {
	Slot    int    `json:"slot"`
	Runs    int    `json:"runs"`
	Passed  int    `json:"passed"`
	Failed  int    `json:"failed"`            // FAIL, PARK and ERROR
	Trend   string `json:"trend"`             // the last runs, oldest first, at most 20: P F E K (parked) D (done)
	Suspect bool   `json:"suspect,omitempty"` // fails more than its neighbours: try its units elsewhere
}

// CheckFacts is one line of the self-test.
type CheckFacts struct {
	Name  string `json:"name"`  // key of the catalogue: "check.database"
	State string `json:"state"` // "ok", "warn", "bad"
	Text  string `json:"text"`  // a figure, "3 ms", "120 GB"; or what is wrong

	// Slots are those whose port does not open.
	Slots []int `json:"slots,omitempty"`

	// Units are those that the line is about, each with its one next action.
	Units []flow.Outlook `json:"units,omitempty"`
}

// Machines that a station needs beside its slots.
const (
	ScannerMachine = "scanner"
	PrinterMachine = "printer"
	DiskMachine    = "disk"
)

// MachineFacts says how a machine is.
type MachineFacts struct {
	Name string `json:"name"`           // "scanner", "printer", "disk"
	OK   bool   `json:"ok"`             // false: somebody has to see to it
	Text string `json:"text,omitempty"` // a figure: "120 GB"
}

// Page is an answer to show: what a screen has no state of its own for.
type Page struct {
	Kind   string  `json:"kind"`            // "record", "history", "details", "fault", "none"
	Title  string  `json:"title,omitempty"` // a serial number, a MAC, a code, or what was asked for
	Facts  []Fact  `json:"facts,omitempty"`
	Tables []Table `json:"tables,omitempty"`
}

// Fact is one line: a word of the catalogue and its value, which is not translated.
type Fact struct {
	Key  string `json:"key"` // "record.serial"
	Text string `json:"text"`
}

// Table is a list with columns. Heads are words of the catalogue.
type Table struct {
	Title string     `json:"title,omitempty"` // a word of the catalogue
	Heads []string   `json:"heads,omitempty"`
	Rows  [][]string `json:"rows"`
}
