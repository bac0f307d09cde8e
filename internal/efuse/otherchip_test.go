package efuse

import (
	"context"
	"errors"
	"testing"
)

// slot is a fixture in which the unit is changed at one register access: from then
// on the second one answers.
type slot struct {
	first, second *fakeChip
	at, accesses  int
}

func (s *slot) unit() *fakeChip {
	if s.accesses++; s.accesses < s.at {
		return s.first
	}
	return s.second
}

func (s *slot) ReadReg(ctx context.Context, addr uint32) (uint32, error) {
	return s.unit().ReadReg(ctx, addr)
}

func (s *slot) WriteReg(ctx context.Context, addr, value uint32) error {
	return s.unit().WriteReg(ctx, addr, value)
}

// TestSwapDuringBurn changes the unit at every access of every burn, for a blank one
// and for one in the same state. The second is never burnt and no key stays in it;
// the burn is done only when the first was read back before.
func TestSwapDuringBurn(t *testing.T) {
	for name, s := range nextBurns(t) {
		for kind, other := range map[string]Words{"blank": blankChip(), "same state": s.chip} {
			other[0][1]++
			for at := 1; ; at++ {
				slot := slot{first: newFake(t).powerOn(s.chip), second: newFake(t).powerOn(other), at: at}
				slot.second.lax = true
				_, err := Execute(t.Context(), &slot, timing40(t), s.burn)
				if slot.second.programs != 0 || slot.second.wdata != (Words{}) {
					t.Fatalf("%s, %s unit from access %d: it was burnt, or is loaded to be", name, kind, at)
				}
				if err == nil && without(s.burn.wanted(), slot.first.fuses[s.burn.block]) != [8]uint32{} {
					t.Fatalf("%s, %s unit from access %d: passed without its bits", name, kind, at)
				}
				if err != nil && !errors.Is(err, ErrOtherChip) {
					t.Fatalf("%s, %s unit from access %d: %v, want %v", name, kind, at, err, ErrOtherChip)
				}
				if err == nil && slot.accesses < at {
					break // the burn ended before the swap
				}
			}
		}
	}
}
