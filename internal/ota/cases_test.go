package ota_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"provision/internal/image"
	"provision/internal/ota"
	"provision/internal/secureboot"
	"provision/internal/simulator"
)

// refusal is one file, and what units must make of it. The codes are those of the
// reason met first; empty: the unit runs it.
type refusal struct {
	name         string
	image        func(t testing.TB, w *workshop) []byte
	setup        setup
	secure, open ota.Code // on units with Secure Boot V1, and without
	also         []ota.Code
}

const (
	oneSlot = `
nvs,      data, nvs,     0x9000,   0x6000,
otadata,  data, ota,     0xf000,   0x2000,
ota_0,    app,  ota_0,   0x20000,  256K,
`
	factoryAndOne = `
nvs,      data, nvs,     0x9000,   0x6000,
otadata,  data, ota,     0xf000,   0x2000,
factory,  app,  factory, 0x20000,  256K,
ota_0,    app,  ota_0,   ,         256K,
`
	noOTA = `
nvs,      data, nvs,     0x9000,   0x6000,
factory,  app,  factory, 0x20000,  256K,
`
	noOTAData = `
nvs,      data, nvs,     0x9000,   0x6000,
ota_0,    app,  ota_0,   0x20000,  256K,
ota_1,    app,  ota_1,   ,         256K,
`
	slotGap = `
nvs,      data, nvs,     0x9000,   0x6000,
otadata,  data, ota,     0xf000,   0x2000,
ota_0,    app,  ota_0,   0x20000,  256K,
ota_2,    app,  ota_2,   ,         256K,
`
	noFirstSlot = `
nvs,      data, nvs,     0x9000,   0x6000,
otadata,  data, ota,     0xf000,   0x2000,
factory,  app,  factory, 0x20000,  256K,
ota_1,    app,  ota_1,   ,         256K,
ota_2,    app,  ota_2,   ,         256K,
`
	smallSlots = `
nvs,      data, nvs,     0x9000,   0x6000,
otadata,  data, ota,     0xf000,   0x2000,
ota_0,    app,  ota_0,   0x20000,  128K,
ota_1,    app,  ota_1,   ,         64K,
`
	tightSlots = `
nvs,      data, nvs,     0x9000,   0x6000,
otadata,  data, ota,     0xf000,   0x2000,
ota_0,    app,  ota_0,   0x20000,  128K,
ota_1,    app,  ota_1,   0x40000,  0x1e000,
`
)

// fromHello is a change to the real build, signed afterwards or not.
func fromHello(change func(b []byte)) func(testing.TB, *workshop) []byte {
	return func(_ testing.TB, w *workshop) []byte { return changed(w.hello, change) }
}

func helloSigned(t testing.TB, w *workshop) []byte { return w.signed(t, w.hello) }

// noDescriptor is the demo app, signed, as an old ESP-IDF builds it.
func noDescriptor(t testing.TB, w *workshop) []byte {
	return w.signed(t, w.rebuilt(t, func(s *image.Spec) { copy(s.Segments[0].Data, make([]byte, 256)) }))
}

// demoWith is the demo app with other header fields, signed.
func demoWith(change func(s *image.Spec)) func(testing.TB, *workshop) []byte {
	return func(t testing.TB, w *workshop) []byte { return w.signed(t, w.rebuilt(t, change)) }
}

// padV2 is the demo app with room for a V2 signature.
func padV2(t testing.TB, w *workshop) []byte {
	t.Helper()
	im, _ := image.Parse(w.padded)
	b, err := image.Build(image.Spec{Header: im.Header, Segments: im.Segments[:3], Pad: image.PadV2})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signedECDSA is content with the signature sector of a V2 signature by an ECDSA key, as
// far as an ESP32 sees it: a version of its own, and a good CRC.
func signedECDSA(content []byte) []byte {
	sector := bytes.Repeat([]byte{0xFF}, secureboot.SectorLen)
	clear(sector[:secureboot.BlockLenV2])
	binary.LittleEndian.PutUint32(sector, 0x000003E7)
	binary.LittleEndian.PutUint32(sector[1196:], crc32.ChecksumIEEE(sector[:1196]))
	return join(content, bytes.Repeat([]byte{0xFF}, -len(content)&(secureboot.SectorLen-1)), sector)
}

// refusals are the cases of the table: what the issue asks for and what is near it.
var refusals = []refusal{
	{name: "signed, real build", image: helloSigned},
	{name: "signed, demo", image: func(t testing.TB, w *workshop) []byte { return w.demo.Signed }},
	{name: "signed, unit runs from ota_1", image: helloSigned, setup: setup{running: 1}},
	{name: "not signed, real build", image: func(t testing.TB, w *workshop) []byte { return w.hello }, secure: ota.NotSigned},
	{name: "not signed, padded for a signature", image: func(t testing.TB, w *workshop) []byte { return w.padded }, secure: ota.NotSigned},
	{name: "not signed, f6b60c7a behind it", image: func(t testing.TB, w *workshop) []byte { return join(w.hello, []byte{0x7a, 0x0c, 0xb6, 0xf6}) }, secure: ota.NotSigned},
	{name: "not signed, two bytes behind it", image: func(t testing.TB, w *workshop) []byte { return join(w.hello, []byte{0x7a, 0x0c}) }, secure: ota.NotSigned},
	{name: "not signed, zeros behind it", image: func(t testing.TB, w *workshop) []byte { return join(w.hello, make([]byte, 256)) }, secure: ota.NotSigned},
	{name: "signed by another key", image: func(t testing.TB, w *workshop) []byte { return w.signedBy(t, w.other, w.hello) }, secure: ota.OtherKey},
	{name: "signed twice, by another key first", image: func(t testing.TB, w *workshop) []byte { return w.signed(t, w.signedBy(t, w.other, w.hello)) }, secure: ota.OtherKey},
	{name: "signed twice, by the right key first", image: func(t testing.TB, w *workshop) []byte { return w.signedBy(t, w.other, helloSigned(t, w)) }},
	{name: "signed for V2", image: func(t testing.TB, w *workshop) []byte { return w.signedV2(t, w.hello) }, secure: ota.WrongVersion},
	{name: "signed for V2, padded for it", image: func(t testing.TB, w *workshop) []byte { return w.signedV2(t, padV2(t, w)) }, secure: ota.WrongVersion},
	{name: "signed for V2 of newer chips", image: func(t testing.TB, w *workshop) []byte { return signedECDSA(padV2(t, w)) }, secure: ota.WrongVersion},
	{name: "padded with ff, then signed", image: func(t testing.TB, w *workshop) []byte {
		return w.signed(t, join(w.hello, bytes.Repeat([]byte{0xFF}, 4096)))
	}, secure: ota.MovedSignature},
	{name: "padded with zeros, then signed", image: func(t testing.TB, w *workshop) []byte { return w.signed(t, join(w.hello, make([]byte, 512))) }, secure: ota.MovedSignature},
	{name: "padded, then signed, and a trailer", image: func(t testing.TB, w *workshop) []byte {
		return join(w.signed(t, join(w.hello, make([]byte, 512))), []byte("}}"))
	}, secure: ota.MovedSignature},
	{name: "wrapper after the signature", image: func(t testing.TB, w *workshop) []byte { return join(helloSigned(t, w), []byte(`","qos":1}`)) }},
	{name: "wrapper before the image", image: func(t testing.TB, w *workshop) []byte {
		return join([]byte("MQTT\x01\x00\x00\x00\x00\x00\x00\x00\x00"), helloSigned(t, w))
	}, secure: ota.NotImage, open: ota.NotImage},
	{name: "Matter file", image: func(t testing.TB, w *workshop) []byte {
		return join([]byte("\x1e\xf1\xee\x1b"), make([]byte, 60), helloSigned(t, w))
	}, secure: ota.NotImage, open: ota.NotImage},
	{name: "changed after signing", image: func(t testing.TB, w *workshop) []byte {
		return changed(helloSigned(t, w), func(b []byte) { b[0x5000] ^= 0xFF })
	}, secure: ota.BadChecksum, open: ota.BadChecksum},
	{name: "changed after signing, checksum kept", image: func(t testing.TB, w *workshop) []byte {
		return changed(helloSigned(t, w), func(b []byte) { b[0x5000] ^= 0xFF; b[0x5001] ^= 0xFF })
	}, secure: ota.ChangedSigned, open: ota.BadHash},
	{name: "signature damaged", image: func(t testing.TB, w *workshop) []byte {
		return changed(helloSigned(t, w), func(b []byte) { b[len(b)-1] ^= 1 })
	}, secure: ota.OtherKey},
	{name: "header patched after signing", image: func(t testing.TB, w *workshop) []byte {
		return changed(helloSigned(t, w), func(b []byte) { b[2] = 0 })
	}, secure: ota.ChangedSigned, open: ota.BadHash},
	{name: "already encrypted, with the unit's key", image: func(t testing.TB, w *workshop) []byte {
		return ciphertext(t, helloSigned(t, w), flashKey, 0x60000)
	}, secure: ota.Encrypted, open: ota.Encrypted},
	{name: "already encrypted, with another key", image: func(t testing.TB, w *workshop) []byte {
		return ciphertext(t, helloSigned(t, w), bootKey, 0x20000)
	}, secure: ota.Encrypted, open: ota.Encrypted},
	{name: "already encrypted, and begins with e9", image: func(t testing.TB, w *workshop) []byte {
		for i := range byte(255) {
			if b := ciphertext(t, helloSigned(t, w), bytes.Repeat([]byte{i}, 32), 0x20000); b[0] == image.Magic {
				return b
			}
		}
		t.Fatal("no key makes ciphertext begin with e9")
		return nil
	}, secure: ota.WrongChip, open: ota.WrongChip, also: []ota.Code{ota.Encrypted}},
	{name: "for another chip", image: demoWith(func(s *image.Spec) { s.Chip = 0x09 }), secure: ota.WrongChip, open: ota.WrongChip},
	{name: "for a newer revision", image: demoWith(func(s *image.Spec) { s.MinRev = 300 }), setup: setup{revision: 1}, secure: ota.ChipTooOld, open: ota.ChipTooOld},
	{name: "for an older revision", image: demoWith(func(s *image.Spec) { s.MaxRev = 199 }), secure: ota.ChipTooNew, open: ota.ChipTooNew},
	{name: "needs exactly this revision", image: demoWith(func(s *image.Spec) { s.MinRev, s.MaxRev = 300, 300 })},
	{name: "larger than the slot", image: helloSigned, setup: setup{table: smallSlots}, secure: ota.TooLarge, open: ota.TooLarge},
	{name: "larger than the slot by what follows", image: func(t testing.TB, w *workshop) []byte {
		return join(helloSigned(t, w), make([]byte, 256<<10))
	}, secure: ota.TooLarge, open: ota.TooLarge},
	{name: "fits the other slot", image: helloSigned, setup: setup{table: smallSlots, running: 1}},
	{name: "no room for the signature", image: func(t testing.TB, w *workshop) []byte {
		return w.app(t, simulator.AppSpec{Project: "tight", Version: "1", Size: 0x1e000 - 0x20 - 8 - 64 - 8 - 1024 - 16 - 32})
	}, setup: setup{table: tightSlots}, secure: ota.TooLarge},
	{name: "no OTA slot", image: helloSigned, setup: setup{table: noOTA}, secure: ota.NoSlot, open: ota.NoSlot},
	{name: "no second slot", image: helloSigned, setup: setup{table: oneSlot}, secure: ota.NoSecondSlot, open: ota.NoSecondSlot},
	{name: "one slot and factory", image: helloSigned, setup: setup{table: factoryAndOne}},
	{name: "no otadata", image: helloSigned, setup: setup{table: noOTAData}, secure: ota.NoOTAData, open: ota.NoOTAData},
	{name: "a gap before the second slot", image: helloSigned, setup: setup{table: slotGap}, secure: ota.SlotGap, open: ota.SlotGap},
	{name: "no first slot", image: helloSigned, setup: setup{table: noFirstSlot}, secure: ota.SlotGap, open: ota.SlotGap},
	{name: "not signed, and a gap", image: func(t testing.TB, w *workshop) []byte { return w.hello }, setup: setup{table: slotGap},
		secure: ota.NotSigned, open: ota.SlotGap, also: []ota.Code{ota.SlotGap}},
	{name: "secure version below the unit's", image: func(t testing.TB, w *workshop) []byte {
		return w.signed(t, w.app(t, simulator.AppSpec{Project: "old", Version: "1", SecureVersion: 2}))
	}, setup: setup{secureVersion: 3}, secure: ota.OldSecureVersion, open: ota.OldSecureVersion},
	{name: "secure version as the unit's", image: func(t testing.TB, w *workshop) []byte {
		return w.signed(t, w.app(t, simulator.AppSpec{Project: "same", Version: "1", SecureVersion: 3}))
	}, setup: setup{secureVersion: 3}},
	{name: "secure version, no descriptor", image: noDescriptor, setup: setup{secureVersion: 3}, secure: ota.NoDescriptor, open: ota.NoDescriptor},
	{name: "anti-rollback from 0", image: helloSigned, setup: setup{antiRollback: true}},
	{name: "anti-rollback from 0, no descriptor", image: noDescriptor, setup: setup{antiRollback: true}, secure: ota.NoDescriptor, open: ota.NoDescriptor},
	{name: "no descriptor", image: noDescriptor},
	{name: "bootloader by mistake", image: func(t testing.TB, w *workshop) []byte { return w.boot }, secure: ota.NotSigned, open: ota.BootloaderImage,
		also: []ota.Code{ota.BootloaderImage}},
	{name: "demo bootloader by mistake, signed", image: func(t testing.TB, w *workshop) []byte { return w.signed(t, w.demo.Bootloader) },
		secure: ota.BootloaderImage, open: ota.BootloaderImage},
	{name: "loads where nothing can be loaded", image: demoWith(func(s *image.Spec) { s.Segments[1].Address = 0x60000000 }),
		secure: ota.BadLoadAddress, open: ota.BadLoadAddress},
	{name: "partition table by mistake", image: func(t testing.TB, w *workshop) []byte { return w.table }, secure: ota.PartitionTable, open: ota.PartitionTable},
	{name: "empty", image: func(t testing.TB, w *workshop) []byte { return nil }, secure: ota.Empty, open: ota.Empty},
	{name: "fifteen bytes", image: func(t testing.TB, w *workshop) []byte { return w.hello[:15] }, secure: ota.Truncated, open: ota.Truncated},
	{name: "one byte", image: func(t testing.TB, w *workshop) []byte { return []byte{0xE9} }, secure: ota.Truncated, open: ota.Truncated},
	{name: "ELF file", image: func(t testing.TB, w *workshop) []byte { return join([]byte("\x7fELF\x01\x01\x01"), w.hello) }, secure: ota.NotImage, open: ota.NotImage},
	{name: "error page", image: func(t testing.TB, w *workshop) []byte { return []byte("<html>404 Not Found</html>") }, secure: ota.NotImage, open: ota.NotImage},
	{name: "text", image: func(t testing.TB, w *workshop) []byte { return []byte(strings.Repeat("hello ", 900)) }, secure: ota.NotImage, open: ota.NotImage},
	{name: "cut in a segment", image: func(t testing.TB, w *workshop) []byte { return w.hello[:50_000] }, secure: ota.Truncated, open: ota.Truncated},
	{name: "cut in the first header", image: func(t testing.TB, w *workshop) []byte { return w.hello[:20] }, secure: ota.Truncated, open: ota.Truncated},
	{name: "cut in the last segment", image: func(t testing.TB, w *workshop) []byte { return w.hello[:len(w.hello)-100] }, secure: ota.Truncated, open: ota.Truncated},
	{name: "cut in the hash", image: func(t testing.TB, w *workshop) []byte { return w.hello[:len(w.hello)-16] }, secure: ota.Truncated, open: ota.Truncated},
	{name: "cut in the signature", image: func(t testing.TB, w *workshop) []byte { b := helloSigned(t, w); return b[:len(b)-10] }, secure: ota.NotSigned},
	{name: "segment count", image: fromHello(func(b []byte) { b[1] = 17 }), secure: ota.BadSegments, open: ota.BadSegments},
	{name: "no segments", image: fromHello(func(b []byte) { b[1] = 0 }), secure: ota.BadChecksum, open: ota.BadChecksum},
	{name: "segment length", image: fromHello(func(b []byte) { b[28] |= 1 }), secure: ota.BadSegments, open: ota.BadSegments},
	{name: "segment does not map", image: fromHello(func(b []byte) { b[24] ^= 0x10 }), secure: ota.BadSegments, open: ota.BadSegments},
	{name: "a block is missing", image: func(t testing.TB, w *workshop) []byte { return slices.Delete(slices.Clone(w.hello), 0x4000, 0x5000) },
		secure: ota.BadChecksum, open: ota.BadChecksum},
	{name: "checksum", image: fromHello(func(b []byte) { b[len(b)-33] ^= 1 }), secure: ota.BadChecksum, open: ota.BadChecksum},
	{name: "hash", image: fromHello(func(b []byte) { b[len(b)-1] ^= 1 }), secure: ota.NotSigned, open: ota.BadHash},
	{name: "no hash, signed", image: func(t testing.TB, w *workshop) []byte {
		im, _ := image.Parse(w.padded)
		b, err := image.Build(image.Spec{Header: im.Header, Segments: im.Segments[:3], NoHash: true})
		if err != nil {
			t.Fatal(err)
		}
		return w.signed(t, b)
	}},
	{name: "app does not verify: not signed", image: func(t testing.TB, w *workshop) []byte { return w.hello },
		setup: setup{build: simulator.OTABuild{AppSkipsSignature: true}}, secure: ota.NotSigned},
	{name: "app does not verify: another key", image: func(t testing.TB, w *workshop) []byte { return w.signedBy(t, w.other, w.hello) },
		setup: setup{build: simulator.OTABuild{AppSkipsSignature: true}}, secure: ota.OtherKey},
	{name: "app does not verify: changed", image: func(t testing.TB, w *workshop) []byte {
		return changed(helloSigned(t, w), func(b []byte) { b[0x5000] ^= 0xFF; b[0x5001] ^= 0xFF })
	}, setup: setup{build: simulator.OTABuild{AppSkipsSignature: true}}, secure: ota.BadHash, open: ota.BadHash},
}
