package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/job"
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
		fmt.Fprintf(w, "provision: %s\n", sentence(err))
		say(w, whatToDo(err))
	}
}

func say(w io.Writer, action string) {
	if action != "" {
		fmt.Fprintf(w, "  %s\n", action)
	}
}

// whatToDo is the one action for err; empty where no page has one.
func whatToDo(err error) string {
	if !isFault(err) {
		return ""
	}
	page, _ := fault.Lookup(fault.CodeOf(err))
	return page.Do
}

// sentence is err in one line for a person: the first of joined errors, without
// the step said twice, and of a broken link only how it broke. The whole chain is
// in the records, and in the events of --json.
func sentence(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	var f *fault.Fault
	if !errors.As(err, &f) || f.Cause == nil {
		return text
	}
	cause, _, _ := strings.Cut(f.Cause.Error(), "\n")
	for _, root := range []error{esptool.ErrLinkLost, esptool.ErrNoReply} {
		if i := strings.Index(cause, root.Error()); i > 0 {
			cause = cause[i:]
		}
	}
	head := string(f.Code)
	if f.Step != "" {
		head += " " + f.Step
		cause = strings.Replace(cause, f.Step+": ", "", 1)
	}
	return head + ": " + strings.TrimSuffix(cause, ": EOF")
}

// oneLine is the whole of err, for an event.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
