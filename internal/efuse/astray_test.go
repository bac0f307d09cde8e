package efuse

import (
	"context"
	"testing"
)

// strayed answers the question for one register with zeros, once, when on says so: the
// question was garbled on its way and went to an address where nothing is.
type strayed struct {
	*fakeChip
	addr uint32
	on   func() bool
	done bool
}

func (s *strayed) ReadReg(ctx context.Context, addr uint32) (uint32, error) {
	v, err := s.fakeChip.ReadReg(ctx, addr)
	if addr == s.addr && !s.done && s.on() {
		s.done = true
		return 0, err
	}
	return v, err
}

// eachBurn hands every burn of the release goal to do, with the fuses before it; do returns
// those after it.
func eachBurn(t *testing.T, do func(have Words, b Burn) Words) {
	t.Helper()
	have, proven := blankChip(), Proven{}
	for {
		burns, err := Plan(have, releaseGoal(t), proven)
		if err != nil {
			t.Fatal(err)
		}
		if len(burns) == 0 {
			return
		}
		b := burns[0]
		have = do(have, b)
		if b.stage == StageKey {
			proof, err := Compare(have, b.block, b.key)
			if err != nil {
				t.Fatal(err)
			}
			proven = proven.And(proof)
		}
	}
}

// TestQuestionAstray: zeros for a register that was zero before the burn are no reason
// to say that nothing was burnt, at any register of any burn.
func TestQuestionAstray(t *testing.T) {
	for block := range 4 {
		for i := range blockLen(block) {
			eachBurn(t, func(have Words, b Burn) Words {
				chip := newFake(t).powerOn(have)
				line := &strayed{fakeChip: chip, addr: readBase[block] + 4*uint32(i), on: func() bool { return chip.programs > 0 }}
				have, err := Execute(t.Context(), line, timing40(t), b)
				if err != nil || chip.programs != 1 || have.Bytes() != chip.rdata.Bytes() {
					t.Fatalf("BLOCK%d word %d, burn %s: %d programs: %v", block, i, b.Name(), chip.programs, err)
				}
				return have
			})
		}
	}
}

// TestStillAtIt: a program command is not taken for done because one question for it
// went astray. The fake refuses a command while another is running.
func TestStillAtIt(t *testing.T) {
	burns, err := Plan(blankChip(), releaseGoal(t), Proven{})
	if err != nil {
		t.Fatal(err)
	}
	chip := newFake(t).powerOn(blankChip())
	chip.busyFor = 5
	line := &strayed{fakeChip: chip, addr: regCmd, on: func() bool { return chip.programs > 0 }}
	if _, err := Execute(t.Context(), line, timing40(t), burns[0]); err != nil || chip.programs != 1 {
		t.Errorf("%d programs: %v", chip.programs, err)
	}
}

// misled is a line on which one write, counted from 1, goes to another register.
type misled struct {
	*fakeChip
	at, n int
	to    uint32
}

func (m *misled) WriteReg(ctx context.Context, addr, value uint32) error {
	if m.n++; m.n == m.at {
		addr = m.to
	}
	return m.fakeChip.WriteReg(ctx, addr, value)
}

// TestWriteAstray: whichever write of a burn lands in whichever data register, the clock
// or the operation code, the chip has the bits of the burn afterwards, and no other.
func TestWriteAstray(t *testing.T) {
	eachBurn(t, func(have Words, b Burn) Words {
		whole := &misled{fakeChip: newFake(t).powerOn(have)}
		want, err := Execute(t.Context(), whole, timing40(t), b)
		if err != nil {
			t.Fatal(err)
		}
		for at := 1; at <= whole.n; at++ {
			for _, to := range []uint32{
				writeBase[0] + 4*3, writeBase[0] + 4*5, writeBase[1], writeBase[2] + 4*7, writeBase[3], regClk, regDacConf, regConf,
			} {
				line := &misled{fakeChip: newFake(t).powerOn(have), at: at, to: to}
				line.lax = true // a program command may be given with another operation code
				seen, err := Execute(t.Context(), line, timing40(t), b)
				if err != nil || seen.Bytes() != want.Bytes() || line.fuses.Bytes() != whole.fuses.Bytes() {
					t.Fatalf("burn %s, write %d to %#08x: %v", b.Name(), at, to, err)
				}
			}
		}
		return want
	})
}
