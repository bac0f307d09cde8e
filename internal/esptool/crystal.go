package esptool

import (
	"context"
	"fmt"
	"slices"
)

// Registers that tell how the ROM sees its clocks. Source: ESP32 TRM, "UART"
// (UART_CLKDIV) and "RTC"; Espressif "ESP32 Serial Protocol" for the use.
const (
	regUARTClkDiv = 0x3FF40014 // [19:0] crystal over baud, [23:20] sixteenths
	regRTCCalib   = 0x3FF5F06C // [31:7]: crystal cycles counted, by the 8 MHz RC clock
	regCLK8MFreq  = 0x3FF5A010 // eFuse BLK0 word 4, [7:0] CLK8M_FREQ
)

const (
	megahertz        = 1_000_000
	crystalSplit     = 33 * megahertz // above is a 40 MHz crystal, below a 26 MHz one
	crystalTolerance = megahertz      // off by more, it is neither
)

// usualBauds are the speeds a bridge may have towards the chip.
var usualBauds = []int{9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600}

// oddBaud is another one: at it a 26 MHz chip has the divider of a 40 MHz one at
// 115200.
const oddBaud = 74880

// measureCrystal finds out which crystal the chip has: eFuses burnt with the timing
// of the other one do not hold. The ROM fitted its UART's divider to the host's
// speed, so that with a known speed the divider gives the crystal.
//
// A port without a speed, such as a raw socket, has a bridge behind it whose speed
// towards the chip is not known. There the ROM's own estimate decides, which owes
// nothing to that speed, and some usual speed has to explain the divider. A chip
// without factory calibration has no estimate (an emulator): then the divider has
// to fit one of the two crystals at some usual speed, and the other at none.
func (d *Device) measureCrystal(ctx context.Context) error {
	divider, err := d.readSettled(ctx, regUARTClkDiv)
	if err != nil {
		return err
	}
	d.crystalHz = crystalHz(divider, d.baud)
	if _, ok := d.port.(bauder); ok {
		d.crystalMHz = crystalAt(divider, d.baud)
	} else {
		own, err := d.estimateCrystal(ctx)
		if err != nil {
			return err
		}
		d.crystalMHz = crystalAtAny(divider, own)
	}
	if d.crystalMHz == 0 {
		d.warn(fmt.Sprintf("crystal measures %.1f MHz at %d baud, neither 26 nor 40: check crystal and speed",
			float64(d.crystalHz)/megahertz, d.baud))
	}
	return nil
}

// crystalHz is the crystal by a UART divider as read and the speed of the line.
func crystalHz(divider uint32, baud int) uint32 {
	sixteenths := uint64(divider&0xFFFFF)<<4 | uint64(divider>>20&0xF)
	return uint32(min(sixteenths*uint64(baud)/16, 1<<31))
}

// crystalAt is the crystal in MHz, 26 or 40, that fits a divider at that speed; 0
// when neither does. The tolerance is crystalTolerance, or two counts of the
// divider where these are more.
func crystalAt(divider uint32, baud int) int {
	hz := crystalHz(divider, baud)
	mhz := nearestCrystal(uint64(hz))
	off := int64(hz) - int64(mhz)*megahertz
	if max(off, -off) > max(crystalTolerance, 2*int64(baud)) {
		return 0
	}
	return mhz
}

// crystalAtAny is crystalAt for a speed that is not known. own is the ROM's estimate
// in MHz, 0 without one.
func crystalAtAny(divider uint32, own int) int {
	var fits []int
	for _, baud := range usualBauds {
		if mhz := crystalAt(divider, baud); mhz != 0 && !slices.Contains(fits, mhz) {
			fits = append(fits, mhz)
		}
	}
	switch {
	case own != 0 && (slices.Contains(fits, own) || crystalAt(divider, oddBaud) == own):
		return own
	case own == 0 && len(fits) == 1:
		return fits[0]
	}
	return 0
}

// nearestCrystal is 26 or 40, whichever is nearer to a measured one, in MHz.
func nearestCrystal(hz uint64) int {
	if hz > crystalSplit {
		return 40
	}
	return 26
}

// estimateCrystal is which crystal the ROM believes in, in MHz; 0 when it cannot
// know, or says different things.
func (d *Device) estimateCrystal(ctx context.Context) (int, error) {
	clk8m, err := d.readSettled(ctx, regCLK8MFreq)
	if err != nil {
		return 0, err
	}
	var seen [2]int
	for i := range seen { // the count itself may differ from one time to the next
		calib, err := d.ReadReg(ctx, regRTCCalib)
		if err != nil {
			return 0, err
		}
		_, seen[i] = estimate(calib, clk8m)
	}
	if seen[0] != seen[1] {
		return 0, nil
	}
	return seen[0], nil
}

// estimate is the ROM's estimate of the crystal, which drifts with its RC clock, and
// the crystal that it means, in MHz. An estimate that is not near either (no
// factory calibration reads as 0) means nothing: 0.
func estimate(calib, clk8m uint32) (hz uint64, mhz int) {
	hz = uint64(calib>>7) * 15625 * uint64(clk8m&0xFF) / 40
	mhz = nearestCrystal(hz)
	if nominal := uint64(mhz) * megahertz; hz < nominal*3/4 || hz > nominal*5/4 {
		return hz, 0
	}
	return hz, mhz
}
