package image

import (
	"bytes"
	"errors"
	"testing"
)

func TestOTACRC(t *testing.T) { // answers of the ROM's CRC-32 started with 0xFFFFFFFF
	for seq, want := range map[uint32]uint32{1: 0x4743989A, 2: 0x55F63774, 3: 0xED4A5011} {
		if got := otaCRC(seq); got != want {
			t.Errorf("CRC of %d = %#08x, want %#08x", seq, got, want)
		}
	}
}

func TestActiveSlot(t *testing.T) {
	blank := blankOTAEntry()
	badCRC := NewOTAEntry(9, OTAValid)
	badCRC.CRC++
	for _, v := range []struct {
		name  string
		data  OTAData
		slots int
		slot  int
		ok    bool
	}{
		{"blank", BlankOTAData(), 2, 0, false},
		{"no slots", SelectSlot(0, OTAValid), 0, 0, false},
		{"ota_0", SelectSlot(0, OTAUndefined), 2, 0, true},
		{"ota_1", SelectSlot(1, OTANew), 2, 1, true},
		{"third update of two slots", OTAData{NewOTAEntry(3, OTAValid), NewOTAEntry(2, OTAValid)}, 2, 0, true},
		{"second entry is newer", OTAData{NewOTAEntry(3, OTAValid), NewOTAEntry(4, OTAPending)}, 2, 1, true},
		{"only the second", OTAData{blank, NewOTAEntry(2, OTAValid)}, 2, 1, true},
		{"newer one has a bad CRC", OTAData{NewOTAEntry(2, OTAValid), badCRC}, 2, 1, true},
		{"newer one is invalid", OTAData{NewOTAEntry(2, OTAValid), NewOTAEntry(3, OTAInvalid)}, 2, 1, true},
		{"newer one is aborted", OTAData{NewOTAEntry(7, OTAAborted), NewOTAEntry(2, OTAValid)}, 2, 1, true},
		{"both failed", OTAData{NewOTAEntry(7, OTAAborted), NewOTAEntry(2, OTAInvalid)}, 2, 0, false},
		{"noise", OTAData{badCRC, badCRC}, 2, 0, false},
	} {
		if slot, ok := v.data.ActiveSlot(v.slots); slot != v.slot || ok != v.ok {
			t.Errorf("%s: slot %d, %v; want %d, %v", v.name, slot, ok, v.slot, v.ok)
		}
	}
}

func TestOTADataBinary(t *testing.T) {
	if !bytes.Equal(BlankOTAData().Binary(), bytes.Repeat([]byte{0xFF}, OTADataLen)) {
		t.Error("blank otadata is not all 0xFF")
	}
	want := bytes.Repeat([]byte{0xFF}, OTADataLen)
	copy(want, []byte{2, 0, 0, 0})
	copy(want[24:], []byte{2, 0, 0, 0, 0x74, 0x37, 0xF6, 0x55})
	got := SelectSlot(1, OTAValid)
	if !bytes.Equal(got.Binary(), want) {
		t.Errorf("otadata for ota_1 starts %x, want %x", got.Binary()[:32], want[:32])
	}
	back, err := ParseOTAData(want)
	if err != nil || back != got || !back[0].Usable() || !back[1].Unset() {
		t.Errorf("ParseOTAData = %+v, %v", back, err)
	}
	if _, err := ParseOTAData(want[1:]); !errors.Is(err, ErrOTADataLength) {
		t.Errorf("a byte short: %v", err)
	}
	if OTAUndefined.String() != "undefined" || OTAAborted.String() != "aborted" || OTAState(7).String() != "unknown (0x7)" {
		t.Error("OTAState names are wrong")
	}
}

func FuzzOTAData(f *testing.F) {
	f.Add(uint32(1), uint32(2), uint32(0x4743989A), uint32(0xFFFFFFFF), uint32(0xFFFFFFFF), uint32(0xFFFFFFFF), 2)
	f.Fuzz(func(t *testing.T, seq0, state0, crc0, seq1, state1, crc1 uint32, slots int) {
		d := OTAData{{Seq: seq0, State: OTAState(state0), CRC: crc0}, {Seq: seq1, State: OTAState(state1), CRC: crc1}}
		if back, err := ParseOTAData(d.Binary()); err != nil || back != d {
			t.Fatalf("%+v came back as %+v, %v", d, back, err)
		}
		if slot, ok := d.ActiveSlot(slots); ok && (slot < 0 || slot >= slots) {
			t.Fatalf("slot %d of %d", slot, slots)
		}
	})
}
