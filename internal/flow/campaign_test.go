package flow_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/simulator"
)

// everyFrame turns a sample of cuts into all of them (docs/evidence.md).
var everyFrame = os.Getenv("PROVISION_CAMPAIGN") != ""

// maxRuns is how often a unit is taken up again before it counts as lost.
const maxRuns = 6

// campaign hurts unit after unit and counts what became of them.
type campaign struct {
	policy policy
	job    *job.Job

	mu       sync.Mutex
	outcomes map[string]int
}

func newCampaign(t testing.TB, p policy) *campaign {
	return &campaign{policy: p, job: newJob(t, p), outcomes: map[string]int{}}
}

// unit hurts one unit as the faults say and takes it up again, with its power off
// and on and its cable back in between, until there is a verdict that stands. Each
// time it may only be finished, waiting, or parked for a reason that is true.
func (c *campaign) unit(t *testing.T, f simulator.Faults) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, c.policy, c.job, simulator.WithFaults(f))
		for range maxRuns {
			res := r.run()
			r.mustKeepKeys()
			switch fault.Verdict(res.Verdict) {
			case fault.Pass, fault.Done:
				r.mustBeSecuredAfterCuts()
				c.count(fmt.Sprintf("%s in %d", res.Verdict, r.runs))
				return
			case fault.Park:
				r.mustParkTruly(res)
				c.count("PARK " + string(res.Code))
				return
			case fault.Fail:
				t.Fatalf("a good unit was failed: %v", res.Err)
			}
			r.chip.PowerCycle()
			r.chip.Replug()
		}
		t.Fatalf("not finished after %d runs", maxRuns)
	})
}

func (c *campaign) count(outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes[outcome]++
}

// each runs one unit a fault, side by side, and logs the outcomes.
func (c *campaign) each(t *testing.T, name string, faults []simulator.Faults, label func(simulator.Faults) string) {
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

// mustKeepKeys checks after every run, however it ended: while a key block holds
// anything and the unit is unfinished, the station can still open a key that these
// bits are of.
func (r *rig) mustKeepKeys() {
	r.t.Helper()
	u := r.unit()
	if u != nil && u.State == records.StateComplete {
		return
	}
	for block := 1; block <= 2; block++ {
		bits := r.chip.Fuses()[block]
		if bits != [8]uint32{} && !r.sealedKeyCovers(block, bits) {
			r.t.Errorf("BLOCK%d holds bits that are of no key the station can open", block)
		}
	}
}

// mustBeSecuredAfterCuts is mustBeSecured for a unit that may have been started
// half-way: an app built for release freezes a counter that is odd and not full.
func (r *rig) mustBeSecuredAfterCuts() {
	r.t.Helper()
	r.mustBeSecured(wrDisCryptCnt)
}

// mustParkTruly checks that what is said of a parked unit is so. A cut has one way
// to a parking: power lost after UART_DOWNLOAD_DIS, the very last fuse, took and
// before PASS was recorded. Nobody can look at that unit any more; it is finished
// all the same, and its keys are still held.
func (r *rig) mustParkTruly(res flow.Result) {
	r.t.Helper()
	if res.Code != fault.DownloadDisabled || r.chip.Fuses()[0][0]&uartDis == 0 {
		r.t.Fatalf("a unit was parked: %v", res.Err)
	}
	burns := r.burns()
	if last := burns[len(burns)-1]; last.Bits == nil || last.Bits[0] != uartDis {
		r.t.Errorf("the last intent is %q, not that of UART_DOWNLOAD_DIS", last.Step)
	}
	r.mustHoldFuses(wrDisCryptCnt)
	r.mustStart()
}

// frames is what one undisturbed run over a unit sends: the wire count before and
// after each frame and its answer.
func (c *campaign) frames(t *testing.T) (frames []span) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		r := newRig(t, c.policy, c.job)
		r.port = func(p esptool.Port) esptool.Port { return &meteredPort{p, r.chip, &frames} }
		r.mustRun("PASS", "")
	})
	return frames
}

// span is a stretch of the wire, in bytes both ways since the chip was opened.
type span struct{ from, to uint64 }

// meteredPort notes the span of every frame.
type meteredPort struct {
	esptool.Port
	chip   *simulator.Chip
	frames *[]span
}

func (p *meteredPort) Write(b []byte) (int, error) {
	from := p.chip.Counters().Wire
	n, err := p.Port.Write(b)
	*p.frames = append(*p.frames, span{from, p.chip.Counters().Wire})
	return n, err
}

// SetBaud passes the speed on, which makes the port one whose speed can be set.
func (p *meteredPort) SetBaud(baud int) error { return p.chip.SetBaud(baud) }

// sample is n of the values, evenly spread, or all of them in a full campaign.
func sample[T any](all []T, n int) []T {
	if everyFrame || n >= len(all) {
		return all
	}
	out := make([]T, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}
