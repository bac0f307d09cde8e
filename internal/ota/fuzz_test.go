package ota_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"provision/internal/image"
	"provision/internal/ota"
	"provision/internal/simulator"
)

// FuzzCheck: any file and any facts get an answer that holds together.
func FuzzCheck(f *testing.F) {
	w := newWorkshop(f)
	for i, v := range refusals {
		if data := v.image(f, w); len(data) < 32<<10 { // minimising a longer one takes minutes
			f.Add(data, uint16(i*7919))
		}
	}
	f.Add(w.signed(f, w.app(f, simulator.AppSpec{Project: "fuzz", Version: "1"})), uint16(0))
	var known [6]ota.Device
	for i, k := range kinds {
		known[i] = w.newUnit(f, k, setup{}).facts
	}
	f.Fuzz(func(t *testing.T, data []byte, forget uint16) {
		d := known[forget%6]
		forgetSome(&d, forget/6)
		r := ota.Check(data, d)
		switch r.Verdict {
		case ota.Refused, ota.FallsBack:
			if len(r.Reasons) == 0 || !r.Reasons[0].First {
				t.Error(show(r))
			}
		case ota.Accepted:
			if len(r.Reasons) > 0 || len(r.Missing) > 0 {
				t.Error(show(r))
			}
		case ota.Unknown:
			if len(r.Reasons) > 0 || len(r.Missing) == 0 {
				t.Error(show(r))
			}
		default:
			t.Errorf("verdict %q", r.Verdict)
		}
		if len(r.Reasons) > 24 || len(r.Missing) > 12 {
			t.Errorf("%d reasons, %d facts missing", len(r.Reasons), len(r.Missing))
		}
	})
}

// forgetSome takes away the facts whose bits are set.
func forgetSome(d *ota.Device, bits uint16) {
	for i, forget := range []func(){
		func() { d.Chip = ota.Fact[image.ChipID]{} }, func() { d.Revision = ota.Fact[int]{} },
		func() { d.SecureBoot = ota.Fact[int]{} }, func() { d.ChecksApps = ota.Fact[bool]{} },
		func() { d.AppVerifies = ota.Known(false) }, func() { d.Trusts = ota.Fact[[]string]{} },
		func() { d.FlashEncryption = ota.Fact[bool]{} }, func() { d.FlashKey = nil },
		func() { d.Table = ota.Fact[image.Table]{} }, func() { d.Running = ota.Fact[string]{} },
		func() { d.SecureVersion, d.AntiRollback = ota.Fact[int]{}, ota.Fact[bool]{} }, func() { d.SecureBoot = ota.Known(2) },
	} {
		if bits>>i&1 != 0 {
			forget()
		}
	}
}

// sameAsTheUnit holds the answer about a file against what a virtual unit does.
func sameAsTheUnit(t *testing.T, w *workshop, k kind, data []byte) {
	t.Helper()
	u := w.newUnit(t, k, setup{})
	report := ota.Check(data, u.facts)
	did := u.chip.OTA(data, simulator.OTABuild{})
	if report.Verdict != verdicts[did.Outcome] {
		t.Fatalf("%s: said %s, the unit: %v\n%s\n%q", k.name, report.Verdict, did, show(report), did.Lines)
	}
	if len(report.Reasons) > 0 {
		checkLines(t, report.Reasons[0], did)
	}
}

// FuzzSameAsTheUnit looks for a file that a unit takes otherwise than was said. The
// file is a good one, edited as a script says: long inputs would only slow it down.
func FuzzSameAsTheUnit(f *testing.F) {
	w := newWorkshop(f)
	small := w.app(f, simulator.AppSpec{Project: "fuzz", Version: "1"})
	good := [][]byte{small, w.signed(f, small), w.signedV2(f, small), w.boot}
	f.Add([]byte{}, uint8(3))
	f.Add([]byte{0, 0, 1, 17}, uint8(4))
	f.Add([]byte{2, 0, 40, 9, 0, 0, 28, 4}, uint8(9))
	f.Fuzz(func(t *testing.T, script []byte, choice uint8) {
		sameAsTheUnit(t, w, kinds[choice%6], edited(good[choice/6%4], script[:min(len(script), 64)]))
	})
}

// edited is good with edits of four bytes each: what, where (two bytes), with what.
func edited(good, script []byte) []byte {
	b := slices.Clone(good)
	for ; len(script) >= 4 && len(b) > 1; script = script[4:] {
		at := (int(script[1])<<8 | int(script[2])) % len(b)
		switch script[0] % 4 {
		case 0:
			b[at] = script[3]
		case 1:
			b = slices.Insert(b, at, script[3])
		case 2:
			b = slices.Delete(b, at, min(at+1+int(script[3]), len(b)-1))
		case 3:
			b = b[:at+1]
		}
	}
	return b
}

// TestMutations damages good files at random places: bytes changed, put in, taken
// out, the end cut off.
func TestMutations(t *testing.T) {
	w := newWorkshop(t)
	small := w.app(t, simulator.AppSpec{Project: "small", Version: "1"})
	good := [][]byte{w.signed(t, small), w.signedV2(t, small), w.demo.Signed, w.boot, w.signed(t, small)}
	rng := rand.New(rand.NewPCG(4, 2026))
	for n := range 120 {
		data := mutated(rng, good[n%len(good)])
		t.Run("", func(t *testing.T) {
			t.Parallel()
			sameAsTheUnit(t, w, kinds[n%len(kinds)], data)
		})
	}
}

func mutated(rng *rand.Rand, good []byte) []byte {
	b := slices.Clone(good)
	place := func() int {
		if rng.IntN(2) == 0 {
			return rng.IntN(min(len(b), 64)) // the header is where it is most interesting
		}
		return rng.IntN(len(b))
	}
	for range 1 + rng.IntN(2) {
		switch at := place(); rng.IntN(5) {
		case 0:
			b = b[:at+1]
		case 1:
			b = slices.Insert(b, at, byte(rng.Uint32()))
		case 2:
			b = slices.Delete(b, at, min(at+1+rng.IntN(16), len(b)-1))
		default:
			b[at] ^= 1 << rng.IntN(8)
		}
	}
	return b
}
