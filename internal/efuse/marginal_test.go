package efuse

import (
	"errors"
	"testing"
)

// TestReloadAfterACut: a bit that a cut pulse left half burnt is told apart from burnt
// ones, and the burn that is then done again programs it.
func TestReloadAfterACut(t *testing.T) {
	goal := releaseGoal(t)
	word, bit := firstSet(goal.Block1)
	held := blankChip()
	held[1] = goal.Block1.Reveal()
	for _, every := range []int{2, 3, 5} {
		chip := newFake(t).powerOn(held)
		chip.marginal = map[[3]int]int{{1, word, bit}: every}
		words, marginal, err := Reload(t.Context(), chip, timing40(t), 1)
		if err != nil {
			t.Fatal(err)
		}
		var want Words
		want[1][word] = 1 << bit
		if marginal.Bytes() != want.Bytes() || words.Bytes() != held.Without(want).Bytes() {
			t.Errorf("0 at every load number %d: the bit was not told apart", every)
		}
		burns, err := Plan(words, goal, Proven{})
		if err != nil {
			t.Fatal(err)
		}
		chip.cut = func(int, *Words) { chip.marginal = nil } // the pulse cures it
		have, err := Execute(t.Context(), chip, timing40(t), burns[0])
		if err != nil || chip.programs != 1 || count(chip.burnt[0][1]) != 1 || have[1] != held[1] {
			t.Errorf("0 at every load number %d: %d programs: %v", every, chip.programs, err)
		}
	}
}

// TestReloadAsksOnce: a chip on which nothing was cut is loaded once.
func TestReloadAsksOnce(t *testing.T) {
	chip := newFake(t).powerOn(fullyBurnt())
	before := chip.reloads
	if _, _, err := Reload(t.Context(), chip, timing40(t)); err != nil || chip.reloads != before+1 {
		t.Errorf("%d loads: %v", chip.reloads-before, err)
	}
}

// halfHidden is a chip on which the pulse that hides a key block was cut: every so many
// loads, counted from a first one, do not show its bit, and show the block instead.
func halfHidden(t *testing.T, block, every, first int) (chip *fakeChip, goal Goal, held Words) {
	t.Helper()
	goal = releaseGoal(t)
	held = blankChip()
	held[1] = goal.Block1.Reveal()
	if block == 2 {
		held[2] = goal.Block2.Reveal()
		held[0][0] |= readDisable(1) | writeDisable(1)
	}
	held[0][0] |= readDisable(block)
	chip = newFake(t).powerOn(held)
	chip.reloads = first
	chip.marginal = map[[3]int]int{{0, 0, 15 + block}: every}
	if block == 2 {
		held[1] = [8]uint32{} // as it reads
	}
	return chip, goal, held
}

// eachHalfHidden does that for both blocks, and whichever way the loads fall.
func eachHalfHidden(t *testing.T, do func(block int, chip *fakeChip, goal Goal, held Words)) {
	t.Helper()
	for block := 1; block <= 2; block++ {
		for _, every := range []int{2, 3, 5} {
			for first := range every {
				chip, goal, held := halfHidden(t, block, every, first)
				do(block, chip, goal, held)
			}
		}
	}
}

// TestHalfHidden: a block that is hidden at one load and not at the next is neither blank
// nor marginal itself. It is compared where it can be read, and hidden for good.
func TestHalfHidden(t *testing.T) {
	eachHalfHidden(t, func(block int, chip *fakeChip, goal Goal, held Words) {
		words, marginal, err := Reload(t.Context(), chip, timing40(t), 0)
		if err != nil {
			t.Fatal(err)
		}
		var bit Words
		bit[0][0] = readDisable(block)
		if marginal.Bytes() != bit.Bytes() || words.Bytes() != held.Without(bit).Bytes() {
			t.Fatalf("BLOCK%d, load %d: half burnt is %v, the rest is not as it was", block, chip.reloads, marginal)
		}
		burns, err := Plan(words, goal, ProvenFromJournal(true, block == 2))
		if err != nil || burns[0].Stage() != StageHide {
			t.Fatalf("BLOCK%d: planned %v: %v", block, burns, err)
		}
		chip.cut = func(int, *Words) { chip.marginal = nil } // the pulse cures it
		have, err := Execute(t.Context(), chip, timing40(t), burns[0].Striking(marginal))
		if err != nil || chip.programs != 1 || chip.burnt[0].Bytes() != bit.Bytes() || !have.Hidden(block) || have[block] != [8]uint32{} {
			t.Errorf("BLOCK%d: %d programs: %v", block, chip.programs, err)
		}
	})
}

// TestHalfHiddenForeign: what can be read of such a block, and is not the key, is not
// hidden.
func TestHalfHiddenForeign(t *testing.T) {
	eachHalfHidden(t, func(block int, chip *fakeChip, goal Goal, _ Words) {
		words, marginal, err := Reload(t.Context(), chip, timing40(t), 0)
		if err != nil {
			t.Fatal(err)
		}
		burns, err := Plan(words, goal, ProvenFromJournal(true, block == 2))
		if err != nil {
			t.Fatal(err)
		}
		chip.fuses[block][3] ^= 1 << 9
		if _, err := Execute(t.Context(), chip, timing40(t), burns[0].Striking(marginal)); err == nil || chip.programs != 0 {
			t.Errorf("BLOCK%d: %d programs: %v", block, chip.programs, err)
		}
	})
}

// TestStriking: a bit that is known to be half burnt gets its pulse even if every load
// shows it from now on; any other that shows gets none.
func TestStriking(t *testing.T) {
	goal := releaseGoal(t)
	word, bit := firstSet(goal.Block1)
	keyed := blankChip()
	keyed[1] = goal.Block1.Reveal()
	enabled := fullyBurnt()
	enabled[0][6] &= 1 << 4 // ABS_DONE_0, no locks yet
	enabled[0][0] &= 0x30180
	for _, c := range []struct {
		name string
		held Words // every bit shows
		weak [3]int
		at   Stage
	}{
		{"a key bit", keyed, [3]int{1, word, bit}, StageKey},
		{"RD_DIS of BLOCK1", keyed.with(0, 0, 16), [3]int{0, 0, 16}, StageHide},
		{"ABS_DONE_0", enabled, [3]int{0, 6, 4}, StageSecureBoot},
	} {
		for _, known := range []bool{true, false} {
			chip := newFake(t).powerOn(c.held)
			var weak Words
			weak[c.weak[0]][c.weak[1]] = 1 << c.weak[2]
			proven := ProvenFromJournal(c.at != StageKey, c.at == StageSecureBoot)
			burns, err := Plan(c.held.Without(weak), goal, proven)
			if err != nil || burns[0].Stage() != c.at {
				t.Fatalf("%s: planned %v: %v", c.name, burns, err)
			}
			b, want := burns[0], 0
			if known {
				b, want = b.Striking(weak), 1
			}
			_, err = Execute(t.Context(), chip, timing40(t), b)
			if err != nil || chip.programs != want || known && chip.burnt[0].Bytes() != weak.Bytes() {
				t.Errorf("%s, known as half burnt %v: %d programs: %v", c.name, known, chip.programs, err)
			}
		}
	}
}

// with is w with one more bit set.
func (w Words) with(block, word, bit int) Words {
	w[block][word] |= 1 << bit
	return w
}

// TestHidesWeakly: a pulse that leaves a block hidden at times is given again, as any
// other that did not take; and three that do not make a burn that is missing its bit, on a
// chip whose key is what it was.
func TestHidesWeakly(t *testing.T) {
	for _, pulses := range []int{2, 3, 4} {
		eachHalfHidden(t, func(block int, chip *fakeChip, goal Goal, held Words) {
			bit := readDisable(block)
			marginal := chip.marginal
			chip.marginal = nil
			chip.fuses[0][0] &^= bit
			held[0][0] &^= bit
			burns, err := Plan(held, goal, ProvenFromJournal(true, block == 2))
			if err != nil || burns[0].Stage() != StageHide {
				t.Fatalf("BLOCK%d: planned %v: %v", block, burns, err)
			}
			chip.cut = func(program int, _ *Words) {
				if chip.marginal = marginal; program == pulses {
					chip.marginal = nil
				}
			}
			have, err := Execute(t.Context(), chip, timing40(t), burns[0])
			switch {
			case pulses <= maxPrograms && (err != nil || chip.programs != pulses || !have.Hidden(block)):
				t.Errorf("BLOCK%d, burnt by pulse %d: %d programs: %v", block, pulses, chip.programs, err)
			case pulses > maxPrograms && (!errors.Is(err, ErrReadBack) || have.Bytes() != held.Bytes()):
				t.Errorf("BLOCK%d, not burnt: %v, and it reads as something else than it was", block, err)
			}
		})
	}
}
