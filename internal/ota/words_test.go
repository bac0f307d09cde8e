package ota_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"provision/internal/ota"
	"provision/internal/simulator"
)

// recordedImages are the files behind the recorded boot logs that are about an app.
func recordedImages(t testing.TB, w *workshop) map[string][]byte {
	return map[string][]byte{
		"signed app, secure boot not yet enabled":                                   helloSigned(t, w),
		"unsigned app, blank flash after it":                                        w.hello,
		"unsigned app, left-overs of an older image after it":                       join(w.hello, []byte{0x7a, 0x0c, 0xb6, 0xf6}),
		"app signed with another key":                                               w.signedBy(t, w.other, w.hello),
		"signed app, one byte of code changed":                                      changed(helloSigned(t, w), func(b []byte) { b[0x5000] ^= 0xFF }),
		"two OTA slots, otadata selects ota_1 (unsigned), ota_0 signed: falls back": w.hello,
	}
}

// TestWordsAreTheDevices holds the lines against what a real bootloader printed: of
// an app that does not verify signatures itself, so that the bootloader has to.
func TestWordsAreTheDevices(t *testing.T) {
	var logs struct {
		Cases []struct {
			Case string
			Log  []string
		}
	}
	if err := json.Unmarshal(readFile(t, "../simulator/testdata/boot-logs.json"), &logs); err != nil {
		t.Fatal(err)
	}
	w := newWorkshop(t)
	images, seen := recordedImages(t, w), 0
	u := w.newUnit(t, kinds[1], setup{build: simulator.OTABuild{AppSkipsSignature: true}})
	for _, c := range logs.Cases {
		data, ok := images[c.Case]
		if !ok {
			continue
		}
		seen++
		complaints := slices.DeleteFunc(slices.Clone(c.Log), func(l string) bool {
			return !strings.HasPrefix(l, "E ") && !strings.HasPrefix(l, "W ") ||
				strings.Contains(l, "Factory app partition is not bootable") || strings.Contains(l, "No bootable app partitions")
		})
		var said []string
		for _, r := range ota.Check(data, u.facts).Reasons {
			said = append(said, slices.DeleteFunc(r.Lines, func(l string) bool {
				return strings.Contains(l, "OTA app partition slot") && !strings.Contains(c.Case, "falls back")
			})...)
		}
		if !slices.Equal(said, complaints) {
			t.Errorf("%s:\nsaid    %q\nrecorded %q", c.Case, said, complaints)
		}
	}
	if seen != len(images) {
		t.Errorf("%d of %d cases are recorded", seen, len(images))
	}
}

// TestTheUsersStory is the question the product was born from: an unsigned file on an
// encrypted unit with Secure Boot V1, read by its own esp_ota.
func TestTheUsersStory(t *testing.T) {
	w := newWorkshop(t)
	u := w.newUnit(t, kinds[0], setup{})
	file := join(w.hello, []byte{0x7a, 0x0c, 0xb6, 0xf6})
	r := ota.Check(file, u.facts)
	if r.Verdict != ota.Refused || len(r.Reasons) != 1 || r.Reasons[0].Code != ota.NotSigned {
		t.Fatal(show(r))
	}
	want := []string{
		"E (t) secure_boot_v1: image has invalid signature version field 0xf6b60c7a (image without a signature?)",
		"E (t) esp_image: Secure boot signature verification failed",
		"W (t) esp_image: image valid, signature bad",
	}
	if !slices.Equal(r.Reasons[0].Lines, want) || !strings.Contains(r.Reasons[0].Why, "the first of the 4 bytes that follow the image in this file") {
		t.Error(show(r))
	}
	other := w.newUnit(t, kinds[1], setup{})
	for _, u := range []unit{u, other} {
		if r := ota.Check(helloSigned(t, w), u.facts); r.Verdict != ota.Accepted {
			t.Error(show(r))
		}
	}
}

// TestVersionFieldIsExplained is where the number comes from, each time.
func TestVersionFieldIsExplained(t *testing.T) {
	w := newWorkshop(t)
	encrypted, open := w.newUnit(t, kinds[0], setup{}).facts, w.newUnit(t, kinds[1], setup{}).facts
	noKey := encrypted
	noKey.FlashKey = nil
	for _, v := range []struct {
		name      string
		facts     ota.Device
		file      []byte
		says, why string
	}{
		{"erased", open, w.hello, "field 0xffffffff ", "erased flash reads as ff"},
		{"noise, foretold", encrypted, w.hello, "field 0x", "noise"},
		{"noise", noKey, w.hello, "field 0x???????? ", "noise"},
		{"V2", open, w.signedV2(t, padV2(t, w)), "field 0x000002e7 ", "Secure Boot V2"},
		{"filling", open, join(w.hello, []byte{1, 2, 3, 4, 5}), "field 0x04030201 ", "the 5 bytes"},
	} {
		r := ota.Check(v.file, v.facts)
		if len(r.Reasons) == 0 || !strings.Contains(strings.Join(r.Reasons[0].Lines, "\n"), v.says) || !strings.Contains(r.Reasons[0].Why, v.why) {
			t.Errorf("%s: %s", v.name, show(r))
		}
	}
}
