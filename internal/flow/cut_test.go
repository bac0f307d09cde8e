package flow_test

import (
	"fmt"
	"math/big"
	"testing"

	"provision/internal/simulator"
)

// TestPowerCut cuts the power at wire byte N, for N over the whole job, in the
// middle of a frame, and takes the unit up again.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for _, p := range []policy{release, secureBootOnly, encryptionOnly, development, closed, byUnit, byUnitOnly} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newCampaign(t, p)
			var faults []simulator.Faults
			for _, s := range c.frames(t) {
				faults = append(faults, simulator.Faults{CutWire: []uint64{(s.from + s.to) / 2}})
			}
			c.each(t, "cut", share(p, 30, faults))
		})
	}
}

// TestPowerCutTwice cuts the power again while the unit is taken up.
func TestPowerCutTwice(t *testing.T) {
	t.Parallel()
	c := newCampaign(t, release)
	frames := c.frames(t)
	var faults []simulator.Faults
	for i, s := range frames {
		// The second cut comes somewhere in the second run: 7919 is a prime.
		again := s.to + 1 + uint64(i)*7919%(frames[len(frames)-1].to/2)
		faults = append(faults, simulator.Faults{CutWire: []uint64{(s.from + s.to) / 2, again}})
	}
	c.each(t, "cut twice", sample(faults, 12))
}

// TestPowerCutInBurn cuts the power inside every burn, with none, all, or some of
// its bits taken: the first alone and the first two (which make an odd and an even
// FLASH_CRYPT_CNT), and two throws of a coin.
func TestPowerCutInBurn(t *testing.T) {
	t.Parallel()
	for _, p := range []policy{release, secureBootOnly, development, closed, byUnit, byUnitOnly, byUnitDevelopment, byUnitClosed} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newCampaign(t, p)
			every := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
			var faults []simulator.Faults
			burns := c.counters(t).Burns
			for k := 1; k <= burns; k++ {
				for _, mask := range []*big.Int{new(big.Int), big.NewInt(1), big.NewInt(3), every} {
					faults = append(faults, simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: k, Mask: mask}}})
				}
				for seed := range uint64(2) {
					faults = append(faults, simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: k, Seed: seed}}})
				}
			}
			c.each(t, "cut in a burn", share(p, 30, faults))
		})
	}
}

// TestKeyNotComparedYet cuts the power when a key has just been burnt whole and
// nobody has compared it: it is compared by the next run, not parked.
func TestKeyNotComparedYet(t *testing.T) {
	t.Parallel()
	whole := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	c := newCampaign(t, release)
	c.each(t, "key whole", []simulator.Faults{
		{CutBurn: []simulator.CutBurn{{Burn: 1, Mask: whole}}}, // BLOCK1
		{CutBurn: []simulator.CutBurn{{Burn: 4, Mask: whole}}}, // BLOCK2
	})
}

// TestPowerCutInFlash cuts the power half-way through erasing a sector and through
// programming a page, of the station's or of a unit's that encrypts itself.
func TestPowerCutInFlash(t *testing.T) {
	t.Parallel()
	for _, p := range []policy{release, secureBootOnly, byUnit, byUnitOnly} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newCampaign(t, p)
			n := c.counters(t)
			var erases, programs []simulator.Faults
			for k := 1; k <= n.Erases; k++ {
				erases = append(erases, simulator.Faults{CutErase: []int{k}})
			}
			for k := 1; k <= n.Programs; k++ {
				programs = append(programs, simulator.Faults{CutProgram: []int{k}})
			}
			c.each(t, "cut in an erase", sample(erases, 4))
			c.each(t, "cut in a page", sample(programs, 4))
		})
	}
}

// TestCable pulls the cable, which leaves the unit powered, and hangs the unit,
// which only a reset ends.
func TestCable(t *testing.T) {
	t.Parallel()
	c := newCampaign(t, release)
	var unplugged, hung []simulator.Faults
	for _, s := range c.frames(t) {
		unplugged = append(unplugged, simulator.Faults{Unplug: []uint64{(s.from + s.to) / 2}})
		hung = append(hung, simulator.Faults{Hang: []uint64{(s.from + s.to) / 2}})
	}
	c.each(t, "unplugged", sample(unplugged, 8))
	c.each(t, "hung", sample(hung, 8))
}

// TestNoise works over lines that lose, change, double and delay bytes: one in fifty
// thousand, which is no reason to fail or park a unit; and one in five thousand,
// where a run hardly gets through and a good unit may be set aside, but none is lost
// and none passes that should not.
func TestNoise(t *testing.T) {
	t.Parallel()
	c := newCampaign(t, release)
	for _, rate := range []float64{0.00002, 0.0002} {
		c.deafening = rate > 0.0001
		var faults []simulator.Faults
		for seed := range uint64(50) {
			noise := simulator.Noise{Rate: rate, Seed: seed}
			faults = append(faults,
				simulator.Faults{Lose: noise}, simulator.Faults{Garble: noise},
				simulator.Faults{Duplicate: noise}, simulator.Faults{Late: noise})
		}
		c.each(t, fmt.Sprint("noise ", rate), faults[:fewer(len(faults), 8)])
	}
}

// share is the sample a policy gets: the product's own gets n, every other a third.
func share(p policy, n int, all []simulator.Faults) []simulator.Faults {
	if p.name != release.name {
		n /= 3
	}
	return sample(all, n)
}

// label names a unit after what is done to it.
func label(f simulator.Faults) string {
	switch {
	case len(f.CutBurn) > 0 && f.CutBurn[0].Mask != nil:
		return fmt.Sprintf("burn %d mask %x", f.CutBurn[0].Burn, f.CutBurn[0].Mask)
	case len(f.CutBurn) > 0:
		return fmt.Sprintf("burn %d seed %d", f.CutBurn[0].Burn, f.CutBurn[0].Seed)
	case len(f.CutWire) > 0:
		return fmt.Sprint("wire ", f.CutWire)
	case len(f.CutErase) > 0:
		return fmt.Sprint("erase ", f.CutErase)
	case len(f.CutProgram) > 0:
		return fmt.Sprint("page ", f.CutProgram)
	case len(f.Unplug) > 0:
		return fmt.Sprint("unplug ", f.Unplug)
	case len(f.Hang) > 0:
		return fmt.Sprint("hang ", f.Hang)
	}
	return fmt.Sprintf("lose %v garble %v double %v late %v", f.Lose, f.Garble, f.Duplicate, f.Late)
}
