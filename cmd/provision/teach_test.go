package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/internal/esptool"
)

// TestTeach: a cable that is plugged in, a unit that begins to answer, one that was
// there before, one that bounces, two at once.
func TestTeach(t *testing.T) {
	looks := []string{ // what is plugged in at each look; after = the unit that answers
		"1-1 1-2=aa",    // before slot 1: an empty adapter, and a unit that was forgotten
		"1-1 1-2=aa",    //
		"1-1=bb 1-2=aa", // a unit: not yet, contacts bounce
		"1-1 1-2=aa",    //
		"1-1=bb 1-2=aa", //
		"1-1=bb 1-2=aa", // slot 1
		"1-2=aa",        // before slot 2: the forgotten one is taken out ...
		"1-2",           //
		"1-2=aa",        // ... and put in again
		"1-2=aa",        // slot 2
		"",              // before slot 3
		"2-1 2-2",       // two cables at once
		"2-1 2-2",       // is said
		"2-2",           // one is pulled out
		"2-2",           // slot 3
		"9-9",           // never reached
	}
	at := 0
	units := map[string]string{}
	var said []string
	teach := teacher{
		list: func() (ports []esptool.PortInfo, err error) {
			clear(units)
			for _, f := range strings.Fields(looks[at]) {
				place, mac, _ := strings.Cut(f, "=")
				ports = append(ports, esptool.PortInfo{Name: "/dev/" + place, Place: place})
				units["/dev/"+place] = mac
			}
			ports = append(ports, esptool.PortInfo{Name: "/dev/ttyS0"}) // no USB: never a slot
			at++
			return ports, nil
		},
		mac:   func(_ context.Context, port string) string { return units[port] },
		sleep: func(context.Context, time.Duration) error { return nil },
		say:   func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
	}
	places, err := teach.slots(t.Context(), 3)
	if err != nil || !slices.Equal(places, []string{"1-1", "1-2", "2-2"}) {
		t.Errorf("learnt %v, %v", places, err)
	}
	if !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "More than one") }) {
		t.Errorf("two at once are not told: %q", said)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	at, teach.sleep = 0, sleep
	if _, err := teach.slots(ctx, 1); exitCode(err) != 130 {
		t.Errorf("interrupted: %v", err)
	}
}
