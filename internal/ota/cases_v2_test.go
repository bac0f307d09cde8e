package ota_test

import (
	"bytes"
	"strings"
	"testing"

	"provision/internal/image"
	"provision/internal/ota"
	"provision/internal/secureboot"
	"provision/internal/simulator"
)

// refusalsV2 are the cases on units with Secure Boot V2; of them only secure counts.
var refusalsV2 = []refusal{
	{name: "signed, real build", image: helloSignedV2},
	{name: "signed, padded for it", image: func(t testing.TB, w *workshop) []byte { return w.signedV2(t, padV2(t, w)) }},
	{name: "not signed", image: func(t testing.TB, w *workshop) []byte { return w.hello }, secure: ota.NotSigned},
	{name: "signed for V1", image: helloSigned, secure: ota.WrongVersion},
	{name: "signed for newer chips", image: func(t testing.TB, w *workshop) []byte { return signedECDSA(w.hello) }, secure: ota.WrongVersion},
	{name: "second signature by the right key", image: func(t testing.TB, w *workshop) []byte {
		return twoSigners(t, w.rsa[1], w.rsa[0], w.hello)
	}, secure: ota.OtherKey},
	{name: "second signature by another key", image: func(t testing.TB, w *workshop) []byte {
		return twoSigners(t, w.rsa[0], w.rsa[1], w.hello)
	}},
	{name: "signed by another key", image: func(t testing.TB, w *workshop) []byte {
		b, err := secureboot.AppendSignatureV2(w.rsa[1], w.hello)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}, secure: ota.OtherKey},
	{name: "changed after signing, checksum kept", image: func(t testing.TB, w *workshop) []byte {
		return changed(helloSignedV2(t, w), func(b []byte) { b[0x5000] ^= 0xFF; b[0x5001] ^= 0xFF })
	}, secure: ota.ChangedSigned},
	{name: "filling changed after signing", image: func(t testing.TB, w *workshop) []byte {
		return changed(helloSignedV2(t, w), func(b []byte) { b[len(w.hello)+1] = 0 })
	}, secure: ota.ChangedSigned},
	{name: "signature damaged", image: func(t testing.TB, w *workshop) []byte {
		return changed(helloSignedV2(t, w), func(b []byte) { b[len(b)-secureboot.SectorLen+900] ^= 1 })
	}, secure: ota.ChangedSigned},
	{name: "padded further, then signed", image: func(t testing.TB, w *workshop) []byte {
		return w.signedV2(t, join(w.hello, bytes.Repeat([]byte{0xFF}, 8192)))
	}, secure: ota.MovedSignature},
	{name: "trailer after the signature", image: func(t testing.TB, w *workshop) []byte { return join(helloSignedV2(t, w), []byte("trailer")) }},
	{name: "signed twice", image: func(t testing.TB, w *workshop) []byte {
		b := helloSignedV2(t, w)
		sector, err := secureboot.SignV2(w.rsa[1], b)
		if err != nil {
			t.Fatal(err)
		}
		return join(b, sector)
	}},
	{name: "already encrypted", image: func(t testing.TB, w *workshop) []byte {
		return ciphertext(t, helloSignedV2(t, w), flashKey, 0x20000)
	}, secure: ota.Encrypted},
	{name: "no room for the signature", image: helloUnpadded, setup: setup{table: tightSlots}, secure: ota.TooLarge},
	{name: "larger than the slot", image: helloSignedV2, setup: setup{table: tightSlots}, secure: ota.TooLarge},
	{name: "bootloader by mistake, signed", image: func(t testing.TB, w *workshop) []byte { return w.signedV2(t, w.boot) }, secure: ota.BootloaderImage},
	{name: "app does not verify: not signed", image: func(t testing.TB, w *workshop) []byte { return w.hello },
		setup: setup{build: simulator.OTABuild{AppSkipsSignature: true}}, secure: ota.NotSigned},
	{name: "app does not verify: another key", image: func(t testing.TB, w *workshop) []byte {
		b, err := secureboot.AppendSignatureV2(w.rsa[1], w.hello)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}, setup: setup{build: simulator.OTABuild{AppSkipsSignature: true}}, secure: ota.OtherKey},
	{name: "app does not verify: filling changed", image: func(t testing.TB, w *workshop) []byte {
		return changed(helloSignedV2(t, w), func(b []byte) { b[len(w.hello)+1] = 0 })
	}, setup: setup{build: simulator.OTABuild{AppSkipsSignature: true}}, secure: ota.ChangedSigned},
	{name: "app does not verify: signature damaged", image: func(t testing.TB, w *workshop) []byte {
		return changed(helloSignedV2(t, w), func(b []byte) { b[len(b)-secureboot.SectorLen+900] ^= 1 })
	}, setup: setup{build: simulator.OTABuild{AppSkipsSignature: true}}, secure: ota.ChangedSigned},
}

func helloSignedV2(t testing.TB, w *workshop) []byte { return w.signedV2(t, w.hello) }

// twoSigners is content with both signatures in one sector, as espsecure appends them.
func twoSigners(t testing.TB, first, second *secureboot.SigningKey, content []byte) []byte {
	t.Helper()
	var signed [2][]byte
	for i, key := range []*secureboot.SigningKey{first, second} {
		var err error
		if signed[i], err = secureboot.AppendSignatureV2(key, content); err != nil {
			t.Fatal(err)
		}
	}
	at := len(signed[0]) - secureboot.SectorLen
	copy(signed[0][at+secureboot.BlockLenV2:], signed[1][at:at+secureboot.BlockLenV2])
	return signed[0]
}

// TestSecondSigner says of a refused image that its second signature would do.
func TestSecondSigner(t *testing.T) {
	w := newWorkshop(t)
	r := ota.Check(twoSigners(t, w.rsa[1], w.rsa[0], w.hello), w.newUnit(t, kinds[5], setup{}).facts)
	if r.Verdict != ota.Refused || !strings.Contains(r.Reasons[0].Why, "looks at the first signature only") {
		t.Error(show(r))
	}
}

// helloUnpadded ends so that the image fits a tight slot and its signature does not.
func helloUnpadded(t testing.TB, w *workshop) []byte {
	im, err := image.Parse(w.app(t, simulator.AppSpec{Project: "tight", Version: "1", Size: 0x1d800}))
	if err != nil {
		t.Fatal(err)
	}
	b, err := image.Build(image.Spec{Header: im.Header, Segments: im.Segments})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVerdictsAreTheUnitsV2 is TestVerdictsAreTheUnits for Secure Boot V2.
func TestVerdictsAreTheUnitsV2(t *testing.T) {
	w := newWorkshop(t)
	for _, v := range refusalsV2 {
		data := v.image(t, w)
		for _, k := range kinds[4:] {
			t.Run(v.name+"/"+k.name, func(t *testing.T) {
				t.Parallel()
				u := w.newUnit(t, k, v.setup)
				report := ota.Check(data, u.facts)
				did := u.chip.OTA(data, v.setup.build)
				if report.Verdict != verdicts[did.Outcome] {
					t.Fatalf("said %s, the unit: %v\n%s\n%q", report.Verdict, did, show(report), did.Lines)
				}
				checkReasons(t, report, v.secure, v.also)
				if len(report.Reasons) > 0 {
					checkLines(t, report.Reasons[0], did)
				}
			})
		}
	}
}
