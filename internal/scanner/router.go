package scanner

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrRule is what can be wrong with Rules.
var ErrRule = errors.New("scan pattern cannot be used")

// Patterns of a station that does not say otherwise.
const (
	DefaultBadge   = `^BADGE-(.+)$`
	DefaultJob     = `^JOB-(.+)$`
	DefaultSlot    = `^SLOT-([0-9]{1,2})$`
	DefaultCommand = `^CMD-([A-Z]+)$`
)

// Kind is what a scan means.
type Kind string

// The kinds, in the order in which they are tried.
const (
	Badge   Kind = "badge"
	Job     Kind = "job" // a job traveller
	Slot    Kind = "slot"
	Act     Kind = "command" // from the printed sheet of commands
	Serial  Kind = "serial"
	Unknown Kind = "unknown"
)

// Command is what a command barcode asks for.
type Command string

// The commands. The set is closed: another word is Unknown.
const (
	Start      Command = "START"
	Next       Command = "NEXT"
	Reprint    Command = "REPRINT"
	Quarantine Command = "QUARANTINE"
	Help       Command = "HELP"
	Logout     Command = "LOGOUT"
	Lookup     Command = "LOOKUP"
)

// Commands returns all commands, as a printed sheet lists them.
func Commands() []Command {
	return []Command{Start, Next, Reprint, Quarantine, Help, Logout, Lookup}
}

// Rules say what a scan can mean at a station. A pattern must fit the whole text,
// anchored or not, and has exactly one group, which yields the value; without a
// pattern nothing is of that kind.
type Rules struct {
	Badge, Job, Slot, Command *regexp.Regexp

	// Serial reports why a text cannot be a serial number of the product, nil when
	// it can. nil: no serial numbers are scanned here.
	Serial func(string) error
}

// Read is a scan and what it means.
type Read struct {
	Kind    Kind
	Text    string  // the whole text, without spaces round it
	Value   string  // what the group yields; the text, of Serial and Unknown
	Slot    int     // of Slot: 1 and up
	Command Command // of Act
}

// Router finds out what a scan means.
type Router struct {
	patterns []pattern
	serial   func(string) error
}

type pattern struct {
	kind  Kind
	whole *regexp.Regexp
}

// NewRouter makes a Router of rules. A pattern that has not exactly one group is
// ErrRule.
func NewRouter(rules Rules) (*Router, error) {
	r := &Router{serial: rules.Serial}
	for _, p := range []struct {
		kind Kind
		re   *regexp.Regexp
	}{{Badge, rules.Badge}, {Job, rules.Job}, {Slot, rules.Slot}, {Act, rules.Command}} {
		if p.re == nil {
			continue
		}
		if n := p.re.NumSubexp(); n != 1 {
			return nil, fmt.Errorf("%w: %s pattern %s has %d groups, not one", ErrRule, p.kind, p.re, n)
		}
		whole, err := regexp.Compile(`\A(?:` + p.re.String() + `)\z`)
		if err != nil {
			return nil, fmt.Errorf("%w: %s pattern %s: %w", ErrRule, p.kind, p.re, err)
		}
		r.patterns = append(r.patterns, pattern{p.kind, whole})
	}
	return r, nil
}

func (r *Router) isSerial(text string) bool { return r.serial != nil && r.serial(text) == nil }

// Route finds out what a text means. The first pattern that fits decides: a
// command or slot that does not exist is Unknown, not perhaps a serial number.
func (r *Router) Route(text string) Read {
	text = strings.TrimSpace(text)
	read := Read{Kind: Unknown, Text: text, Value: text}
	if text == "" {
		return read
	}
	for _, p := range r.patterns {
		if m := p.whole.FindStringSubmatch(text); m != nil {
			return p.read(read, m[1])
		}
	}
	if r.isSerial(text) {
		read.Kind = Serial
	}
	return read
}

// read fills in what a pattern found, or leaves the read Unknown.
func (p pattern) read(read Read, value string) Read {
	known := read
	known.Kind, known.Value = p.kind, strings.TrimSpace(value)
	ok := known.Value != ""
	switch p.kind {
	case Slot:
		var err error
		known.Slot, err = strconv.Atoi(known.Value)
		ok = err == nil && known.Slot > 0
	case Act:
		known.Command = Command(known.Value)
		ok = slices.Contains(Commands(), known.Command)
	}
	if !ok {
		return read
	}
	return known
}
