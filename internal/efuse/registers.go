package efuse

import (
	"context"
	"errors"
	"fmt"
)

// Registers is what efuse needs from a chip. ReadReg may be repeated freely.
// WriteReg sends its command at most once: when it fails, the write may have been
// done or not, and only reading can tell.
type Registers interface {
	ReadReg(ctx context.Context, addr uint32) (uint32, error)
	WriteReg(ctx context.Context, addr, value uint32) error
}

// BatchWriter is a chip that writes many registers in one round trip, in order,
// under the same rule as WriteReg. It is used where a Registers has it.
type BatchWriter interface {
	WriteRegs(ctx context.Context, addrs, values []uint32) error
}

// Registers of the eFuse controller (ESP32 TRM, "eFuse Controller").
const (
	regClk     = 0x3FF5A0F8 // [7:0] SEL0, [15:8] SEL1
	regConf    = 0x3FF5A0FC // operation code, see below
	regCmd     = 0x3FF5A104 // bit 0 read, bit 1 program; 0 again when done
	regDacConf = 0x3FF5A118 // [7:0] clock divider of the programming voltage

	confProgram = 0x5A5A
	confRead    = 0x5AA5
	cmdRead     = 1
	cmdProgram  = 2
)

// readBase and writeBase are the first RDATA and WDATA register of each block.
var (
	readBase  = [4]uint32{0x3FF5A000, 0x3FF5A038, 0x3FF5A058, 0x3FF5A078}
	writeBase = [4]uint32{0x3FF5A01C, 0x3FF5A098, 0x3FF5A0B8, 0x3FF5A0D8}
)

const (
	tries       = 3 // of an access that failed and may be repeated
	steadyReads = 6 // of a register until two in a row agree
)

// Read takes all words off the chip, each read until two reads in a row agree
// (else ErrUnstable). It writes nothing, so it sees the fuses as they were when
// the chip last loaded them: at reset, or in the last Execute.
func Read(ctx context.Context, regs Registers) (Words, error) {
	return link{regs}.words(ctx)
}

// Reread is Read of a chip whose words were known: a register that reads as it was is
// believed, any other only when two reads in a row agree. Noise on the line makes a
// register look changed far more easily than it changes one back to what it was.
func Reread(ctx context.Context, regs Registers, known Words) (Words, error) {
	return link{regs}.wordsFrom(ctx, known)
}

// link repeats what may be repeated.
type link struct{ regs Registers }

// read reads one register, again when the access fails.
func (l link) read(ctx context.Context, addr uint32) (uint32, error) {
	var err error
	for range tries {
		var v uint32
		if v, err = l.regs.ReadReg(ctx, addr); err == nil {
			return v, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return 0, fmt.Errorf("read eFuse register %#08x: %w", addr, err)
}

// steady reads one register until two reads in a row agree: answers on the line
// carry no checksum.
func (l link) steady(ctx context.Context, addr uint32) (uint32, error) {
	last, err := l.read(ctx, addr)
	if err != nil {
		return 0, err
	}
	for range steadyReads - 1 {
		v, err := l.read(ctx, addr)
		if err != nil {
			return 0, err
		}
		if v == last {
			return v, nil
		}
		last = v
	}
	return 0, fmt.Errorf("read eFuse register %#08x %d times: %w", addr, steadyReads, ErrUnstable)
}

// confirm reads a register that should hold want; anything else has to be read
// twice to be believed. want comes by reference, as the bits of program do: it may be a
// word of a key.
func (l link) confirm(ctx context.Context, addr uint32, want *uint32) (uint32, error) {
	v, err := l.read(ctx, addr)
	if err != nil || v == *want {
		return v, err
	}
	return l.steady(ctx, addr)
}

// words reads every RDATA register.
func (l link) words(ctx context.Context) (Words, error) {
	return l.each(ctx, func(addr uint32, _, _ int) (uint32, error) { return l.steady(ctx, addr) })
}

// wordsFrom reads every RDATA register of a chip that held known.
func (l link) wordsFrom(ctx context.Context, known Words) (Words, error) {
	return l.each(ctx, func(addr uint32, block, i int) (uint32, error) { return l.confirm(ctx, addr, &known[block][i]) })
}

// each has read read every RDATA register.
func (l link) each(ctx context.Context, read func(addr uint32, block, i int) (uint32, error)) (Words, error) {
	var w Words
	for block := range w {
		for i := range blockLen(block) {
			v, err := read(readBase[block]+4*uint32(i), block, i)
			if err != nil {
				return Words{}, fmt.Errorf("read BLOCK%d: %w", block, err)
			}
			w[block][i] = v
		}
	}
	return w, nil
}

// put writes registers and reads them back, again until they hold the values. An
// error of the write alone is no failure: what the registers hold decides. Not for
// CMD. Errors never show a value: it may be a piece of a key.
func (l link) put(ctx context.Context, addrs, values []uint32) error {
	var failed error
	for range tries {
		failed = l.writeAll(ctx, addrs, values)
		bad, err := l.differs(ctx, addrs, values)
		switch {
		case err != nil:
			return errors.Join(failed, err)
		case bad == 0:
			return nil
		}
		failed = errors.Join(fmt.Errorf("write eFuse register %#08x: %w", bad, ErrRegister), failed)
	}
	return failed
}

// writeAll writes registers in order, in one round trip where the chip can.
func (l link) writeAll(ctx context.Context, addrs, values []uint32) error {
	if b, ok := l.regs.(BatchWriter); ok && len(addrs) > 1 {
		return b.WriteRegs(ctx, addrs, values)
	}
	var failed error
	for i, addr := range addrs {
		if err := l.regs.WriteReg(ctx, addr, values[i]); err != nil {
			failed = fmt.Errorf("write eFuse register %#08x: %w", addr, err)
		}
	}
	return failed
}

// differs returns the first register that does not hold its value, 0 when all do.
func (l link) differs(ctx context.Context, addrs, values []uint32) (uint32, error) {
	for i, addr := range addrs {
		v, err := l.read(ctx, addr)
		if err != nil {
			return 0, err
		}
		if v != values[i] {
			return addr, nil
		}
	}
	return 0, nil
}
