package main

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"provision/internal/shift"
)

// plainStation is a station without a screen: what it says are sentences, what it is
// told are lines. A line is a scan, unless it is the answer to a question or begins
// with one of the words below.
type plainStation struct {
	send func(shift.Intent) // returns when it is answered

	mu     sync.Mutex
	pin    bool
	choice []string // keys of the open question
}

// plainWords are the words that ask for something, as the screen's keys do. slot
// says that a number follows.
var plainWords = map[string]struct {
	kind shift.IntentKind
	slot bool
}{
	"arm": {shift.Arm, false}, "disarm": {shift.Disarm, false}, "unlock": {shift.Unlock, true}, "exclude": {shift.Exclude, true},
	"release": {shift.Release, true}, "quarantine": {shift.Quarant, true}, "reprint": {shift.Reprint, true}, "details": {shift.Details, true},
	"history": {shift.History, false}, "selftest": {shift.SelfTest, false}, "signout": {shift.SignOut, false},
	"unit": {shift.HandUnit, true}, "hands": {shift.HandsAuto, false}, "quit": {shift.Quit, false},
}

// saw takes note of what the station asks.
func (p *plainStation) saw(ev shift.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev.Kind {
	case shift.PINAsked:
		p.pin = true
	case shift.PINClosed:
		p.pin = false
	case shift.ChoiceAsked:
		p.choice = slices.Clone(ev.Choice.Keys)
	case shift.ChoiceClosed:
		p.choice = nil
	}
}

// read takes lines until the input ends; then the station closes, as with "quit".
func (p *plainStation) read(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if in, ok := p.intent(strings.TrimSpace(lines.Text())); ok {
			p.send(in)
		}
	}
	p.send(shift.Intent{Kind: shift.Quit})
}

// intent is what a line asks for.
func (p *plainStation) intent(line string) (shift.Intent, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pin {
		return shift.Intent{Kind: shift.PINGiven, Text: line}, true
	}
	if p.choice != nil {
		key := "" // gives the question up
		if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= len(p.choice) {
			key = p.choice[n-1]
		}
		return shift.Intent{Kind: shift.Choose, Text: key}, true
	}
	if query, ok := strings.CutPrefix(line, "/"); ok {
		return shift.Intent{Kind: shift.Lookup, Text: query}, true
	}
	first, rest, _ := strings.Cut(line, " ")
	if first == "explain" {
		return shift.Intent{Kind: shift.Explain, Text: rest}, true
	}
	if w, ok := plainWords[first]; ok {
		slot, err := strconv.Atoi(strings.TrimSpace(rest))
		if (err == nil) == w.slot || rest == "" {
			return shift.Intent{Kind: w.kind, Slot: slot}, true
		}
	}
	return shift.Intent{Kind: shift.Scanned, Text: line}, line != ""
}
