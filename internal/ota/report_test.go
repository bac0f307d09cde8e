package ota_test

import (
	"encoding/json"
	"strings"
	"testing"

	"provision/internal/ota"
)

// TestReportAsJSON holds the names that programs read.
func TestReportAsJSON(t *testing.T) {
	w := newWorkshop(t)
	d := w.newUnit(t, kinds[1], setup{}).facts
	b, err := json.Marshal(ota.Check(w.hello, d))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"verdict":"REFUSED"`, `"code":"not-signed"`, `"by":"esp_ota, when it verifies what it has written"`, `"first":true`,
		`"lines":["E (t) secure_boot_v1: image has invalid signature version field 0xffffffff (image without a signature?)"`,
		`"error":"ESP_ERR_OTA_VALIDATE_FAILED"`, `"says":"`, `"do":"`, `"why":"`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
	if b, err = json.Marshal(ota.Check(helloSigned(t, w), d)); err != nil || string(b) != `{"verdict":"ACCEPTED"}` {
		t.Errorf("%s, %v", b, err)
	}
}

// TestTrailersAreTold, though units accept them.
func TestTrailersAreTold(t *testing.T) {
	w := newWorkshop(t)
	for k, img := range map[kind][]byte{kinds[1]: helloSigned(t, w), kinds[5]: helloSignedV2(t, w)} {
		d := w.newUnit(t, k, setup{}).facts
		for file, notes := range map[string]int{string(img): 0, string(img) + "wrapper": 1} {
			if r := ota.Check([]byte(file), d); r.Verdict != ota.Accepted || len(r.Notes) != notes || notes > 0 && !strings.HasPrefix(r.Notes[0], "7 bytes follow") {
				t.Errorf("%s: %s", k.name, show(r))
			}
		}
	}
}

// TestFactsPrint is for messages and logs: an unknown fact is not its zero value.
func TestFactsPrint(t *testing.T) {
	if got := (ota.Fact[int]{}).String() + " " + ota.Known(0).String(); got != "unknown 0" {
		t.Error(got)
	}
}

// TestTooLarge tells an app that is too large from one that is not, with too much
// behind it.
func TestTooLarge(t *testing.T) {
	w := newWorkshop(t)
	signed := helloSigned(t, w)
	for _, v := range []struct {
		file  []byte
		table string
		do    string
	}{
		{signed, smallSlots, "Make the app smaller"},
		{join(signed, make([]byte, 256<<10)), "", "Publish the image and its signature alone"},
	} {
		r := ota.Check(v.file, w.newUnit(t, kinds[1], setup{table: v.table}).facts)
		if len(r.Reasons) != 1 || r.Reasons[0].Code != ota.TooLarge || !strings.HasPrefix(r.Reasons[0].Do, v.do) {
			t.Error(show(r))
		}
	}
}
