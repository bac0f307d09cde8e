package flow_test

import (
	"testing"
)

// policies are the kinds of units there are.
func policies() []policy {
	return []policy{
		release, development, encryptionOnly, secureBootOnly, closed,
		escrowed,
		release.with("not started", func(p *policy) { p.withoutBootCheck = true }),
		encryptionOnly.with("encryption only, development", func(p *policy) {
			p.encryption, p.word0, p.word6 = "development", lockedBlock1|cryptCntOnce|wrDisDisCache, jtagDis|consoleDis|dlDecrypt|dlCache
		}),
		secureBootOnly.with("secure boot only, not started", func(p *policy) { p.withoutBootCheck = true }),
		byUnit, byUnitOnly, byUnitDevelopment, byUnitClosed,
		byUnit.with("encryption by the unit, not started again", func(p *policy) { p.withoutBootCheck = true }),
	}
}

// TestPass takes a blank unit of every policy to PASS, and again: a finished unit
// is never written.
func TestPass(t *testing.T) {
	t.Parallel()
	for _, p := range policies() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, p)
			inBubble(t, func(t *testing.T) {
				r := newRig(t, p, j)
				res := r.mustRun("PASS", "")
				if res.Exit != 0 || res.Serial != r.serial || res.MAC != r.mac() || res.Err != nil {
					t.Errorf("result is %+v", res)
				}
				r.mustTellItAll()
				r.mustBeSecured(false)
			})
		})
	}
}
