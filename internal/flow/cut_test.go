package flow_test

import (
	"fmt"
	"testing"

	"provision/internal/efuse"
	"provision/internal/keys"
	"provision/internal/simulator"
)

// TestPowerCut cuts the power at wire byte N, for N over the whole job, in the
// middle of a frame, and takes the unit up again.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for _, p := range []policy{release, secureBootOnly, encryptionOnly, development, closed} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newCampaign(t, p)
			var faults []simulator.Faults
			for _, s := range sample(c.frames(t), 24) {
				faults = append(faults, simulator.Faults{CutWire: []uint64{(s.from + s.to) / 2}})
			}
			c.each(t, "cut", faults, func(f simulator.Faults) string { return fmt.Sprint(f.CutWire) })
		})
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
