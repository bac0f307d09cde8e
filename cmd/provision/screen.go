package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"provision/internal/catalog"
	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/scanner"
	"provision/internal/shift"
	"provision/internal/station"
	"provision/internal/tui/board"
)

// screenFlags are the flags of the program without a command.
type screenFlags struct {
	station, db, language      string
	demo, training, yes, plain bool
	mono                       bool
	slots                      int
}

// screenHelp is what the program says about its screen.
const screenHelp = `Without a command it opens the station screen: the profile is --station FILE, else
$PROVISION_STATION, else station.toml in the current folder. Without any of them it
offers the demo station, on virtual ESP32s.`

func (f *screenFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.station, "station", "", "station profile for the screen")
	fl.StringVar(&f.db, "db", "", "records database of the screen (default: the profile's)")
	fl.StringVar(&f.language, "language", "", "language of the screen: en, de or zh (default: the profile's)")
	fl.BoolVar(&f.demo, "demo", false, "open the demo station: virtual units come and go by themselves")
	fl.BoolVar(&f.training, "training", false, "open the training station: virtual units with faults, put in and taken out by key")
	fl.IntVar(&f.slots, "slots", 4, "slots of the demo or training station")
	fl.BoolVar(&f.yes, "yes", false, "arm the job at the start, without a lead")
	fl.BoolVar(&f.plain, "plain", false, "a sentence a line in place of the screen, and lines in place of keys: for screen readers")
	fl.BoolVar(&f.mono, "mono", false, "no colours")
}

// screen opens the station's screen.
func (a *app) screen(cmd *cobra.Command, f screenFlags) error {
	ctx := cmd.Context()
	if !f.plain && !(keyboard(a.in) && terminal(a.out)) {
		if anyFlag(cmd) {
			return usagef("the station screen needs a terminal; --plain writes sentences in its place, and scripts use: provision batch")
		}
		return cmd.Help()
	}
	switch {
	case f.demo && f.training:
		return usagef("--demo and --training: one or the other")
	case f.demo || f.training:
		return a.virtualScreen(ctx, f)
	}
	path := profileHere(f.station)
	if path == "" {
		return a.offerDemo(ctx, f)
	}
	return a.liveScreen(ctx, path, f)
}

// anyFlag reports whether a flag of the screen was given.
func anyFlag(cmd *cobra.Command) bool {
	given := cmd.Flags().NFlag()
	if cmd.Flags().Changed("json") { // of every command
		given--
	}
	return given > 0
}

// keyboard reports whether somebody can type into r.
func keyboard(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// profileHere is the profile that is named, or lies where it is looked for; "" when
// there is none.
func profileHere(flag string) string {
	const here = "station.toml"
	if flag != "" {
		return flag
	}
	if path := os.Getenv("PROVISION_STATION"); path != "" {
		return path
	}
	if _, err := os.Stat(here); err == nil {
		return here
	}
	return ""
}

// offerDemo asks a newcomer whether to show the demo station.
func (a *app) offerDemo(ctx context.Context, f screenFlags) error {
	fmt.Fprint(a.out, `There is no station profile here: no --station FILE, no $PROVISION_STATION, no
station.toml in this folder.

  Enter   open the demo station: four virtual ESP32s, nothing real is touched
  t       open the training station: the same with faulty units, moved by you
  q       leave; provision --help tells the rest

`)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.in).ReadString('\n')
		answer <- line
	}()
	select {
	case <-ctx.Done():
		return exitError{fault.ExitInterrupted}
	case line := <-answer:
		switch {
		case line == "": // the end of the input
			return nil
		case strings.TrimSpace(line) == "":
			f.demo = true
		case strings.TrimSpace(line) == "t":
			f.training = true
		default:
			return nil
		}
	}
	return a.virtualScreen(ctx, f)
}

// liveScreen opens the screen of a station with units of its own.
func (a *app) liveScreen(ctx context.Context, path string, f screenFlags) error {
	p, err := stationProfile(path, f.db)
	if err != nil {
		return err
	}
	// On the screen a lead arms the job, or --yes does: a profile that is armed for
	// `run` opens its ports without starting anything.
	slots, err := a.slots(p, true)
	if err != nil {
		return err
	}
	j, err := newJob(p)
	if err != nil {
		return err
	}
	run := flow.Config{Job: j, Operator: systemUser(), Version: version(), Now: time.Now, Rand: rand.Reader}
	store, closeAll, err := a.openRecords(ctx, p, &run, portsOf(slots)...)
	if err != nil {
		return err
	}
	defer closeAll()
	labels, err := openLabels(p)
	if err != nil {
		return err
	}
	cfg := shift.Config{
		Facts: shift.ShiftFacts{
			Station: p.Station.Name, Site: p.Station.Site, Line: p.Station.Line, Mode: shift.Live,
			Scanner: scannerName(p), Printer: p.Label.Printer, Target: p.Screen.Target, Version: version(),
		},
		Records: store,
		Floor:   floor.Config{Run: run, Slots: slots, RunID: newRunID, Poll: screenPoll, Sleep: sleep},
		Armed:   f.yes,
		Jobs:    jobsBeside(p),
	}
	test := selfTest{profile: p, store: store, slots: slots, now: time.Now}
	if labels != nil {
		cfg.Printer, cfg.Template, test.printer = labels.printer, labels.template, labels.printer
	}
	cfg.SelfTest = test.run
	return a.showScreen(ctx, p, cfg, f, nil, func(s *shift.Shift) []func(context.Context) {
		beside := []func(context.Context){func(ctx context.Context) { test.watchMachines(ctx, s) }}
		if p.Scanner.Device != "" {
			beside = append(beside, func(ctx context.Context) { readScanner(ctx, p.Scanner.Device, s) })
		}
		return beside
	})
}

// screenPoll is how often a slot is looked at: a unit is to be seen within a second.
const screenPoll = 300 * time.Millisecond

// systemUser is who works here as far as the system knows.
func systemUser() string {
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// jobsBeside finds the job of a traveller among the profiles in the station's
// folder, reads it whole, and keeps it to the station's own records.
func jobsBeside(p *station.Profile) func(context.Context, string) (*job.Job, error) {
	return func(_ context.Context, id string) (*job.Job, error) {
		files, err := filepath.Glob(filepath.Join(filepath.Dir(p.Path), "*.toml"))
		if err != nil {
			return nil, fault.New(fault.FileMissing, "", err)
		}
		for _, path := range files {
			other, err := station.Load(path)
			if err != nil || other.Job.ID != id || other.Station.Name != p.Station.Name {
				continue
			}
			other.UseDatabase(p.Records.Database)
			return newJob(other)
		}
		return nil, fault.New(fault.FileMissing, "", fmt.Errorf("no profile of %s in %s has the job %s: %w",
			p.Station.Name, filepath.Dir(p.Path), id, fs.ErrNotExist))
	}
}

// showScreen runs a shift and its screen until one of them ends; beside are what
// else runs meanwhile.
func (a *app) showScreen(ctx context.Context, p *station.Profile, cfg shift.Config, f screenFlags,
	tips []string, beside func(*shift.Shift) []func(context.Context)) error {
	lang := p.Screen.Language
	if f.language != "" {
		lang = f.language
	}
	words, err := catalog.Load(lang)
	if err != nil {
		return usageError{err}
	}
	if f.plain {
		return a.plainScreen(ctx, cfg, board.Plain(a.out, words), tips, beside)
	}
	var show func(shift.Event) // set before the shift begins
	cfg.Sink = func(ev shift.Event) { show(ev) }
	s, err := shift.New(cfg)
	if err != nil {
		return err
	}
	over := make(chan error, 1)
	mono, ascii := board.Terminal(os.Getenv)
	err = board.Run(ctx, board.Config{
		In: a.in, Out: bare(a.out), Words: words, Send: s.Do, Now: time.Now,
		Mono: mono || f.mono || p.Screen.Mono, ASCII: ascii, Scanner: scanner.Config{Prefix: p.Scanner.Prefix}, Tips: tips,
		Events: func(sink func(shift.Event)) (stop func()) {
			show = sink
			go func() { over <- a.workShift(ctx, s, beside) }()
			return func() {}
		},
	})
	if show == nil {
		return err // the screen could not begin, so the shift did not
	}
	// The terminal may be gone: what is at work is brought to an end all the same.
	s.Do(shift.Intent{Kind: shift.QuitNow})
	return errors.Join(<-over, err)
}

// plainScreen runs a shift that is told in sentences and asked in lines.
func (a *app) plainScreen(ctx context.Context, cfg shift.Config, say func(shift.Event), tips []string,
	beside func(*shift.Shift) []func(context.Context)) error {
	var lines plainStation
	cfg.Sink = func(ev shift.Event) { lines.saw(ev); say(ev) }
	s, err := shift.New(cfg)
	if err != nil {
		return err
	}
	lines.send = func(in shift.Intent) {
		s.Do(in)
		s.Answered(ctx) // a line is an answer to what was said before
	}
	for _, tip := range tips {
		fmt.Fprintln(a.out, tip)
	}
	go lines.read(a.in)
	return a.workShift(ctx, s, beside)
}

// workShift runs a shift and what belongs to it.
func (a *app) workShift(ctx context.Context, s *shift.Shift, beside func(*shift.Shift) []func(context.Context)) error {
	aside, done := context.WithCancel(ctx)
	defer done()
	if beside != nil {
		for _, f := range beside(s) {
			go f(aside)
		}
	}
	err := s.Run(ctx)
	if errors.Is(err, context.Canceled) {
		return nil // somebody closed the station: that is how it ends
	}
	return err
}
