package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/flow"
	"provision/internal/station"
)

// pollPeriod is how often an empty slot is looked at.
const pollPeriod = 500 * time.Millisecond

// runsPerAttempt: the floor itself tries a transient fault once more.
const runsPerAttempt = 2

// batchFlags are the flags of batch.
type batchFlags struct {
	station, input, db, operator string
	count                        int
	yes                          bool
}

func (a *app) batch() *cobra.Command {
	var f batchFlags
	cmd := &cobra.Command{
		Use:   "batch --station FILE (--input CSV | --count N)",
		Short: "Many units over all slots, rolling",
		Long: `Make many units over all slots of the station. Each slot waits for a unit, takes
the next order, and waits until the unit is gone; no slot waits for another. A
unit that is complete is greeted and takes no order; one that was begun is taken
up; a transient fault is tried once more.

The CSV has a line of names first: serial, and optionally slot. Serial numbers that
are complete already are skipped, so that a batch that was cut is simply run again.
Without a CSV, --count units get numbers from the profile's sequence or list; run
again, it makes so many more.

Exit 0: every unit passed or was complete. Otherwise the code of the worst that
happened: 3 an ERROR, 4 a PARK, 1 a FAIL. 130: interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runBatch(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.station, "station", "", "station profile (required)")
	fl.StringVar(&f.input, "input", "", "work order: CSV with the serial numbers")
	fl.IntVar(&f.count, "count", 0, "how many units, with serial numbers from the profile's own source")
	fl.StringVar(&f.db, "db", "", "records database (default: the profile's)")
	fl.StringVar(&f.operator, "operator", systemUser(), "who works at the station")
	fl.BoolVar(&f.yes, "yes", false, "burn, also when the profile is not armed")
	return cmd
}

func (a *app) runBatch(ctx context.Context, f batchFlags) error {
	cfg, closeAll, err := a.prepareBatch(ctx, f)
	if err != nil {
		return a.batchRefused(err)
	}
	defer closeAll()
	if err := a.tellChecked(ctx, cfg); err != nil {
		return a.batchRefused(err)
	}
	log := &batchLog{app: a}
	hands := &interrupts{out: a.err, at: map[int]string{}}
	cfg.Sink = hands.sink(log.event)
	began := time.Now()
	a.judged = true
	signal.Ignore(syscall.SIGPIPE) // a reader that goes away ends no unit's run
	defer signal.Reset(syscall.SIGPIPE)
	stop := hands.explain(ctx)
	var results []flow.Result
	cfg.Result = func(r flow.Result) { results = append(results, r) }
	err = floor.Work(ctx, cfg)
	stop()
	return a.batchFinished(results, time.Since(began), err)
}

// batchRefused is the last line of a batch that could not begin.
type batchRefused struct {
	Kind  string     `json:"kind"`
	Units int        `json:"units"` // none, as Runs
	Runs  int        `json:"runs"`
	Exit  int        `json:"exit"`
	Code  fault.Code `json:"code,omitempty"`
	Text  string     `json:"text"`
	Do    string     `json:"do"`
}

// batchRefused ends the stream of a batch that could not begin.
func (a *app) batchRefused(err error) error {
	if a.json {
		last := batchRefused{Kind: "batch.finished", Exit: exitCode(err), Text: oneLine(err), Do: whatToDo(err)}
		if isFault(err) {
			last.Code = fault.CodeOf(err)
		}
		if err := a.emit(last); err != nil {
			return err
		}
	}
	return err
}

// prepareBatch loads and checks everything that can be checked without a unit.
func (a *app) prepareBatch(ctx context.Context, f batchFlags) (floor.Config, func(), error) {
	none := func() {}
	p, err := stationProfile(f.station, f.db)
	if err != nil {
		return floor.Config{}, none, err
	}
	slots, err := a.slots(p, f.yes)
	if err != nil {
		return floor.Config{}, none, err
	}
	orders, err := readOrders(p, f)
	if err != nil {
		return floor.Config{}, none, err
	}
	j, err := newJob(p)
	if err != nil {
		return floor.Config{}, none, err
	}
	run := flow.Config{
		Job: j, Operator: f.operator, Version: version(), Now: time.Now, Rand: rand.Reader,
		Attempts: runsPerAttempt * p.Screen.Attempts,
	}
	store, closeAll, err := a.openRecords(ctx, p, &run, portsOf(slots)...)
	if err != nil {
		return floor.Config{}, none, err
	}
	orders, notes, err := stillOpen(ctx, store, orders)
	if err != nil {
		closeAll()
		return floor.Config{}, none, err
	}
	if err := a.tellUnfinished(ctx, store); err != nil {
		closeAll()
		return floor.Config{}, none, err
	}
	for _, s := range slots {
		if err := a.blankVirtualChip(s.Port); err != nil {
			closeAll()
			return floor.Config{}, none, err
		}
	}
	for _, note := range notes {
		fmt.Fprintf(a.err, "provision: %s\n", note)
	}
	return floor.Config{Run: run, Slots: slots, Orders: floor.Orders(orders), RunID: newRunID, Poll: pollPeriod, Sleep: sleep}, closeAll, nil
}

// slots are those of the profile; a station without any has one, at its port.
func (a *app) slots(p *station.Profile, yes bool) ([]floor.Slot, error) {
	places := p.Link.Slots
	if len(places) == 0 && p.Link.Port == "" {
		return nil, usagef("%s has no slots: add [[link.slots]], one for each place of the fixture, or a port in [link]", p.Path)
	}
	if len(places) == 0 {
		places = []station.Slot{{Number: 1, Port: p.Link.Port}}
	}
	var out []floor.Slot
	for _, place := range places {
		if err := a.portAllowed(p, runFlags{portFlags: portFlags{port: place.Port}, yes: yes}); err != nil {
			return nil, err
		}
		reset, err := resetFor(p, place.Port, "")
		if err != nil {
			return nil, err
		}
		out = append(out, floor.Slot{
			Number: place.Number, Port: place.Port, Reset: reset,
			Open: func(ctx context.Context) (esptool.Port, error) { return openPort(ctx, place.Port) },
		})
	}
	return out, nil
}

// portsOf are the ports of slots.
func portsOf(slots []floor.Slot) (ports []string) {
	for _, s := range slots {
		ports = append(ports, s.Port)
	}
	return ports
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// batchLog shows a batch: every event as JSON, or a line for each unit.
type batchLog struct{ app *app }

func (l *batchLog) event(ev floor.Event) {
	if l.app.json {
		// Nobody reading any more does not stop the units.
		_ = l.app.emit(ev)
		return
	}
	switch ev.Kind {
	case floor.SlotWaits:
		fmt.Fprintf(l.app.out, "slot %d  waits for a unit\n", ev.Slot)
	case floor.SlotUnit:
		fmt.Fprintf(l.app.out, "slot %d  %s\n", ev.Slot, ev.MAC)
	case flow.Warning:
		fmt.Fprintf(l.app.out, "slot %d  ! %s\n", ev.Slot, ev.Text)
	case floor.SlotIdle:
		fmt.Fprintf(l.app.out, "slot %d  %s  %s\n", ev.Slot, ev.MAC, ev.Text)
	case floor.SlotFault:
		fmt.Fprintf(l.app.out, "slot %d  %s  %s %s\n", ev.Slot, ev.Code, ev.Text, ev.Do)
	case flow.RunFailed:
		fmt.Fprintf(l.app.out, "slot %d  %s\n", ev.Slot, ev.Text)
	case flow.RunFinished:
		fmt.Fprintf(l.app.out, "slot %d  %s\n", ev.Slot, strings.Join(notEmpty(ev.Verdict, string(ev.Code), ev.Serial, ev.MAC, ev.Text, ev.Do), "  "))
	}
}

// batchFinished sums up, and finds the exit code.
func (a *app) batchFinished(results []flow.Result, took time.Duration, err error) error {
	counts := map[string]int{}
	last := map[string]string{} // how each unit ended, by MAC: a second try counts, not the first
	for i, r := range results {
		unit := r.MAC
		if unit == "" {
			unit = strconv.Itoa(i)
		}
		counts[last[unit]]--
		last[unit] = r.Verdict
		counts[r.Verdict]++
	}
	if a.json {
		_ = a.emit(map[string]any{
			"kind": "batch.finished", "units": len(last), "runs": len(results), "seconds": took.Seconds(), "interrupted": err != nil,
			"pass": counts["PASS"], "done": counts["DONE"], "fail": counts["FAIL"], "error": counts["ERROR"], "park": counts["PARK"],
		})
	} else {
		fmt.Fprintf(a.out, "%d units in %v:  %d PASS  %d DONE  %d FAIL  %d ERROR  %d PARK\n",
			len(last), took.Round(time.Second), counts["PASS"], counts["DONE"], counts["FAIL"], counts["ERROR"], counts["PARK"])
	}
	if err != nil {
		return exitError{fault.ExitInterrupted}
	}
	for _, v := range []fault.Verdict{fault.Error, fault.Park, fault.Fail} {
		if counts[string(v)] > 0 {
			return exitError{v.ExitCode()}
		}
	}
	return nil
}
