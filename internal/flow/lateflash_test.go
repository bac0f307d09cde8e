package flow_test

import (
	"testing"
	"time"

	"provision/internal/flow"
	"provision/internal/simulator"
)

// TestLateFlash: a good chip whose flash is not ready at the first start after power-on
// says so, and starts when its watchdog has reset it. It passes, whoever encrypts.
func TestLateFlash(t *testing.T) {
	t.Parallel()
	for _, p := range []policy{release, byUnit} {
		j := newJob(t, p)
		for _, major := range []int{1, 3} {
			inBubble(t, func(t *testing.T) {
				cfg := smallChip()
				cfg.RevMajor = major
				r := newRigWith(t, p, j, cfg, simulator.WithFaults(simulator.Faults{LateFlash: 1}))
				r.mustRun("PASS", "")
				r.mustBeSecured(true)
			})
		}
	}
}

// TestUnreadableBootloader: a unit whose ROM reads no bootloader is told as such as soon as
// it says so twice, and not when the time is over.
func TestUnreadableBootloader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		policy        policy
		step          string
		verdict, code string
		hurt          func(*simulator.Chip) error
	}{
		{"host, header", release, "boot check", "PARK", "E701", func(c *simulator.Chip) error { return c.SetFlash(0x1000, make([]byte, 16)) }},
		{"device, header", byUnit, unitEncrypts, "FAIL", "E704", func(c *simulator.Chip) error { return c.SetFlash(0x1000, make([]byte, 16)) }},
		{"host, digest", release, "boot check", "PARK", "E701", func(c *simulator.Chip) error { return c.SetFlash(0, make([]byte, 4096)) }},
	} {
		j := newJob(t, c.policy)
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := newRig(t, c.policy, j)
				var began time.Time
				w := r.watch()
				w.starting = func() {
					if last := r.events[len(r.events)-1]; last.Step != c.step {
						return
					}
					check(t, c.hurt(r.chip))
					began = time.Now()
				}
				r.sink = func(ev flow.Event) {
					if ev.Kind == flow.BootSeen && time.Since(began) > 2*time.Second {
						t.Errorf("it was told after %v", time.Since(began))
					}
				}
				r.mustRun(c.verdict, c.code)
				if began.IsZero() {
					t.Error("the unit was not started")
				}
			})
		})
	}
}
