package efuse

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func names(burns []Burn) (out []string) {
	for _, b := range burns {
		out = append(out, b.Name())
	}
	return out
}

func TestPlanFromBlank(t *testing.T) {
	burns, err := Plan(blankChip(), releaseGoal(t), Proven{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"BLOCK1 key", "BLOCK1 hide", "BLOCK1 protect", "BLOCK2 key", "BLOCK2 hide", "BLOCK2 protect",
		"FLASH_CRYPT_CONFIG", "ABS_DONE_0", "FLASH_CRYPT_CNT", "locks", "freeze", "UART_DOWNLOAD_DIS",
	}
	if !slices.Equal(names(burns), want) {
		t.Errorf("plan %q\nwant %q", names(burns), want)
	}
	for _, b := range burns {
		keyed := b.Stage() == StageHide || b.Stage() == StageProtect
		if waits := errors.Is(b.Waits(), ErrUnproven); waits != keyed {
			t.Errorf("%s waits for %v", b.Name(), b.Waits())
		}
		if s := b.Permanent(); !strings.HasSuffix(s, ".") || strings.Contains(s, "%!") {
			t.Errorf("%s: %q", b.Name(), s)
		}
		if _, public := b.Bits(); public == (b.Stage() == StageKey) {
			t.Errorf("%s: bits public: %v", b.Name(), public)
		}
	}
	if got := burns[9].Fields(); !slices.Equal(got, []string{"CONSOLE_DEBUG_DISABLE", "JTAG_DISABLE", "DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE"}) {
		t.Errorf("locks %v", got)
	}
}

func TestPlanComplete(t *testing.T) {
	goal := releaseGoal(t)
	goal.Block1, goal.Block2 = KeyBlock{}, KeyBlock{} // destroyed after PASS
	burns, err := Plan(fullyBurnt(), goal, ProvenFromJournal(true, true))
	if err != nil || len(burns) != 0 {
		t.Errorf("plan %v, %v; want nothing left", burns, err)
	}
}

// TestFrozenOddCounter takes what firmware does on its first boot, when it finds the
// counter odd and not full, for as final as a full counter.
func TestFrozenOddCounter(t *testing.T) {
	goal := releaseGoal(t)
	goal.UARTDownloadDis = false
	have := fullyBurnt()
	have[0][0] = have[0][0]&^(0xFF<<20) | 1<<20 | 1<<2
	burns, err := Plan(have, goal, ProvenFromJournal(true, true))
	if err != nil || len(burns) != 0 {
		t.Errorf("plan %v, %v; want nothing left", burns, err)
	}
	have[0][0] |= 1 << 21 // frozen while even
	if _, err := Plan(have, goal, ProvenFromJournal(true, true)); !errors.Is(err, ErrWriteProtected) {
		t.Errorf("error %v, want ErrWriteProtected", err)
	}
}

// TestFrozenUnderDevelopment: a counter that can no longer be switched off is not what
// a development goal asks for, unless it asks for that, too.
func TestFrozenUnderDevelopment(t *testing.T) {
	goal := releaseGoal(t)
	goal.UARTDownloadDis, goal.CryptCount = false, CryptCountDevelopment
	have := fullyBurnt()
	have[0][0] = have[0][0]&^(0xFF<<20) | 1<<20 | 1<<2
	for _, byUnit := range []bool{false, true} {
		goal.ByUnit, goal.Freeze = byUnit, slices.DeleteFunc(goal.Freeze, func(name string) bool { return name == "FLASH_CRYPT_CNT" })
		if _, err := Plan(have, goal, ProvenFromJournal(true, true)); !errors.Is(err, ErrWriteProtected) {
			t.Errorf("by the unit %v: error %v, want ErrWriteProtected", byUnit, err)
		}
		goal.Freeze = append(goal.Freeze, "FLASH_CRYPT_CNT")
		if burns, err := Plan(have, goal, ProvenFromJournal(true, true)); err != nil || len(burns) != 0 {
			t.Errorf("by the unit %v, frozen by the goal: plan %v, %v; want nothing left", byUnit, burns, err)
		}
	}
}

func TestPlanRefusals(t *testing.T) {
	key1 := testKey(t, 0x11).Reveal()
	both := ProvenFromJournal(true, true)
	for _, tc := range []struct {
		name   string
		have   func(*Words)
		goal   func(*Goal)
		proven Proven
		want   error
	}{
		{"key complete, not compared", func(w *Words) { w[1] = key1 }, nil, Proven{}, ErrUnproven},
		{"hidden, never compared", func(w *Words) { w[0][0] |= 1 << 16 }, nil, Proven{}, ErrUnproven},
		{"compared once, blank now", nil, nil, both, ErrForeign},
		{"another key", func(w *Words) { w[1] = key1; w[1][0] = ^w[1][0] }, nil, Proven{}, ErrForeign},
		{"key in BLOCK2 of another", func(w *Words) { w[2] = key1 }, nil, Proven{}, ErrForeign},
		{"no key", nil, func(g *Goal) { g.Block1 = KeyBlock{} }, Proven{}, ErrNoKey},
		{"half a key that is gone", func(w *Words) { w[1][0] = 1 }, func(g *Goal) { g.Block1 = KeyBlock{} }, Proven{}, ErrNoKey},
		{"block frozen blank", func(w *Words) { w[0][0] |= 1 << 7 }, nil, Proven{}, ErrWriteProtected},
		{"block frozen half full", func(w *Words) { w[0][0] |= 1 << 7; w[1][0] = key1[0] }, nil, Proven{}, ErrWriteProtected},
		{"RD_DIS frozen", func(w *Words) { w[0][0] |= 1 }, nil, Proven{}, ErrWriteProtected},
		{"WR_DIS frozen", func(w *Words) { w[0][0] |= 2 }, nil, Proven{}, ErrWriteProtected},
		{"config frozen", func(w *Words) { w[0][0] |= 1 << 10 }, nil, Proven{}, ErrWriteProtected},
		{"counter frozen even", func(w *Words) { w[0][0] |= 1 << 2 }, nil, Proven{}, ErrWriteProtected},
		{"ABS_DONE_0 frozen", func(w *Words) { w[0][0] |= 1 << 12 }, nil, Proven{}, ErrWriteProtected},
		{"JTAG frozen open", func(w *Words) { w[0][0] |= 1 << 14 }, nil, Proven{}, ErrWriteProtected},
		{"download locks frozen open", func(w *Words) { w[0][0] |= 1 << 15 }, nil, Proven{}, ErrWriteProtected},
		{"counter before its key", func(w *Words) { w[0][0] |= 1 << 20 }, nil, Proven{}, ErrOrder},
		{"ABS_DONE_0 before its key", func(w *Words) { w[0][6] |= 1 << 4 }, nil, Proven{}, ErrOrder},
		{"counter past development", func(w *Words) { *w = fullyBurnt() }, func(g *Goal) { g.CryptCount, g.UARTDownloadDis = 1, false }, both, ErrCannotClear},
		{"V2 chip", func(w *Words) { w[0][6] |= 1 << 5 }, nil, Proven{}, ErrForeign},
		{"DIS_CACHE", func(w *Words) { w[0][3] |= 1 << 3 }, nil, Proven{}, ErrForeign},
		{"BLOCK3 hidden", func(w *Words) { w[0][0] |= 1 << 18 }, nil, Proven{}, ErrForeign},
		{"coding scheme hidden", func(w *Words) { w[0][0] |= 1 << 19 }, nil, Proven{}, ErrUnsupported},
		{"3/4", func(w *Words) { w[0][6] |= 1 }, nil, Proven{}, ErrUnsupported},
		{"repeat", func(w *Words) { w[0][6] |= 2 }, nil, Proven{}, ErrUnsupported},
		{"scheme 3", func(w *Words) { w[0][6] |= 3 }, nil, Proven{}, ErrUnsupported},
		{"encrypted, not wanted", func(w *Words) { *w = fullyBurnt() }, func(g *Goal) { g.FlashEncryption, g.Freeze = false, nil }, both, ErrForeign},
		{"secure boot, not wanted", func(w *Words) { *w = fullyBurnt() }, func(g *Goal) { g.SecureBootV1, g.Freeze = false, nil }, both, ErrForeign},
		{"the goal itself", nil, func(g *Goal) { g.CryptConfig = 0 }, Proven{}, ErrGoal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			have, goal := blankChip(), releaseGoal(t)
			if tc.have != nil {
				tc.have(&have)
			}
			if tc.goal != nil {
				tc.goal(&goal)
			}
			if burns, err := Plan(have, goal, tc.proven); !errors.Is(err, tc.want) || burns != nil {
				t.Errorf("plan %v, error %v; want %v", burns, err, tc.want)
			}
		})
	}
}

func TestGoalRefusals(t *testing.T) {
	for _, tc := range []struct {
		name string
		goal func(*Goal)
		want error
	}{
		{"fine", func(*Goal) {}, nil},
		{"nothing asked for", func(g *Goal) { *g = Goal{} }, nil},
		{"counter of two", func(g *Goal) { g.CryptCount = 3 }, ErrGoal},
		{"weak tweak", func(g *Goal) { g.CryptConfig = 7 }, ErrGoal},
		{"zero key", func(g *Goal) { g.Block2 = NewKeyBlock([8]uint32{}) }, ErrWeakKey},
		{"one key for both", func(g *Goal) { g.Block2 = g.Block1 }, ErrWeakKey},
		{"DIS_CACHE as a lock", func(g *Goal) { g.Locks = append(g.Locks, "DIS_CACHE") }, ErrForbidden},
		{"XPD_SDIO_FORCE as a lock", func(g *Goal) { g.Locks = append(g.Locks, "XPD_SDIO_FORCE") }, ErrForbidden},
		{"SPI pad as a lock", func(g *Goal) { g.Locks = append(g.Locks, "SPI_PAD_CONFIG_CLK") }, ErrForbidden},
		{"RD_DIS as a lock", func(g *Goal) { g.Locks = append(g.Locks, "RD_DIS") }, ErrForbidden},
		{"counter as a lock", func(g *Goal) { g.Locks = append(g.Locks, "FLASH_CRYPT_CNT") }, ErrForbidden},
		{"a lock that is none", func(g *Goal) { g.Locks = append(g.Locks, "JTAG_DISABEL") }, ErrForbidden},
		{"freeze RD_DIS", func(g *Goal) { g.Freeze = append(g.Freeze, "RD_DIS") }, ErrForbidden},
		{"freeze BLOCK3", func(g *Goal) { g.Freeze = append(g.Freeze, "BLOCK3") }, ErrForbidden},
		{"freeze the counter under UART_DOWNLOAD_DIS", func(g *Goal) { g.Freeze = append(g.Freeze, "FLASH_CRYPT_CNT") }, ErrOrder},
		{"freeze the counter", func(g *Goal) { g.Freeze, g.UARTDownloadDis = append(g.Freeze, "FLASH_CRYPT_CNT"), false }, nil},
		{"freeze ABS_DONE_1", func(g *Goal) { g.Freeze = append(g.Freeze, "ABS_DONE_1") }, nil},
		{"freeze an open JTAG", func(g *Goal) { g.Locks = g.Locks[1:] }, ErrOrder},
		{"freeze open download locks", func(g *Goal) { g.Locks = g.Locks[:3] }, ErrOrder},
		{"freeze the tweak, no encryption", func(g *Goal) { g.FlashEncryption = false }, ErrOrder},
		{"freeze ABS_DONE_0, no secure boot", func(g *Goal) { g.SecureBootV1 = false }, ErrOrder},
		{"UART_DOWNLOAD_DIS on v1.0", func(g *Goal) { g.Revision = Revision{1, 0} }, ErrForbidden},
		{"UART_DOWNLOAD_DIS in development", func(g *Goal) { g.CryptCount = 1 }, ErrOrder},
	} {
		t.Run(tc.name, func(t *testing.T) {
			goal := releaseGoal(t)
			tc.goal(&goal)
			if err := goal.Check(); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	key := testKey(t, 0x11)
	have := blankChip()
	have[1] = key.Reveal()
	partial, foreign, hidden := have, have, have
	partial[1][7] = 0
	foreign[1][7] = ^foreign[1][7]
	hidden[0][0] |= 1 << 16
	for _, tc := range []struct {
		name  string
		have  Words
		block int
		key   KeyBlock
		want  error
	}{
		{"equal", have, 1, key, nil},
		{"partial", partial, 1, key, ErrReadBack},
		{"blank", have, 2, key, ErrReadBack},
		{"foreign", foreign, 1, key, ErrForeign},
		{"hidden", hidden, 1, key, ErrHidden},
		{"no key", have, 1, KeyBlock{}, ErrNoKey},
		{"no key block", have, 3, key, ErrShape},
	} {
		proven, err := Compare(tc.have, tc.block, tc.key)
		if !errors.Is(err, tc.want) || proven.Has(1) != (tc.want == nil) || proven.Has(2) {
			t.Errorf("%s: %+v, %v", tc.name, proven, err)
		}
	}
}

// refused is every error that a plan may end in.
var refused = []error{ErrForeign, ErrCannotClear, ErrWriteProtected, ErrUnproven, ErrOrder, ErrUnsupported, ErrNoKey}

// TestPlanOrder walks plans from random states and wants every single burn to obey
// the order, judged from the words alone.
func TestPlanOrder(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	planned := 0
	for n := range 6000 {
		goal := randomGoal(t, rng)
		have := randomState(rng, goal)
		proven := ProvenFromJournal(rng.IntN(4) > 0, rng.IntN(4) > 0)
		burns, err := Plan(have, goal, proven)
		if err != nil {
			if !slices.ContainsFunc(refused, func(want error) bool { return errors.Is(err, want) }) {
				t.Fatalf("seed %d, state %d: %v", seed, n, err)
			}
			continue
		}
		if len(burns) > 0 {
			planned++
		}
		for i, b := range burns {
			after := burnWords(have, b)
			if err := orderly(have, after, b, goal, i == len(burns)-1); err != nil {
				t.Fatalf("seed %d, state %d, burn %d of %q: %v\n%08x", seed, n, i, names(burns), err, have[0])
			}
			have = after
		}
		if left, err := Plan(have, goal, ProvenFromJournal(true, true)); err != nil || len(left) > 0 {
			t.Fatalf("seed %d, state %d: after the plan %q are left, %v", seed, n, names(left), err)
		}
	}
	if planned < 500 {
		t.Errorf("only %d states had a plan", planned)
	}
}

// burnWords is what a chip reads after a burn.
func burnWords(w Words, b Burn) Words {
	w[b.block] = join(w[b.block], b.wanted())
	for block := 1; block < 4; block++ {
		if w.Hidden(block) {
			w[block] = [8]uint32{}
		}
	}
	return w
}

// orderly checks one burn of a plan against the invariants.
func orderly(before, after Words, b Burn, goal Goal, last bool) error {
	d := without(after[0], before[0])
	count, config, abs := encrypts(before), before[0][5]>>28 == 0xF, before[0][6]&0x10 != 0
	enabled := (!goal.FlashEncryption || count) && (!goal.SecureBootV1 || abs)
	for _, rule := range []struct {
		what      string
		burnt, ok bool
	}{
		{"something is burnt", true, b.block != 0 || d != [8]uint32{}},
		{"a key alone", b.block != 0, d == [8]uint32{} && after[b.block] == b.key.Reveal() && before[0][6]&0x10 == 0 && before[0][0]>>20&0x7F == 0},
		{"BLOCK1 hidden alone, with its key in it", d[0]>>16&1 == 1, d == [8]uint32{1 << 16} && before[1] == goal.Block1.Reveal()},
		{"BLOCK2 hidden alone, with its key in it", d[0]>>17&1 == 1, d == [8]uint32{1 << 17} && before[2] == goal.Block2.Reveal()},
		{"BLOCK1 frozen alone, once hidden", d[0]>>7&1 == 1, d == [8]uint32{1 << 7} && before.Hidden(1)},
		{"BLOCK2 frozen alone, once hidden", d[0]>>8&1 == 1, d == [8]uint32{1 << 8} && before.Hidden(2)},
		{"CONFIG behind its key", d[5] != 0, locked(before, 1) && (!goal.SecureBootV1 || locked(before, 2))},
		{"ABS_DONE_0 behind keys and CONFIG", d[6]&0x10 != 0, locked(before, 2) && (!goal.FlashEncryption || locked(before, 1) && config)},
		{"counter behind key, CONFIG and ABS_DONE_0", d[0]>>20&0x7F != 0, locked(before, 1) && config && (!goal.SecureBootV1 || abs)},
		{"counter alone", d[0]>>20&0x7F != 0, d[0]&^(0x7F<<20) == 0},
		{"locks behind enabling", d[6]&^0x10 != 0, enabled},
		{"freezing behind enabling", d[0]&0xFE7F&^0x180 != 0 && b.stage != StageProtect, enabled && b.stage == StageFreeze},
		{"CONFIG frozen full", d[0]>>10&1 == 1, config},
		{"ABS_DONE_0 frozen set", d[0]>>12&1 == 1, abs},
		{"JTAG frozen off", d[0]>>14&1 == 1, before[0][6]&0x40 != 0},
		{"console frozen off", d[0]>>15&1 == 1, before[0][6]&4 != 0},
		{"download locks frozen closed", d[0]>>15&1 == 1 && goal.FlashEncryption, before[0][6]&0x380 == 0x380},
		{"counter frozen odd", d[0]>>2&1 == 1, count},
		{"download mode last", d[0]>>27&1 == 1, last && enabled},
		{"nothing forbidden", true, without(d, burnable) == [8]uint32{} && d[0]&3 == 0},
	} {
		if rule.burnt && !rule.ok {
			return fmt.Errorf("%s breaks the rule: %s", b.Name(), rule.what)
		}
	}
	return nil
}

// randomGoal is a goal that Check accepts.
func randomGoal(t *testing.T, rng *rand.Rand) Goal {
	for {
		goal := releaseGoal(t)
		goal.FlashEncryption, goal.SecureBootV1 = rng.IntN(4) > 0, rng.IntN(4) > 0
		goal.UARTDownloadDis = rng.IntN(2) == 0
		if rng.IntN(3) == 0 {
			goal.CryptCount = CryptCountDevelopment
		}
		pick := func(all []string) (some []string) {
			for _, name := range all {
				if rng.IntN(3) > 0 {
					some = append(some, name)
				}
			}
			return some
		}
		goal.Locks, goal.Freeze = pick(lockable), pick(freezable)
		if goal.Check() == nil {
			return goal
		}
	}
}

// randomState is a chip somewhere between blank and the goal, sometimes with bits
// that nobody planned.
func randomState(rng *rand.Rand, goal Goal) Words {
	w := blankChip()
	done := func() bool { return rng.IntN(2) == 0 }
	for block, key := range []KeyBlock{1: goal.Block1, 2: goal.Block2} {
		wanted := block == 1 && goal.FlashEncryption || block == 2 && goal.SecureBootV1
		if !wanted || !done() {
			continue
		}
		words := key.Reveal()
		if done() {
			for i := range words {
				words[i] &= rng.Uint32()
			}
		} else if done() {
			w[0][0] |= readDisable(block)
			if done() {
				w[0][0] |= writeDisable(block)
			}
		}
		w[block] = words
		if w.Hidden(block) {
			w[block] = [8]uint32{}
		}
	}
	end := [8]uint32{0: 0x07F0D408, 5: 0xF0000000, 6: 0x3DC}
	switch rng.IntN(4) {
	case 0:
		for i := range end {
			w[0][i] |= end[i] & rng.Uint32()
		}
	case 1:
		if locked(w, 1) || locked(w, 2) {
			w[0] = join(w[0], end)
		}
	case 2:
		w[0][5] |= 0xF0000000 & rng.Uint32()
	}
	if rng.IntN(20) == 0 {
		bit := rng.IntN(7 * 32)
		w[0][bit/32] |= 1 << (bit % 32)
	}
	return w
}

// TestRandomStateReachesAll guards TestPlanOrder against drawing dull states.
func TestRandomStateReachesAll(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 0))
	stages := map[Stage]int{}
	for range 5000 {
		goal := randomGoal(t, rng)
		burns, err := Plan(randomState(rng, goal), goal, ProvenFromJournal(true, true))
		if err == nil && len(burns) > 0 {
			stages[burns[0].stage]++
		}
	}
	for s := StageKey; s <= StageDownloadMode; s++ {
		if s != StageKey && stages[s] == 0 {
			t.Errorf("no plan began with stage %v: %v", s, stages)
		}
	}
}
