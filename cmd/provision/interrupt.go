package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"provision/internal/flow"
)

// work lets the flow do a run. A reader of our output that goes away must not end
// it: by default the next line would kill the program, perhaps inside a burn.
func (a *app) work(ctx context.Context, cfg flow.Config) flow.Result {
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	hands := &interrupts{out: a.err, at: map[int]string{}}
	cfg.Sink = hands.sink(cfg.Sink)
	defer hands.explain(ctx)()
	a.judged = true
	return flow.Run(ctx, cfg)
}

// interrupts tells who presses Ctrl-C why the program does not stop at once, and
// whoever presses it again what it still waits for.
type interrupts struct {
	out io.Writer

	mu sync.Mutex
	at map[int]string // the burn that each slot is in the middle of
}

// sink takes note of what is being burnt, before the events go on.
func (i *interrupts) sink(next func(flow.Event)) func(flow.Event) {
	return func(ev flow.Event) {
		i.mu.Lock()
		switch ev.Kind {
		case flow.BurnIntended:
			i.at[ev.Slot] = ev.Step
		case flow.BurnObserved, flow.RunFailed, flow.RunFinished:
			delete(i.at, ev.Slot)
		}
		i.mu.Unlock()
		next(ev)
	}
}

// explain listens until stop is called. The first signal ends ctx, and the work with
// it where it may end; each further one only asks.
func (i *interrupts) explain(ctx context.Context) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, stopSignals()...)
	over := make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() {
		ended := ctx.Done()
		for presses := 0; ; {
			select {
			case <-ended:
				ended = nil // once
				fmt.Fprintln(i.out, "provision: stopping; a burn that has begun is read back first")
			case <-signals:
				if presses++; presses > 1 {
					fmt.Fprintf(i.out, "provision: %s\n", i.still())
				}
			case <-over:
				return
			}
		}
	})
	return func() {
		signal.Stop(signals)
		close(over)
		told.Wait()
	}
}

// still is what the program waits for.
func (i *interrupts) still() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.at) == 0 {
		return "still stopping; what was done is being put on record"
	}
	var burns []string
	for _, slot := range slices.Sorted(maps.Keys(i.at)) {
		if text := i.at[slot]; slot == 0 {
			burns = append(burns, text)
		} else {
			burns = append(burns, fmt.Sprintf("slot %d: %s", slot, text))
		}
	}
	return fmt.Sprintf("still waiting for the read-back of fuses that are being burnt (%s): killing the program now leaves a unit whose fuses nobody has checked. "+
		"It ends by itself: a burn within %v, a unit that encrypts itself when it is done", strings.Join(burns, ", "), flow.BurnLimit)
}
