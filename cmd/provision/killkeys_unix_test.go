//go:build unix

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"provision/internal/simulator"
)

// mustHideKeys looks for the keys that are in the chip now in everything that the
// station ever wrote: its files after each kill and now, and what it printed. That
// is no secret of the past: a unit gets its keys once.
func (b *killBench) mustHideKeys() {
	b.t.Helper()
	var forms map[string]string
	b.look(func() { forms = keyForms(b.unit.Chip.Fuses()) })
	for i, files := range append(b.held, b.files()) {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if form := findForm(forms, files[name]); form != "" {
				b.t.Errorf("after kill %d a key lies in %s: %s", i+1, name, form)
			}
		}
	}
	for _, text := range b.said {
		if form := findForm(forms, []byte(text)); form != "" {
			b.t.Errorf("a key was printed: %s", form)
		}
	}
}

// keyForms are pieces of the keys in BLOCK1 and BLOCK2, in file order and in the
// chip's, and what each is called.
func keyForms(f simulator.Fuses) map[string]string {
	forms := map[string]string{}
	raw := f.Bytes()
	for block := 1; block <= 2; block++ {
		key := bytes.Clone(raw[28+32*(block-1):][:32])
		if bytes.Equal(key, make([]byte, 32)) {
			continue
		}
		for range 2 {
			for _, piece := range [][]byte{key[:16], key[16:]} {
				name := fmt.Sprintf("BLOCK%d", block)
				forms[string(piece)] = name + ", raw"
				forms[hex.EncodeToString(piece)] = name + ", hex"
				forms[strings.ToUpper(hex.EncodeToString(piece))] = name + ", hex"
				for shift := range 3 { // base64 depends on where in the text a byte stands
					forms[base64.StdEncoding.EncodeToString(piece[shift:shift+12])] = name + ", base64"
				}
			}
			slices.Reverse(key)
		}
	}
	return forms
}

func findForm(forms map[string]string, text []byte) string {
	for form, name := range forms {
		if bytes.Contains(text, []byte(form)) {
			return name
		}
	}
	return ""
}

// TestKeyFormsAreFound: the search finds a key in each form it looks for.
func TestKeyFormsAreFound(t *testing.T) {
	t.Parallel()
	fuses, err := simulatorFuses()
	mustDo(t, err)
	raw := fuses.Bytes()
	key := raw[28:60]
	back := bytes.Clone(key)
	slices.Reverse(back)
	forms := keyForms(fuses)
	for name, text := range map[string][]byte{
		"raw":        key,
		"file order": back,
		"hex":        fmt.Appendf(nil, "key=%x", key),
		"upper case": fmt.Appendf(nil, "key=%X", back),
		"base64":     []byte("xx" + base64.StdEncoding.EncodeToString(key)),
		"in a text":  []byte(base64.StdEncoding.EncodeToString(append([]byte("k"), back...))),
		"half of it": key[16:],
	} {
		if findForm(forms, text) == "" {
			t.Errorf("a key in the form %q is not found", name)
		}
	}
	if form := findForm(forms, raw[60:]); form != "" {
		t.Errorf("%s is found where no key is", form)
	}
}

// simulatorFuses are those of a chip with a key in BLOCK1 and none in BLOCK2.
func simulatorFuses() (simulator.Fuses, error) {
	chip := simulator.New(simulator.DefaultConfig())
	defer chip.Close()
	key := simulator.Fuses{1: {0x00112233, 0x44556677, 0x8899aabb, 0xccddeeff, 0x01234567, 0x89abcdef, 0xfedcba98, 0x76543210}}
	err := chip.Preburn(key)
	return chip.Fuses(), err
}
