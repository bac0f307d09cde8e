package campaign

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"provision/internal/simulator"
)

// plan is a life as it is made from its seed: the part, and what will happen to it.
type plan struct {
	seed   uint64
	random *rand.Rand // for what is decided on the way
	order  *order
	chip   simulator.Config
	unfit  string          // the code such a part has to be refused with
	former simulator.Fuses // burnt before it came to the station
	faults simulator.Faults
	hurts  []hurt // one a contact; then nothing is done to it any more
}

// hurt is what is done to one contact.
type hurt struct {
	what string
	at   int // the how many-th event, or write to the port
}

// What can be done to a contact.
const (
	nothing      = ""
	killAtWrite  = "killed at write"
	killAtEvent  = "killed at event"
	ctrlC        = "Ctrl-C at event"
	swapped      = "swapped at write"
	wrongProfile = "with another profile"
	wrongLabel   = "with another label"
	otherUnit    = "another unit with its label"
	noRecords    = "records closed at event"
	setAside     = "set aside by a person"
)

// A run over a unit, in the units of faults: what is beyond the end of a run strikes
// a later one, or never.
const (
	wireOfRun     = 130_000
	writesOfRun   = 3_300
	eventsOfRun   = 115
	burnsOfRun    = 12
	erasesOfRun   = 9
	programsOfRun = 120

	erasesByUnit   = 21 // besides, by a unit that encrypts itself
	programsByUnit = 16 * erasesByUnit
)

// newPlan makes a life. The same seed always makes the same.
func newPlan(seed uint64) *plan {
	p := &plan{seed: seed, random: rand.New(rand.NewPCG(seed, 0)), chip: simulator.DefaultConfig()}
	p.order = orders[p.random.IntN(len(orders))]
	p.chip.FlashSize = 2 << 20
	if p.oneIn(8) {
		p.chip.FlashSize = 4 << 20
	}
	p.chip.MAC = [6]byte{0x24, 0x0a, byte(seed >> 24), byte(seed >> 16), byte(seed >> 8), byte(seed)}
	if p.oneIn(8) {
		p.chip.CrystalMHz = 26
	}
	if !p.order.closed {
		p.chip.RevMajor = p.random.IntN(4)
	}
	if harsh {
		p.beHarsh()
	} else if p.oneIn(10) {
		return p // nothing happens to it
	}
	switch p.random.IntN(20) {
	case 0:
		p.makeUnfit()
	case 1:
		p.makeForeign()
	case 2:
		p.former[0][0] = uint32(p.random.IntN(16)) << 3 // as some factories leave it
		p.former[0][6] = uint32(p.random.IntN(2)) << 2
	}
	for range 1 + p.random.IntN(mostHurts) {
		p.hurtOnce()
	}
	return p
}

// harsh makes every life a hard one (doc.go).
var harsh = os.Getenv("PROVISION_CAMPAIGN_HARSH") == "1"

// beHarsh has the line change what crosses it in up to two ways, from once in 500 000
// bytes to once in 50 000, and somebody change the unit in every other life. What a
// normal life has of that, it has besides.
func (p *plan) beHarsh() {
	for range 2 {
		n := simulator.Noise{Rate: 2e-6 * math.Pow(10, p.random.Float64()), Seed: p.random.Uint64()}
		switch p.random.IntN(3) {
		case 0:
			p.faults.Lose = n
		case 1:
			p.faults.Garble = n
		case 2:
			p.faults.Duplicate = n
		}
	}
	if p.oneIn(2) {
		p.hurts = append(p.hurts, hurt{swapped, 1 + p.random.IntN(writesOfRun)})
	}
}

func (p *plan) oneIn(n int) bool { return p.random.IntN(n) == 0 }

// makeUnfit makes it a part that is none for the job.
func (p *plan) makeUnfit() {
	switch p.random.IntN(4) {
	case 0:
		p.chip.FlashSize, p.unfit = 1<<20, "E204"
	case 1:
		p.chip.CodingScheme, p.unfit = simulator.CodingScheme(1+p.random.IntN(2)), "E203"
	case 2:
		p.chip.FlashStatus, p.unfit = 1<<(2+p.random.IntN(3)), "E208"
	case 3:
		if p.order.closed {
			p.chip.RevMajor, p.unfit = p.random.IntN(3), "E202"
		}
	}
}

// makeForeign secures it, or begins to, as somebody else would.
func (p *plan) makeForeign() {
	f := &p.former
	key := func(block int) {
		for i := range f[block] {
			f[block][i] = p.random.Uint32()
		}
	}
	switch p.random.IntN(6) {
	case 0:
		key(1)
	case 1:
		key(2)
	case 2:
		f[1][p.random.IntN(8)] = 1 << p.random.IntN(32) // a single bit
	case 3:
		key(1)
		key(2)
		f[0][0], f[0][5], f[0][6] = lockedBlock1|lockedBlock2|cryptCnt, cryptConfig, absDone0
	case 4:
		f[0][6] = jtagDis
	case 5:
		f[0][0] = lockedBlock1
	}
}

// hurtOnce adds one thing that goes wrong.
func (p *plan) hurtOnce() {
	f := &p.faults
	wire := func() uint64 { return uint64(p.random.IntN(wireOfRun * 3 / 2)) }
	noise := func() simulator.Noise {
		return simulator.Noise{Rate: 1e-6 * math.Pow(20, p.random.Float64()), Seed: p.random.Uint64()} // 1 in a million to 1 in 50 000
	}
	switch p.random.IntN(20) {
	case 0, 1, 2:
		f.CutWire = append(f.CutWire, wire())
	case 3, 4, 5:
		f.CutBurn = append(f.CutBurn, p.cutBurn())
	case 6:
		f.CutErase = append(f.CutErase, 1+p.random.IntN(p.orByUnit(erasesOfRun*2, erasesOfRun+erasesByUnit)))
	case 7:
		f.CutProgram = append(f.CutProgram, 1+p.random.IntN(p.orByUnit(programsOfRun*2, programsOfRun+programsByUnit)))
	case 8:
		f.Unplug = append(f.Unplug, wire())
	case 9:
		f.Hang = append(f.Hang, wire())
	case 10:
		switch p.random.IntN(4) {
		case 0:
			f.Lose = noise()
		case 1:
			f.Garble = noise()
		case 2:
			f.Duplicate = noise()
		case 3:
			f.Late = noise()
		}
	case 11:
		f.WeakBits = append(f.WeakBits, p.weakBit())
	case 12:
		f.WornSectors = append(f.WornSectors, uint32(p.random.IntN(flashEnd)))
	default:
		p.hurts = append(p.hurts, p.hurtContact())
	}
}

// orByUnit is the second where the unit encrypts itself, else the first.
func (p *plan) orByUnit(byStation, byUnit int) int {
	if p.order.byUnit {
		return byUnit
	}
	return byStation
}

// cutBurn is a power cut inside a burn: at random, or with none, all, the first, or
// the first two of its bits taken, which make FLASH_CRYPT_CNT odd or even.
func (p *plan) cutBurn() simulator.CutBurn {
	c := simulator.CutBurn{Burn: 1 + p.random.IntN(burnsOfRun), Seed: p.random.Uint64()}
	every := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	c.Mask = [...]*big.Int{nil, nil, new(big.Int), big.NewInt(1), big.NewInt(3), every}[p.random.IntN(6)]
	return c
}

// weakBit is a fuse of a key block or of those of BLOCK0 that are burnt, which takes
// at the second or third pulse, or much later.
func (p *plan) weakBit() simulator.WeakBit {
	w := simulator.WeakBit{Block: p.random.IntN(3), Bit: p.random.IntN(256), Programs: 2 + p.random.IntN(2)}
	if w.Block == 0 {
		bits := [...]int{3, 7, 8, 10, 12, 14, 15, 16, 17, 20, 21, 26, 27, 188, 191, 194, 196, 198, 199, 200, 201}
		w.Bit = bits[p.random.IntN(len(bits))]
	}
	if p.oneIn(3) {
		w.Programs = 4 + p.random.IntN(100)
	}
	return w
}

func (p *plan) hurtContact() hurt {
	switch p.random.IntN(15) {
	case 14:
		return hurt{what: setAside}
	case 13:
		return hurt{noRecords, 1 + p.random.IntN(eventsOfRun)}
	case 0, 1, 2, 3:
		return hurt{killAtWrite, 1 + p.random.IntN(writesOfRun)}
	case 4, 5:
		return hurt{killAtEvent, 1 + p.random.IntN(eventsOfRun)}
	case 6, 7:
		return hurt{ctrlC, 1 + p.random.IntN(eventsOfRun)}
	case 8, 9:
		return hurt{swapped, 1 + p.random.IntN(writesOfRun)}
	case 10:
		return hurt{what: wrongProfile}
	case 11:
		return hurt{what: wrongLabel}
	}
	return hurt{what: otherUnit}
}

// noisy reports whether bytes on the line are not what was sent.
func (p *plan) noisy() bool {
	f := p.faults
	return f.Lose.Rate+f.Garble.Rate+f.Duplicate.Rate+f.Late.Rate > 0
}

// weak reports whether a fuse may not take in one run.
func (p *plan) weak() bool {
	for _, w := range p.faults.WeakBits {
		if w.Programs > 3 {
			return true
		}
	}
	return false
}

// String tells the life.
func (p *plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, revision v%d.%d, %d MHz, %d KiB", p.order.name, p.chip.RevMajor, p.chip.RevMinor, p.chip.CrystalMHz, p.chip.FlashSize>>10)
	if p.unfit != "" {
		fmt.Fprintf(&b, ", unfit (%s)", p.unfit)
	}
	if p.former != (simulator.Fuses{}) {
		fmt.Fprintf(&b, ", burnt before: %08x", p.former)
	}
	f := p.faults
	for _, mark := range []struct {
		what string
		at   []uint64
	}{{"cut", f.CutWire}, {"unplugged", f.Unplug}, {"hung", f.Hang}} {
		for _, n := range mark.at {
			fmt.Fprintf(&b, ", %s at wire byte %d", mark.what, n)
		}
	}
	for _, c := range f.CutBurn {
		fmt.Fprintf(&b, ", cut in burn %d (mask %x, seed %d)", c.Burn, c.Mask, c.Seed)
	}
	if len(f.CutErase)+len(f.CutProgram) > 0 {
		fmt.Fprintf(&b, ", cut in erase %v, program %v", f.CutErase, f.CutProgram)
	}
	if p.noisy() {
		fmt.Fprintf(&b, ", lose %v garble %v double %v late %v", f.Lose, f.Garble, f.Duplicate, f.Late)
	}
	if len(f.WeakBits) > 0 {
		fmt.Fprintf(&b, ", weak %+v", f.WeakBits)
	}
	if len(f.WornSectors) > 0 {
		fmt.Fprintf(&b, ", worn at %#x", f.WornSectors)
	}
	for _, h := range p.hurts {
		fmt.Fprintf(&b, ", %s", strings.TrimSuffix(h.String(), ":"))
	}
	return b.String()
}

// TestPlans: a seed always makes the same life, and among those of a short campaign
// is every kind of unit, part and hurt.
func TestPlans(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(unitsOfCI) {
		p := newPlan(seed)
		if again := newPlan(seed); again.String() != p.String() || again.chip != p.chip {
			t.Fatalf("seed %d makes two lives:\n%v\n%v", seed, p, again)
		}
		f := p.faults
		for what, is := range map[string]bool{
			p.order.name: true, "unfit": p.unfit != "", "burnt before": p.former != (simulator.Fuses{}),
			"cut": len(f.CutWire) > 0, "cut in a burn": len(f.CutBurn) > 0, "cut in flash": len(f.CutErase)+len(f.CutProgram) > 0,
			"cable": len(f.Unplug) > 0, "hang": len(f.Hang) > 0, "noise": p.noisy(), "weak": len(f.WeakBits) > 0, "never takes": p.weak(),
			"worn": len(f.WornSectors) > 0,
		} {
			seen[what] = seen[what] || is
		}
		for _, h := range p.hurts {
			seen[h.what] = true
		}
	}
	for _, what := range []string{killAtWrite, killAtEvent, ctrlC, swapped, wrongProfile, wrongLabel, otherUnit, noRecords, setAside} {
		seen[what] = seen[what] || false
	}
	for _, o := range orders {
		seen[o.name] = seen[o.name] || false
	}
	for what, is := range seen {
		if !is {
			t.Errorf("there is no %q among %d lives", what, unitsOfCI)
		}
	}
}

// String says what is done and when.
func (h hurt) String() string {
	switch {
	case h.what == nothing:
		return "undisturbed:"
	case h.at == 0:
		return h.what + ":"
	}
	return fmt.Sprintf("%s %d:", h.what, h.at)
}
