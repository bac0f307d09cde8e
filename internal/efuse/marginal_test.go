package efuse

import "testing"

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
