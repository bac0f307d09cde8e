package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/records"
	"provision/internal/simulator"
	"provision/internal/station"
)

// runFlags are the flags of run.
type runFlags struct {
	portFlags
	station, serial, db, operator string
	dryRun, yes                   bool
	simFaults                     []string
	otaSmoke                      string
	smoke                         *smokeTest     // made of otaSmoke
	store                         *records.Store // of station and db, once they are open; nil: a dry run found none
}

func (a *app) run() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run --station FILE [--port PORT] [--serial SERIAL]",
		Short: "Take one unit from first contact to verdict",
		Long: `Take one unit from first contact to verdict: PASS, FAIL, ERROR, PARK, or DONE
for a unit that was complete already. A run that was cut short is simply run
again: it goes on where the unit stands.

On a real port this burns fuses, which cannot be undone. It does so only when the
profile says armed = true, or with --yes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runOne(cmd.Context(), f) },
	}
	f.add(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.station, "station", "", "station profile (required)")
	fl.StringVar(&f.serial, "serial", "", "serial number of the unit")
	fl.StringVar(&f.db, "db", "", "records database (default: the profile's)")
	fl.StringVar(&f.operator, "operator", systemUser(), "who works at the station")
	fl.BoolVar(&f.dryRun, "dry-run", false, "look and plan, write nothing")
	fl.BoolVar(&f.yes, "yes", false, "burn, also when the profile is not armed")
	fl.StringArrayVar(&f.simFaults, "sim-fault", nil, "hurt a virtual chip on purpose (provision sim faults lists the ways)")
	fl.StringVar(&f.otaSmoke, "ota-smoke", "", "end with an update to this image, on a copy of the virtual unit; exit 1 when it does not run")
	return cmd
}

// runOne prepares a run, lets the flow do it, and shows it.
func (a *app) runOne(ctx context.Context, f runFlags) error {
	cfg, closeAll, err := a.prepare(ctx, &f)
	if err != nil {
		return a.refused(f, err)
	}
	defer closeAll()
	show := a.newShow(strings.Join(notEmpty("provision run", f.serial, f.port), "   "), f.dryRun)
	cfg.Sink = f.smoke.sink(show.sink)
	res := a.work(ctx, cfg)
	show.stop()
	if err := a.conclude(res, show); err != nil {
		return err
	}
	return f.smoke.conclude()
}

// conclude reports a failure on stderr and turns the result into the exit code. Who
// sees both on one terminal has read there what to do: only the cause is new.
func (a *app) conclude(res flow.Result, show *show) error {
	switch {
	case res.Err == nil:
	case show.drawn && terminal(a.err):
		reportCause(a.err, res.Err)
	default:
		report(a.err, res.Err)
	}
	if res.Exit != fault.ExitOK {
		return exitError{res.Exit}
	}
	return nil
}

// refused reports what was wrong before there was a run. The stream has its last
// two lines all the same.
func (a *app) refused(f runFlags, err error) error {
	if a.json {
		exit := exitCode(err)
		failed := flow.Event{Seq: 1, Time: time.Now().UTC(), Kind: flow.RunFailed, Serial: f.serial, Text: oneLine(err), Do: whatToDo(err)}
		finished := flow.Event{Seq: 2, Time: failed.Time, Kind: flow.RunFinished, Serial: f.serial, Verdict: string(fault.Error), Exit: &exit, Text: failed.Text, Do: failed.Do}
		if isFault(err) {
			failed.Code = fault.CodeOf(err)
			finished.Code = failed.Code
			page, _ := fault.Lookup(finished.Code)
			finished.Text = page.Says
		}
		if err := errors.Join(a.emit(failed), a.emit(finished)); err != nil {
			return err
		}
	}
	return err
}

// prepare loads and checks everything that can be checked without a unit.
func (a *app) prepare(ctx context.Context, f *runFlags) (flow.Config, func(), error) {
	none := func() {}
	p, err := stationProfile(f.station, f.db)
	if err != nil {
		return flow.Config{}, none, err
	}
	if f.baud > 0 {
		p.Link.Baud = []int{f.baud}
	}
	f.serial = strings.TrimSpace(f.serial)
	if f.port == "" {
		f.port = p.Link.Port
	}
	if err := a.portAllowed(p, *f); err != nil {
		return flow.Config{}, none, err
	}
	if f.smoke, err = a.newSmokeTest(*f); err != nil {
		return flow.Config{}, none, err
	}
	reset, err := resetFor(p, f.port, f.reset)
	if err != nil {
		return flow.Config{}, none, err
	}
	j, err := newJob(p)
	if err != nil {
		return flow.Config{}, none, err
	}
	if f.serial != "" {
		if err := p.CheckSerial(f.serial); err != nil {
			return flow.Config{}, none, flow.AsFault(err, fault.SerialForm)
		}
	}
	opts, err := faultOptions(f.port, f.simFaults)
	if err != nil {
		return flow.Config{}, none, err
	}
	cfg := flow.Config{
		Job: j, Reset: reset, PortName: f.port, Serial: f.serial, Operator: f.operator, DryRun: f.dryRun, Attempts: p.Screen.Attempts,
		RunID: newRunID(), Version: version(), Now: time.Now, Rand: rand.Reader,
		Open: func(ctx context.Context) (esptool.Port, error) { return openPort(ctx, f.port, opts...) },
	}
	store, closeAll, err := a.openRecords(ctx, p, &cfg, f.port)
	if err != nil {
		return flow.Config{}, none, err
	}
	if err := a.blankVirtualChip(f.port); err != nil {
		closeAll()
		return flow.Config{}, none, err
	}
	f.store = store
	return cfg, closeAll, nil
}

// resetFor is the reset strategy for a port of the station. A boot check needs one.
func resetFor(p *station.Profile, port, flag string) (esptool.ResetMode, error) {
	reset, err := resetMode(port, flag, string(p.Link.Reset))
	if err == nil && p.BootCheck != nil && reset == esptool.ResetNone {
		err = fault.New(fault.Unsupported, "", fmt.Errorf(
			"%s: [boot_check] needs reset lines to start the unit with, and %s has none: leave the section out for this port", p.Path, port))
	}
	return reset, err
}

// portAllowed refuses to burn on a real port without being told to.
func (a *app) portAllowed(p *station.Profile, f runFlags) error {
	if f.port == "" {
		return usagef("which unit? name its port with --port, or [link] port in %s", p.Path)
	}
	if err := checkPort(f.port); err != nil {
		return usagef("%v", err)
	}
	switch {
	case f.dryRun || f.yes || p.Station.Armed || isVirtual(f.port):
		return nil
	}
	return fault.New(fault.NotArmed, "", fmt.Errorf(
		"%s is not armed, and this would burn fuses on %s for ever: look with provision run --dry-run, then say --yes, or armed = true in [station]", p.Path, f.port))
}

// blankVirtualChip makes the chip behind sim:NAME the first time it is used, and
// refuses one whose files cannot be used.
func (a *app) blankVirtualChip(port string) error {
	name, virtual := strings.CutPrefix(port, simPrefix)
	if !virtual {
		return nil
	}
	cfg, err := blankChip("")
	if err != nil {
		return err
	}
	err = createChip(name, cfg)
	if errors.Is(err, simulator.ErrExist) {
		return usableChip(name)
	}
	if err == nil {
		fmt.Fprintf(a.err, "provision: %s was not there: made a blank virtual ESP32 in %s\n", port, simDir(name))
	}
	return err
}

// usableChip reports a virtual chip that would not open. One that is in use is
// whole, and the run will say that it is busy.
func usableChip(name string) error {
	chip, err := openChip(name)
	if errors.Is(err, simulator.ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	return chip.Close()
}

func faultOptions(port string, specs []string) ([]simulator.Option, error) {
	if len(specs) == 0 {
		return nil, nil
	}
	if !isVirtual(port) {
		return nil, usagef("--sim-fault hurts virtual chips only, and %s is none", port)
	}
	faults, err := simulator.ParseFaults(specs...)
	if err != nil {
		return nil, usagef("--sim-fault %s: not a fault that virtual chips know; provision sim faults lists them", strings.Join(specs, " "))
	}
	return []simulator.Option{simulator.WithFaults(faults)}, nil
}

// newRunID is a time that sorts, and enough randomness to be unique for ever.
func newRunID() string {
	var b [6]byte
	// crypto/rand never fails: it ends the program instead.
	_, _ = rand.Read(b[:])
	return time.Now().UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(b[:])
}

func absolute(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return abs
}
