package ota_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"provision/internal/demo"
	"provision/internal/flashcrypt"
	"provision/internal/image"
	"provision/internal/secureboot"
	"provision/internal/simulator"
)

// workshop makes images: from a real build and from demo firmware.
type workshop struct {
	key, other *secureboot.SigningKey
	rsa        [2]*secureboot.SigningKey // ours, and another
	pub        secureboot.PublicKeyV1

	hello  []byte // ESP-IDF 5.2.2, as it comes out of the build
	boot   []byte // its bootloader
	table  []byte
	demo   *demo.Firmware
	padded []byte // demo app, not signed

	mu   sync.Mutex
	made map[built][2][]byte // firmware of units
}

func newWorkshop(t testing.TB) *workshop {
	t.Helper()
	const real = "../image/testdata/"
	w := &workshop{hello: readFile(t, real+"hello_world.bin"), boot: readFile(t, real+"bootloader.bin"), table: readFile(t, real+"partition-table.bin"), made: map[built][2][]byte{}}
	var err error
	for _, key := range []**secureboot.SigningKey{&w.key, &w.other} {
		if *key, err = secureboot.GenerateSigningKeyV1(); err != nil {
			t.Fatal(err)
		}
	}
	w.rsa = recordedRSA(t)
	if w.pub, err = secureboot.NewPublicKeyV1(w.key.Public()); err != nil {
		t.Fatal(err)
	}
	if w.demo, err = demo.Make(w.key); err != nil {
		t.Fatal(err)
	}
	w.padded = w.demo.App
	return w
}

// recordedRSA are the V2 keys of the recorded answers of espsecure: making one takes a
// second.
func recordedRSA(t testing.TB) (keys [2]*secureboot.SigningKey) {
	t.Helper()
	var recorded struct {
		V2 []struct {
			PEM string `json:"private_key_pem"`
		} `json:"secure_boot_v2_rsa"`
	}
	if err := json.Unmarshal(readFile(t, "../secureboot/testdata/espsecure.json"), &recorded); err != nil || len(recorded.V2) != len(keys) {
		t.Fatalf("%d keys, %v", len(recorded.V2), err)
	}
	for i, v := range recorded.V2 {
		var err error
		if keys[i], err = secureboot.ParseSigningKey([]byte(v.PEM)); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

func (w *workshop) app(t testing.TB, s simulator.AppSpec) []byte {
	t.Helper()
	b, err := simulator.BuildApp(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signed is content with a V1 signature by the workshop's key, whatever content is.
func (w *workshop) signed(t testing.TB, content []byte) []byte {
	t.Helper()
	return w.signedBy(t, w.key, content)
}

func (w *workshop) signedBy(t testing.TB, key *secureboot.SigningKey, content []byte) []byte {
	t.Helper()
	b, err := secureboot.AppendSignatureV1(key, content, true)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// digestV2 is what BLOCK2 of our V2 units holds.
func (w *workshop) digestV2(t testing.TB) []byte {
	t.Helper()
	digest, err := secureboot.KeyDigestV2(w.rsa[0].Public().(*rsa.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return digest[:]
}

// signedV2 is content with a V2 signature.
func (w *workshop) signedV2(t testing.TB, content []byte) []byte {
	t.Helper()
	b, err := secureboot.AppendSignatureV2(w.rsa[0], content)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// changed is a copy of b in which change has done something.
func changed(b []byte, change func(b []byte)) []byte {
	b = slices.Clone(b)
	change(b)
	return b
}

// rebuilt is the demo app with another header, all sums right.
func (w *workshop) rebuilt(t testing.TB, change func(s *image.Spec)) []byte {
	t.Helper()
	im, err := image.Parse(slices.Clone(w.padded))
	if err != nil {
		t.Fatal(err)
	}
	spec := image.Spec{Header: im.Header}
	for i, s := range im.Segments {
		if i == 0 || s.Address != 0 {
			spec.Segments = append(spec.Segments, image.Segment{Address: s.Address, Data: s.Data})
		}
	}
	change(&spec)
	b, err := image.Build(spec)
	if err != nil && spec.Header.Chip == image.ESP32 {
		t.Fatal(err)
	}
	return b
}

// ciphertext is b as a host encrypts it for an offset.
func ciphertext(t testing.TB, b, key []byte, at uint32) []byte {
	t.Helper()
	out := flashcrypt.PadFF(b, 32)
	if err := flashcrypt.Encrypt(out, out, key, at, flashcrypt.ConfAll); err != nil {
		t.Fatal(err)
	}
	return out
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
