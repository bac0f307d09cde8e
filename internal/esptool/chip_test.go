package esptool

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestIdentify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := connected(t, f, Config{})
		c, err := d.Identify(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if want := (Revision{3, 0, true}); c.Revision != want || c.Revision.Full() != 300 || c.Revision.String() != "v3.0" {
			t.Errorf("revision %v, want %v", c.Revision, want)
		}
		if want := [6]byte{0x24, 0x0A, 0xC4, 0xA1, 0xB2, 0xC3}; c.MAC != want || !c.MACCRCOK {
			t.Errorf("MAC %x, CRC ok %v; want %x", c.MAC, c.MACCRCOK, want)
		}
		if c.Package != 1 || c.PackageName != "ESP32-D0WD-V3" || c.SingleCore || c.CodingScheme != 0 || c.FlashPins != 0 {
			t.Errorf("chip %+v", c)
		}
		if c.CrystalMHz != 40 || c.CrystalHz != 346*115200 {
			t.Errorf("crystal %d MHz, %d Hz", c.CrystalMHz, c.CrystalHz)
		}
		f.regs[0x3FF5A008] ^= 1 << 16
		if c, err = d.Identify(context.Background()); err != nil || c.MACCRCOK {
			t.Errorf("wrong CRC: ok %v, %v", c.MACCRCOK, err)
		}
	})
}

func TestIdentifyNoticesUnstableReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := connected(t, f, Config{})
		f.before = func(op opcode, _ []byte) bool {
			if op == opReadReg {
				f.regs[0x3FF5A010]++
			}
			return true
		}
		if _, err := d.Identify(context.Background()); !errors.Is(err, ErrUnstable) {
			t.Errorf("Identify = %v, want %v", err, ErrUnstable)
		}
	})
}

func TestIdentifySettlesAfterABadRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := connected(t, f, Config{})
		f.toHost = onceOn(3, func(p []byte) []byte { p[5] ^= 0x40; return p }) // word 1, the MAC
		if c, err := d.Identify(context.Background()); err != nil || !c.MACCRCOK {
			t.Errorf("Identify = %+v, %v", c, err)
		}
	})
}

func TestRevision(t *testing.T) {
	for bits, want := range map[uint32]Revision{
		0b000: {0, 2, true}, 0b001: {1, 2, true}, 0b011: {2, 2, true}, 0b111: {3, 2, true},
		0b010: {-1, 2, false}, 0b100: {-1, 2, false}, 0b101: {-1, 2, false}, 0b110: {-1, 2, false},
	} {
		var id identity
		id.blk0[3] = bits & 1 << 15
		id.blk0[5] = bits>>1&1<<20 | 2<<24
		id.apbDate = bits >> 2 << 31
		if got := id.revision(); got != want {
			t.Errorf("bits %03b: %+v, want %+v", bits, got, want)
		}
	}
	if r := (Revision{Major: -1}); r.Full() != -1 || r.String() != "unknown revision" {
		t.Errorf("unknown: %d, %q", r.Full(), r)
	}
}

func TestPackages(t *testing.T) {
	v1, v3 := Revision{1, 0, true}, Revision{3, 1, true}
	for _, c := range []struct {
		number int
		rev    Revision
		single bool
		want   string
	}{
		{0, v1, false, "ESP32-D0WDQ6"}, {0, v3, false, "ESP32-D0WDQ6-V3"}, {1, v1, true, "ESP32-S0WD"},
		{2, v1, false, "ESP32-D2WD"}, {4, v3, false, "ESP32-U4WDH"}, {5, v1, false, "ESP32-PICO-D4"},
		{5, v3, false, "ESP32-PICO-V3"}, {6, v3, false, "ESP32-PICO-V3-02"}, {7, v3, false, "ESP32-D0WDR2-V3"},
		{3, v1, false, ""}, {15, v3, false, ""},
	} {
		if got := packageName(c.number, c.rev, c.single); got != c.want {
			t.Errorf("package %d %v single %v = %q, want %q", c.number, c.rev, c.single, got, c.want)
		}
	}
	var id identity
	id.blk0[3] = 1<<2 | 5<<9 // CHIP_PACKAGE_4BIT is bit 3 of the number
	if got := id.chip().Package; got != 13 {
		t.Errorf("package number %d, want 13", got)
	}
}

func TestPinWord(t *testing.T) {
	// ESP32-PICO-D4: CLK 6, Q 17, D 8, CS 16, HD 11.
	w := [blk0Words]uint32{3: 11 << 4, 5: 6 | 17<<5 | 8<<10 | 16<<15}
	if got, want := pinWord(w), uint32(11<<24|16<<18|8<<12|17<<6|6); got != want {
		t.Errorf("pin word %#x, want %#x", got, want)
	}
	if got, want := pinWord([blk0Words]uint32{3: 31 << 4, 5: 30}), uint32(33<<24|32); got != want {
		t.Errorf("pads 30 and 31: pin word %#x, want %#x", got, want)
	}
}

func TestFlashID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		f := newFakeROM()
		d := connected(t, f, Config{})
		f.regs[regSPI1USR], f.regs[regSPI1USR2] = 0x1234, 0x5678
		f.status = [3]byte{0x00, 0x02, 0x60}
		f.toHost = dropOnce(5) // a lost answer on the way
		id, err := d.FlashID(ctx)
		if want := (FlashID{0xEF, 0x40, 0x16, f.status}); err != nil || id != want || id.Size() != 4<<20 {
			t.Errorf("FlashID = %+v, %v; want %+v", id, err, want)
		}
		if id.Protection() != nil {
			t.Errorf("Protection = %v", id.Protection())
		}
		if f.regs[regSPI1USR] != 0x1234 || f.regs[regSPI1USR2] != 0x5678 {
			t.Errorf("USR %#x, USR2 %#x are not put back", f.regs[regSPI1USR], f.regs[regSPI1USR2])
		}
		if f.seen[opSPIAttach] != 1 {
			t.Errorf("SPI_ATTACH sent %d times, want 1", f.seen[opSPIAttach])
		}
		for _, dead := range []uint32{0, 0xFFFFFF} {
			f.jedec = dead
			if _, err := d.FlashID(ctx); !errors.Is(err, ErrNoFlash) {
				t.Errorf("id %06x: %v, want %v", dead, err, ErrNoFlash)
			}
		}
		for capacity := range uint32(256) {
			f.jedec = capacity<<16 | 0x25C2 // 0x35: MX25U1635F, of 2 MiB
			id, err := d.FlashID(ctx)
			if known := capacity >= 16 && capacity <= 27; known && (err != nil || id.Size() != 1<<capacity) || !known && !errors.Is(err, ErrFlashSize) {
				t.Errorf("capacity %#02x: size %d, %v", capacity, id.Size(), err)
			}
		}
	})
}

func TestFlashProtection(t *testing.T) {
	for _, c := range []struct {
		name      string
		maker     byte
		status    [3]byte
		protected bool
	}{
		{"Winbond, blank", makerWinbond, [3]byte{0, 0, 0}, false},
		{"Winbond, QE", makerWinbond, [3]byte{0, 0x02, 0x60}, false},
		{"Winbond, BP0", makerWinbond, [3]byte{0x04, 0, 0}, true},
		{"Winbond, TB alone", makerWinbond, [3]byte{0x20, 0, 0}, false},
		{"Winbond, CMP alone protects all", makerWinbond, [3]byte{0, 0x40, 0}, true},
		{"Winbond, CMP of all protects none", makerWinbond, [3]byte{0x1C, 0x40, 0}, false},
		{"Winbond, CMP of a part", makerWinbond, [3]byte{0x04, 0x40, 0}, true},
		{"Macronix, QE", makerMacronix, [3]byte{0x40, 0, 0}, false},
		{"Macronix, BP3", makerMacronix, [3]byte{0x20, 0, 0}, true},
		{"another, BP1", 0x1C, [3]byte{0x08, 0, 0}, true},
	} {
		err := FlashID{Manufacturer: c.maker, Status: c.status}.Protection()
		if errors.Is(err, ErrFlashProtected) != c.protected {
			t.Errorf("%s: Protection = %v, protected %v", c.name, err, c.protected)
		}
	}
}
