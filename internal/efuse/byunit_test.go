package efuse

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// byUnit is the release goal for a unit that encrypts itself.
func byUnit(t testing.TB) Goal {
	goal := releaseGoal(t)
	goal.ByUnit = true
	goal.UnitBurns = append(slices.Clone(goal.Locks), "DIS_CACHE")
	return goal
}

// afterUnit is what everything from the counter on looks like in word 0, 5 and 6.
var afterUnit = [8]uint32{0: 0x7F<<20 | 1<<27 | 0xFE7F, 6: 0x3CC}

// TestPlanByUnit: the station's part ends before the counter, and what the unit burns
// stands in the plan with its exact bits, never to be executed.
func TestPlanByUnit(t *testing.T) {
	burns, err := Plan(blankChip(), byUnit(t), Proven{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"BLOCK1 key", "BLOCK1 hide", "BLOCK1 protect", "BLOCK2 key", "BLOCK2 hide", "BLOCK2 protect",
		"FLASH_CRYPT_CONFIG", "ABS_DONE_0", "FLASH_CRYPT_CNT by the unit", "freeze", "UART_DOWNLOAD_DIS",
	}
	if !slices.Equal(names(burns), want) {
		t.Fatalf("plan %q\nwant %q", names(burns), want)
	}
	for i, b := range burns {
		if waits := errors.Is(b.Waits(), ErrPlain); waits != (i >= 8) || b.ByUnit() != (i == 8) {
			t.Errorf("%s waits for %v, by the unit: %v", b.Name(), b.Waits(), b.ByUnit())
		}
	}
	if bits, _ := burns[8].Bits(); bits != ([8]uint32{0: 0x7F<<20 | 1<<3, 6: 0x3C4}) {
		t.Errorf("the unit burns %08x", bits)
	}
	chip := newFake(t).powerOn(blankChip())
	for _, b := range burns[8:] {
		if _, err := Execute(t.Context(), chip, timing40(t), b); !errors.Is(err, ErrPlain) || chip.programs > 0 {
			t.Errorf("%s: %v after %d program commands, want ErrPlain and none", b.Name(), err, chip.programs)
		}
	}
}

// TestNeverBurnsPlain: over random states, no burn that Execute would take touches the
// counter, a lock, a freeze or the door while the counter is even.
func TestNeverBurnsPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 0))
	even, odd := 0, 0
	for n := range 8000 {
		goal := randomGoal(t, rng)
		if !goal.FlashEncryption {
			continue
		}
		goal.ByUnit = true
		goal.UnitBurns = slices.Clone(goal.Locks[:rng.IntN(len(goal.Locks)+1)])
		have := randomState(rng, goal)
		if rng.IntN(2) == 0 { // the station's part is done, and the unit's begun
			have = fullyBurnt()
			have[0][0] = have[0][0]&^(0xFF<<20) | rng.Uint32()&(uint32(goal.CryptCount)<<20)
			have[0][6] &^= rng.Uint32() & 0x3C4
			have[0][0] &^= rng.Uint32() & 0xD408
		}
		burns, err := Plan(have, goal, ProvenFromJournal(true, true))
		if err != nil || len(burns) == 0 {
			continue
		}
		for _, b := range burns {
			bits, _ := b.Bits()
			for i := range bits {
				bits[i] &= afterUnit[i]
			}
			behind := bits != [8]uint32{} && b.stage > StageSecureBoot
			if !encrypts(have) && behind && b.Executable() == nil {
				t.Fatalf("state %d: %s can be burnt while FLASH_CRYPT_CNT is %#x\n%08x", n, b.Name(), have.Field("FLASH_CRYPT_CNT"), have[0])
			}
			if encrypts(have) && b.waits == ErrPlain {
				t.Fatalf("state %d: %s waits, and FLASH_CRYPT_CNT is %#x", n, b.Name(), have.Field("FLASH_CRYPT_CNT"))
			}
			if behind && encrypts(have) {
				odd++
				if _, err := b.allowed(observation{always: plainAgain(have), ever: plainAgain(have)}); !errors.Is(err, ErrPlain) && !errors.Is(err, ErrOrder) {
					t.Fatalf("state %d: %s is allowed on a chip whose counter is even: %v", n, b.Name(), err)
				}
			} else if behind {
				even++
			}
		}
	}
	if even < 500 || odd < 500 {
		t.Errorf("%d burns before and %d after the unit's encryption: too few to tell", even, odd)
	}
}

// plainAgain is the same chip with an even counter.
func plainAgain(w Words) Words {
	w[0][0] &^= 0x7F << 20
	return w
}

// TestUnitCutInCounter: a counter that the unit has left odd is completed under the
// release policy; one that is even, whatever its bits, is the unit's to burn.
func TestUnitCutInCounter(t *testing.T) {
	goal := byUnit(t)
	both := ProvenFromJournal(true, true)
	for count := range uint32(0x80) {
		have := fullyBurnt()
		have[0][0] = have[0][0]&^(0xFF<<20|0xD408) | count<<20
		burns, err := Plan(have, goal, both)
		if err != nil {
			t.Fatal(err)
		}
		first := burns[0]
		switch {
		case count == 0x7F && first.Stage() != StageFreeze,
			count != 0x7F && first.Stage() != StageEncryption,
			count != 0x7F && first.ByUnit() == encrypts(have),
			(first.Waits() == nil) != encrypts(have):
			t.Errorf("counter %#02x: first comes %s, which waits for %v", count, first.Name(), first.Waits())
		}
	}
}

// TestUnitFrozenCounter: frozen while odd is as final as full; frozen while even means
// that the unit can never encrypt itself.
func TestUnitFrozenCounter(t *testing.T) {
	goal := byUnit(t)
	goal.UARTDownloadDis = false
	have := fullyBurnt()
	have[0][0] = have[0][0]&^(0xFF<<20) | 1<<20 | 1<<2
	if burns, err := Plan(have, goal, ProvenFromJournal(true, true)); err != nil || len(burns) != 0 {
		t.Errorf("plan %v, %v; want nothing left", burns, err)
	}
	have[0][0] |= 1 << 21
	if _, err := Plan(have, goal, ProvenFromJournal(true, true)); !errors.Is(err, ErrWriteProtected) {
		t.Errorf("error %v, want ErrWriteProtected", err)
	}
}

func TestUnitGoalRefusals(t *testing.T) {
	for name, change := range map[string]func(*Goal){
		"no encryption":               func(g *Goal) { g.FlashEncryption, g.Freeze = false, nil },
		"burns without encrypting":    func(g *Goal) { g.ByUnit = false },
		"a lock that is not wanted":   func(g *Goal) { g.Locks, g.Freeze = g.Locks[:4], []string{"DIS_CACHE"} },
		"a freeze that is not wanted": func(g *Goal) { g.Freeze = g.Freeze[1:] },
		"a freeze of another group":   func(g *Goal) { g.UnitBurns = append(g.UnitBurns, "ABS_DONE_0") },
	} {
		goal := byUnit(t)
		change(&goal)
		if err := goal.Check(); !errors.Is(err, ErrGoal) {
			t.Errorf("%s: %v, want ErrGoal", name, err)
		}
	}
	if err := byUnit(t).Check(); err != nil {
		t.Error(err)
	}
}
