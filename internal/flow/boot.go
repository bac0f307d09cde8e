package flow

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"provision/internal/efuse"
	"provision/internal/esptool"
	"provision/internal/fault"
)

// Errors of the boot check.
var (
	errRefused  = errors.New("the unit refused its firmware")
	errNoLine   = errors.New("the expected line did not come")
	errFirmware = errors.New("the firmware burnt fuses that the plan does not know")
)

// refusal is a line by which ROM or bootloader say that they will not do what they
// should, and what that means.
type refusal struct{ line, meaning string }

// dead are those of a unit that starts no firmware at all (ESP32 ROM; ESP-IDF
// bootloader_support). What the ROM says of a bootloader that it cannot read is not among
// them: romLog.
var dead = []refusal{
	{"secure boot check fail", "the ROM rejects the bootloader digest"},
	{"No bootable app partitions", "the bootloader finds no app it will start"},
	{"Failed to verify partition table", "the bootloader rejects the partition table"},
}

// refusals are those of a unit that is to run its app.
var refusals = slices.Concat(dead, []refusal{
	{"has invalid signature version field", "the app is not signed"},
	{"Secure boot signature verification failed", "the app's signature is bad"},
	{"image valid, signature bad", "the app's signature is bad"},
	{"Download mode is disabled", "the chip was started with the boot pin held low, and its download mode is closed"},
})

// bootStep starts the unit and watches what it says, then reads all fuses again:
// firmware may burn some by itself.
func (r *runner) bootStep() Step {
	const name = "boot check"
	check := r.cfg.Job.Profile.BootCheck
	return Step{
		Name: name, Fault: fault.LinkLost, Cost: 3 * time.Second, Check: always,
		Do: func(ctx context.Context) error {
			silence := fmt.Errorf("%q within %v: %w", check.Expect, check.Timeout, errNoLine)
			verdict, err := r.startAndWatch(ctx, name, check.Timeout, silence, r.judge)
			if err != nil {
				return err
			}
			text := fmt.Sprintf("seen: %s", check.Expect)
			if verdict != nil {
				text = verdict.Error()
			}
			if err := r.emit(ctx, Event{Kind: BootSeen, Step: name, Text: text, Lines: r.boot}); err != nil {
				return errors.Join(verdict, err)
			}
			return r.blame(ctx, verdict)
		},
		Verify: r.afterBoot,
	}
}

// startAndWatch starts the unit and hands what it prints, line by line, to judge,
// until that decides or the time is over: then the verdict is silence. The error is
// the line's, or why the run ends.
func (r *runner) startAndWatch(ctx context.Context, step string, limit time.Duration, silence error, judge func(string) (bool, error)) (verdict, err error) {
	if err := r.dev.Run(ctx); err != nil {
		return nil, err
	}
	watch, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var rom romLog
	decided := false
	r.boot = nil // the events of an earlier start keep theirs
	err = r.dev.Console(watch, func(line string) bool {
		r.boot = append(r.boot, line)
		r.show(Event{Kind: BootLine, Step: step, Text: line})
		if decided, verdict = judge(line); !decided {
			decided, verdict = rom.read(line)
		}
		return decided
	})
	if err != nil && watch.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if !decided {
		verdict = rom.explain(silence)
	}
	return verdict, nil
}

// blame returns a bad verdict of the boot check, unless the unit is not there to be
// blamed: no unit is set aside for what its neighbour said, and silence is no fault
// of a unit that was taken out.
func (r *runner) blame(ctx context.Context, verdict error) error {
	if verdict == nil {
		return nil
	}
	err := r.dev.Reconnect(ctx)
	switch {
	case errors.Is(err, esptool.ErrOtherChip):
		return err
	case errors.Is(verdict, errNoLine) && err != nil && !errors.Is(err, esptool.ErrDownloadDisabled):
		return fmt.Errorf("no boot log, and the loader is gone too: %w", err)
	}
	return verdict
}

// judge says whether a boot-log line decides the check, and how.
func (r *runner) judge(line string) (done bool, err error) {
	if check := r.cfg.Job.Profile.BootCheck; check != nil {
		for _, bad := range check.Reject {
			if bad.Match(line) {
				return true, fmt.Errorf("it said %q, which the profile rejects: %w", line, errRefused)
			}
		}
		if check.Expect.Match(line) {
			return true, nil
		}
	}
	for _, bad := range refusals {
		if strings.Contains(line, bad.line) {
			return true, fmt.Errorf("it said %q: %s: %w", line, bad.meaning, errRefused)
		}
	}
	return false, nil
}

// afterBoot brings the unit back into the loader and compares its fuses with those
// before the start. Bits that the plan would burn anyway, the freezing of
// FLASH_CRYPT_CNT where it is on for ever, and the anti-rollback counter are the
// firmware's to set.
func (r *runner) afterBoot(ctx context.Context) error { return r.afterStart(ctx, r.readWords) }

// afterStart is afterBoot, with look to take the fuses off the chip.
func (r *runner) afterStart(ctx context.Context, look func(context.Context) error) error {
	before := r.words
	if err := r.dev.Reconnect(ctx); err != nil {
		return err
	}
	if err := look(ctx); err != nil {
		return err
	}
	allowed := efuse.Words{}
	if r.goal.MayFreezeCounter() {
		allowed[0][0] = 1 << 2 // WR_DIS of FLASH_CRYPT_CNT: IDF firmware freezes an odd counter
	}
	allowed[3][4] = 0xFFFFFFFF
	plan, err := efuse.Plan(before, r.goal, r.proven)
	if err != nil {
		return err
	}
	for _, b := range plan {
		burn, _ := b.Bits()
		for i := range burn {
			allowed[b.Block()][i] |= burn[i]
		}
	}
	for block := range before {
		for i := range before[block] {
			if extra := r.words[block][i] &^ before[block][i] &^ allowed[block][i]; extra != 0 {
				return fmt.Errorf("BLOCK%d word %d gained %d bits: %w", block, i, bits.OnesCount32(extra), errFirmware)
			}
			if lost := before[block][i] &^ r.words[block][i]; lost != 0 {
				return fmt.Errorf("BLOCK%d word %d lost %d bits: %w", block, i, bits.OnesCount32(lost), efuse.ErrUnstable)
			}
		}
	}
	return nil
}
