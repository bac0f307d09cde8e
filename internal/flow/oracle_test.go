package flow_test

import (
	"encoding/json"
	"math/bits"
	"slices"

	"provision/internal/efuse"
	"provision/internal/flow"
	"provision/internal/keys"
	"provision/internal/records"
	"provision/internal/simulator"
)

// mustBeSecured holds a unit that passed against everything PASS promises. It
// looks where the flow cannot: at the true fuses behind their protection, and at
// what the unit does when it is started. wasCut says that the unit lost its power
// on the way, and so may have been started half-way.
func (r *rig) mustBeSecured(wasCut bool) {
	r.t.Helper()
	r.mustHoldFuses(wasCut)
	r.mustStart()
	r.mustBeOnRecord()
}

// mustHoldFuses compares every fuse with what the policy says, and both key blocks
// with keys that the station made. An app built for release that is started with an
// odd counter freezes it as it stands: that is as final as a full one.
func (r *rig) mustHoldFuses(wasCut bool) {
	r.t.Helper()
	want, got := r.blank, r.chip.Fuses()
	want[0][0] |= r.policy.word0
	want[0][5] |= r.policy.word5
	want[0][6] |= r.policy.word6
	if wasCut && r.frozenByApp() {
		want[0][0] = want[0][0]&^cryptCnt | got[0][0]&cryptCnt | wrDisCryptCnt
	}
	if got[0] != want[0] {
		r.t.Errorf("BLOCK0 is %08x, want %08x", got[0], want[0])
	}
	r.mustHoldKey(1, keys.FlashEncryption, r.policy.encryption != "")
	r.mustHoldKey(2, keys.SecureBootV1, r.policy.secureBoot)
	if got[3] != r.blank[3] {
		r.t.Errorf("BLOCK3 changed to %08x", got[3])
	}
}

// frozenByApp says whether the app has frozen a FLASH_CRYPT_CNT that is odd and
// not full.
func (r *rig) frozenByApp() bool {
	w := r.chip.Fuses()[0][0]
	return w&wrDisCryptCnt != 0 && w&cryptCnt != cryptCnt && bits.OnesCount32(w&cryptCnt)%2 == 1
}

// mustHoldKey checks that a block holds one whole key of this station's making,
// whose fingerprint is on record.
func (r *rig) mustHoldKey(block int, purpose string, wanted bool) {
	r.t.Helper()
	words := r.chip.Fuses()[block]
	if !wanted {
		if words != [8]uint32{} {
			r.t.Errorf("BLOCK%d holds something, and the policy has no use for it", block)
		}
		return
	}
	for _, key := range r.keys.keys() {
		if keyWords(r, key) == words {
			r.mustKnowKey(purpose, keys.Fingerprint(purpose, keys.NewSecret(slices.Clone(key))))
			return
		}
	}
	r.t.Errorf("BLOCK%d holds %08x, which is no key that this station made", block, words)
}

func keyWords(r *rig, key []byte) [8]uint32 {
	r.t.Helper()
	words, err := efuse.KeyWords(key, efuse.SchemeNone)
	check(r.t, err)
	return words
}

func (r *rig) mustKnowKey(purpose, fingerprint string) {
	r.t.Helper()
	sealed, err := r.store.SealedKeys(r.t.Context(), r.unit().ID)
	check(r.t, err)
	if !slices.ContainsFunc(sealed.Keys, func(k records.Key) bool {
		return k.Purpose == purpose && k.Fingerprint == fingerprint && k.Verified()
	}) {
		r.t.Errorf("the %s key in the chip is not the one on record, or not marked as compared", purpose)
	}
}

// mustStart starts the unit on its own: the app runs, and nothing changes any more.
func (r *rig) mustStart() {
	r.t.Helper()
	before := r.chip.Fuses()
	v := r.chip.Boot()
	if v.Cause == simulator.CausePowerLost { // a fault that was still to come
		v = r.chip.Boot()
	}
	if v.Cause != simulator.CauseAppStarted || v.App.Project != "line-test" {
		r.t.Errorf("the unit does not start: %s\n%q", v.Cause, v.Lines)
	}
	if after := r.chip.Fuses(); after != before {
		r.t.Errorf("the finished unit burns fuses by itself: %08x, before %08x", after, before)
	}
}

// mustBeOnRecord checks the record of a unit that passed: complete, every burn
// observed, every region there, the station's copy of the keys gone, the ledger whole.
func (r *rig) mustBeOnRecord() {
	r.t.Helper()
	ctx := r.t.Context()
	u := r.unit()
	if u == nil || u.State != records.StateComplete || u.Serial != r.serial {
		r.t.Fatalf("the records hold %+v, want %s complete", u, r.serial)
	}
	for _, b := range r.burns() {
		if b.ObservedAt.IsZero() {
			r.t.Errorf("burn %d (%s) was never observed", b.ID, b.Step)
		}
	}
	regions, err := r.store.Regions(ctx, u.ID)
	check(r.t, err)
	want := len(r.job.Regions)
	if r.policy.secureBoot {
		want++ // the digest
	}
	if len(regions) != want {
		r.t.Errorf("%d regions on record, want %d", len(regions), want)
	}
	sealed, err := r.store.SealedKeys(ctx, u.ID)
	check(r.t, err)
	if sealed.Working != nil || sealed.DestroyedAt.IsZero() {
		r.t.Error("the station still has its copy of the keys")
	}
	r.mustBeInEscrow(u.ID, sealed)
	if _, err := r.store.Verify(ctx); err != nil {
		r.t.Errorf("the ledger does not hold: %v", err)
	}
}

// mustBeInEscrow checks that exactly the owner, and only under escrow, still has
// the keys.
func (r *rig) mustBeInEscrow(unit int64, sealed records.SealedKeys) {
	r.t.Helper()
	if !r.policy.escrow {
		if sealed.Escrow != nil {
			r.t.Error("custody is discard, and there is a copy for the owner")
		}
		return
	}
	opened, err := keys.OpenUnit(owner(), sealed.Escrow, unit, r.mac())
	if err != nil {
		r.t.Fatalf("the owner cannot open the escrow: %v", err)
	}
	for _, k := range opened.Keys {
		block := map[string]int{keys.FlashEncryption: 1, keys.SecureBootV1: 2}[k.Purpose]
		if keyWords(r, k.Key.Reveal()) != r.chip.Fuses()[block] {
			r.t.Errorf("the %s key in escrow is not the one in the chip", k.Purpose)
		}
	}
	if _, err := keys.OpenUnit(identity(), sealed.Escrow, unit, r.mac()); err == nil {
		r.t.Error("the station can open the owner's copy")
	}
}

// mustTellItAll checks the event stream of the last run: Seq without gaps, the
// records hold the same values, the first and last kinds.
func (r *rig) mustTellItAll() {
	r.t.Helper()
	seq := 0
	var kept []flow.Event
	for _, ev := range r.events {
		if ev.Seq == 0 {
			if ev.Kind != flow.StepProgress && ev.Kind != flow.BootLine {
				r.t.Errorf("event %s has no Seq", ev.Kind)
			}
			continue
		}
		if seq++; ev.Seq != seq {
			r.t.Errorf("event %s has Seq %d, want %d", ev.Kind, ev.Seq, seq)
		}
		kept = append(kept, ev)
	}
	if len(kept) == 0 || kept[0].Kind != flow.RunStarted || kept[len(kept)-1].Kind != flow.RunFinished {
		r.t.Fatal("the stream does not go from run.started to run.finished")
	}
	rows, err := r.store.Events(r.t.Context(), kept[0].Run)
	check(r.t, err)
	if len(rows) != len(kept) {
		r.t.Fatalf("%d events on record, %d were shown", len(rows), len(kept))
	}
	for i, row := range rows {
		body, err := json.Marshal(kept[i])
		check(r.t, err)
		if string(row.Body) != string(body) {
			r.t.Errorf("event %d on record is %s, shown was %s", i+1, row.Body, body)
		}
	}
}

// mustKeepKeys checks after every run, however it ended: while a key block holds
// anything and the unit is unfinished, the station can still open a key that these
// bits are of.
func (r *rig) mustKeepKeys() {
	r.t.Helper()
	u := r.unit()
	if u != nil && u.State == records.StateComplete {
		return
	}
	for block := 1; block <= 2; block++ {
		bits := r.chip.Fuses()[block]
		if bits != [8]uint32{} && !r.sealedKeyCovers(block, bits) {
			r.t.Errorf("BLOCK%d holds bits that are of no key the station can open", block)
		}
	}
}

// sealedKeyCovers says whether the key on record for a block can be opened and has
// all those bits.
func (r *rig) sealedKeyCovers(block int, bits [8]uint32) bool {
	r.t.Helper()
	u := r.unit()
	if u == nil {
		return false
	}
	sealed, err := r.store.SealedKeys(r.t.Context(), u.ID)
	check(r.t, err)
	opened, err := keys.OpenUnit(identity(), sealed.Working, u.ID, r.mac())
	check(r.t, err)
	purpose := map[int]string{1: keys.FlashEncryption, 2: keys.SecureBootV1}[block]
	key, ok := opened.Key(purpose)
	if !ok {
		return false
	}
	words, err := efuse.KeyWords(key.Reveal(), efuse.SchemeNone)
	check(r.t, err)
	for i := range bits {
		if bits[i]&^words[i] != 0 {
			return false
		}
	}
	return true
}
