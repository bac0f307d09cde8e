package station

import "time"

// What is here is about people at work: it decides nothing about what is burnt. A
// run that somebody starts by command does not ask for it.

// Job says what is made, as the traveller names it.
type Job struct {
	ID       string // printable ASCII, at most maxJobID characters; never empty
	Revision string // may be empty
	Quota    int    // units to make; 0: no end
	Order    string // file, one serial number a line: only those are accepted; may be empty
}

// SignIn says whether an operator has to be known before units are started.
type SignIn string

const (
	SignInNone  SignIn = "none"  // the operator is the system's user
	SignInBadge SignIn = "badge" // an operator signs in with a badge first
)

// People lists who may sign in at this station, by the names they sign in with. A
// name is in one list at most.
type People struct {
	Operators, Leads, Engineers []string
	SignIn                      SignIn
}

// Everybody reports whether nobody is listed: then everybody in the records may
// sign in.
func (p People) Everybody() bool {
	return len(p.Operators)+len(p.Leads)+len(p.Engineers) == 0
}

// What codes look like unless the profile says otherwise. The group is what the
// code is about: a badge, a job, a slot's number, a command.
const (
	DefaultBadge   = `^BADGE-(.+)$`
	DefaultJob     = `^JOB-(.+)$`
	DefaultSlot    = `^SLOT-([0-9]{1,2})$`
	DefaultCommand = `^CMD-([A-Z]+)$`
)

// Scanner says where scans come from and what they mean. The patterns are regular
// expressions (RE2) with exactly one group; they compile.
type Scanner struct {
	Device                    string // path or name of a serial port; empty: the keyboard
	Prefix                    string // one character before every code; empty: none
	Badge, Job, Slot, Command string
}

// Print says when a label is printed.
type Print string

const (
	PrintAuto Print = "auto" // as soon as the PASS is in the records
	PrintAsk  Print = "ask"  // once a person has said so
)

// Label says where labels go, and what becomes of them.
type Label struct {
	Printer  string // tcp://HOST[:PORT], or the path or name of a device; empty: no labels
	Template string // file; empty: the one that is built in
	ScanBack bool   // a unit is closed by scanning its fresh label
	Print    Print
}

// Screen says how the station's screen behaves, and when work stops.
type Screen struct {
	Language         string        // "en", "de" or "zh"
	StopAfterSlot    int           // failures in a row that stop a slot; 0: none do
	StopAfterStation int           // failures in a row that stop the station; 0: none do
	Attempts         int           // of a unit before it is parked; at least 1
	Target           int           // units an hour that are needed; 0: not said
	LeadTime         time.Duration // how long a lead stays signed in
	Mono             bool          // no colours
}
