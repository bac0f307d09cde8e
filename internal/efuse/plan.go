package efuse

import (
	"fmt"
	"math/bits"
	"slices"
)

// Plan returns the burns that are left between have and the goal, in the only order
// there is: each key block filled, hidden, write-protected; FLASH_CRYPT_CONFIG;
// ABS_DONE_0; FLASH_CRYPT_CNT; locks; freezing; UART_DOWNLOAD_DIS. It is empty when
// nothing is left, and Plan does no I/O.
//
// Where the unit encrypts itself (Goal.ByUnit) and has not done so, everything from
// FLASH_CRYPT_CNT on waits as well, for ErrPlain: what the unit burns stands in one
// Burn that is never executed, and the rest is planned anew once the counter is odd.
//
// While a key block is incomplete the plan goes on behind it, but the burn that
// hides the block waits (Burn.Waits): once the key is burnt it is to be compared,
// the proof recorded, and the rest planned again. A complete block without its
// proof is ErrUnproven, as is a hidden block. The other refusals are those of
// Goal.Check and ErrUnsupported, ErrForeign, ErrCannotClear, ErrWriteProtected,
// ErrNoKey and ErrOrder.
func Plan(have Words, g Goal, proven Proven) ([]Burn, error) {
	p := planner{have: have, goal: g, proven: proven}
	return p.plan()
}

// Preview is Plan for showing: it does not mind keys that are not made yet and
// comparisons that are not done yet. Burns that depend on these wait; Execute
// refuses them.
func Preview(have Words, g Goal, proven Proven) ([]Burn, error) {
	p := planner{have: have, goal: g, proven: proven, showing: true}
	return p.plan()
}

// planner walks through the stages once. have grows with each planned burn.
type planner struct {
	have    Words
	goal    Goal
	proven  Proven
	showing bool
	reached [8]uint32 // bits of BLOCK0 that stand when the stages so far are done
	behind  bool      // the stages to come are behind the unit's own encryption
	plain   bool      // and that has not happened yet
	burns   []Burn
}

// plan runs the checks, then the stages.
func (p *planner) plan() ([]Burn, error) {
	if err := p.goal.Check(); err != nil {
		return nil, err
	}
	if err := supported(p.have); err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		p.foreign, p.outOfOrder, p.keys, p.cryptConfig, p.secureBoot, p.encryption, p.locks, p.freeze, p.downloadMode,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	for i := range p.burns {
		p.burns[i].chip = p.have.chip()
	}
	return p.burns, nil
}

// supported refuses chips whose blocks do not hold plain 32-byte keys.
func supported(have Words) error {
	if have.Field("RD_DIS")>>3 == 1 {
		return fmt.Errorf("RD_DIS bit 3 hides CODING_SCHEME and FLASH_CRYPT_CONFIG: %w", ErrUnsupported)
	}
	if s := have.Scheme(); s != SchemeNone {
		return fmt.Errorf("coding scheme %s, want None: %w", s, ErrUnsupported)
	}
	return nil
}

// foreign refuses what no step of the goal, and no firmware made for it, burns.
func (p *planner) foreign() error {
	set := func(name string) bool { return p.have.Field(name) != 0 }
	rdDis := p.have.Field("RD_DIS")
	for _, c := range []struct {
		found bool
		what  string
	}{
		{set("DIS_CACHE"), "DIS_CACHE is set: the chip cannot run"},
		{set("ABS_DONE_1"), "ABS_DONE_1 is set: the chip wants Secure Boot V2"},
		{rdDis>>2&1 == 1, "BLOCK3 is hidden"},
		{!p.goal.FlashEncryption && (rdDis&1 == 1 || p.have[1] != [8]uint32{}), "BLOCK1 is in use, and the goal has no flash encryption"},
		{!p.goal.FlashEncryption && set("FLASH_CRYPT_CNT"), "FLASH_CRYPT_CNT is not 0, and the goal has no flash encryption"},
		{!p.goal.FlashEncryption && set("FLASH_CRYPT_CONFIG"), "FLASH_CRYPT_CONFIG is not 0, and the goal has no flash encryption"},
		{!p.goal.SecureBootV1 && (rdDis>>1&1 == 1 || p.have[2] != [8]uint32{}), "BLOCK2 is in use, and the goal has no Secure Boot V1"},
		{!p.goal.SecureBootV1 && set("ABS_DONE_0"), "ABS_DONE_0 is set, and the goal has no Secure Boot V1"},
	} {
		if c.found {
			return fmt.Errorf("%s: %w", c.what, ErrForeign)
		}
	}
	return nil
}

// outOfOrder refuses a chip on which a feature was switched on before every key of
// the goal was locked: the steps that are left would come too late.
func (p *planner) outOfOrder() error {
	for block, wanted := range []bool{1: p.goal.FlashEncryption, 2: p.goal.SecureBootV1} {
		if !wanted || locked(p.have, block) {
			continue
		}
		for _, name := range []string{"FLASH_CRYPT_CNT", "ABS_DONE_0"} {
			if p.have.Field(name) != 0 {
				return fmt.Errorf("%s is not 0 and BLOCK%d is not locked: %w", name, block, ErrOrder)
			}
		}
	}
	return nil
}

// locked reports whether a key block is hidden and write-protected.
func locked(have Words, block int) bool {
	return have.Hidden(block) && have.WriteProtected(block)
}

// keys plans the key blocks that the goal needs.
func (p *planner) keys() error {
	if p.goal.FlashEncryption {
		if err := p.keyBlock(1, p.goal.Block1); err != nil {
			return err
		}
	}
	if p.goal.SecureBootV1 {
		return p.keyBlock(2, p.goal.Block2)
	}
	return nil
}

// keyBlock plans a block: the key, then hiding it, then freezing it.
func (p *planner) keyBlock(block int, key KeyBlock) error {
	waits, err := p.keyData(block, key)
	if err != nil {
		return err
	}
	hide := Burn{stage: StageHide, keyBlock: block, key: key, waits: waits}
	if err := p.add(hide, [8]uint32{readDisable(block)}); err != nil {
		return err
	}
	return p.add(Burn{stage: StageProtect, keyBlock: block, waits: waits}, [8]uint32{writeDisable(block)})
}

// keyData plans the key itself. waits is why the block cannot be hidden yet.
func (p *planner) keyData(block int, key KeyBlock) (waits, err error) {
	if p.have.Hidden(block) {
		if !p.proven.Has(block) {
			return nil, fmt.Errorf("BLOCK%d is hidden: %w", block, ErrUnproven)
		}
		return nil, nil
	}
	blank := p.have[block] == [8]uint32{}
	switch {
	case blank && p.proven.Has(block):
		return nil, fmt.Errorf("BLOCK%d is blank, though its key was once read back: not the same chip: %w", block, ErrForeign)
	case blank && p.have.WriteProtected(block):
		return nil, fmt.Errorf("BLOCK%d is blank: %w", block, ErrWriteProtected)
	case !key.Known() && !(blank && p.showing):
		return nil, fmt.Errorf("BLOCK%d: %w", block, ErrNoKey)
	case !key.Known():
		p.burns = append(p.burns, Burn{stage: StageKey, block: block, keyBlock: block, needs: p.reached, waits: ErrNoKey})
		return ErrUnproven, nil
	}
	missing, err := missingKey(p.have, block, key)
	switch {
	case err != nil:
		return nil, err
	case missing == [8]uint32{} && p.proven.Has(block):
		return nil, nil
	case missing == [8]uint32{} && !p.showing:
		return nil, fmt.Errorf("BLOCK%d holds its key: %w", block, ErrUnproven)
	case missing == [8]uint32{}:
		return ErrUnproven, nil
	case p.have.WriteProtected(block):
		return nil, fmt.Errorf("BLOCK%d lacks %d bits of its key: %w", block, count(missing), ErrWriteProtected)
	}
	p.burns = append(p.burns, Burn{stage: StageKey, block: block, keyBlock: block, key: key, needs: p.reached})
	return ErrUnproven, nil
}

// cryptConfig plans FLASH_CRYPT_CONFIG: with less than 0xF the cipher would not
// depend on the address.
func (p *planner) cryptConfig() error {
	if !p.goal.FlashEncryption {
		return nil
	}
	return p.add(Burn{stage: StageCryptConfig}, mustLookup("FLASH_CRYPT_CONFIG").place(uint64(p.goal.CryptConfig)))
}

// secureBoot plans ABS_DONE_0. It comes before the counter, because with the
// counter still even the ROM refuses to run anything and the chip waits unchanged.
func (p *planner) secureBoot() error {
	if !p.goal.SecureBootV1 {
		return nil
	}
	return p.add(Burn{stage: StageSecureBoot}, mustLookup("ABS_DONE_0").mask())
}

// encryption plans FLASH_CRYPT_CNT. A counter that firmware froze while odd is as
// final as a full one.
func (p *planner) encryption() error {
	if !p.goal.FlashEncryption {
		return nil
	}
	f := mustLookup("FLASH_CRYPT_CNT")
	if f.Frozen(p.have) && !p.goal.MayFreezeCounter() {
		return fmt.Errorf("FLASH_CRYPT_CNT can never be switched off: %w", ErrWriteProtected)
	}
	have, want := f.Value(p.have), uint64(p.goal.CryptCount)
	if f.Frozen(p.have) && encrypts(p.have) {
		want = have
	}
	if have&^want != 0 {
		return fmt.Errorf("FLASH_CRYPT_CNT is %#02x, want %#02x: %w", have, want, ErrCannotClear)
	}
	if !p.goal.ByUnit {
		return p.add(Burn{stage: StageEncryption}, f.place(want))
	}
	p.behind, p.plain = true, !encrypts(p.have)
	if !p.plain { // all that the unit may have left is a counter that is not full
		return p.add(Burn{stage: StageEncryption}, f.place(want))
	}
	return p.add(Burn{stage: StageEncryption, byUnit: true}, join(f.place(want), p.goal.unitBits()))
}

// Encrypted reports whether flash encryption is on: FLASH_CRYPT_CNT has an odd number
// of bits.
func (w Words) Encrypted() bool { return encrypts(w) }

func encrypts(have Words) bool {
	return bits.OnesCount64(have.Field("FLASH_CRYPT_CNT"))%2 == 1
}

// locks plans all locks as one burn.
func (p *planner) locks() error {
	var want [8]uint32
	for _, name := range p.goal.Locks {
		want = join(want, mustLookup(name).mask())
	}
	return p.add(Burn{stage: StageLocks}, want)
}

// freeze plans the WR_DIS bits as one burn. Goal.Check saw to it that the goal sets
// what they freeze, and the burn needs everything before it.
func (p *planner) freeze() error {
	var want [8]uint32
	for _, name := range freezable {
		if slices.Contains(p.goal.Freeze, name) {
			want[0] |= 1 << mustLookup(name).WrDis
		}
	}
	return p.add(Burn{stage: StageFreeze}, want)
}

// downloadMode plans UART_DOWNLOAD_DIS, after which the loader is gone.
func (p *planner) downloadMode() error {
	if !p.goal.UARTDownloadDis {
		return nil
	}
	return p.add(Burn{stage: StageDownloadMode}, mustLookup("UART_DOWNLOAD_DIS").mask())
}

// add plans a burn of those bits of BLOCK0 that are not set yet, if any, behind all
// that was planned before it.
func (p *planner) add(b Burn, want [8]uint32) error {
	b.bits = without(want, p.have[0])
	if b.bits != [8]uint32{} {
		if name := frozenBy(p.have, 0, b.bits); name != "" {
			return fmt.Errorf("%s: %w", name, ErrWriteProtected)
		}
		b.needs, b.crypted = p.reached, p.behind
		if p.plain {
			b.waits = ErrPlain
		}
		p.burns = append(p.burns, b)
	}
	p.have[0] = join(p.have[0], want)
	p.reached = join(p.reached, want)
	return nil
}
