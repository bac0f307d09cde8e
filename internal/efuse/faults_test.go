package efuse

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// nextBurns is each burn of a release, with a chip on which it is the next one.
func nextBurns(t *testing.T) map[string]struct {
	chip Words
	burn Burn
} {
	goal := releaseGoal(t)
	out := map[string]struct {
		chip Words
		burn Burn
	}{}
	chip := blankChip()
	for {
		proven := Proven{}
		for block, key := range []KeyBlock{1: goal.Block1, 2: goal.Block2} {
			_, err := Compare(chip, block, key)
			proven = proven.And(ProvenFromJournal(block == 1 && (err == nil || chip.Hidden(1)), block == 2 && (err == nil || chip.Hidden(2))))
		}
		burns, err := Plan(chip, goal, proven)
		if err != nil {
			t.Fatal(err)
		}
		if len(burns) == 0 {
			return out
		}
		out[burns[0].Name()] = struct {
			chip Words
			burn Burn
		}{chip, burns[0]}
		chip[burns[0].block] = join(chip[burns[0].block], burns[0].wanted())
		chip = burnWords(chip, burns[0])
	}
}

// TestOneLostReply loses the answer of every register access in turn, once with the
// access carried out and once without. Each burn must come out right, and no bit
// may be programmed that is set.
func TestOneLostReply(t *testing.T) {
	for name, s := range nextBurns(t) {
		for _, done := range []bool{true, false} {
			for n := 1; ; n++ {
				chip := newFake(t).powerOn(s.chip)
				chip.fault = func(i int, _ bool, _ uint32) (bool, bool) { return i == n, done }
				have, err := Execute(t.Context(), &batchFake{fakeChip: chip}, timing40(t), s.burn)
				if err != nil || without(s.burn.wanted(), chip.fuses[s.burn.block]) != [8]uint32{} {
					t.Fatalf("%s, access %d lost, done %v: %v", name, n, done, err)
				}
				if have[0] != chip.fuses[0] || chip.wdata != (Words{}) || chip.programs != 1 {
					t.Fatalf("%s, access %d lost, done %v: wrong words or left-overs after %d programs", name, n, done, chip.programs)
				}
				checkNoRepeats(t, chip)
				if chip.accesses < n {
					break // the burn ended before the fault
				}
			}
		}
	}
}

// TestLostProgramCommand tells the one command that is never repeated blindly apart
// from the others: done or not, the fuses decide whether it is sent again.
func TestLostProgramCommand(t *testing.T) {
	for name, s := range nextBurns(t) {
		for _, tc := range []struct {
			lose           int // how many program commands
			done           bool
			sent, programs int
			want           error
		}{
			{1, true, 1, 1, nil}, {1, false, 2, 1, nil}, {2, false, 3, 1, nil}, {3, false, 3, 0, ErrReadBack},
		} {
			chip := newFake(t).powerOn(s.chip)
			sent := 0
			chip.fault = func(_ int, write bool, addr uint32) (bool, bool) {
				if !write || addr != regCmd || chip.regs[regConf] != confProgram {
					return false, false
				}
				sent++
				return sent <= tc.lose, tc.done
			}
			_, err := Execute(t.Context(), chip, timing40(t), s.burn)
			if !errors.Is(err, tc.want) || sent != tc.sent || chip.programs != tc.programs {
				t.Errorf("%s, %+v: error %v, sent %d, programs %d", name, tc, err, sent, chip.programs)
			}
			if tc.want != nil && !errors.Is(err, errLost) {
				t.Errorf("%s: %v does not tell of the lost replies", name, err)
			}
		}
	}
}

// TestLineCut lets the line die at every access of a burn of each kind (a key, its
// protection, an enabling fuse), the last access carried out or not. The same burn is then done over a new line, without a reset
// of the chip in between, and nothing else is burnt.
func TestLineCut(t *testing.T) {
	all := nextBurns(t)
	for _, name := range []string{"BLOCK1 key", "BLOCK1 hide", "FLASH_CRYPT_CNT"} {
		s := all[name]
		for _, done := range []bool{true, false} {
			for n := 1; ; n++ {
				chip := newFake(t).powerOn(s.chip)
				chip.fault = func(i int, _ bool, _ uint32) (bool, bool) { return i >= n, i == n && done }
				timing := timing40(t)
				timing.limit = 50 * time.Millisecond
				if _, err := Execute(t.Context(), chip, timing, s.burn); err == nil {
					if chip.accesses >= n {
						t.Fatalf("%s, line cut at access %d: no error", name, n)
					}
					break
				}
				chip.fault = nil
				chip.busy = 0
				if _, err := Execute(t.Context(), chip, timing40(t), s.burn); err != nil {
					t.Fatalf("%s, resumed after access %d: %v", name, n, err)
				}
				want := burnWords(s.chip, s.burn)
				if got, err := Read(t.Context(), chip); err != nil || got.Bytes() != want.Bytes() {
					t.Fatalf("%s, resumed after access %d: wrong words, %v", name, n, err)
				}
				checkNoRepeats(t, chip)
			}
		}
	}
}

// TestPowerCut cuts the power inside every burn, with random subsets of its bits
// programmed, then carries on with a new session until the unit is finished.
func TestPowerCut(t *testing.T) {
	const seed = 3
	rng := rand.New(rand.NewPCG(seed, 0))
	burns := len(nextBurns(t))
	for cutAt := 1; cutAt <= burns; cutAt++ {
		for try := range 8 {
			label := fmt.Sprintf("seed %d, cut in burn %d, try %d", seed, cutAt, try)
			goal := releaseGoal(t)
			chip := newFake(t).powerOn(blankChip())
			dead := false
			chip.fault = func(int, bool, uint32) (bool, bool) { return dead, false }
			chip.cut = func(n int, bits *Words) {
				if n != cutAt {
					return
				}
				dead = true
				for b := range bits {
					for i := range bits[b] {
						bits[b][i] &= rng.Uint32()
					}
				}
			}
			_, proven, err := provision(t.Context(), chip, timing40(t), goal, Proven{})
			if !errors.Is(err, errLost) {
				t.Fatalf("%s: %v", label, err)
			}
			dead, chip.busy = false, 0
			chip.powerOn(chip.fuses)
			v := Classify(chip.rdata, Expectation{Known: true, Goal: goal, Proven: proven})
			if v.Class != OursPartial && v.Class != Virgin && v.Class != OursComplete {
				t.Fatalf("%s: %v, %s", label, v.Class, v.Reason)
			}
			have, _, err := provision(t.Context(), chip, timing40(t), goal, proven)
			want := fullyBurnt()
			if err != nil || have.Bytes() != want.Bytes() {
				t.Fatalf("%s: resumed: %v, BLOCK0 %08x", label, err, have[0])
			}
			if chip.fuses[1] != goal.Block1.Reveal() || chip.fuses[2] != goal.Block2.Reveal() {
				t.Fatalf("%s: resumed with another key", label)
			}
		}
	}
}
