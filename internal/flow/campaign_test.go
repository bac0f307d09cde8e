package flow_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/simulator"
)

// everyFrame turns a sample of cuts into all of them (docs/evidence.md).
var everyFrame = os.Getenv("PROVISION_CAMPAIGN") != ""

// everyNth thins a campaign out, for a machine that has other work to do: of all cuts
// it tries every N-th.
var everyNth = sync.OnceValue(func() int {
	text := os.Getenv("PROVISION_CAMPAIGN_EVERY")
	n, err := strconv.Atoi(text)
	switch {
	case text == "":
		return 1
	case err != nil || n < 1:
		panic("PROVISION_CAMPAIGN_EVERY is not a number from 1 on: " + text)
	}
	return n
})

// maxRuns is how often a unit is taken up again before it counts as lost.
const maxRuns = 6

// campaign hurts unit after unit and counts what became of them.
type campaign struct {
	policy policy
	job    *job.Job
	// deafening says that the line is so bad that what is heard twice may still be
	// wrong, and a good unit be taken for a bad one.
	deafening bool

	mu       sync.Mutex
	outcomes map[string]int
}

func newCampaign(t testing.TB, p policy) *campaign {
	return &campaign{policy: p, job: newJob(t, p), outcomes: map[string]int{}}
}

// unit hurts one unit as the faults say and takes it up again, with its power back
// (which starts what is in its flash) or its cable, until there is a verdict that
// stands. Each time it may only be finished, waiting, or parked for a reason that is
// true. Where the line is so bad that no run gets through, the unit goes to a better
// one.
func (c *campaign) unit(t *testing.T, f simulator.Faults) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, c.policy, c.job, simulator.WithFaults(f))
		noisy := f.Lose.Rate+f.Garble.Rate+f.Duplicate.Rate+f.Late.Rate > 0
		for range maxRuns {
			if outcome, done := c.runOnce(r, noisy); done {
				r.mustBeStruck(f)
				c.count(fmt.Sprintf("%s in %d", outcome, r.runs))
				return
			}
			if len(f.Unplug)+len(f.Hang) == 0 {
				r.chip.PowerCycle()
			}
			r.chip.Replug()
		}
		r.mustBeStruck(f)
		r.moveToGoodLine()
		outcome, done := c.runOnce(r, false)
		if !done {
			t.Fatal("not finished on a good line either")
		}
		c.count(outcome + " on another line")
	})
}

// mustBeStruck checks that what was to hurt the unit has. A run that is struck before its
// end has no verdict, so that another follows each.
func (r *rig) mustBeStruck(f simulator.Faults) {
	r.t.Helper()
	n := r.chip.Counters()
	for _, marks := range [][]uint64{f.CutWire, f.Unplug, f.Hang} {
		for _, at := range marks {
			if at > n.Wire {
				r.t.Errorf("wire byte %d was to be struck, and %d crossed", at, n.Wire)
			}
		}
	}
	for _, at := range [][]int{f.CutErase, f.CutProgram} {
		if len(at) > 0 && at[0] > n.Erases+n.Programs {
			r.t.Errorf("erase or page %d was to be struck, and there were %d and %d", at[0], n.Erases, n.Programs)
		}
	}
	if len(f.CutBurn) > 0 && f.CutBurn[0].Burn > n.Burns {
		r.t.Errorf("burn %d was to be struck, and there were %d", f.CutBurn[0].Burn, n.Burns)
	}
	strikes := len(f.CutWire) + len(f.Unplug) + len(f.Hang) + len(f.CutErase) + len(f.CutProgram) + len(f.CutBurn)
	if r.runs <= strikes && strikes > 0 {
		r.t.Errorf("%s did not end %d runs: there were %d", label(f), strikes, r.runs)
	}
}

// runOnce is one run over a unit that was hurt, over a line that may be noisy. done
// says that the verdict stands.
func (c *campaign) runOnce(r *rig, noisy bool) (outcome string, done bool) {
	r.t.Helper()
	res := r.run()
	r.mustKeepKeys()
	verdict := fault.Verdict(res.Verdict)
	if c.deafening && (verdict == fault.Fail || verdict == fault.Park) {
		c.count(fmt.Sprintf("mistaken for %s %s", verdict, res.Code))
		r.release()
		r.moveToGoodLine()
		return "", false
	}
	switch verdict {
	case fault.Pass, fault.Done:
		r.mustBeSecured(true)
		return res.Verdict, true
	case fault.Park:
		r.mustParkTruly(res)
		return "PARK " + string(res.Code), true
	case fault.Fail:
		// A byte lost from the boot log or from the flash's answers may look like a bad
		// unit. Then the fault's page says to try once more.
		page, _ := fault.Lookup(res.Code)
		if !noisy || !page.Transient || r.failed {
			r.t.Fatalf("a good unit was failed: %v", res.Err)
		}
		r.failed = true
	}
	return "", false
}

// release is what a person does with a unit that was set aside and looks fine.
func (r *rig) release() {
	r.t.Helper()
	err := r.store.Release(r.t.Context(), records.Release{MAC: r.mac(), Person: "lead", Reason: "the cable was bad", At: time.Now()})
	if !errors.Is(err, records.ErrNotParked) {
		check(r.t, err)
	}
}

// moveToGoodLine puts the same unit, with its fuses and flash, into a slot where
// nothing disturbs it.
func (r *rig) moveToGoodLine() {
	r.t.Helper()
	flash, err := r.chip.Flash(0, r.chip.FlashSize())
	check(r.t, err)
	fuses, blank := r.chip.Fuses(), r.blank
	r.insert(smallChip())
	r.blank = blank
	check(r.t, r.chip.Preburn(fuses))
	check(r.t, r.chip.SetFlash(0, flash))
}

func (c *campaign) count(outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes[outcome]++
}

// each runs one unit a fault, side by side, and logs the outcomes.
func (c *campaign) each(t *testing.T, name string, faults []simulator.Faults) {
	t.Helper()
	if len(faults) == 0 {
		t.Fatal("no faults to try")
	}
	t.Run(name, func(t *testing.T) {
		for _, f := range faults {
			t.Run(label(f), func(t *testing.T) {
				t.Parallel()
				c.unit(t, f)
			})
		}
	})
	t.Logf("%s, %s: %d units: %s", c.policy.name, name, len(faults), c.summary())
}

func (c *campaign) summary() string {
	var parts []string
	for outcome, n := range c.outcomes {
		parts = append(parts, fmt.Sprintf("%s: %d", outcome, n))
	}
	slices.Sort(parts)
	clear(c.outcomes)
	return strings.Join(parts, ", ")
}

// mustParkTruly checks that what is said of a parked unit is so. A cut has two ways
// to a parking, both of units whose download mode is to be closed.
func (r *rig) mustParkTruly(res flow.Result) {
	r.t.Helper()
	switch {
	case res.Code == fault.DownloadDisabled && r.chip.Fuses()[0][0]&uartDis != 0:
		// The very last fuse took and PASS was not recorded. Nobody can look at that
		// unit any more; it is finished all the same, and its keys are still held.
		burns := r.burns()
		if last := burns[len(burns)-1]; last.Bits == nil || last.Bits[0] != uartDis {
			r.t.Errorf("the last intent is %q, not that of UART_DOWNLOAD_DIS", last.Step)
		}
		r.mustHoldFuses(true)
		r.mustStart()
	case res.Code == fault.Contradictory && r.policy.word0&uartDis != 0 && r.frozenByApp():
		// The app froze the counter, and with it UART_DOWNLOAD_DIS.
		if !strings.Contains(res.Err.Error(), "UART_DOWNLOAD_DIS") {
			r.t.Errorf("the reason does not name the fuse: %v", res.Err)
		}
		if _, err := r.store.ParkingOf(r.t.Context(), r.mac()); err != nil {
			r.t.Error(err)
		}
	default:
		r.t.Fatalf("a unit was parked: %v", res.Err)
	}
}

// frames is what one undisturbed run over a unit sends, frame by frame.
func (c *campaign) frames(t *testing.T) []span {
	t.Helper()
	frames, _ := c.metered(t)
	return frames
}

// metered is what crosses the wire in one undisturbed run over a unit: each frame with
// its answer, and what the unit prints at each start.
func (c *campaign) metered(t *testing.T) (frames []span, prints []printing) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		r := newRig(t, c.policy, c.job)
		p := &meteredPort{chip: r.chip}
		r.port = p.before
		r.mustRun("PASS", "")
		frames, prints = p.frames, p.prints
		for i := range prints {
			prints[i].text = p.heard[prints[i].at:][:prints[i].to-prints[i].from]
		}
	})
	return frames, prints
}

// counters is what one undisturbed run over a unit does to it.
func (c *campaign) counters(t *testing.T) (n simulator.Counters) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		r := newRig(t, c.policy, c.job)
		r.mustRun("PASS", "")
		n = r.chip.Counters()
	})
	return n
}

// span is a stretch of the wire, in bytes both ways since the chip was opened: a frame
// up to asked, then its answer.
type span struct{ from, asked, to uint64 }

func (s span) middle() uint64 { return (s.from + s.to) / 2 }

// printing is a stretch of the wire that the unit fills when it is started.
type printing struct {
	from, to uint64
	at       uint64 // of all bytes to the host
	text     []byte
}

// meteredPort notes what crosses the wire.
type meteredPort struct {
	esptool.Port
	chip   *simulator.Chip
	frames []span
	prints []printing
	toHost uint64
	heard  []byte
}

// before puts it before a port.
func (p *meteredPort) before(port esptool.Port) esptool.Port {
	p.Port = port
	return p
}

func (p *meteredPort) Write(b []byte) (int, error) {
	from := p.chip.Counters().Wire
	n, err := p.Port.Write(b)
	s := span{from, from + uint64(n), p.chip.Counters().Wire}
	p.frames = append(p.frames, s)
	p.toHost += s.to - s.asked
	return n, err
}

func (p *meteredPort) SetLines(dtr, rts bool) error {
	from := p.chip.Counters().Wire
	err := p.Port.SetLines(dtr, rts)
	if to := p.chip.Counters().Wire; to > from {
		p.prints = append(p.prints, printing{from: from, to: to, at: p.toHost})
		p.toHost += to - from
	}
	return err
}

func (p *meteredPort) Read(b []byte) (int, error) {
	n, err := p.Port.Read(b)
	p.heard = append(p.heard, b[:n]...)
	return n, err
}

// SetBaud passes the speed on, which makes the port one whose speed can be set.
func (p *meteredPort) SetBaud(baud int) error { return p.chip.SetBaud(baud) }

// sample is n of the values, evenly spread, or all of them in a full campaign.
func sample[T any](all []T, n int) []T {
	n = fewer(len(all), n)
	out := make([]T, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}

// numbers are those from 1 to n.
func numbers(n int) (out []int) {
	for i := range n {
		out = append(out, i+1)
	}
	return out
}

// fewer is all in a full campaign, or the N-th part of it, else n where there are so
// many.
func fewer(all, n int) int {
	if everyFrame {
		return max((all+everyNth()-1)/everyNth(), min(all, 1))
	}
	return min(all, max(n/thin, 1))
}
