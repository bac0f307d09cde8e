package flow_test

import (
	"fmt"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"provision/internal/fault"
	"provision/internal/simulator"
)

// cutPolicies are those of units that lose their power.
var cutPolicies = []policy{
	release, escrowed, secureBootOnly, encryptionOnly, development, closed,
	byUnit, byUnitOnly, byUnitDevelopment, byUnitClosed,
}

// TestPowerCut cuts the power at wire byte N, for N over the whole job, in the
// middle of a frame, and takes the unit up again.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for _, p := range cutPolicies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newCampaign(t, p)
			var faults []simulator.Faults
			for _, s := range c.frames(t) {
				faults = append(faults, simulator.Faults{CutWire: []uint64{s.middle()}})
			}
			c.each(t, "cut", share(p, 30, faults))
		})
	}
}

// TestPowerCutTwice cuts the power in the middle of a frame, and again in the middle of
// one of the run that takes the unit up.
func TestPowerCutTwice(t *testing.T) {
	t.Parallel()
	c := newCampaign(t, release)
	firsts := sample(c.frames(t), 12)
	t.Run("cut twice", func(t *testing.T) {
		for i, s := range firsts {
			t.Run(fmt.Sprint("wire ", s.middle()), func(t *testing.T) {
				t.Parallel()
				second := c.framesAfter(t, s.middle())
				again := second[i*7919%len(second)] // anywhere: 7919 is a prime
				c.unit(t, simulator.Faults{CutWire: []uint64{s.middle(), again.middle()}})
			})
		}
	})
	t.Logf("%s, cut twice: %d units: %s", c.policy.name, len(firsts), c.summary())
}

// framesAfter is what the run sends that takes a unit up after a cut.
func (c *campaign) framesAfter(t *testing.T, cut uint64) []span {
	t.Helper()
	var p *meteredPort
	inBubble(t, func(t *testing.T) {
		r := newRig(t, c.policy, c.job, simulator.WithFaults(simulator.Faults{CutWire: []uint64{cut}}))
		if res := r.run(); res.Verdict == "PASS" {
			t.Fatalf("it passed in spite of a cut at wire byte %d", cut)
		}
		r.chip.PowerCycle()
		p = &meteredPort{chip: r.chip}
		r.port = p.before
		r.mustRun("PASS", "")
	})
	return p.frames
}

// TestPowerCutInBurn cuts the power inside every burn, with some of its bits taken.
func TestPowerCutInBurn(t *testing.T) {
	t.Parallel()
	for _, p := range cutPolicies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newCampaign(t, p)
			var faults []simulator.Faults
			for i, size := range c.burntBits(t) {
				for _, mask := range subsets(size) {
					faults = append(faults, simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: i + 1, Mask: mask}}})
				}
			}
			c.each(t, "cut in a burn", share(p, 30, faults))
		})
	}
}

// smallBurn is up to how many bits every subset of a burn is tried.
const smallBurn = 7

// subsets are those of a burn's bits that take before the power goes: of a small
// burn every one; of a larger one none, all, one, two (an odd and an even number),
// all but the first, all but the last, halves, every 2nd, 3rd, 5th and 7th, and
// throws of a coin. Each comes once.
func subsets(size int) (masks []*big.Int) {
	if size <= smallBurn {
		for mask := range int64(1) << size {
			masks = append(masks, big.NewInt(mask))
		}
		return masks
	}
	every := func(k int) *big.Int { return chosen(size, func(i int) bool { return i%k == 0 }) }
	all, half := allBits(size), allBits(size/2)
	masks = []*big.Int{
		new(big.Int), all, big.NewInt(1), big.NewInt(3),
		new(big.Int).SetBit(all, 0, 0), new(big.Int).SetBit(all, size-1, 0), half, new(big.Int).AndNot(all, half),
		every(2), every(3), every(5), every(7),
	}
	for seed := range uint64(4) {
		coin := rand.New(rand.NewPCG(seed, 7))
		masks = append(masks, chosen(size, func(int) bool { return coin.IntN(2) == 1 }))
	}
	slices.SortFunc(masks, (*big.Int).Cmp)
	return slices.CompactFunc(masks, func(a, b *big.Int) bool { return a.Cmp(b) == 0 })
}

// chosen is the bits of a burn that take.
func chosen(size int, takes func(i int) bool) *big.Int {
	mask := new(big.Int)
	for i := range size {
		if takes(i) {
			mask.SetBit(mask, i, 1)
		}
	}
	return mask
}

func allBits(size int) *big.Int { return chosen(size, func(int) bool { return true }) }

// burntBits is how many bits each burn of one undisturbed run changes.
func (c *campaign) burntBits(t *testing.T) []int {
	t.Helper()
	if c.policy.byUnit {
		return c.cutBits(t)
	}
	return c.sentBits(t)
}

// sentBits is burntBits by what the station sends.
func (c *campaign) sentBits(t *testing.T) (counts []int) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		r := newRig(t, c.policy, c.job)
		r.watch().burning = func(data simulator.Fuses) {
			n := 0
			for block, have := range r.chip.Fuses() {
				for i := range have {
					n += bits.OnesCount32(data[block][i] &^ have[i])
				}
			}
			if n > 0 {
				counts = append(counts, n)
			}
		}
		r.mustRun("PASS", "")
		if n := r.chip.Counters().Burns; len(counts) != n {
			t.Fatalf("%d burns were seen, and %d were done", len(counts), n)
		}
	})
	return counts
}

// cutBits is burntBits by what the unit holds: the power goes in one burn after the
// other, with all its bits taken, and the fuses are compared with those of the cut
// before. It sees the burns of the unit's own bootloader too.
func (c *campaign) cutBits(t *testing.T) (counts []int) {
	t.Helper()
	before := 0
	for burn := range 1 + c.counters(t).Burns {
		inBubble(t, func(t *testing.T) {
			cut := simulator.CutBurn{Burn: burn, Mask: allBits(256)}
			r := newRig(t, c.policy, c.job, simulator.WithFaults(simulator.Faults{CutBurn: []simulator.CutBurn{cut}}))
			if burn > 0 { // before the first: the unit as it came
				r.mustRun("ERROR", string(fault.LinkLost))
			}
			if n := r.chip.Counters().Burns; n != burn {
				t.Fatalf("%d burns were done up to the cut in burn %d", n, burn)
			}
			now := setBits(r.chip.Fuses())
			if burn > 0 {
				counts = append(counts, now-before)
			}
			before = now
		})
	}
	return counts
}

func setBits(f simulator.Fuses) (n int) {
	for _, block := range f {
		for _, word := range block {
			n += bits.OnesCount32(word)
		}
	}
	return n
}

// TestBurntBits: the two ways to count the bits of burns agree, and where the unit
// burns too, they are those of docs/order.md: the locks and WR_DIS bit 3, then all of
// FLASH_CRYPT_CNT, before the station freezes what is left.
func TestBurntBits(t *testing.T) {
	t.Parallel()
	byStation := newCampaign(t, secureBootOnly)
	if sent, cut := byStation.sentBits(t), byStation.cutBits(t); !slices.Equal(sent, cut) {
		t.Errorf("%s: %v bits were sent, %v taken", secureBootOnly.name, sent, cut)
	}
	got := newCampaign(t, byUnit).burntBits(t)
	want := []int{got[0], 1, 1, got[3], 1, 1, 4, 1, 6, 7, 4} // keys have as many as come
	if !slices.Equal(got, want) || got[0] < 90 || got[3] < 90 {
		t.Errorf("%s: %v bits, want %v", byUnit.name, got, want)
	}
}

// TestKeyNotComparedYet cuts the power when a key has just been burnt whole and
// nobody has compared it: it is compared by the next run, not parked.
func TestKeyNotComparedYet(t *testing.T) {
	t.Parallel()
	whole := allBits(256)
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
	for _, p := range []policy{release, secureBootOnly, encryptionOnly, byUnit, byUnitOnly} {
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
		unplugged = append(unplugged, simulator.Faults{Unplug: []uint64{s.middle()}})
		hung = append(hung, simulator.Faults{Hang: []uint64{s.middle()}})
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
	case len(f.CutBurn) > 0:
		return fmt.Sprintf("burn %d mask %x", f.CutBurn[0].Burn, f.CutBurn[0].Mask)
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
