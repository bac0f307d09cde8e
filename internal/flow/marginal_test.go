package flow_test

import (
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
		{"WR_DIS of BLOCK1", 3, 0, 7},
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
