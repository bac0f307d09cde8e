//go:build unix

package main

import (
	"bufio"
	"bytes"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"provision/internal/simulator"
)

// fuses are those of the unit in the slot.
func (b *killBench) fuses() (f simulator.Fuses) {
	b.look(func() { f = b.unit.Chip.Fuses() })
	return f
}

// mustHideKeys looks for the keys that are in the chip now in everything that the
// station ever wrote: its files after each kill and now, and what it printed. That
// is no secret of the past: a unit gets its keys once.
func (b *killBench) mustHideKeys() {
	b.t.Helper()
	c := newCanary(b.fuses())
	for i, files := range append(b.held, b.files()) {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if form := c.find(files[name]); form != "" {
				b.t.Errorf("after kill %d a key lies in %s: %s", i+1, name, form)
			}
		}
	}
	for _, text := range b.said {
		if form := c.find(live(text)); form != "" {
			b.t.Errorf("a key was printed: %s", form)
		}
	}
}

// stale matches an argument in a traceback that the runtime knows to be out of date: what
// a register held before (docs/security.md). Here the unit is in the same program, so
// that its own boot ROM, which reads the keys, is in the traceback too.
var stale = regexp.MustCompile(`0x[0-9a-f]+\?`)

// live is a traceback without the arguments that are out of date.
func live(text string) []byte { return stale.ReplaceAll([]byte(text), []byte("stale")) }

// TestCrashTellsNoKey has the station crash at random instants: with SIGABRT the
// runtime prints what every goroutine is at, with the arguments of its calls. No word
// of a key is among them.
func TestCrashTellsNoKey(t *testing.T) {
	notUnderRace(t)
	k := killKinds[1]
	whole := measure(t, k)
	units := 6
	if everyKill {
		units = 200
	}
	crashes := 0
	for n := range units {
		random := rand.New(rand.NewPCG(killSeed, uint64(n)))
		b := newKillBench(t, k)
		at := whole.anywhere(random)
		e := b.end(at, func() error { return b.at.Process.Signal(syscall.SIGABRT) }, "GOTRACEBACK=all")
		dump := b.said[len(b.said)-1]
		if bytes.Contains([]byte(dump), []byte("SIGABRT")) {
			crashes++
		}
		b.mustBeSettled(b.run(instant{}))
		c := newCanary(b.fuses())
		c.knowWords(b.fuses())
		if form := c.find(live(dump)); form != "" {
			t.Errorf("unit %d, crashed after %v (%+v): a key is in the traceback: %s\n%s", n, at.delay, e, form, dump)
		}
	}
	enough := 1 // some come when the run is over
	if everyKill {
		enough = units / 2
	}
	if crashes < enough {
		t.Errorf("%d of %d stations crashed, and %d are wanted", crashes, units, enough)
	}
	t.Logf("%d units, %d crashes", units, crashes)
}

// TestCrashInsideAKey crashes the station while it sends a key's words, with the
// unit's answers held back: that is where a key is in the arguments of calls, if it
// ever is.
func TestCrashInsideAKey(t *testing.T) {
	notUnderRace(t)
	for _, step := range []string{"burn BLOCK1", "burn BLOCK2"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			b := newKillBench(t, killKinds[0])
			gate := newGate(t, strings.TrimPrefix(b.port, "tcp://"))
			b.port = "tcp://" + gate.addr
			cmd := b.station("GOTRACEBACK=all")
			out, err := cmd.StdoutPipe()
			mustDo(t, err)
			var told bytes.Buffer
			cmd.Stderr = &told
			mustDo(t, cmd.Start())
			killer := time.AfterFunc(killLimit, func() { _ = cmd.Process.Kill() })
			defer killer.Stop()
			until(t, bufio.NewScanner(out), `"kind":"burn.intended","step":"`+step+`"`)
			gate.shut()
			time.Sleep(100 * time.Millisecond) // until it waits for an answer; nothing depends on it
			mustDo(t, cmd.Process.Signal(syscall.SIGABRT))
			_ = cmd.Wait() // it crashed
			gate.open()
			if !strings.Contains(told.String(), "efuse.Execute") {
				t.Errorf("it did not crash inside a burn:\n%s", told.String())
			}
			if e := b.run(instant{}); e.verdict != "PASS" {
				t.Errorf("taken up again, the run ended as %+v", e)
			}
			c := newCanary(b.fuses())
			c.knowWords(b.fuses())
			if form := c.find(live(told.String())); form != "" {
				t.Errorf("a key is in the traceback: %s\n%s", form, told.String())
			}
		})
	}
}
