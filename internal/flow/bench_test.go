package flow_test

import (
	"strings"
	"testing"
	"time"

	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/simulator"
)

// lineRate is what 460800 baud carries, in bytes a second: ten bits each.
const lineRate = 460800 / 10

// BenchmarkRun is a whole unit, blank to PASS, on a chip that takes no time: what
// the station itself costs, with its database in memory and the fixed waits of the
// reset sequences.
func BenchmarkRun(b *testing.B) {
	j := newJob(b, release)
	for b.Loop() {
		b.StopTimer()
		r := newRig(b, release, j)
		b.StartTimer()
		r.mustRun("PASS", "")
	}
}

// BenchmarkPacedRun is the same on a chip as slow as a real one at 460800 baud,
// behind an adapter that holds bytes back for 1 ms. It takes the time it reports.
func BenchmarkPacedRun(b *testing.B) {
	j := newJob(b, release)
	var sum pace
	n := 0
	for b.Loop() {
		b.StopTimer()
		r := newPacedRig(b, j)
		b.StartTimer()
		r.mustRun("PASS", "")
		sum = sum.and(r.pace())
		n++
	}
	b.ReportMetric(sum.fraction(), "of-line-rate")
	b.ReportMetric(sum.fuses.Seconds()/float64(n), "fuse-s/op")
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(sum.total.Seconds()/float64(n), "s/op")
}

// TestPace holds the same to limits, in time that does not depend on the machine:
// what is written flows at half the line's rate or more, erasing and checking
// included, and the eleven burns of a unit take less than seven seconds.
func TestPace(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newPacedRig(t, j)
		r.mustRun("PASS", "")
		p := r.pace()
		t.Logf("%d bytes in %v, %.0f%% of the line rate; fuses %v; whole run %v", p.bytes, p.writing, 100*p.fraction(), p.fuses, p.total)
		if p.fraction() < 0.5 || p.fuses > 7*time.Second {
			t.Errorf("%.0f%% of the line rate, fuses in %v", 100*p.fraction(), p.fuses)
		}
	})
}

func newPacedRig(t testing.TB, j *job.Job) *rig {
	t.Helper()
	return newRig(t, release, j, simulator.WithPacing(simulator.RealisticPacing()))
}

// pace is where the time of a run went.
type pace struct {
	bytes                 int           // of flash that were written
	writing, fuses, total time.Duration // steps that wrote flash, that burnt; all
}

func (p pace) and(q pace) pace {
	return pace{p.bytes + q.bytes, p.writing + q.writing, p.fuses + q.fuses, p.total + q.total}
}

// fraction is how much of the line's rate became flash content.
func (p pace) fraction() float64 { return float64(p.bytes) / lineRate / p.writing.Seconds() }

// pace reads it from the events of the last run. Steps that found nothing to do have
// no start, and count for nothing.
func (r *rig) pace() (p pace) {
	var began time.Time
	burns := false
	for _, ev := range r.events {
		switch {
		case ev.Kind == flow.StepStarted:
			began, burns = ev.Time, false
		case ev.Kind == flow.BurnIntended:
			burns = true
		case began.IsZero():
		case ev.Kind == flow.RegionVerified && strings.HasPrefix(ev.Step, "write "):
			p.bytes += ev.Region.Length
		case ev.Kind == flow.StepPassed:
			if burns {
				p.fuses += ev.Time.Sub(began)
			} else if strings.HasPrefix(ev.Step, "write ") {
				p.writing += ev.Time.Sub(began)
			}
			began = time.Time{}
		}
	}
	p.total = r.events[len(r.events)-1].Time.Sub(r.events[0].Time)
	return p
}
