package simulator

import "errors"

// Cause says in one machine word how a boot ended. The set is closed.
type Cause string

// The ways a boot can end.
const (
	CauseAppStarted         Cause = "app-started"
	CauseInvalidHeader      Cause = "invalid-header"         // ROM: no image header at 0x1000: blank, or plain where cipher is due, or the reverse
	CauseBootloaderCorrupt  Cause = "bootloader-corrupt"     // ROM: checksum or segments of the bootloader
	CauseSecureBootFail     Cause = "secure-boot-check-fail" // ROM: Secure Boot V1 digest
	CauseSecureBootV2Fail   Cause = "secure-boot-v2-fail"    // ROM: Secure Boot V2 signature
	CauseCacheDisabled      Cause = "cache-disabled"         // DIS_CACHE is burnt: nothing runs from flash ever again
	CauseWrongChip          Cause = "wrong-chip"             // the bootloader is not for this chip or revision
	CauseBadPartitionTable  Cause = "bad-partition-table"    // table present but wrong
	CauseNoPartitionTable   Cause = "no-partition-table"     // nothing there
	CauseNoApp              Cause = "no-app"                 // no app partition, or nothing flashed there
	CauseAppCorrupt         Cause = "app-corrupt"            // the app's structure, checksum or hash
	CauseAppWrongChip       Cause = "app-wrong-chip"         // the app is not for this chip or revision
	CauseSignatureMissing   Cause = "signature-missing"      // no Secure Boot V1 signature behind the app
	CauseSignatureBad       Cause = "signature-bad"          // signed with another key, or changed afterwards
	CauseSecurityIncomplete Cause = "security-incomplete"    // firmware could not enable a security feature and refuses to go on
	CausePowerLost          Cause = "power-lost"             // an injected fault
)

// App is what a boot started.
type App struct {
	Label            string // of its partition
	Offset           uint32 // in flash
	Project, Version string // of its descriptor; empty when it has none
}

// Verdict is how one boot went.
type Verdict struct {
	Started bool // an app runs
	Cause   Cause
	App     App      // when Started
	Lines   []string // the console at 115200, without line ends or blank lines; "(resets and starts again)" stands for a boot loop
}

// Boot takes the power away, gives it back with IO0 high, and returns what the chip
// and its bootloader then do, in the words they print. What firmware burns or writes
// by itself on a boot is burnt and written. The log also comes out of the port.
func (c *Chip) Boot() Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.port.closed || c.broken != nil {
		return Verdict{Cause: CausePowerLost}
	}
	if errors.Is(c.port.failed, ErrPowerCut) {
		c.port.failed = nil
	}
	c.strap = c.board.bootStraps | strapIO0
	return c.restart(resetPowerOn)
}

// boot is one run of ROM, bootloader and app start, with everything they look at.
type boot struct {
	chip    *Chip
	flash   *cacheView
	clock   int // milliseconds since reset, for the log
	verdict Verdict
	again   bool // firmware asked for a reset to go on with
	prompt  bool // the ROM ended at its BASIC prompt
	late    bool // flash does not answer yet, in this start
	unread  bool // the ROM has read no bootloader, in this start

	loaded   bootloader
	features features
	tableAt  int // where the bootloader expects the partition table
	table    bootTable
	freshOTA bool // otadata is blank and there is no factory app: the bootloader writes the first entry
	probing  bool // looking at images without meaning to start them
	inApp    bool // this is not the bootloader but an app with the same code in it
}

// maxRestarts bounds the resets firmware asks for by itself within one boot.
const maxRestarts = 3

// flashBoot is what happens after a reset with IO0 high.
func (c *Chip) flashBoot(cause resetCause) Verdict {
	var v Verdict
	var b *boot
	for range maxRestarts {
		b = &boot{chip: c, flash: newCacheView(c)}
		b.run(cause)
		b.verdict.Lines = append(v.Lines, b.verdict.Lines...)
		v = b.verdict
		if !b.again {
			break
		}
		cause = resetSoftware
		c.efuse.reset()
	}
	c.booted = b
	if v.Cause == "" { // it asked for one reset too many
		v.Cause = CauseSecurityIncomplete
	}
	if b.prompt && c.running() {
		c.print(">")
		c.mode = modeBasic
	} else if !c.running() {
		v.Started, v.Cause, v.App = false, CausePowerLost, App{}
	}
	return v
}

func (b *boot) run(cause resetCause) {
	if loaded, ok := b.rom(cause); ok {
		b.secondStage(loaded)
	}
}

// running says whether firmware can still act.
func (c *Chip) running() bool {
	return c.mode == modeRunning && c.broken == nil && c.port.failed == nil
}

// end settles the verdict. The first cause stays: what follows from it is no news.
func (b *boot) end(cause Cause) {
	if b.verdict.Cause == "" {
		b.verdict.Cause = cause
	}
}
