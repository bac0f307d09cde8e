package esptool

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// swap puts another unit into the slot: blank, with a MAC of its own. Until it is
// sent a SYNC it answers nothing, as a chip that has just got its power. mu is held,
// or nobody else is there.
func (f *fakeROM) swap() {
	f.regs[0x3FF5A004]++
	f.flash = bytes.Repeat([]byte{0xA5}, len(f.flash))
	f.begun, f.erased, f.programs = false, nil, 0
	synced := false
	f.before = func(op opcode, _ []byte) bool {
		synced = synced || op == opSync
		return synced
	}
}

// untouched reports whether nothing was erased or written since the swap.
func (f *fakeROM) untouched() bool {
	return len(f.erased) == 0 && f.programs == 0 && f.flash[0] == 0xA5 && f.regs[0x300] == 0
}

func TestReconnectRefusesAnotherChip(t *testing.T) {
	for name, cfg := range map[string]Config{
		"reset":           {Reset: ResetClassic},
		"reset and speed": {Reset: ResetTight, Bauds: []int{460800}},
		"download mode":   {Reset: ResetNone},
		"and a speed":     {Reset: ResetNone, Bauds: []int{460800}},
	} {
		t.Run(name, bubble(func(t *testing.T) {
			ctx := context.Background()
			f := newFakeROM()
			d := attached(t, f, cfg)
			if err := errors.Join(d.SameChip(ctx), d.Reconnect(ctx), d.SameChip(ctx)); err != nil {
				t.Fatalf("the same chip: %v", err)
			}
			f.swap()
			f.baud = initialBaud
			attaches := f.seen[opSPIAttach]
			if err := d.Reconnect(ctx); !errors.Is(err, ErrOtherChip) {
				t.Errorf("Reconnect = %v, want %v", err, ErrOtherChip)
			}
			if f.seen[opSPIAttach] != attaches || f.seen[opChangeBaudrate] > len(cfg.Bauds)*2 {
				t.Error("it went on with the other chip")
			}
			f.regs[0x3FF5A004]-- // the first unit is put back
			if err := d.Reconnect(ctx); err != nil {
				t.Errorf("Reconnect to the first chip = %v", err)
			}
		}))
	}
}

// TestSwapIsNoticedWithoutAReset changes the unit where there are no reset lines and
// the boot pin is held: the next SYNC is answered as if nothing had happened.
func TestSwapIsNoticedWithoutAReset(t *testing.T) {
	for name, call := range map[string]func(context.Context, *Device) error{
		"ReadReg": func(ctx context.Context, d *Device) error { _, err := d.ReadReg(ctx, 0x300); return err },
		"WriteReg": func(ctx context.Context, d *Device) error {
			return errors.Join(d.WriteReg(ctx, 0x300, 1), d.WriteReg(ctx, 0x300, 1))
		},
		"EraseFlash": func(ctx context.Context, d *Device) error { return d.EraseFlash(ctx, 0, SectorSize) },
		"FlashMD5":   func(ctx context.Context, d *Device) error { _, err := d.FlashMD5(ctx, 0, SectorSize); return err },
		"ReadFlash":  func(ctx context.Context, d *Device) error { _, err := d.ReadFlash(ctx, 0, 64); return err },
		"WriteFlash": func(ctx context.Context, d *Device) error { return d.WriteFlash(ctx, 0, testData(3000), nil) },
		"FlashID":    func(ctx context.Context, d *Device) error { _, err := d.FlashID(ctx); return err },
		"SameChip":   func(ctx context.Context, d *Device) error { return d.SameChip(ctx) },
	} {
		t.Run(name, bubble(func(t *testing.T) {
			ctx := context.Background()
			f := newFakeROM()
			d := attached(t, f, Config{})
			f.swap()
			for range 2 { // it stays refused
				if err := call(ctx, d); !errors.Is(err, ErrOtherChip) {
					t.Errorf("%v, want %v", err, ErrOtherChip)
				}
			}
			if !f.untouched() {
				t.Error("the other chip was written to")
			}
		}))
	}
}

// TestSwapDuringWriteFlash changes the unit at each block of a write, with and
// without reset lines.
func TestSwapDuringWriteFlash(t *testing.T) {
	for _, reset := range []ResetMode{ResetClassic, ResetNone} {
		for n := 1; n <= 8; n++ {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeROM()
				d := attached(t, f, Config{Reset: reset})
				data := 0
				f.before = func(op opcode, _ []byte) bool {
					if op == opFlashData {
						data++
					}
					if data < n {
						return true
					}
					f.swap()
					return false
				}
				err := d.WriteFlash(context.Background(), 0, testData(2*SectorSize), nil)
				if !errors.Is(err, ErrOtherChip) || !f.untouched() {
					t.Errorf("reset %s, at block %d: %v, untouched %v", reset, n, err, f.untouched())
				}
			})
		}
	}
}

// TestSwapIsNoticedByARefusal changes the unit for one that has heard the host's speed
// already and so answers at once.
func TestSwapIsNoticedByARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := attached(t, f, Config{})
		f.before = func(op opcode, _ []byte) bool {
			if op == opFlashData {
				f.swap()
				f.before = nil
			}
			return true
		}
		err := d.WriteFlash(context.Background(), 0, testData(SectorSize), nil)
		if !errors.Is(err, ErrOtherChip) || !f.untouched() {
			t.Errorf("WriteFlash = %v, untouched %v", err, f.untouched())
		}
	})
}

// TestSwapBehindADeadLine lets the chip stop answering for good in the middle of a
// write; the reset that should revive it finds another one.
func TestSwapBehindADeadLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := attached(t, f, Config{Reset: ResetClassic})
		resets := f.resets
		f.before = func(op opcode, _ []byte) bool {
			if op == opFlashData {
				f.before = func(opcode, []byte) bool {
					if f.resets > resets {
						f.swap()
						return true
					}
					return false
				}
				return false
			}
			return true
		}
		err := d.WriteFlash(context.Background(), 0, testData(SectorSize), nil)
		if !errors.Is(err, ErrOtherChip) || !f.untouched() || f.resets != resets+1 {
			t.Errorf("WriteFlash = %v after %d resets, untouched %v", err, f.resets-resets, f.untouched())
		}
	})
}

// TestSameChipOnABadLine: a lost or garbled answer accuses nobody.
func TestSameChipOnABadLine(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for name, hurt := range map[string]func([]byte) []byte{
			"lost": func([]byte) []byte { return nil },
			"wrong": func(p []byte) []byte {
				p[6] ^= 0x01
				return p
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeROM()
				d := connected(t, f, Config{})
				f.toHost = onceOn(n, hurt)
				start := time.Now()
				if err := d.SameChip(context.Background()); err != nil {
					t.Errorf("answer %d %s: %v", n, name, err)
				}
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("answer %d %s: it took %v", n, name, took)
				}
			})
		}
	}
}

func TestMACWords(t *testing.T) {
	if got := (macWords{0xC4A1B2C3, 0x5A240A}).String(); got != "24:0a:c4:a1:b2:c3" {
		t.Errorf("MAC %s", got)
	}
}
