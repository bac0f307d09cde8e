package flow

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"provision/internal/efuse"
	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flashcrypt"
	"provision/internal/keys"
	"provision/internal/records"
	"provision/internal/secureboot"
	"provision/internal/station"
)

// codes gives errors of the leaves their fault code. The first match counts, so
// what is more telling stands first. Every error that a leaf exports has a row, or
// a reason in the test not to.
var codes = []struct {
	err  error
	code fault.Code
}{
	{context.Canceled, fault.Interrupted},

	// Another unit explains everything else that is then found wrong.
	{esptool.ErrOtherChip, fault.UnitChanged},
	{efuse.ErrOtherChip, fault.UnitChanged},

	{esptool.ErrPortMissing, fault.PortMissing},
	{esptool.ErrPortBusy, fault.PortBusy},
	{esptool.ErrPortPermission, fault.PortNotPermitted},
	{esptool.ErrPortKind, fault.PortMissing},
	{esptool.ErrWrongChip, fault.WrongChip},
	{esptool.ErrDownloadDisabled, fault.DownloadDisabled},
	{esptool.ErrNotDownloadMode, fault.NotDownloadMode},
	{esptool.ErrNoLines, fault.Unsupported},
	{esptool.ErrFlashProtected, fault.FlashProtected},
	{esptool.ErrNoFlash, fault.FlashSize},
	{esptool.ErrFlashSize, fault.FlashSize},
	{errNotAtDoor, fault.StillOpen},
	{errStillOpen, fault.StillOpen},
	{errSeenOpen, fault.Contradictory},
	{errUnseen, fault.BadProfile},
	{errFlash, fault.FlashSize},
	{errRevision, fault.WrongRevision},
	{errMAC, fault.BadMAC},
	{errCrystal, fault.WrongCrystal},
	{efuse.ErrUnstable, fault.BadMAC},
	{efuse.ErrMarginal, fault.BadMAC},
	{efuse.ErrMAC, fault.BadMAC},
	{efuse.ErrRevision, fault.WrongRevision},
	{efuse.ErrCrystal, fault.WrongCrystal},

	{errRefused, fault.BootRefused},
	{errNoLine, fault.BootTimeout},
	{errFirmware, fault.BootBurnt},
	{errNotEncrypted, fault.NotEncrypted},
	{efuse.ErrPlain, fault.NotEncrypted},
	{errDigest, fault.DigestDiffer},
	{esptool.ErrContent, fault.WriteFailed},

	{efuse.ErrNotHidden, fault.LockMissing},
	{efuse.ErrReadBack, fault.ReadBack},
	{efuse.ErrExtraBits, fault.Contradictory},
	{efuse.ErrUnproven, fault.KeyUncertain},
	{efuse.ErrForeign, fault.Contradictory},
	{efuse.ErrOrder, fault.Contradictory},
	{efuse.ErrHidden, fault.Contradictory},
	{efuse.ErrCannotClear, fault.Contradictory},
	{efuse.ErrWriteProtected, fault.CannotBurn},
	{efuse.ErrUnsupported, fault.CodingScheme},
	{efuse.ErrForbidden, fault.Unsupported},
	{efuse.ErrGoal, fault.Unsupported},
	{efuse.ErrNoKey, fault.KeySafety},
	{efuse.ErrWeakKey, fault.KeySafety},
	{efuse.ErrKeyLength, fault.KeySafety},

	{records.ErrSerialUsed, fault.SerialUsed},
	{records.ErrMACKnown, fault.MACKnown},
	{records.ErrKeyReused, fault.KeyReused},
	{records.ErrKeyNotSealed, fault.KeySafety},
	{records.ErrUnverified, fault.KeyUncertain},
	{records.ErrParked, fault.Contradictory}, // by another program, without a code of its own
	{records.ErrTakenOver, fault.TakenOver},
	{errMeanwhile, fault.TakenOver},
	{records.ErrObserved, fault.TakenOver},  // by the run that came after this one
	{records.ErrComplete, fault.TakenOver},  // it was open when this one looked
	{records.ErrKeysExist, fault.TakenOver}, // sealed by another run since this one looked
	{records.ErrNotDurable, fault.NotDurable},
	{records.ErrFull, fault.DiskFull},
	{records.ErrReadOnly, fault.DiskFull},
	{syscall.ENOSPC, fault.DiskFull},
	{records.ErrBusy, fault.Database},
	{records.ErrCorrupt, fault.Database},
	{records.ErrNewer, fault.Database},
	{records.ErrNotDatabase, fault.Database},
	{records.ErrTampered, fault.Database},
	{records.ErrNotScrubbed, fault.Database},
	{records.ErrNotFound, fault.Database},
	{records.ErrInvalid, fault.Database},
	{records.ErrKeyWords, fault.Database},
	{records.ErrRunExists, fault.Database},
	{records.ErrRunFinished, fault.Database},
	{records.ErrSequence, fault.Database},
	{keys.ErrExposed, fault.KeySafety},
	{keys.ErrBadIdentity, fault.KeySafety},
	{keys.ErrNoIdentity, fault.KeySafety},
	{keys.ErrNotForUs, fault.KeySafety},
	{keys.ErrDamaged, fault.KeySafety},
	{keys.ErrOtherUnit, fault.KeySafety},
	{keys.ErrWeak, fault.KeySafety},
	{keys.ErrSameKey, fault.KeySafety},
	{keys.ErrOwnKey, fault.BadProfile},
	{keys.ErrNoOwner, fault.BadProfile},
	{keys.ErrBadRecipient, fault.BadProfile},
	{secureboot.ErrKeyLength, fault.KeySafety},
	{secureboot.ErrIVLength, fault.KeySafety},
	{flashcrypt.ErrKeyLength, fault.KeySafety},
	{secureboot.ErrNotBootloader, fault.BadImage},

	{station.ErrSerialMissing, fault.SerialMissing},
	{station.ErrSerialForm, fault.SerialForm},
	{station.ErrSerialCheckDigit, fault.SerialForm},
	{station.ErrSequenceEnd, fault.SerialMissing},

	// Calls that this program should not have made: the job was checked for them.
	{esptool.ErrRange, fault.DoesNotFit},
	{flashcrypt.ErrRange, fault.DoesNotFit},
	{esptool.ErrAlign, fault.Internal},
	{esptool.ErrNotAttached, fault.Internal},
	{esptool.ErrShape, fault.Internal},
	{efuse.ErrShape, fault.Internal},
	{flashcrypt.ErrConf, fault.Internal},
	{flashcrypt.ErrOffset, fault.Internal},
	{flashcrypt.ErrLength, fault.Internal},
	{flashcrypt.ErrShortDst, fault.Internal},
	{flashcrypt.ErrSelfTest, fault.Internal},
	{secureboot.ErrSelfTest, fault.Internal},

	// The link comes last: a cause above explains why it failed. Requests and
	// answers cross it without a checksum: what differs from one time to the next,
	// and a register that does not take what it is given, is blamed on it.
	{esptool.ErrUnstable, fault.Garbled},
	{efuse.ErrBusy, fault.LinkLost},
	{efuse.ErrRegister, fault.LinkLost},
	{esptool.ErrGarbled, fault.Garbled},
	{esptool.ErrNoAnswer, fault.NoAnswer},
	{esptool.ErrLinkLost, fault.LinkLost},
	{esptool.ErrRFC2217, fault.PortMissing}, // when the port opens
	{esptool.ErrNoReply, fault.LinkLost},
	{esptool.ErrBaud, fault.Garbled},
	{context.DeadlineExceeded, fault.LinkLost},
	{os.ErrDeadlineExceeded, fault.LinkLost},
	{fs.ErrPermission, fault.DiskFull},
}

// AsFault gives err a code: the one it has, else that of its cause, else otherwise.
func AsFault(err error, otherwise fault.Code) error { return asFault("", err, otherwise) }

func asFault(step string, err error, otherwise fault.Code) error {
	if err == nil {
		return nil
	}
	var f *fault.Fault
	if errors.As(err, &f) {
		if f.Step == "" && step != "" {
			return fault.New(f.Code, step, f.Cause)
		}
		return err
	}
	return fault.New(codeFor(err, otherwise), step, err)
}

// codeFor is the code for an error that has none.
func codeFor(err error, otherwise fault.Code) fault.Code {
	if unheard(err) {
		return fault.LinkLost
	}
	if code, ok := parkedAs(err); ok {
		return code
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	if garbled(err) {
		return fault.Garbled
	}
	return cmp.Or(otherwise, fault.Internal)
}

// unheard reports whether bits are missing after a burn some of whose commands were
// not answered: they may never have arrived, and the unit is not to blame.
func unheard(err error) bool {
	return errors.Is(err, efuse.ErrReadBack) && (errors.Is(err, esptool.ErrNoReply) || errors.Is(err, esptool.ErrLinkLost))
}

// parkedAs is the code under which another program has parked the unit meanwhile.
func parkedAs(err error) (fault.Code, bool) {
	var parked *records.ParkedError
	if !errors.As(err, &parked) {
		return "", false
	}
	page, ok := fault.Lookup(fault.Code(parked.Parking.Code))
	return page.Code, ok
}

// Error codes by which the ROM says that the flash did not do what it should
// (Espressif "ESP32 Serial Protocol", "Status Bytes").
const (
	romWrongResult = 0x06
	romReadsBack   = 0x08
)

// garbled reports whether the ROM refused a command for any reason but the flash.
// A unit is not to blame for that: the request was not the one we sent.
func garbled(err error) bool {
	var refused *esptool.ROMError
	return errors.As(err, &refused) && refused.Code != romWrongResult && refused.Code != romReadsBack
}
