package ota_test

import (
	"slices"
	"strings"
	"testing"

	"provision/internal/image"
	"provision/internal/ota"
)

// TestNothingIsGuessed takes one fact away at a time from a unit that accepts the
// image, and asks again about images for which it matters.
func TestNothingIsGuessed(t *testing.T) {
	w := newWorkshop(t)
	complete := w.newUnit(t, kinds[0], setup{}).facts
	picky := w.rebuilt(t, func(s *image.Spec) { s.MinRev = 300 })
	for _, v := range []struct {
		name    string
		forget  func(d *ota.Device)
		image   []byte
		verdict ota.Verdict
		missing string
	}{
		{"nothing", func(d *ota.Device) {}, helloSigned(t, w), ota.Accepted, ""},
		{"flash key", func(d *ota.Device) { d.FlashKey = nil }, helloSigned(t, w), ota.Accepted, ""},
		{"flash encryption", func(d *ota.Device) { d.FlashEncryption = ota.Fact[bool]{} }, helloSigned(t, w), ota.Accepted, ""},
		{"running, slots alike", func(d *ota.Device) { d.Running = ota.Fact[string]{} }, helloSigned(t, w), ota.Accepted, ""},
		{"revision, image for all", func(d *ota.Device) { d.Revision = ota.Fact[int]{} }, helloSigned(t, w), ota.Accepted, ""},
		{"revision, image is picky", func(d *ota.Device) { d.Revision = ota.Fact[int]{} }, w.signed(t, picky), ota.Unknown, "chip revision"},
		{"chip", func(d *ota.Device) { d.Chip = ota.Fact[image.ChipID]{} }, helloSigned(t, w), ota.Unknown, "which chip"},
		{"table", func(d *ota.Device) { d.Table = ota.Fact[image.Table]{} }, helloSigned(t, w), ota.Unknown, "partition table"},
		{"secure version", func(d *ota.Device) { d.SecureVersion, d.AntiRollback = ota.Fact[int]{}, ota.Fact[bool]{} }, helloSigned(t, w), ota.Unknown, "secure version"},
		{"secure version, no anti-rollback", func(d *ota.Device) { d.SecureVersion = ota.Fact[int]{} }, helloSigned(t, w), ota.Accepted, ""},
		{"secure version, anti-rollback", func(d *ota.Device) { d.SecureVersion, d.AntiRollback = ota.Fact[int]{}, ota.Known(true) }, helloSigned(t, w), ota.Unknown, "secure version"},
		{"anti-rollback", func(d *ota.Device) { d.AntiRollback = ota.Fact[bool]{} }, helloSigned(t, w), ota.Accepted, ""},
		{"anti-rollback, no descriptor", func(d *ota.Device) { d.AntiRollback = ota.Fact[bool]{} }, noDescriptor(t, w), ota.Unknown, "whether it has anti-rollback"},
		{"key", func(d *ota.Device) { d.Trusts = ota.Fact[[]string]{} }, helloSigned(t, w), ota.Unknown, "fingerprint"},
		{"secure boot", func(d *ota.Device) { d.SecureBoot = ota.Fact[int]{} }, helloSigned(t, w), ota.Unknown, "Secure Boot version"},
		{"checking, signed", func(d *ota.Device) { d.ChecksApps = ota.Fact[bool]{} }, helloSigned(t, w), ota.Accepted, ""},
		{"checking, not signed", func(d *ota.Device) { d.ChecksApps = ota.Fact[bool]{} }, w.hello, ota.Unknown, "whether its bootloader verifies"},
		{"everything, no image", func(d *ota.Device) { *d = ota.Device{} }, w.table, ota.Refused, ""},
		{"everything", func(d *ota.Device) { *d = ota.Device{} }, helloSigned(t, w), ota.Unknown, "partition table"},
		{"everything, damaged", func(d *ota.Device) { *d = ota.Device{} }, changed(w.hello, func(b []byte) { b[0x5000] ^= 1 }), ota.Refused, ""},
		{"all but what refuses", func(d *ota.Device) { *d = ota.Device{SecureBoot: d.SecureBoot, ChecksApps: d.ChecksApps} }, w.hello, ota.Refused, ""},
	} {
		d := complete
		v.forget(&d)
		r := ota.Check(v.image, d)
		if r.Verdict != v.verdict {
			t.Errorf("%s: %s", v.name, show(r))
		}
		if v.missing == "" && v.verdict == ota.Accepted && len(r.Missing) > 0 ||
			v.missing != "" && !strings.Contains(strings.Join(r.Missing, "\n"), v.missing) {
			t.Errorf("%s: missing %q", v.name, r.Missing)
		}
	}
}

// TestUnknownSlot is a unit of which the running partition is not known and matters.
func TestUnknownSlot(t *testing.T) {
	w := newWorkshop(t)
	for table, want := range map[string]ota.Verdict{
		twoSlots: ota.Accepted, smallSlots: ota.Unknown, factoryAndOne: ota.Unknown, oneSlot: ota.Refused, noOTA: ota.Refused,
	} {
		d := w.newUnit(t, kinds[1], setup{table: table}).facts
		d.Running = ota.Fact[string]{}
		if r := ota.Check(helloSigned(t, w), d); r.Verdict != want || (want == ota.Unknown) != (len(r.Missing) == 1) {
			t.Errorf("want %s\n%s%s", want, table, show(r))
		}
	}
}

// TestLinesOfUnknownSlots foretells of a line what is the same in both slots.
func TestLinesOfUnknownSlots(t *testing.T) {
	w := newWorkshop(t)
	d := w.newUnit(t, kinds[0], setup{}).facts
	for _, running := range []ota.Fact[string]{{}, ota.Known("nowhere")} {
		d.Running = running
		img := changed(w.hello, func(b []byte) { b[24] ^= 0x10 })
		r := ota.Check(img, d)
		want := []string{"E (t) esp_image: Segment 0 load address 0x3f400030, doesn't match data 0x000?0020"}
		if r.Verdict != ota.Refused || !slices.Equal(r.Reasons[0].Lines, want) {
			t.Error(show(r))
		}
	}
}

// TestAllReasons is a file with much wrong: everything that can be seen is told, in
// the order in which a unit would meet it.
func TestAllReasons(t *testing.T) {
	w := newWorkshop(t)
	d := w.newUnit(t, kinds[1], setup{table: noOTAData, revision: 1}).facts
	d.SecureVersion = ota.Known(5)
	img := w.rebuilt(t, func(s *image.Spec) { s.MinRev = 300; s.Segments[1].Address = 0x60000000 })
	var codes []ota.Code
	for _, r := range ota.Check(join(img, make([]byte, 2<<20)), d).Reasons {
		codes = append(codes, r.Code)
	}
	want := []ota.Code{ota.TooLarge, ota.ChipTooOld, ota.NotSigned, ota.OldSecureVersion, ota.NoOTAData, ota.BadLoadAddress}
	if !slices.Equal(codes, want) {
		t.Errorf("reasons %q, want %q", codes, want)
	}
}

// TestSigners finds who signed, by fingerprint alone.
func TestSigners(t *testing.T) {
	w := newWorkshop(t)
	im := ota.Read(helloSigned(t, w))
	if im.Scheme() != 1 || !slices.Contains(im.Signers(), w.pub.Fingerprint()) || len(im.Signers()) > 2 {
		t.Errorf("scheme %d, signers %q, want %q", im.Scheme(), im.Signers(), w.pub.Fingerprint())
	}
	if im.App() == nil || im.App().ProjectName != "hello_world" || im.Length() != len(w.hello) {
		t.Errorf("app %+v, length %d", im.App(), im.Length())
	}
	other := ota.Read(w.signedBy(t, w.other, w.hello))
	if slices.Contains(other.Signers(), w.pub.Fingerprint()) {
		t.Error("signed by another, and taken for ours")
	}
	r := other.Check(w.newUnit(t, kinds[1], setup{}).facts)
	if says := r.Reasons[0].Says; !strings.Contains(says, w.pub.Fingerprint()[:16]) || !strings.Contains(says, other.Signers()[0][:16]) {
		t.Errorf("not both fingerprints in %q", says)
	}
	v2 := ota.Read(w.signedV2(t, w.hello))
	if v2.Scheme() != 2 || len(v2.Signers()) != 1 || len(v2.Signers()[0]) != 64 {
		t.Errorf("scheme %d, signers %q", v2.Scheme(), v2.Signers())
	}
	if none := ota.Read(w.hello); none.Scheme() != 0 || none.Signers() != nil {
		t.Errorf("unsigned: scheme %d, signers %q", none.Scheme(), none.Signers())
	}
}

// TestEncryptedIsRecognised tells the unit's own key from another's, and ciphertext
// from files that are merely no image.
func TestEncryptedIsRecognised(t *testing.T) {
	w := newWorkshop(t)
	d := w.newUnit(t, kinds[0], setup{}).facts
	for name, v := range map[string]struct {
		image []byte
		says  string
	}{
		"own key":     {ciphertext(t, helloSigned(t, w), flashKey, 0x20000), "with this unit's own flash key for offset 0x20000"},
		"another key": {ciphertext(t, helloSigned(t, w), bootKey, 0x20000), "looks already encrypted"},
	} {
		if r := ota.Check(v.image, d); r.Reasons[0].Code != ota.Encrypted || !strings.Contains(r.Reasons[0].Says, v.says) {
			t.Errorf("%s: %s", name, show(r))
		}
	}
}

// BenchmarkCheck is one unit of a fleet, the image read before.
func BenchmarkCheck(b *testing.B) {
	w := newWorkshop(b)
	d := w.newUnit(b, kinds[0], setup{}).facts
	d.FlashKey = nil // a fleet's keys are gone
	d.Running = ota.Fact[string]{}
	for name, img := range map[string][]byte{
		"accepted": helloSigned(b, w), "unsigned": w.hello, "cut": w.hello[:100_000], "ciphertext": ciphertext(b, w.hello, bootKey, 0x20000),
		"other key": w.signedBy(b, w.other, w.hello), "zeros behind": join(w.hello, make([]byte, 1<<20)), "V2": w.signedV2(b, w.hello),
	} {
		b.Run(name, func(b *testing.B) {
			im := ota.Read(img)
			for b.Loop() {
				im.Check(d)
			}
		})
	}
}
