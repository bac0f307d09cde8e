package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/tui"
)

// show is how a run is presented: as JSON lines, on a terminal, or as plain lines.
type show struct {
	sink  func(flow.Event)
	stop  func()
	drawn bool // on a terminal, which has the verdict and what to do
}

// newShow shows a run. A plan is for reading, so a dry run is never drawn.
func (a *app) newShow(title string, dry bool) *show {
	switch {
	case a.json:
		return &show{sink: func(ev flow.Event) {
			// Nobody reading any more does not stop a unit's run.
			_ = a.emit(ev)
		}, stop: func() {}}
	case terminal(a.out) && !dry:
		// The screen starts with the first event, so that a refusal before it is
		// one sentence and nothing else.
		sink, stop := func(flow.Event) {}, func() {}
		var once sync.Once
		return &show{
			sink: func(ev flow.Event) {
				once.Do(func() { sink, stop = tui.Watch(bare(a.out), title) })
				sink(ev)
			},
			stop:  func() { stop() },
			drawn: true,
		}
	}
	return &show{sink: (&plainLog{w: a.out}).event, stop: func() {}}
}

// plainLog writes the events that a log wants, a line for each step.
type plainLog struct {
	w    io.Writer
	dry  bool
	port string // until it is known to be there
	note string // what the running step has said so far
}

func (l *plainLog) event(ev flow.Event) {
	switch ev.Kind {
	case flow.RunStarted:
		l.dry, l.port = ev.Station.Dry, ev.Station.Port
		if h := ev.Station.Health; h != nil {
			l.line("station", h.String())
		}
	case flow.StepStarted:
		l.note = strings.Join(notEmpty("ok", l.port), ", ")
		l.port = ""
	case flow.UnitIdentified, flow.KeysSealed, flow.KeysDestroyed, flow.BootSeen:
		l.note = ev.Text
	case flow.UnitClassified, flow.PlanMade:
		l.line(ev.Step, ev.Text)
		if ev.Plan != nil && l.dry {
			printPlan(l.w, *ev.Plan)
		}
	case flow.StepPassed:
		l.line(ev.Step, l.note)
	case flow.StepSkipped:
		l.line(ev.Step, ev.Text)
	case flow.Warning:
		fmt.Fprintf(l.w, "  ! %s\n", ev.Text)
	case flow.RunFailed:
		how := "failed"
		if ev.Code == fault.Interrupted {
			how = "stopped"
		}
		l.line(ev.Step, how)
	case flow.RunFinished:
		fmt.Fprintf(l.w, "%s\n", strings.Join(notEmpty(ev.Verdict, string(ev.Code), ev.Serial, ev.MAC, ev.Text), "  "))
	}
}

func (l *plainLog) line(step, text string) {
	if step != "" {
		fmt.Fprintf(l.w, "  %-34s %s\n", step, text)
	}
}

func notEmpty(words ...string) []string {
	return slices.DeleteFunc(words, func(s string) bool { return s == "" })
}

// printPlan shows every region and every burn, bit by bit.
func printPlan(w io.Writer, p flow.Plan) {
	var rows [][]string
	for _, g := range p.Regions {
		how := "plain"
		if g.Encrypted {
			how = "encrypted"
		}
		rows = append(rows, []string{"flash", fmt.Sprintf("%#x", g.Offset), fmt.Sprintf("%d bytes", g.Length), how, g.Name})
	}
	table(w, "    ", rows)
	for _, b := range p.Burns {
		fmt.Fprintf(w, "    burn   %-22s %s\n", b.Name, b.Meaning)
		for i, word := range b.Bits {
			if word != "00000000" {
				fmt.Fprintf(w, "           BLOCK%d word %d |= 0x%s\n", b.Block, i, word)
			}
		}
	}
}
