package efuse

import (
	"context"
	"errors"
	"math/bits"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// provision runs a unit through to the end as a station does: plan, do the first
// burn, compare a key when it is in, plan again. It fails after too many rounds.
func provision(ctx context.Context, regs Registers, timing Timing, g Goal, proven Proven) (Words, Proven, error) {
	have, err := Read(ctx, regs)
	if err != nil {
		return have, proven, err
	}
	for range 40 {
		for block, key := range []KeyBlock{1: g.Block1, 2: g.Block2} {
			if proof, err := Compare(have, block, key); err == nil {
				proven = proven.And(proof)
			}
		}
		burns, err := Plan(have, g, proven)
		if err != nil || len(burns) == 0 {
			return have, proven, err
		}
		if have, err = Execute(ctx, regs, timing, burns[0]); err != nil {
			return have, proven, err
		}
	}
	return have, proven, errors.New("no end")
}

func TestProvision(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Goal)
		want   [8]uint32 // word 0, 5 and 6 beside the blank chip's
	}{
		{"release", func(*Goal) {}, [8]uint32{0: 0x0FF3D588, 5: 0xF0000000, 6: 0x3D4}},
		{"development", func(g *Goal) {
			g.CryptCount, g.UARTDownloadDis = CryptCountDevelopment, false
			g.Locks, g.Freeze = []string{"JTAG_DISABLE"}, nil
		}, [8]uint32{0: 0x00130180, 5: 0xF0000000, 6: 0x50}},
		{"encryption only", func(g *Goal) {
			g.SecureBootV1, g.Freeze = false, []string{"DIS_CACHE"}
		}, [8]uint32{0: 0x0FF10088, 5: 0xF0000000, 6: 0x3C4}},
		{"secure boot only", func(g *Goal) {
			g.FlashEncryption, g.UARTDownloadDis = false, false
			g.Locks, g.Freeze = []string{"JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE"}, []string{"ABS_DONE_0", "JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE"}
		}, [8]uint32{0: 0x0002D100, 6: 0x54}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			chip := newFake(t).powerOn(blankChip())
			goal := releaseGoal(t)
			tc.change(&goal)
			have, proven, err := provision(t.Context(), &batchFake{fakeChip: chip}, timing40(t), goal, Proven{})
			if err != nil {
				t.Fatal(err)
			}
			want := blankChip()
			want[0] = join(want[0], tc.want)
			if have.Bytes() != want.Bytes() {
				t.Errorf("words %08x\nwant  %08x", have.Bytes(), want.Bytes())
			}
			if goal.FlashEncryption && chip.fuses[1] != goal.Block1.Reveal() || goal.SecureBootV1 && chip.fuses[2] != goal.Block2.Reveal() {
				t.Error("a key block does not hold its key")
			}
			if chip.wdata != (Words{}) || chip.regs[regConf] != confRead {
				t.Error("the controller is left loaded")
			}
			checkNoRepeats(t, chip)
			v := Classify(have, Expectation{Known: true, Goal: goal, Proven: proven})
			if v.Class != OursComplete {
				t.Errorf("class %v: %s", v.Class, v.Reason)
			}
		})
	}
}

// checkNoRepeats wants every program command to burn one block, and no bit twice.
func checkNoRepeats(t *testing.T, chip *fakeChip) {
	t.Helper()
	var before Words
	for n, data := range chip.burnt {
		used := 0
		for b := range data {
			if data[b] != [8]uint32{} {
				used++
			}
			if again := count(data[b]) - count(without(data[b], before[b])); again > 0 {
				t.Errorf("program %d burns %d bits of BLOCK%d again", n+1, again, b)
			}
			before[b] = join(before[b], data[b])
		}
		if used != 1 {
			t.Errorf("program %d burns %d blocks", n+1, used)
		}
	}
}

func TestExecuteTwiceBurnsOnce(t *testing.T) {
	chip := newFake(t).powerOn(blankChip())
	burns, err := Plan(blankChip(), releaseGoal(t), Proven{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Execute(t.Context(), chip, timing40(t), burns[0]); err != nil {
			t.Fatal(err)
		}
	}
	if chip.programs != 1 {
		t.Errorf("%d program commands, want 1", chip.programs)
	}
}

// TestExecuteBatches wants all data registers set in one round trip.
func TestExecuteBatches(t *testing.T) {
	chip := &batchFake{fakeChip: newFake(t).powerOn(blankChip())}
	burns, err := Plan(blankChip(), releaseGoal(t), Proven{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Execute(t.Context(), chip, timing40(t), burns[0]); err != nil {
		t.Fatal(err)
	}
	if chip.batches != 2 { // the key, and the zeros behind it
		t.Errorf("%d batches, want 2", chip.batches)
	}
}

// TestStaleDataRegisters wants left-overs of an earlier tool not to be burnt.
func TestStaleDataRegisters(t *testing.T) {
	chip := newFake(t).powerOn(blankChip())
	chip.wdata[0][3], chip.wdata[3][0] = 1<<3, 0xFFFF
	burns, err := Plan(blankChip(), releaseGoal(t), Proven{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Execute(t.Context(), chip, timing40(t), burns[0]); err != nil {
		t.Fatal(err)
	}
	if chip.fuses[0] != blankChip()[0] || chip.fuses[3] != [8]uint32{} {
		t.Error("stale bits were burnt")
	}
}

// TestUnloadedBurn wants fuses that were burnt, but not reloaded, to be seen.
func TestUnloadedBurn(t *testing.T) {
	goal := releaseGoal(t)
	chip := newFake(t).powerOn(blankChip())
	chip.fuses[1] = goal.Block1.Reveal() // a session that broke off after programming
	burns, err := Plan(chip.rdata, goal, Proven{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Execute(t.Context(), chip, timing40(t), burns[0]); err != nil || chip.programs != 0 {
		t.Errorf("error %v after %d programs; want none of either", err, chip.programs)
	}
	other := goal
	other.Block1 = testKey(t, 0x77)
	if burns, err = Plan(blankChip(), other, Proven{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Execute(t.Context(), chip, timing40(t), burns[0]); !errors.Is(err, ErrForeign) || chip.programs != 0 {
		t.Errorf("a second key over the first: %v after %d programs", err, chip.programs)
	}
}

func TestExecuteRefusals(t *testing.T) {
	goal := releaseGoal(t)
	preview, err := Preview(blankChip(), goal, Proven{})
	if err != nil {
		t.Fatal(err)
	}
	noKeys := goal
	noKeys.Block1, noKeys.Block2 = KeyBlock{}, KeyBlock{}
	unkeyed, err := Preview(blankChip(), noKeys, Proven{})
	if err != nil {
		t.Fatal(err)
	}
	named := func(burns []Burn, name string) Burn {
		i := slices.IndexFunc(burns, func(b Burn) bool { return b.Name() == name })
		if i < 0 {
			t.Fatalf("no burn %s in %v", name, burns)
		}
		return burns[i]
	}
	onBlank := func(b Burn) Burn {
		b.chip = blankChip().chip()
		return b
	}
	other := blankChip()
	other[0][1]++
	with := func(bits [8]uint32) (w Words) {
		w = blankChip()
		w[0] = join(w[0], bits)
		return w
	}
	held := with([8]uint32{})
	held[1] = goal.Block1.Reveal()
	planned, err := Plan(held, goal, ProvenFromJournal(true, false))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		chip Words
		burn Burn
		want error
	}{
		{"a burn from nowhere", blankChip(), Burn{}, ErrOrder},
		{"hide before the comparison", held, named(preview, "BLOCK1 hide"), ErrUnproven},
		{"a key that is not made", blankChip(), named(unkeyed, "BLOCK1 key"), ErrNoKey},
		{"hide a blank block", blankChip(), named(planned, "BLOCK1 hide"), ErrReadBack},
		{"second key before the first is locked", blankChip(), named(preview, "BLOCK2 key"), ErrOrder},
		{"counter first", blankChip(), named(preview, "FLASH_CRYPT_CNT"), ErrOrder},
		{"ABS_DONE_0 first", blankChip(), named(preview, "ABS_DONE_0"), ErrOrder},
		{"counter without the tweak", with([8]uint32{0: 0x00030180, 6: 0x10}), named(preview, "FLASH_CRYPT_CNT"), ErrOrder},
		{"freeze without locks", with([8]uint32{0: 0x07F30180, 5: 0xF0000000, 6: 0x10}), named(preview, "freeze"), ErrOrder},
		{"download mode without freeze", with([8]uint32{0: 0x07F30180, 5: 0xF0000000, 6: 0x3D4}), named(preview, "UART_DOWNLOAD_DIS"), ErrOrder},
		{"counter frozen meanwhile", with([8]uint32{0: 0x00030184, 5: 0xF0000000, 6: 0x10}), named(preview, "FLASH_CRYPT_CNT"), ErrWriteProtected},
		{"block frozen meanwhile", with([8]uint32{0: 0x00000080}), named(preview, "BLOCK1 key"), ErrWriteProtected},
		{"block hidden meanwhile", with([8]uint32{0: 0x00010000}), named(preview, "BLOCK1 key"), ErrHidden},
		{"3/4 chip", with([8]uint32{6: 1}), named(preview, "BLOCK1 key"), ErrUnsupported},
		{"another chip", other, named(preview, "BLOCK1 key"), ErrOtherChip},
		{"a forbidden fuse", blankChip(), onBlank(Burn{stage: StageLocks, bits: mustLookup("DIS_CACHE").mask()}), ErrForbidden},
		{"hiding BLOCK3", blankChip(), onBlank(Burn{stage: StageLocks, bits: [8]uint32{1 << 18}}), ErrForbidden},
		{"freezing WR_DIS", blankChip(), onBlank(Burn{stage: StageFreeze, bits: [8]uint32{1 << 1}}), ErrForbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			chip := newFake(t).powerOn(tc.chip)
			if _, err := Execute(t.Context(), chip, timing40(t), tc.burn); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
			if chip.programs != 0 || chip.wdata != (Words{}) {
				t.Error("the chip was not left alone")
			}
		})
	}
}

func TestNoTiming(t *testing.T) {
	burns, err := Plan(blankChip(), releaseGoal(t), Proven{})
	if err != nil {
		t.Fatal(err)
	}
	chip := newFake(t).powerOn(blankChip())
	if _, err := Execute(t.Context(), chip, Timing{}, burns[0]); !errors.Is(err, ErrCrystal) || chip.accesses != 0 {
		t.Errorf("error %v after %d accesses", err, chip.accesses)
	}
	for _, mhz := range []int{0, 32, 80} {
		if _, err := TimingFor(mhz); !errors.Is(err, ErrCrystal) {
			t.Errorf("TimingFor(%d): %v", mhz, err)
		}
	}
	chip.mhz = 26
	timing, err := TimingFor(26)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Execute(t.Context(), chip, timing, burns[0]); err != nil {
		t.Error(err)
	}
}

// firstSet finds a bit of a key.
func firstSet(key KeyBlock) (word, bit int) {
	return 0, bits.TrailingZeros32(key.Reveal()[0])
}

func TestWeakBits(t *testing.T) {
	goal := releaseGoal(t)
	word, bit := firstSet(goal.Block1)
	burns, err := Plan(blankChip(), goal, Proven{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		shrugs, programs int
		want             error
	}{{0, 1, nil}, {1, 2, nil}, {2, 3, nil}, {3, 3, ErrReadBack}} {
		chip := newFake(t).powerOn(blankChip())
		chip.weak = map[[3]int]int{{1, word, bit}: tc.shrugs}
		have, err := Execute(t.Context(), chip, timing40(t), burns[0])
		if !errors.Is(err, tc.want) || chip.programs != tc.programs {
			t.Errorf("bit that shrugs off %d: error %v after %d programs", tc.shrugs, err, chip.programs)
		}
		for n, data := range chip.burnt[1:] {
			if count(data[1]) != 1 {
				t.Errorf("program %d tops up %d bits, want 1", n+2, count(data[1]))
			}
		}
		var missing *ReadBackError
		if tc.want != nil && (!errors.As(err, &missing) || missing.Missing != 1 || missing.Have != [8]uint32{}) {
			t.Errorf("read-back error %+v", missing)
		}
		if have[1] != chip.fuses[1] || chip.wdata != (Words{}) {
			t.Error("observed words are not the chip's, or the key is left in the registers")
		}
	}
}

// TestMarginalBit has a bit that reads 0 on some loads until it is burnt again.
func TestMarginalBit(t *testing.T) {
	goal := releaseGoal(t)
	word, bit := firstSet(goal.Block1)
	burns, err := Plan(blankChip(), goal, Proven{})
	if err != nil {
		t.Fatal(err)
	}
	chip := newFake(t).powerOn(blankChip())
	chip.marginal = map[[3]int]int{{1, word, bit}: 4}
	chip.cut = func(n int, _ *Words) {
		if n == 2 {
			chip.marginal = nil
		}
	}
	if _, err := Execute(t.Context(), chip, timing40(t), burns[0]); err != nil || chip.programs != 2 {
		t.Errorf("error %v after %d programs, want success after 2", err, chip.programs)
	}

	held := blankChip()
	held[1] = goal.Block1.Reveal()
	if burns, err = Plan(held, goal, ProvenFromJournal(true, false)); err != nil {
		t.Fatal(err)
	}
	chip = newFake(t).powerOn(held)
	chip.marginal = map[[3]int]int{{1, word, bit}: 5}
	if _, err := Execute(t.Context(), chip, timing40(t), burns[0]); !errors.Is(err, ErrMarginal) || chip.programs != 0 {
		t.Errorf("a marginal key was hidden: %v after %d programs", err, chip.programs)
	}
}

func TestStrayBits(t *testing.T) {
	goal := releaseGoal(t)
	for _, stray := range []Words{
		{0: {6: 1 << 5}}, {0: {0: 1 << 17}}, {1: {0: without([8]uint32{^uint32(0)}, goal.Block1.Reveal())[0]}}, {3: {4: 1}},
	} {
		burns, err := Plan(blankChip(), goal, Proven{})
		if err != nil {
			t.Fatal(err)
		}
		chip := newFake(t).powerOn(blankChip())
		chip.stray = map[int]Words{1: stray}
		if _, err := Execute(t.Context(), chip, timing40(t), burns[0]); !errors.Is(err, ErrExtraBits) || chip.programs != 1 {
			t.Errorf("stray %x: error %v after %d programs", stray.Bytes(), err, chip.programs)
		}
	}
}

// TestBitsOutsideTheBurn has a bit beside the burn appear, or vanish, on only some of
// the loads.
func TestBitsOutsideTheBurn(t *testing.T) {
	s := nextBurns(t)["FLASH_CRYPT_CONFIG"]
	for _, tc := range []struct {
		name  string
		at    [3]int
		every int
		stray Words
		want  error
	}{
		{"appears once", [3]int{0, 6, 5}, 2, Words{0: {6: 1 << 5}}, ErrExtraBits},
		{"vanishes once", [3]int{0, 3, 15}, 5, Words{}, ErrUnstable},
	} {
		chip := newFake(t).powerOn(s.chip)
		chip.marginal = map[[3]int]int{tc.at: tc.every}
		chip.stray = map[int]Words{1: tc.stray}
		if _, err := Execute(t.Context(), chip, timing40(t), s.burn); !errors.Is(err, tc.want) || chip.programs != 1 {
			t.Errorf("%s: error %v after %d programs, want %v", tc.name, err, chip.programs, tc.want)
		}
	}
}

// stuckChip has a register with a bit that never gets set.
type stuckChip struct {
	*fakeChip
	addr, bit uint32
}

func (s stuckChip) WriteReg(ctx context.Context, addr, value uint32) error {
	if addr == s.addr {
		value &^= s.bit
	}
	return s.fakeChip.WriteReg(ctx, addr, value)
}

func TestStuckRegister(t *testing.T) {
	s := nextBurns(t)["BLOCK1 key"]
	word, bit := firstSet(s.burn.key)
	for _, stuck := range []stuckChip{
		{addr: writeBase[1] + 4*uint32(word), bit: 1 << bit}, {addr: regConf, bit: 0x1000}, {addr: regClk, bit: 0x80}, {addr: regDacConf, bit: 0x40},
	} {
		stuck.fakeChip = newFake(t).powerOn(s.chip)
		if _, err := Execute(t.Context(), stuck, timing40(t), s.burn); !errors.Is(err, ErrRegister) || stuck.programs != 0 {
			t.Errorf("register %#x: error %v after %d programs", stuck.addr, err, stuck.programs)
		}
	}
}

// openChip shows BLOCK1 although RD_DIS says that it is hidden.
type openChip struct{ *fakeChip }

func (o openChip) ReadReg(ctx context.Context, addr uint32) (uint32, error) {
	v, err := o.fakeChip.ReadReg(ctx, addr)
	if b, i, ok := locate(readBase, addr); ok && b == 1 {
		return o.fuses[1][i], err
	}
	return v, err
}

func TestNotHidden(t *testing.T) {
	goal := releaseGoal(t)
	held := blankChip()
	held[1] = goal.Block1.Reveal()
	burns, err := Plan(held, goal, ProvenFromJournal(true, false))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Execute(t.Context(), openChip{newFake(t).powerOn(held)}, timing40(t), burns[0]); !errors.Is(err, ErrNotHidden) {
		t.Errorf("error %v, want ErrNotHidden", err)
	}
}

func TestHungController(t *testing.T) {
	chip := newFake(t).powerOn(blankChip())
	burns, err := Plan(blankChip(), releaseGoal(t), Proven{})
	if err != nil {
		t.Fatal(err)
	}
	chip.hung, chip.regs[regCmd] = true, cmdRead
	timing := timing40(t)
	timing.limit = time.Millisecond
	if _, err := Execute(t.Context(), chip, timing, burns[0]); !errors.Is(err, ErrBusy) || chip.programs != 0 {
		t.Errorf("error %v, want ErrBusy", err)
	}
}

// deafChip stops answering for good at one access. The line takes its time to give
// up, longer than the controller may be busy.
type deafChip struct {
	*fakeChip
	from, asked int
}

func (d *deafChip) answers(ctx context.Context) error {
	if d.asked++; d.asked < d.from {
		return nil
	}
	select {
	case <-time.After(3 * time.Second):
		return errLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *deafChip) ReadReg(ctx context.Context, addr uint32) (uint32, error) {
	if err := d.answers(ctx); err != nil {
		return 0, err
	}
	return d.fakeChip.ReadReg(ctx, addr)
}

func (d *deafChip) WriteReg(ctx context.Context, addr, value uint32) error {
	if err := d.answers(ctx); err != nil {
		return err
	}
	return d.fakeChip.WriteReg(ctx, addr, value)
}

// TestDeadLineIsNotABusyController: a chip that no longer answers says nothing about
// its fuses, wherever in a burn it stops.
func TestDeadLineIsNotABusyController(t *testing.T) {
	s := nextBurns(t)["BLOCK1 key"]
	for from, done := 1, false; !done; from++ {
		synctest.Test(t, func(t *testing.T) {
			chip := deafChip{fakeChip: newFake(t).powerOn(s.chip), from: from}
			_, err := Execute(t.Context(), &chip, timing40(t), s.burn)
			if done = chip.asked < from; done {
				return
			}
			line := errors.Is(err, errLost) || errors.Is(err, context.DeadlineExceeded) // of the whole burn
			if !line || errors.Is(err, ErrBusy) || errors.Is(err, ErrReadBack) {
				t.Fatalf("deaf from access %d: %v, want %v alone", from, err, errLost)
			}
		})
	}
}

// TestCancel wants a cancelled context to stop everything before the first program
// command and nothing after it.
func TestCancel(t *testing.T) {
	burns, err := Plan(blankChip(), releaseGoal(t), Proven{})
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("operator went home")
	ctx, cancel := context.WithCancelCause(t.Context())
	chip := newFake(t).powerOn(blankChip())
	chip.cut = func(int, *Words) { cancel(gone) }
	have, err := Execute(ctx, chip, timing40(t), burns[0])
	if err != nil || have[1] != chip.fuses[1] {
		t.Errorf("a burn under way was cut short: %v", err)
	}
	chip = newFake(t).powerOn(blankChip())
	if _, err := Execute(ctx, chip, timing40(t), burns[0]); !errors.Is(err, gone) || chip.programs != 0 {
		t.Errorf("error %v after %d programs", err, chip.programs)
	}

	ctx, cancel = context.WithCancelCause(t.Context())
	chip = newFake(t).powerOn(blankChip())
	last := 0
	chip.fault = func(_ int, _ bool, addr uint32) (bool, bool) {
		if addr == readBase[3]+28 {
			if last++; last == 2 { // the last word, read twice: next is programming
				cancel(gone)
			}
		}
		return false, false
	}
	if _, err := Execute(ctx, chip, timing40(t), burns[0]); !errors.Is(err, gone) || chip.programs != 0 {
		t.Errorf("cancelled just before programming: error %v after %d programs", err, chip.programs)
	}
}

// astray is a chip that hears its first program command garbled: as a write of the
// register that shapes the pulses.
type astray struct {
	*fakeChip
	heard bool
}

func (a *astray) WriteReg(ctx context.Context, addr, value uint32) error {
	if addr == regCmd && value == cmdProgram && !a.heard {
		a.heard = true
		addr = regDacConf
	}
	return a.fakeChip.WriteReg(ctx, addr, value)
}

// TestProgramCommandAstray: what a garbled command has done to the clocks is put right
// before the next pulse (newFake refuses any other), and the chip is not to blame.
func TestProgramCommandAstray(t *testing.T) {
	burns, err := Plan(blankChip(), releaseGoal(t), Proven{})
	if err != nil {
		t.Fatal(err)
	}
	chip := newFake(t).powerOn(blankChip())
	have, err := Execute(t.Context(), &astray{fakeChip: chip}, timing40(t), burns[0])
	if err != nil || have[1] != chip.fuses[1] || chip.programs != 1 {
		t.Errorf("%d programs: %v", chip.programs, err)
	}
}
