package efuse

import "errors"

// Refusals: nothing was burnt, and the reason is the chip or the goal.
var (
	ErrGoal           = errors.New("goal does not make sense")
	ErrForbidden      = errors.New("this fuse is never burnt by a station")
	ErrCannotClear    = errors.New("a burnt fuse bit cannot be cleared")
	ErrWriteProtected = errors.New("fuse is write-protected")
	ErrForeign        = errors.New("fuses hold something that is not ours")
	ErrOrder          = errors.New("burn is out of order")
	ErrUnproven       = errors.New("key block was never read back and compared")
	ErrNoKey          = errors.New("key for the block is not at hand")
	ErrHidden         = errors.New("block is read-protected: unknown, not blank")
	ErrUnsupported    = errors.New("chip is not supported")
	ErrOtherChip      = errors.New("not the chip that the burn was planned for")
	ErrPlain          = errors.New("the unit has not encrypted its flash yet")
)

// Failures: what a chip, or the line to it, did.
var (
	ErrUnstable  = errors.New("fuses do not read the same twice")
	ErrMarginal  = errors.New("fuse bits are sensed as burnt only at times")
	ErrBusy      = errors.New("eFuse controller stays busy")
	ErrRegister  = errors.New("eFuse register does not hold what was written")
	ErrReadBack  = errors.New("fuse bits did not take")
	ErrNotHidden = errors.New("block can still be read after read-protecting it")
	ErrExtraBits = errors.New("fuse bits appeared that were not asked for")
)

// Inputs that have the wrong form.
var (
	ErrShape     = errors.New("eFuse image has the wrong form")
	ErrCrystal   = errors.New("no eFuse timing for this crystal")
	ErrKeyLength = errors.New("key has the wrong length")
	ErrWeakKey   = errors.New("key may not be used")
	ErrMAC       = errors.New("factory MAC is invalid")
	ErrRevision  = errors.New("chip revision bits are unknown")
)
