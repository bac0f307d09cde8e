package esptool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	baudSettle = 50 * time.Millisecond
	baudReads  = 4 // good reads that prove a new speed
)

// ChangeBaud changes the speed of chip and host, and proves it by reading the chip
// magic several times. An error wraps ErrBaud when the new speed does not work;
// the link is unusable then until Reconnect.
func (d *Device) ChangeBaud(ctx context.Context, baud int) error {
	if _, ok := d.port.(bauder); !ok {
		return fmt.Errorf("change baud to %d: %w: the port has a fixed speed", baud, ErrBaud)
	}
	if err := d.portTakes(baud); err != nil {
		return fmt.Errorf("change baud to %d: %w", baud, err)
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

// portTakes tries a speed at the host's side before the chip is told of it, where no
// reset brings a chip back that has changed over to a speed that the port refuses.
func (d *Device) portTakes(baud int) error {
	if d.reset != ResetNone {
		return nil
	}
	was := d.baud
	return errors.Join(d.setHostBaud(baud), d.setHostBaud(was))
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
// read. Without an estimate that can be believed baud is returned as it is.
func compensate(baud int, calib, clk8m uint32) uint32 {
	hz, mhz := estimate(calib, clk8m)
	if mhz == 0 {
		return uint32(baud)
	}
	return uint32(uint64(baud) * hz / (uint64(mhz) * megahertz))
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
