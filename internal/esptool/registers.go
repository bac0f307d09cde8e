package esptool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Limits of a register command: the ROM answers within a millisecond.
const (
	registerSoft = 100 * time.Millisecond
	registerHard = 2 * time.Second
)

// maxRegs bounds one WriteRegs: a frame of 1 KiB, the size of a flash block.
const maxRegs = 64

// ErrShape is a call whose arguments do not fit together.
var ErrShape = errors.New("arguments do not fit together")

// ReadReg reads the 32-bit register at addr. Reading is taken to be free of side
// effects: a lost answer is asked for again, up to three times. Errors wrap
// ErrNoReply, ErrLinkLost, the cause of ctx, or are *ROMError.
func (d *Device) ReadReg(ctx context.Context, addr uint32) (uint32, error) {
	_, value, err := d.repeatable(ctx, request{
		op: opReadReg, body: words(addr), soft: registerSoft, hard: registerHard,
	})
	if err != nil {
		return 0, fmt.Errorf("read register %#08x: %w", addr, err)
	}
	return value, nil
}

// WriteReg writes value to the register at addr. It goes over the line at most
// once per call: an error that wraps ErrNoReply means that the write may or may
// not have happened, and only the caller can know whether to repeat it. The link
// is usable again then, unless the error also wraps ErrLinkLost.
func (d *Device) WriteReg(ctx context.Context, addr, value uint32) error {
	return d.WriteRegs(ctx, []uint32{addr}, []uint32{value})
}

// WriteRegs writes values to the registers at addrs in that order, in one round
// trip and at most once, as WriteReg does. The slices are equally long and have 1
// to 64 elements (else ErrShape).
func (d *Device) WriteRegs(ctx context.Context, addrs, values []uint32) error {
	if len(addrs) != len(values) || len(addrs) == 0 || len(addrs) > maxRegs {
		return fmt.Errorf("write %d values to %d registers: %w (1 to %d each)", len(values), len(addrs), ErrShape, maxRegs)
	}
	_, _, err := d.command(ctx, request{
		op: opWriteReg, body: writeBody(addrs, values), soft: registerSoft, hard: registerHard,
	})
	if err != nil { // the values may be a key: only the addresses are named
		return fmt.Errorf("write %d registers from %#08x: %w", len(addrs), addrs[0], err)
	}
	return nil
}

// writeBody is the body of WRITE_REG: address, value, mask and delay in
// microseconds, 16 bytes for each register.
func writeBody(addrs, values []uint32) []byte {
	const allBits, noDelay = 0xFFFFFFFF, 0
	body := make([]byte, 0, 16*len(addrs))
	for i, addr := range addrs {
		for _, w := range [...]uint32{addr, values[i], allBits, noDelay} {
			body = binary.LittleEndian.AppendUint32(body, w)
		}
	}
	return body
}
