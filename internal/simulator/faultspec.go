package simulator

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// ErrFaultSpec is the cause of every refusal of ParseFaults.
var ErrFaultSpec = errors.New("not a fault")

// faultForms are the texts ParseFaults understands.
const faultForms = `cut-wire:N unplug:N hang:N cut-burn:K:0xMASK cut-burn:K:SEED cut-erase:N cut-program:N ` +
	`lose:RATE:SEED garble:RATE:SEED dup:RATE:SEED late:RATE:SEED[:MILLISECONDS] weak-bit:BLOCK:BIT[:PROGRAMS] marginal-bit:BLOCK:BIT[:PROGRAMS] worn-sector:ADDRESS late-flash:N`

// ParseFaults reads faults from text, one each, several separated by commas or
// spaces: "cut-wire:1200", "cut-burn:3:0x5", "lose:0.001:42,worn-sector:0x10000".
// Numbers may be decimal or 0x hexadecimal; a MASK must be hexadecimal. An unknown
// or malformed fault is ErrFaultSpec.
func ParseFaults(specs ...string) (Faults, error) {
	var f Faults
	for _, spec := range specs {
		for _, one := range strings.FieldsFunc(spec, func(r rune) bool { return r == ',' || r == ' ' }) {
			if err := f.parse(one); err != nil {
				return Faults{}, err
			}
		}
	}
	return f, nil
}

// parse adds one fault.
func (f *Faults) parse(spec string) error {
	p := specParser{spec: spec, args: strings.Split(spec, ":")}
	switch kind := p.next(); kind {
	case "cut-wire":
		f.CutWire = append(f.CutWire, p.number(1<<62))
	case "unplug":
		f.Unplug = append(f.Unplug, p.number(1<<62))
	case "hang":
		f.Hang = append(f.Hang, p.number(1<<62))
	case "cut-burn":
		f.CutBurn = append(f.CutBurn, p.cutBurn())
	case "cut-erase":
		f.CutErase = append(f.CutErase, int(p.number(1<<30)))
	case "cut-program":
		f.CutProgram = append(f.CutProgram, int(p.number(1<<30)))
	case "lose":
		f.Lose = p.noise()
	case "garble":
		f.Garble = p.noise()
	case "dup":
		f.Duplicate = p.noise()
	case "late":
		f.Late = p.noise()
		if len(p.args) > 0 {
			f.LateBy = time.Duration(p.number(60_000)) * time.Millisecond
		}
	case "weak-bit":
		f.WeakBits = append(f.WeakBits, p.weakBit(false))
	case "marginal-bit":
		f.WeakBits = append(f.WeakBits, p.weakBit(true))
	case "late-flash":
		f.LateFlash = int(p.number(100))
	case "worn-sector":
		f.WornSectors = append(f.WornSectors, uint32(p.number(16<<20-1)))
	default:
		return fmt.Errorf("%w: %q; know %s", ErrFaultSpec, spec, faultForms)
	}
	return p.done()
}

// specParser takes the colon-separated arguments of one fault; the first trouble
// sticks.
type specParser struct {
	spec string
	args []string
	err  error
}

func (p *specParser) next() string {
	if len(p.args) == 0 {
		p.fail("an argument is missing")
		return ""
	}
	arg := p.args[0]
	p.args = p.args[1:]
	return arg
}

func (p *specParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %q: %s", ErrFaultSpec, p.spec, fmt.Sprintf(format, args...))
	}
}

// number takes a whole number from 0 to limit.
func (p *specParser) number(limit uint64) uint64 {
	arg := p.next()
	if p.err != nil {
		return 0
	}
	n, err := strconv.ParseUint(arg, 0, 64)
	if err != nil || n > limit {
		p.fail("%q is not a number from 0 to %d", arg, limit)
		return 0
	}
	return n
}

func (p *specParser) noise() Noise {
	arg := p.next()
	rate, err := strconv.ParseFloat(arg, 64)
	if p.err == nil && (err != nil || !(rate >= 0 && rate <= 1)) {
		p.fail("%q is not a rate from 0 to 1", arg)
	}
	return Noise{Rate: rate, Seed: p.number(1<<64 - 1)}
}

func (p *specParser) cutBurn() CutBurn {
	c := CutBurn{Burn: int(p.number(1 << 30))}
	arg := p.next()
	digits, hex := strings.CutPrefix(arg, "0x")
	if !hex {
		p.args = append([]string{arg}, p.args...)
		c.Seed = p.number(1<<64 - 1)
		return c
	}
	mask, ok := new(big.Int).SetString(digits, 16)
	if !ok || mask.Sign() < 0 {
		p.fail("%q is not a mask", arg)
	}
	c.Mask = mask
	return c
}

func (p *specParser) weakBit(marginal bool) WeakBit {
	w := WeakBit{Block: int(p.number(3)), Bit: int(p.number(255)), Marginal: marginal}
	if len(p.args) > 0 {
		w.Programs = int(p.number(1000))
	}
	return w
}

func (p *specParser) done() error {
	if len(p.args) > 0 {
		p.fail("%d arguments too many", len(p.args))
	}
	return p.err
}
