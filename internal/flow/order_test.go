package flow_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math/bits"
	"slices"
	"testing"

	"provision/internal/flow"
	"provision/internal/keys"
	"provision/internal/records"
	"provision/internal/simulator"
)

// TestOrder holds what goes over the wire against docs/order.md, act by act. NVS is
// not encrypted and blank on a new unit, so nothing is written there; nor to otadata,
// while that is plain.
func TestOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy policy
		want   []string
	}{
		{release, []string{
			"flash 0x0", "flash 0x1000", "flash 0x8000", "flash 0xd000", "flash 0x10000",
			"burn BLOCK1", "burn [0] 00010000", "burn [0] 00000080",
			"burn BLOCK2", "burn [0] 00020000", "burn [0] 00000100",
			"burn [5] f0000000", "burn [6] 00000010", "burn [0] 07f00000",
			"burn [6] 000003c4",
			"start",
			"burn [0] 0000d408",
		}},
		{closed, []string{
			"flash 0x0", "flash 0x1000", "flash 0x8000", "flash 0xd000", "flash 0x10000",
			"burn BLOCK1", "burn [0] 00010000", "burn [0] 00000080",
			"burn BLOCK2", "burn [0] 00020000", "burn [0] 00000100",
			"burn [5] f0000000", "burn [6] 00000010", "burn [0] 07f00000",
			"burn [6] 000003c4",
			"start",
			"burn [0] 0000d408",
			"burn [0] 08000000",
		}},
		{encryptionOnly, []string{
			"flash 0x1000", "flash 0x8000", "flash 0xd000", "flash 0x10000",
			"burn BLOCK1", "burn [0] 00010000", "burn [0] 00000080",
			"burn [5] f0000000", "burn [0] 07f00000",
			"burn [6] 000003c4",
			"start",
			"burn [0] 0000c408",
		}},
		{secureBootOnly, []string{ // the bootloader's header follows when it burns nothing any more
			"flash 0x0", "flash 0x1000", "flash 0x8000", "flash 0x10000",
			"burn BLOCK2", "burn [0] 00020000", "burn [0] 00000100",
			"burn [6] 00000010",
			"flash 0x1000",
			"burn [6] 00000044",
			"start",
			"burn [0] 00005008",
		}},
		{byUnit, []string{ // the unit burns FLASH_CRYPT_CNT, the locks and WR_DIS bit 3 at its first start
			"flash 0x0", "flash 0x1000", "flash 0x8000", "flash 0x10000",
			"burn BLOCK1", "burn [0] 00010000", "burn [0] 00000080",
			"burn BLOCK2", "burn [0] 00020000", "burn [0] 00000100",
			"burn [5] f0000000", "burn [6] 00000010",
			"flash 0x1000",
			"start",
			"start",
			"burn [0] 0000d400",
		}},
		{byUnitOnly, []string{
			"flash 0x1000", "flash 0x8000", "flash 0x10000",
			"burn BLOCK1", "burn [0] 00010000", "burn [0] 00000080",
			"burn [5] f0000000",
			"flash 0x1000",
			"start",
			"start",
			"burn [0] 0000c400",
		}},
	} {
		t.Run(c.policy.name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, c.policy)
			inBubble(t, func(t *testing.T) {
				r := newRig(t, c.policy, j)
				w := r.watch()
				r.mustRun("PASS", "")
				if !slices.Equal(w.acts, c.want) {
					t.Errorf("acts are\n%q, want\n%q", w.acts, c.want)
				}
			})
		})
	}
}

// TestBeforeEachBurn stops at each program command, before it reaches the unit, and
// asks records and unit whether it may be.
func TestBeforeEachBurn(t *testing.T) {
	t.Parallel()
	for _, p := range policies() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, p)
			inBubble(t, func(t *testing.T) {
				r := newRig(t, p, j)
				burns, starts := 0, 0
				w := r.watch()
				w.starting = func() {
					if starts++; starts == 1 && p.byUnit {
						burns++
						r.mustBeReadyToStart()
					}
				}
				w.burning = func(words simulator.Fuses) {
					burns++
					r.mustBeOneBlock(words)
					r.mustBeIntended(words)
					r.mustBeSealed(words)
					r.mustBeCompared(words[0][0])
					r.mustBeReady(words)
				}
				r.mustRun("PASS", "")
				if n := len(r.burns()); burns != n || n < 6 {
					t.Errorf("%d program commands, %d burns on record", burns, n)
				}
			})
		})
	}
}

// mustBeOneBlock (I3): one command burns one block, so never a key together with
// its protection; nor protection together with what enables.
func (r *rig) mustBeOneBlock(words simulator.Fuses) {
	r.t.Helper()
	blocks := 0
	for _, w := range words {
		if w != [8]uint32{} {
			blocks++
		}
	}
	enabling := words[0][0]&cryptCnt != 0 || words[0][6]&absDone0 != 0
	if blocks != 1 || enabling && words[0][0]&(lockedBlock1|lockedBlock2) != 0 {
		r.t.Errorf("one command is to burn %s", burnt(words))
	}
}

// mustBeIntended (I2): the newest burn on record is this one, and not yet observed.
func (r *rig) mustBeIntended(words simulator.Fuses) {
	r.t.Helper()
	burns := r.burns()
	if len(burns) == 0 {
		r.t.Errorf("%s: no intent on record", burnt(words))
		return
	}
	last := burns[len(burns)-1]
	block := slices.IndexFunc(words[:], func(w [8]uint32) bool { return w != [8]uint32{} })
	ok := last.Block == block && last.ObservedAt.IsZero()
	if block == 0 {
		ok = ok && last.Bits != nil && *last.Bits == records.Words(words[0]) && *last.Before == records.Words(r.chip.Fuses()[0])
	}
	if !ok {
		r.t.Errorf("%s: the newest intent is %s of BLOCK%d, bits %v", burnt(words), last.Step, last.Block, last.Bits)
	}
}

// mustBeSealed (I2): a key that is about to be burnt can be opened from the records.
func (r *rig) mustBeSealed(words simulator.Fuses) {
	r.t.Helper()
	for block := 1; block <= 2; block++ {
		if words[block] != [8]uint32{} && !r.sealedKeyCovers(block, words[block]) {
			r.t.Errorf("BLOCK%d is burnt with a key that is not in the records", block)
		}
	}
}

// mustBeCompared (I3): a block that is about to be hidden holds a whole key, and
// the records say that it was compared; one that is about to be frozen is hidden.
func (r *rig) mustBeCompared(word0 uint32) {
	r.t.Helper()
	for block, lock := range map[int]struct {
		hide, freeze uint32
		purpose      string
	}{
		1: {rdDisBlock1, wrDisBlock1, keys.FlashEncryption},
		2: {rdDisBlock2, wrDisBlock2, keys.SecureBootV1},
	} {
		if word0&lock.hide != 0 {
			r.mustHoldKey(block, lock.purpose, true)
		}
		if word0&lock.freeze != 0 && r.chip.Fuses()[0][0]&lock.hide == 0 {
			r.t.Errorf("BLOCK%d is frozen before it is hidden", block)
		}
	}
}

// mustBeReady (I3): what enables comes when every key is locked and the flash holds
// what the records say; locks when the features are on; UART_DOWNLOAD_DIS when
// everything else is done and the app was seen.
func (r *rig) mustBeReady(words simulator.Fuses) {
	r.t.Helper()
	have := r.chip.Fuses()[0]
	enables := words[0][0]&cryptCnt != 0 || words[0][6]&absDone0 != 0
	if need := r.policy.word0 & (lockedBlock1 | lockedBlock2); enables && have[0]&need != need {
		r.t.Errorf("%s comes before the keys are locked", burnt(words))
	}
	if r.policy.byUnit && words[0][0]&cryptCnt != 0 && bits.OnesCount32(have[0]&cryptCnt)%2 == 0 {
		r.t.Errorf("FLASH_CRYPT_CNT is burnt by the station while the flash is plain")
	}
	if enables && words[0][0]&cryptCnt != 0 && (have[5] != r.blank[0][5]|r.policy.word5 || have[6]&absDone0 != r.policy.word6&absDone0) {
		r.t.Errorf("FLASH_CRYPT_CNT comes before FLASH_CRYPT_CONFIG or ABS_DONE_0")
	}
	if enables {
		r.mustHoldFlash(r.policy.byUnit || r.policy.word0&cryptCnt == 0)
	}
	need := r.policy.word0 & cryptCnt
	if locks := words[0][6] &^ absDone0; locks != 0 && (have[0]&need != need || have[6]&absDone0 != r.policy.word6&absDone0) {
		r.t.Errorf("locks come before the features are on")
	}
	if words[0][0]&uartDis != 0 {
		if have[0]|uartDis != r.blank[0][0]|r.policy.word0 || have[6] != r.blank[0][6]|r.policy.word6 {
			r.t.Errorf("UART_DOWNLOAD_DIS comes before other fuses")
		}
		if !slices.ContainsFunc(r.events, func(ev flow.Event) bool { return ev.Kind == flow.BootSeen }) {
			r.t.Errorf("UART_DOWNLOAD_DIS comes before the app was seen")
		}
	}
}

// mustBeReadyToStart: a unit that is about to encrypt itself has every key locked,
// everything else burnt that its bootloader would make up, all flash on record and in
// plain text, and the very bits that it will burn in the newest intent.
func (r *rig) mustBeReadyToStart() {
	r.t.Helper()
	have := r.chip.Fuses()[0]
	need := r.policy.word0 & (lockedBlock1 | lockedBlock2)
	if have[0]&need != need || have[5]&cryptConfig != cryptConfig || have[6]&absDone0 != r.policy.word6&absDone0 {
		r.t.Errorf("the unit is started with %08x in BLOCK0", have)
	}
	r.mustHoldFlash(false)
	regions, err := r.store.Regions(r.t.Context(), r.unit().ID)
	check(r.t, err)
	for _, g := range regions {
		if g.Encrypted || g.FlashSHA256 != g.PlainSHA256 {
			r.t.Errorf("%s is on record as encrypted before the unit was started", g.Name)
		}
	}
	burns := r.burns()
	want := records.Words{0: r.policy.word0&cryptCnt | wrDisDisCache, 6: r.policy.word6 &^ absDone0}
	if last := burns[len(burns)-1]; last.Bits == nil || *last.Bits != want || !last.ObservedAt.IsZero() {
		r.t.Errorf("the newest intent is %q of %v, want %08x", last.Step, last.Bits, want)
	}
}

// mustHoldFlash: every region is on record, but for a bootloader that is held back,
// and flash holds it.
func (r *rig) mustHoldFlash(heldBack bool) {
	r.t.Helper()
	regions, err := r.store.Regions(r.t.Context(), r.unit().ID)
	check(r.t, err)
	want := len(r.job.Regions)
	if r.policy.secureBoot {
		want++
	}
	if heldBack {
		want--
	}
	if len(regions) != want {
		r.t.Errorf("%d regions on record before the unit is enabled, want %d", len(regions), want)
	}
	for _, g := range regions {
		data, err := r.chip.Flash(int(g.Offset), int(g.Length))
		check(r.t, err)
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != g.FlashSHA256 {
			r.t.Errorf("%s is on record as verified, and flash holds something else", g.Name)
		}
	}
}
