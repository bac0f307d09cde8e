package esptool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Registers that tell how the ROM sees its clocks. Source: ESP32 TRM, "UART"
// (UART_CLKDIV) and "RTC"; Espressif "ESP32 Serial Protocol" for the use.
const (
	regUARTClkDiv = 0x3FF40014
	regRTCCalib   = 0x3FF5F06C // [31:7]: crystal cycles counted, by the 8 MHz RC clock
	regCLK8MFreq  = 0x3FF5A010 // eFuse BLK0 word 4, [7:0] CLK8M_FREQ
)

const (
	crystalSplit = 33_000_000 // Hz: above is a 40 MHz crystal, below a 26 MHz one
	baudSettle   = 50 * time.Millisecond
	baudReads    = 4 // good reads that prove a new speed
)

// ChangeBaud changes the speed of chip and host, and proves it by reading the chip
// magic several times. An error wraps ErrBaud when the new speed does not work;
// the link is unusable then until Reconnect.
func (d *Device) ChangeBaud(ctx context.Context, baud int) error {
	if _, ok := d.port.(bauder); !ok {
		return fmt.Errorf("change baud to %d: %w: the port has a fixed speed", baud, ErrBaud)
	}
	ask, err := d.scaledBaud(ctx, baud)
	if err != nil {
		return fmt.Errorf("change baud to %d: %w", baud, err)
	}
	_, _, err = d.command(ctx, request{
		op: opChangeBaudrate, body: words(ask, 0), soft: registerSoft, hard: registerHard,
	})
	if err != nil {
		return fmt.Errorf("change baud to %d: %w: %w", baud, ErrBaud, err)
	}
	if err := d.setHostBaud(baud); err != nil {
		return fmt.Errorf("change baud to %d: %w", baud, err)
	}
	if err := d.clock.Sleep(ctx, baudSettle); err != nil {
		d.inStep = false
		return fmt.Errorf("change baud to %d: %w", baud, err)
	}
	if err := d.proveBaud(ctx); err != nil {
		return fmt.Errorf("change baud to %d: %w: %w", baud, ErrBaud, err)
	}
	return nil
}

// proveBaud reads the chip magic baudReads times, each time at the first try.
func (d *Device) proveBaud(ctx context.Context) error {
	for range baudReads {
		_, magic, err := d.command(ctx, request{
			op: opReadReg, body: words(magicReg), soft: registerSoft, hard: 3 * registerSoft,
		})
		if err == nil && magic != chipMagic {
			err = fmt.Errorf("%w: chip magic reads %#08x", ErrGarbled, magic)
		}
		if err != nil {
			d.inStep = false
			return err
		}
	}
	return nil
}

// scaledBaud returns what to ask the ROM for so that its baud rate becomes baud. The
// ROM divides by its own estimate of the crystal, which drifts with its RC clock;
// reading the same estimate undoes the error.
func (d *Device) scaledBaud(ctx context.Context, baud int) (uint32, error) {
	calib, err := d.ReadReg(ctx, regRTCCalib)
	if err != nil {
		return 0, err
	}
	clk8m, err := d.ReadReg(ctx, regCLK8MFreq)
	if err != nil {
		return 0, err
	}
	return compensate(baud, calib, clk8m), nil
}

// compensate is the arithmetic of scaledBaud: calib and clk8m are the registers as
// read. An estimate that is not near either crystal (no factory calibration reads
// as 0) is not used: baud is returned as it is.
func compensate(baud int, calib, clk8m uint32) uint32 {
	estimate := uint64(calib>>7) * 15625 * uint64(clk8m&0xFF) / 40 // Hz
	nominal := uint64(nominalCrystal(uint32(min(estimate, 1<<31))))
	if estimate < nominal*3/4 || estimate > nominal*5/4 {
		return uint32(baud)
	}
	return uint32(uint64(baud) * estimate / nominal)
}

// nominalCrystal returns the crystal, 26 or 40 MHz, nearest to a measured one, in Hz.
func nominalCrystal(hz uint32) uint32 {
	if hz > crystalSplit {
		return 40_000_000
	}
	return 26_000_000
}

// measureCrystal reads the divider the ROM set its UART to. With a known speed that
// gives the crystal.
func (d *Device) measureCrystal(ctx context.Context) error {
	const dividerMask = 0xFFFFF
	divider, err := d.ReadReg(ctx, regUARTClkDiv)
	if err != nil {
		return err
	}
	d.crystalHz = uint32(uint64(divider&dividerMask) * uint64(d.baud))
	nominal := nominalCrystal(d.crystalHz)
	if off := int64(d.crystalHz) - int64(nominal); off > 1_000_000 || off < -1_000_000 {
		d.warn(fmt.Sprintf("crystal measures %.1f MHz, expected %d: check crystal and speed", float64(d.crystalHz)/1e6, nominal/1_000_000))
	}
	return nil
}

// climb raises the speed to the first of the configured ones that works. Each one
// that fails costs a way back to where the ROM answers; none working is not an
// error, 115200 is.
func (d *Device) climb(ctx context.Context) error {
	if _, ok := d.port.(bauder); !ok {
		return nil
	}
	for len(d.cfg.Bauds) > 0 {
		baud := d.cfg.Bauds[0]
		if baud == d.baud {
			return nil
		}
		err := d.ChangeBaud(ctx, baud)
		if err == nil || !errors.Is(err, ErrBaud) || ctx.Err() != nil {
			return err
		}
		d.warn(fmt.Sprintf("no link at %d baud, trying the next speed", baud))
		if err := d.enter(ctx); err != nil { // without reset lines this tries baud too
			return err
		}
		d.cfg.Bauds = d.cfg.Bauds[1:] // not to be tried again on this unit
	}
	return nil
}
