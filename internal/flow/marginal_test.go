package flow_test

import (
	"fmt"
	"math/big"
	"testing"

	"provision/internal/simulator"
)

// TestMarginalAfterACut: the power goes in a burn and leaves a bit that shows at every
// other load of the fuses. The next run does not take it for burnt when it happens to
// show, but gives it the pulse it lacks.
func TestMarginalAfterACut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		burn       int
		block, bit int
	}{
		{"a key bit", 1, 1, firstKeyBit()},
		{"RD_DIS of BLOCK1", 2, 0, 16},
		{"WR_DIS of BLOCK1", 3, 0, 7},
		{"RD_DIS of BLOCK2", 5, 0, 17},
		{"ABS_DONE_0", 8, 0, 196},
		{"FLASH_CRYPT_CNT", 9, 0, 22},
		{"JTAG_DISABLE", 10, 0, 198},
		{"WR_DIS of ABS_DONE_0", 11, 0, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for loads := range 2 { // whichever way the loads fall
				inBubble(t, func(t *testing.T) {
					whole := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
					r := newRig(t, release, newJob(t, release), simulator.WithFaults(simulator.Faults{
						CutBurn:  []simulator.CutBurn{{Burn: c.burn, Mask: whole}},
						WeakBits: []simulator.WeakBit{{Block: c.block, Bit: c.bit, Marginal: true}},
					}))
					r.mustRun("ERROR", "E107")
					for range 1 + loads {
						r.chip.PowerCycle()
					}
					r.mustRun("PASS", "")
					r.mustBeSecured(false)
				})
			}
		})
	}
}

// TestMarginalWithoutACut: a pulse that leaves a bit showing at every other load did not
// take. The bit gets the pulses that it lacks, and one that never takes is never believed,
// whichever loads are looked at.
func TestMarginalWithoutACut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		block, bit int
	}{
		{"a key bit", 1, firstKeyBit()},
		{"RD_DIS of BLOCK1", 0, 16},
		{"RD_DIS of BLOCK2", 0, 17},
		{"ABS_DONE_0", 0, 196},
		{"FLASH_CRYPT_CNT", 0, 22},
		{"WR_DIS of ABS_DONE_0", 0, 12},
	} {
		for _, pulses := range []int{2, 5, 1000} {
			t.Run(fmt.Sprintf("%s, %d pulses", c.name, pulses), func(t *testing.T) {
				t.Parallel()
				for loads := range 2 {
					inBubble(t, func(t *testing.T) {
						r := newRig(t, release, newJob(t, release), simulator.WithFaults(simulator.Faults{
							WeakBits: []simulator.WeakBit{{Block: c.block, Bit: c.bit, Programs: pulses, Marginal: true}},
						}))
						for range 1 + loads {
							r.chip.PowerCycle()
						}
						if pulses == 1000 {
							r.mustRun("FAIL", "E301")
							return
						}
						r.mustRun("PASS", "")
						r.mustBeSecured(false)
					})
				}
			})
		}
	}
}
