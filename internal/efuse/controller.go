package efuse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// controller drives the eFuse controller's register sequence (ESP32 TRM, "Programming
// of System Parameters"). It knows no rule about which bits may be burnt.
type controller struct {
	link
	timing Timing
}

// prepare waits for the controller and sets its clocks.
func (c controller) prepare(ctx context.Context) error {
	if err := c.idle(ctx); err != nil {
		return err
	}
	return c.clocks(ctx)
}

// clocks makes the controller's clocks what the pulses of a program need.
func (c controller) clocks(ctx context.Context) error {
	for _, r := range c.timing.registers() {
		old, err := c.steady(ctx, r.addr)
		if err != nil {
			return fmt.Errorf("set eFuse timing: %w", err)
		}
		want := old&^r.mask | r.value
		if old == want {
			continue
		}
		if err := c.put(ctx, []uint32{r.addr}, []uint32{want}); err != nil {
			return fmt.Errorf("set eFuse timing: %w", err)
		}
	}
	return nil
}

// idle waits until no command is running, at most the timing's limit. ErrBusy is a
// controller that answers and says so; a chip that does not answer is the line's
// error, which is why the limit does not end a read.
func (c controller) idle(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, c.timing.limit)
	defer cancel()
	for {
		last := limit.Err() != nil // asked once more after the limit: it may have been the line that took long
		cmd, err := c.read(ctx, regCmd)
		switch {
		case err != nil:
			return fmt.Errorf("wait for the eFuse controller: %w", err)
		case cmd == 0:
			return nil
		case last:
			return fmt.Errorf("wait for the eFuse controller: %w", cmp.Or(context.Cause(ctx), ErrBusy))
		}
	}
}

// reload makes RDATA, and the protection of the blocks, follow the fuses. It burns
// nothing, so a lost answer is met by doing it again. It leaves the operation code
// at read, so that a stray program command does nothing.
func (c controller) reload(ctx context.Context) error {
	if err := c.put(ctx, []uint32{regConf}, []uint32{confRead}); err != nil {
		return fmt.Errorf("reload fuses: %w", err)
	}
	var failed error
	for range tries {
		failed = c.regs.WriteReg(ctx, regCmd, cmdRead)
		if err := c.idle(ctx); err != nil {
			return fmt.Errorf("reload fuses: %w", errors.Join(err, failed))
		}
		if failed == nil {
			return nil
		}
	}
	return fmt.Errorf("reload fuses: %w", failed)
}

// program burns bits, given as the words stored in the block, in one command, on
// that chip and no other (ErrOtherChip). The command itself is sent once, whatever
// becomes of its answer. sent tells whether it may have reached the chip: then err
// is no verdict and only reloading tells.
//
// Here and in arm, which wait for the line, the bits come by reference: the dump of a
// crash prints what is handed over by value.
func (c controller) program(ctx context.Context, chip chipID, block int, bits *[8]uint32) (sent bool, err error) {
	if err := c.arm(ctx, block, bits); err != nil {
		return false, err
	}
	if err := c.is(ctx, chip); err != nil {
		return false, fmt.Errorf("program BLOCK%d: %w", block, err)
	}
	failed := c.regs.WriteReg(ctx, regCmd, cmdProgram)
	if failed != nil {
		failed = fmt.Errorf("program BLOCK%d: %w", block, failed)
	}
	return true, errors.Join(failed, c.over(ctx))
}

// over is idle after a program command, asked twice: one question that went astray on
// the line would be answered with zeros, and end the pulses early.
func (c controller) over(ctx context.Context) error {
	if err := c.idle(ctx); err != nil {
		return err
	}
	return c.idle(ctx)
}

// is checks that the chip at the other end of the line is still that one.
func (c controller) is(ctx context.Context, chip chipID) error {
	for i, want := range chip {
		v, err := c.confirm(ctx, readBase[0]+4*uint32(i+1), &want)
		if err != nil {
			return err
		}
		if v != want {
			return ErrOtherChip
		}
	}
	return nil
}

// arm sets every register that a pulse depends on: the clocks, the operation code, and
// bits in the WDATA registers of one block and zeros in those of all others, because one
// command burns whatever any of them holds. All are read back after the last of them was
// written, and nothing is written from there to the command: a request that is garbled on
// its way may write any register.
func (c controller) arm(ctx context.Context, block int, bits *[8]uint32) error {
	addrs, values := []uint32{regConf}, []uint32{confProgram}
	for _, r := range c.timing.registers() {
		old, err := c.steady(ctx, r.addr)
		if err != nil {
			return fmt.Errorf("load BLOCK%d for programming: %w", block, err)
		}
		addrs, values = append(addrs, r.addr), append(values, old&^r.mask|r.value)
	}
	var data Words
	data[block] = *bits
	for b := range data {
		for i := range blockLen(b) {
			addrs = append(addrs, writeBase[b]+4*uint32(i))
			values = append(values, data[b][i])
		}
	}
	if err := c.put(ctx, addrs, values); err != nil {
		return fmt.Errorf("load BLOCK%d for programming: %w", block, err)
	}
	return nil
}

// clear leaves no bits, and no key, in the WDATA registers of blocks.
func (c controller) clear(ctx context.Context, blocks []int) error {
	var addrs []uint32
	for _, block := range blocks {
		for i := range blockLen(block) {
			addrs = append(addrs, writeBase[block]+4*uint32(i))
		}
	}
	if err := c.put(ctx, addrs, make([]uint32, len(addrs))); err != nil {
		return fmt.Errorf("clear eFuse data registers: %w", err)
	}
	return nil
}

// observation is what several loads of the fuses showed: the bits that were set
// every time and those that were set at least once. They differ in marginal bits. Of a
// block that can be hidden only those loads count at which it was not: one that always
// has as hidden could be read at none of them.
type observation struct{ always, ever Words }

// observe reads all fuses with words after a reload, which also shows what an earlier
// session burnt before it broke off, and one block again after each of senses-1 more
// reloads: a marginal bit shows only when the fuses are sensed anew.
func (c controller) observe(ctx context.Context, words func(context.Context) (Words, error), block, senses int) (observation, error) {
	if err := c.reload(ctx); err != nil {
		return observation{}, err
	}
	first, err := words(ctx)
	if err != nil {
		return observation{}, err
	}
	return c.sense(ctx, observation{first, first}, block, senses-1)
}

// sense adds to what was seen that of one block after each of so many more reloads. The
// word with the bits that hide blocks is read at each of them: where such a bit is half
// burnt, a block is there at one load and reads as zeros at the next.
func (c controller) sense(ctx context.Context, seen observation, block, times int) (observation, error) {
	known := seen.always
	for range times {
		if err := c.reload(ctx); err != nil {
			return observation{}, err
		}
		hides, err := c.confirm(ctx, readBase[0], &known[0][0])
		if err != nil {
			return observation{}, fmt.Errorf("read BLOCK0: %w", err)
		}
		unread := seen.always // and what that has as hidden could not be read until now
		seen.always[0][0] &= hides
		seen.ever[0][0] |= hides
		for b := range known {
			if (Words{0: {0: hides}}).Hidden(b) || b != block && !unread.Hidden(b) {
				continue
			}
			if err := c.look(ctx, &seen, &known, b, unread.Hidden(b)); err != nil {
				return observation{}, fmt.Errorf("read BLOCK%d: %w", b, err)
			}
		}
	}
	return seen, nil
}

// look adds to what was seen that of one block at this load; first, where nothing was.
func (c controller) look(ctx context.Context, seen *observation, known *Words, block int, first bool) (err error) {
	for i := range blockLen(block) {
		addr := readBase[block] + 4*uint32(i)
		if first {
			if known[block][i], err = c.steady(ctx, addr); err != nil {
				return err
			}
			seen.always[block][i], seen.ever[block][i] = known[block][i], known[block][i]
		}
		v, err := c.confirm(ctx, addr, &known[block][i])
		if err != nil {
			return err
		}
		seen.always[block][i] &= v
		seen.ever[block][i] |= v
	}
	return nil
}
