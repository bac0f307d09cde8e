package station

import (
	"fmt"
	"strings"
)

// work explains what holds at the station screen.
func (e *explanation) work(p *Profile) {
	e.job(p.Job)
	e.people(p.People)
	e.scanner(p.Scanner)
	e.label(p.Label)
	e.stops(p.Screen)
}

func (e *explanation) job(j Job) {
	name := "job " + j.ID
	if j.Revision != "" {
		name += ", revision " + j.Revision
	}
	e.note("job.id", "The station screen works on %s.", name)
	if j.Quota > 0 {
		e.note("job.quota", "The station screen stops when %s of this job %s made.", plural(j.Quota, "unit"), isOrAre(j.Quota))
	} else {
		e.note("job.quota", "No quota: the station screen makes units of this job until somebody stops it.")
	}
	if j.Order != "" {
		e.note("job.order", "The station screen accepts only the serial numbers in %s.", j.Order)
	}
}

func (e *explanation) people(p People) {
	if p.SignIn == SignInBadge {
		e.note("people.sign_in", "An operator has to sign in with a badge before the station screen starts a unit.")
	} else {
		e.note("people.sign_in", "No operator has to sign in: units are recorded under the name of the system's user.")
	}
	if p.Everybody() {
		e.note("people", "Everybody who is in the records may sign in here.")
		return
	}
	var lists []string
	for _, list := range []struct {
		names []string
		role  string
	}{{p.Operators, "operator"}, {p.Leads, "lead"}, {p.Engineers, "engineer"}} {
		if n := len(list.names); n > 0 {
			lists = append(lists, fmt.Sprintf("%s: %s", pluralWord(n, list.role), strings.Join(list.names, ", ")))
		}
	}
	e.note("people", "Only these may sign in here. %s.", upperFirst(strings.Join(lists, "; ")))
}

func (e *explanation) scanner(s Scanner) {
	prefix := ""
	switch s.Prefix {
	case "":
	case stx:
		prefix = ", each with STX in front"
	default:
		prefix = fmt.Sprintf(", each with %q in front", s.Prefix)
	}
	if s.Device == "" {
		e.note("scanner.device", "Scans come from a scanner that types like a keyboard%s.", prefix)
	} else {
		e.note("scanner.device", "Scans come from the scanner on %s%s.", s.Device, prefix)
	}
}

func (e *explanation) label(l Label) {
	switch {
	case l.Printer == "":
		e.note("label.printer", "No labels are printed.")
		return
	case l.Print == PrintAsk:
		e.note("label.printer", "After a PASS the station screen asks, and then prints the unit's label on %s.", l.Printer)
	default:
		e.note("label.printer", "After a PASS the unit's label is printed on %s.", l.Printer)
	}
	if l.ScanBack {
		e.note("label.scan_back", "A unit is closed by scanning its fresh label.")
	} else {
		e.note("label.scan_back", "Labels are not scanned: nobody notices one that is on the wrong unit.")
	}
}

func (e *explanation) stops(s Screen) {
	if s.StopAfterSlot > 0 {
		e.note("screen.stop_after_slot", "A slot stops after %s until a lead unlocks it.", inARow(s.StopAfterSlot))
	} else {
		e.note("screen.stop_after_slot", "No slot stops by itself, however many units fail in it.")
	}
	if s.StopAfterStation > 0 {
		e.note("screen.stop_after_station", "The whole station stops after %s until a lead unlocks it.", inARow(s.StopAfterStation))
	} else {
		e.note("screen.stop_after_station", "The station does not stop by itself, however many units fail.")
	}
	e.note("screen.attempts", "A unit that has not passed after %s is set aside for a lead.", plural(s.Attempts, "attempt"))
}

func inARow(n int) string {
	if n == 1 {
		return "every failure"
	}
	return fmt.Sprintf("%d failures in a row", n)
}

// plural is a number and what is counted.
func plural(n int, what string) string { return fmt.Sprintf("%d %s", n, pluralWord(n, what)) }

func pluralWord(n int, what string) string {
	if n == 1 {
		return what
	}
	return what + "s"
}

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
