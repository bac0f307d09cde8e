package esptool

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
)

// TestCrystal covers what the divider says at a speed that is known, the transcript's
// (0x15a) among them.
func TestCrystal(t *testing.T) {
	for _, c := range []struct {
		divider   uint32
		baud, mhz int
	}{
		{0x15A, 115200, 40}, {347, 115200, 40}, {347 | 3<<20, 115200, 40}, {225, 115200, 26}, {224, 115200, 26},
		{339, 115200, 40}, {338, 115200, 0}, // 39.05, 38.94 MHz
		{355, 115200, 40}, {356, 115200, 0}, // 40.90, 41.01 MHz
		{234, 115200, 26}, {235, 115200, 0}, {208, 115200, 0}, {278, 115200, 0}, // 24 and 32 MHz
		{86, 460800, 40}, {86 | 13<<20, 460800, 40}, {43 | 6<<20, 921600, 40}, {42, 921600, 40}, {27, 921600, 26}, {40, 921600, 0},
		{0, 115200, 0}, {0xFFFFFFFF, 921600, 0},
	} {
		if got := crystalAt(c.divider, c.baud); got != c.mhz {
			t.Errorf("divider %#x at %d baud: %d MHz, want %d", c.divider, c.baud, got, c.mhz)
		}
	}
}

// TestCrystalAtAnUnknownSpeed lets the bridge run the chip's line at every usual
// speed, one percent off either way. The answer may be missing, never wrong.
func TestCrystalAtAnUnknownSpeed(t *testing.T) {
	if got := crystalAtAny(0x15A, 0); got != 40 {
		t.Errorf("the recorded ROM: %d MHz, want 40", got)
	}
	for _, mhz := range []int{26, 40} {
		for _, baud := range usualBauds {
			for _, permille := range []int{990, 1000, 1010} {
				sixteenths := uint32(16 * mhz * megahertz / (baud * permille / 1000))
				divider := sixteenths>>4 | sixteenths&0xF<<20
				if got := crystalAtAny(divider, mhz); got != mhz {
					t.Errorf("%d MHz at %d baud, estimate right: %d MHz", mhz, baud, got)
				}
				got := crystalAtAny(divider, 0)
				if ambiguous := baud == 38400 || baud == 57600; got != mhz && (got != 0 || !ambiguous) {
					t.Errorf("%d MHz at %d baud, no estimate: %d MHz", mhz, baud, got)
				}
			}
		}
	}
	for _, c := range []struct {
		divider  uint32
		own, mhz int
	}{
		{347, 26, 26}, // 26 MHz behind a bridge at 74880
		{347, 40, 40},
		{300, 0, 0}, {300, 40, 0}, {300, 26, 0}, {0, 40, 0}, {0xFFFFF, 26, 0},
		{225, 40, 0}, // the divider and the estimate contradict
	} {
		if got := crystalAtAny(c.divider, c.own); got != c.mhz {
			t.Errorf("divider %d, estimate %d MHz: %d MHz, want %d", c.divider, c.own, got, c.mhz)
		}
	}
}

func TestIdentifyTellsTheCrystal(t *testing.T) {
	const clk8m = 52
	calib := func(hz uint64) uint32 { return uint32(hz*40/15625/clk8m) << 7 }
	for _, c := range []struct {
		name           string
		divider, calib uint32
		fixed          bool // the port has no speed of its own
		mhz            int
	}{
		{"40 MHz", 346, 0, false, 40},
		{"26 MHz", 225, 0, false, 26},
		{"32 MHz", 277, 0, false, 0},
		{"26 MHz, the ROM believes in 40", 225, calib(40_000_000), false, 26},
		{"socket, not calibrated", 346, 0, true, 40},
		{"socket, 26 MHz at 74880", 347, calib(25_000_000), true, 26},
		{"socket, contradiction", 225, calib(41_000_000), true, 0},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			f := newFakeROM()
			f.regs[regUARTClkDiv], f.regs[regRTCCalib], f.regs[regCLK8MFreq] = c.divider, c.calib, clk8m
			var port Port = f
			if c.fixed {
				port = struct{ Port }{f}
			}
			warned := 0
			d, err := Connect(context.Background(), port, Config{Reset: ResetNone, Warn: func(string) { warned++ }})
			if err != nil {
				t.Fatal(err)
			}
			chip, err := d.Identify(context.Background())
			if err != nil || chip.CrystalMHz != c.mhz || chip.CrystalHz != c.divider*115200 || (warned > 0) != (c.mhz == 0) {
				t.Errorf("crystal %d MHz (%d Hz), %v, %d warnings; want %d MHz", chip.CrystalMHz, chip.CrystalHz, err, warned, c.mhz)
			}
		}))
	}
}

// TestCrystalOnABadLine: one garbled answer condemns no crystal, wherever it falls.
func TestCrystalOnABadLine(t *testing.T) {
	for n := 1; n < 30; n++ {
		t.Run(fmt.Sprintf("reply %d", n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeROM()
				f.toHost = onceOn(n, func(p []byte) []byte {
					p[6] ^= 0x01
					return p
				})
				if d := connected(t, f, Config{}); d.crystalMHz != 40 {
					t.Errorf("crystal %d MHz", d.crystalMHz)
				}
			})
		})
	}
}
