package simulator

import (
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"time"
)

// Faults are the ways to hurt a Chip. All are deterministic: the same faults and
// the same bytes from the host give the same damage. Wire bytes are counted in
// both directions together, from the opening of the chip on; burns are program
// pulses that change a fuse, erases are sectors, programs are pages of 256 bytes,
// whoever asks for them. The zero value hurts nothing. ParseFaults reads the same
// from text.
type Faults struct {
	CutWire     []uint64      // the power goes when this many wire bytes have crossed
	Unplug      []uint64      // the cable, likewise: the port fails, the chip stays powered
	Hang        []uint64      // the chip stops answering, likewise, until a reset
	CutBurn     []CutBurn     // the power goes inside a burn
	CutErase    []int         // the power goes half-way through the nth sector erase, counted from 1
	CutProgram  []int         // the power goes half-way through the nth page program, counted from 1
	Lose        Noise         // wire bytes lost
	Garble      Noise         // wire bytes changed
	Duplicate   Noise         // wire bytes doubled
	Late        Noise         // bytes to the host delayed, with all that follow
	LateBy      time.Duration // by this much; zero: 50 ms
	WeakBits    []WeakBit     // fuses that need more than one program pulse
	WornSectors []uint32      // flash addresses whose byte has a bit that does not erase
	LateFlash   int           // starts after each power-on in which the flash does not answer the ROM yet
}

// Noise is a chance for each byte.
type Noise struct {
	Rate float64 // 0 to 1
	Seed uint64
}

// CutBurn cuts the power inside one burn, with part of its bits programmed.
type CutBurn struct {
	Burn int      // counted from 1
	Mask *big.Int // bit i set: the ith changing bit (BLOCK0 word 0 bit 0 first) takes; nil: Seed decides
	Seed uint64   // a fair coin for each changing bit
}

// WeakBit is a fuse that is hard to blow.
type WeakBit struct {
	Block, Bit int // Bit counts from the LSB of word 0
	Programs   int // pulses it needs; 0: two
	// Marginal makes it show at every other load of the fuses, from its first pulse to
	// the one that it needs.
	Marginal bool
}

const defaultLateness = 50 * time.Millisecond

// Counters say how far a chip has come, in the units Faults are given in.
type Counters struct {
	Wire     uint64 // bytes across the wire, both ways
	Burns    int    // program pulses that changed a fuse
	Erases   int    // sectors erased
	Programs int    // pages programmed
}

// injector applies Faults to one chip.
type injector struct {
	faults Faults
	next   uint64 // no mark on the wire is due before
	noisy  bool   // something may happen to any byte
	count  Counters
	toChip direction
	toHost direction
	late   *rand.Rand
}

// direction is the noise of one direction of the wire.
type direction struct {
	lose, garble, duplicate *rand.Rand
}

func newInjector(f Faults) *injector {
	f.CutWire, f.Unplug, f.Hang = slices.Clone(f.CutWire), slices.Clone(f.Unplug), slices.Clone(f.Hang)
	if f.LateBy == 0 {
		f.LateBy = defaultLateness
	}
	noise := func(salt uint64) direction {
		return direction{
			lose:      rand.New(rand.NewPCG(f.Lose.Seed, salt)),
			garble:    rand.New(rand.NewPCG(f.Garble.Seed, salt+2)),
			duplicate: rand.New(rand.NewPCG(f.Duplicate.Seed, salt+4)),
		}
	}
	in := &injector{faults: f, toChip: noise(0), toHost: noise(1), late: rand.New(rand.NewPCG(f.Late.Seed, 6))}
	in.noisy = f.Lose.Rate+f.Garble.Rate+f.Duplicate.Rate+f.Late.Rate > 0
	in.lookAhead()
	return in
}

// quiet says that nothing happens to the next n bytes on the wire.
func (in *injector) quiet(n int) bool { return !in.noisy && in.count.Wire+uint64(n) < in.next }

// lookAhead finds the next mark on the wire.
func (in *injector) lookAhead() {
	in.next = math.MaxUint64
	for _, marks := range [...][]uint64{in.faults.CutWire, in.faults.Unplug, in.faults.Hang} {
		for _, at := range marks {
			in.next = min(in.next, at)
		}
	}
}

// due says whether one of the marks has been reached, and forgets it: a fault
// strikes once.
func due(marks *[]uint64, wire uint64) bool {
	i := slices.IndexFunc(*marks, func(at uint64) bool { return wire >= at })
	if i < 0 {
		return false
	}
	*marks = slices.Delete(*marks, i, i+1)
	return true
}

// disturb is what becomes of one byte on the wire, and how many times it arrives.
func (in *injector) disturb(d *direction, b byte) (byte, int) {
	f := &in.faults
	if f.Lose.Rate > 0 && d.lose.Float64() < f.Lose.Rate {
		return b, 0
	}
	if f.Garble.Rate > 0 && d.garble.Float64() < f.Garble.Rate {
		b ^= byte(1 + d.garble.IntN(255))
	}
	if f.Duplicate.Rate > 0 && d.duplicate.Float64() < f.Duplicate.Rate {
		return b, 2
	}
	return b, 1
}

// delay is how much later than it should one byte reaches the host.
func (in *injector) delay() time.Duration {
	if in.faults.Late.Rate > 0 && in.late.Float64() < in.faults.Late.Rate {
		return in.faults.LateBy
	}
	return 0
}

// burning decides which of the changing bits take in this burn.
func (in *injector) burning(changing []fuseBit) (taken []fuseBit, cut bool) {
	in.count.Burns++
	i := slices.IndexFunc(in.faults.CutBurn, func(c CutBurn) bool { return c.Burn == in.count.Burns })
	if i < 0 {
		return changing, false
	}
	c := in.faults.CutBurn[i]
	coin := rand.New(rand.NewPCG(c.Seed, 7))
	for n, bit := range changing {
		take := coin.IntN(2) == 1
		if c.Mask != nil {
			take = c.Mask.Bit(n) == 1
		}
		if take {
			taken = append(taken, bit)
		}
	}
	return taken, true
}

func (in *injector) erasing() bool {
	in.count.Erases++
	return slices.Contains(in.faults.CutErase, in.count.Erases)
}

func (in *injector) programming() bool {
	in.count.Programs++
	return slices.Contains(in.faults.CutProgram, in.count.Programs)
}

// weak lists the weak fuses as the controller wants them.
func (in *injector) weak() map[fuseBit]*weakness {
	m := map[fuseBit]*weakness{}
	for _, w := range in.faults.WeakBits {
		m[fuseBit{w.Block, w.Bit}] = &weakness{pulses: cmp.Or(max(w.Programs, 0), 2), marginal: w.Marginal}
	}
	return m
}
