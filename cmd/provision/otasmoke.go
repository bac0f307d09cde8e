package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/simulator"
)

// smokeTest is the update that a run of a virtual unit ends with: on a copy, because a
// finished unit is never written again.
type smokeTest struct {
	app    *app
	unit   string // name of the virtual chip
	path   string
	image  []byte
	result simulator.OTAResult
	done   bool
	err    error
}

// otaSmoke is how the update of the copy ended, for a program.
type otaSmoke struct {
	Kind   string `json:"kind"`
	Run    string `json:"run"`
	Serial string `json:"serial"`
	MAC    string `json:"mac"`
	updateFacts
}

// newSmokeTest reads the image that a run is to end with; nil when none is named.
func (a *app) newSmokeTest(f runFlags) (*smokeTest, error) {
	switch {
	case f.otaSmoke == "":
		return nil, nil
	case !isVirtual(f.port):
		return nil, usagef("--ota-smoke updates virtual units only, and %s is none: on real units the profile's [ota] next_image is checked", f.port)
	case f.dryRun:
		return nil, usagef("--ota-smoke needs a finished unit, and a dry run makes none")
	}
	img, err := readInput(f.otaSmoke)
	return &smokeTest{app: a, unit: strings.TrimPrefix(f.port, simPrefix), path: f.otaSmoke, image: img}, err
}

// sink puts the test before the end of the run.
func (s *smokeTest) sink(next func(flow.Event)) func(flow.Event) {
	if s == nil {
		return next
	}
	return func(ev flow.Event) {
		if ev.Kind == flow.RunFinished && (ev.Verdict == string(fault.Pass) || ev.Verdict == string(fault.Done)) {
			s.run()
			if s.app.json && s.err == nil {
				// Nobody reading any more does not stop a unit's run.
				_ = s.app.emit(otaSmoke{"ota.smoke", ev.Run, ev.Serial, ev.MAC, factsOfUpdate(s.unit, s.path, s.result, s.result.Lines)})
			}
			if exit := s.exit(); exit != fault.ExitOK {
				ev.Exit = &exit
			}
		}
		next(ev)
	}
}

// run updates a copy of the unit.
func (s *smokeTest) run() {
	s.done = true
	folder, err := os.MkdirTemp("", "provision-ota-")
	if err != nil {
		s.err = err
		return
	}
	defer func() { s.err = errors.Join(s.err, os.RemoveAll(folder)) }()
	if s.err = os.CopyFS(folder, os.DirFS(simDir(s.unit))); s.err != nil {
		return
	}
	chip, err := simulator.Open(folder)
	if err != nil {
		s.err = err
		return
	}
	s.result = chip.OTA(s.image, simulator.OTABuild{})
	s.err = chip.Close()
}

// exit is the program's, after a unit that passed: it is the station's fault when the
// update could not be tried.
func (s *smokeTest) exit() int {
	switch {
	case s.err != nil:
		return fault.ExitError
	case s.done && s.result.Outcome != simulator.OTAAccepted:
		return fault.ExitFail
	}
	return fault.ExitOK
}

// conclude says how it went, and whether the program has to end with an exit code of
// its own although the unit passed.
func (s *smokeTest) conclude() error {
	switch {
	case s == nil || !s.done:
		return nil
	case s.err != nil:
		return fmt.Errorf("update a copy of the unit: %w", s.err)
	case s.exit() == fault.ExitOK:
		if !s.app.json {
			fmt.Fprintf(s.app.out, "update  %s, on a copy of the unit: %s\n", s.path, updateOutcome(s.result))
		}
		return nil
	}
	if !s.app.json {
		for _, line := range s.result.Lines {
			if strings.HasPrefix(line, "E ") || strings.HasPrefix(line, "W ") {
				fmt.Fprintln(s.app.out, "  | "+line)
			}
		}
	}
	report(s.app.err, advise(fmt.Errorf("%s, as an update of a copy of the unit: %s", s.path, updateOutcome(s.result)),
		"The unit itself is done and on record. Why: provision ota check "+shellQuote(s.path)+" with --serial or --station."))
	return exitError{fault.ExitFail}
}
