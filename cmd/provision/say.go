package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/station"
)

// report writes what went wrong: each thing in one sentence, then what to do.
func report(w io.Writer, err error) {
	var problems job.Problems
	var invalid station.Invalid
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			fmt.Fprintf(w, "provision: %s: %v\n", p.Code, p)
			say(w, p.Action())
		}
	case errors.As(err, &invalid):
		for _, p := range invalid {
			fmt.Fprintf(w, "provision: %s: %v\n", fault.CodeOf(err), p)
		}
		say(w, whatToDo(err))
	default:
		reportCause(w, err)
		say(w, whatToDo(err))
	}
}

// reportCause writes what went wrong without what to do.
func reportCause(w io.Writer, err error) { fmt.Fprintf(w, "provision: %s\n", sentence(err)) }

func say(w io.Writer, action string) {
	if action != "" {
		fmt.Fprintf(w, "  %s\n", action)
	}
}

// advised is an error for which there is better advice than its code's page has;
// an empty one where the sentence says it all.
type advised struct {
	error
	do string
}

func (e advised) Unwrap() error { return e.error }

func advise(err error, do string) error { return advised{err, do} }

// whatToDo is the one action for err; empty where no page has one.
func whatToDo(err error) string {
	var better advised
	switch {
	case errors.As(err, &better):
		return better.do
	case !isFault(err):
		return ""
	case errors.Is(err, records.ErrBusy):
		return "Wait until the other program has finished, or close it, and try again."
	}
	page, _ := fault.Lookup(fault.CodeOf(err))
	return page.Do
}

// sentence is err in one line for a person: the first of joined errors, nothing
// twice, and of a broken link only how it broke. The whole chain is in the records,
// and in the events of --json.
func sentence(err error) string {
	var f *fault.Fault
	if !errors.As(err, &f) || f.Cause == nil {
		return once(firstLine(err))
	}
	cause := firstLine(f.Cause)
	for _, root := range []error{esptool.ErrLinkLost, esptool.ErrNoReply} {
		if i := strings.Index(cause, root.Error()); i > 0 {
			cause = cause[i:]
		}
	}
	if busy := records.ErrBusy.Error(); errors.Is(err, records.ErrBusy) {
		if before, _, found := strings.Cut(cause, busy); found {
			cause = before + busy // and not once more in SQLite's words
		}
	}
	cause = codes.ReplaceAllString(strings.TrimSuffix(cause, ": EOF"), "")
	if f.Step == "" {
		return fmt.Sprintf("%s: %s", f.Code, once(cause))
	}
	return fmt.Sprintf("%s %s", f.Code, once(f.Step+": "+cause))
}

// codes are the numbers that SQLite puts behind its words.
var codes = regexp.MustCompile(`( \([0-9]+\))?( \(SQLITE_[A-Z_]+\))?$`)

// firstLine is the first of joined errors.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// once leaves out what wrapping says a second time.
func once(chain string) string {
	var parts []string
	for part := range strings.SplitSeq(chain, ": ") {
		if !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// oneLine is the whole of err, for an event.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// plainWord matches what a shell takes as it stands.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellQuote is a word of a command that a person is told to copy.
func shellQuote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
