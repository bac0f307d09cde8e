package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
)

// stationTeach finds out which USB place is which slot of a fixture.
func (a *app) stationTeach() *cobra.Command {
	var slots int
	var reset string
	cmd := &cobra.Command{
		Use:   "teach --slots N",
		Short: "Find the USB places of the slots: plug slot 1 now, then slot 2 ...",
		Long: `Ask for one slot after the other: plug its cable in, or put a unit into it. The USB
place that appears, or that begins to answer, is the slot's, however the system names
its port later. At the end the lines for the profile's [link] section are printed.
Serial adapters that are plugged in are asked for a unit, which resets a unit that is
there; nothing is written to any.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if slots < 1 || slots > 24 {
				return usagef("--slots %d: a station has 1 to 24 slots", slots)
			}
			mode, err := resetMode("", reset, "")
			if err != nil {
				return err
			}
			if runtime.GOOS != "linux" {
				return usagef("places on the USB tree are known on Linux only; name the ports of the slots in the profile")
			}
			t := teacher{
				list: esptool.List, sleep: sleep,
				mac: func(ctx context.Context, port string) string { return macAt(ctx, port, mode) },
				say: func(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) },
			}
			places, err := t.slots(cmd.Context(), slots)
			if err != nil {
				return err
			}
			return a.taught(places)
		},
	}
	cmd.Flags().IntVar(&slots, "slots", 4, "how many slots the fixture has")
	cmd.Flags().StringVar(&reset, "reset", "", "how a chip gets into download mode: classic, tight or none")
	return cmd
}

// taught prints what was learnt.
func (a *app) taught(places []string) error {
	if a.json {
		for i, place := range places {
			if err := a.emit(map[string]any{"kind": "slot.taught", "slot": i + 1, "port": "usb:" + place}); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Fprintln(a.out, "slots = [")
	for i, place := range places {
		fmt.Fprintf(a.out, "  { number = %d, port = \"usb:%s\" },\n", i+1, place)
	}
	_, err := fmt.Fprintln(a.out, "]")
	return err
}

// macAt is the MAC of the unit behind a port; "" when none answers.
func macAt(ctx context.Context, name string, mode esptool.ResetMode) string {
	port, err := openPort(ctx, name)
	if err != nil {
		return ""
	}
	defer port.Close()
	dev, err := esptool.Connect(ctx, port, esptool.Config{Reset: mode, Attempts: 1})
	if err != nil {
		return ""
	}
	chip, err := dev.Identify(ctx)
	if err != nil {
		return ""
	}
	return net.HardwareAddr(chip.MAC[:]).String()
}

// teachPeriod is the time between two looks at all ports.
const teachPeriod = 300 * time.Millisecond

// teacher learns places from the one thing that changes.
type teacher struct {
	list  func() ([]esptool.PortInfo, error)
	mac   func(ctx context.Context, port string) string // "": no unit answers there
	sleep func(context.Context, time.Duration) error
	say   func(format string, args ...any)
}

// slots learns the places of slots 1 to n.
func (t teacher) slots(ctx context.Context, n int) ([]string, error) {
	var places []string
	for len(places) < n {
		number := len(places) + 1
		t.say("Slot %d: plug its cable in, or put a unit into it, now.", number)
		place, err := t.next(ctx, places)
		if err != nil {
			return nil, err
		}
		t.say("Slot %d is usb:%s.", number, place)
		places = append(places, place)
	}
	return places, nil
}

// next waits for the one place that appears, or begins to answer, and stays so for two
// looks. Those in known are slots already.
func (t teacher) next(ctx context.Context, known []string) (string, error) {
	before, err := t.look(ctx, known)
	var last []string
	for err == nil {
		if err = t.sleep(ctx, teachPeriod); err != nil {
			break
		}
		var now map[string]string
		if now, err = t.look(ctx, known); err != nil {
			break
		}
		fresh := changed(before, now)
		switch again := slices.Equal(fresh, last); {
		case len(fresh) == 1 && again:
			return fresh[0], nil
		case len(fresh) > 1 && again:
			t.say("More than one at a time: %s. Take them out again.", strings.Join(fresh, ", "))
		}
		last = fresh
		maps.DeleteFunc(before, func(place, _ string) bool { _, there := now[place]; return !there })
		for place := range before {
			if now[place] == "" {
				before[place] = "" // its unit went: the next one there counts
			}
		}
	}
	if ctx.Err() != nil {
		return "", exitError{fault.ExitInterrupted}
	}
	return "", flow.AsFault(err, fault.Internal)
}

// changed are the places of now that were not there before, or did not answer.
func changed(before, now map[string]string) []string {
	var out []string
	for _, place := range slices.Sorted(maps.Keys(now)) {
		if mac, there := before[place]; !there || mac == "" && now[place] != "" {
			out = append(out, place)
		}
	}
	return out
}

// look returns the MAC behind each USB place that is no slot yet; "" where no unit
// answers. All are asked at once: a silent one takes its time.
func (t teacher) look(ctx context.Context, known []string) (map[string]string, error) {
	ports, err := t.list()
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var asked sync.WaitGroup
	out := map[string]string{}
	for _, p := range ports {
		if p.Place == "" || slices.Contains(known, p.Place) {
			continue
		}
		asked.Go(func() {
			mac := t.mac(ctx, p.Name)
			mu.Lock()
			defer mu.Unlock()
			out[p.Place] = max(out[p.Place], mac) // an adapter may have two ports
		})
	}
	asked.Wait()
	return out, nil
}
