package flow

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"provision/internal/efuse"
	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/keys"
	"provision/internal/records"
	"provision/internal/station"
)

// codes gives errors of the leaves their fault code. The first match counts, so
// what is more telling stands first.
var codes = []struct {
	err  error
	code fault.Code
}{
	{context.Canceled, fault.Interrupted},

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
	{errFlash, fault.FlashSize},
	{errRevision, fault.WrongRevision},
	{errMAC, fault.BadMAC},
	{errCrystal, fault.WrongCrystal},
	{efuse.ErrUnstable, fault.BadMAC},

	{errRefused, fault.BootRefused},
	{errNoLine, fault.BootTimeout},
	{errFirmware, fault.BootBurnt},
	{errDigest, fault.DigestDiffer},
	{esptool.ErrContent, fault.WriteFailed},

	{efuse.ErrNotHidden, fault.LockMissing},
	{efuse.ErrReadBack, fault.ReadBack},
	{efuse.ErrExtraBits, fault.Contradictory},
	{efuse.ErrUnproven, fault.KeyUncertain},
	{efuse.ErrForeign, fault.Contradictory},
	{efuse.ErrOrder, fault.Contradictory},
	{efuse.ErrCannotClear, fault.Contradictory},
	{efuse.ErrWriteProtected, fault.CannotBurn},
	{efuse.ErrUnsupported, fault.CodingScheme},

	{records.ErrSerialUsed, fault.SerialUsed},
	{records.ErrMACKnown, fault.MACKnown},
	{records.ErrKeyReused, fault.KeyReused},
	{records.ErrFull, fault.DiskFull},
	{records.ErrReadOnly, fault.DiskFull},
	{syscall.ENOSPC, fault.DiskFull},
	{records.ErrBusy, fault.Database},
	{records.ErrCorrupt, fault.Database},
	{records.ErrNewer, fault.Database},
	{records.ErrNotDatabase, fault.Database},
	{keys.ErrExposed, fault.KeySafety},
	{keys.ErrBadIdentity, fault.KeySafety},
	{keys.ErrNotForUs, fault.KeySafety},
	{keys.ErrDamaged, fault.KeySafety},
	{keys.ErrOtherUnit, fault.KeySafety},
	{keys.ErrWeak, fault.KeySafety},
	{keys.ErrOwnKey, fault.BadProfile},
	{keys.ErrNoOwner, fault.BadProfile},

	{station.ErrSerialMissing, fault.SerialMissing},
	{station.ErrSerialForm, fault.SerialForm},
	{station.ErrSerialCheckDigit, fault.SerialForm},

	// The link comes last: a cause above explains why it failed. Requests and
	// answers cross it without a checksum: what differs from one time to the next,
	// and a register that does not take what it is given, is blamed on it.
	{esptool.ErrUnstable, fault.Garbled},
	{efuse.ErrBusy, fault.LinkLost},
	{efuse.ErrRegister, fault.LinkLost},
	{esptool.ErrGarbled, fault.Garbled},
	{esptool.ErrNoAnswer, fault.NoAnswer},
	{esptool.ErrLinkLost, fault.LinkLost},
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
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return fault.New(c.code, step, err)
		}
	}
	if garbled(err) {
		otherwise = fault.Garbled
	}
	if otherwise == "" {
		otherwise = fault.Internal
	}
	return fault.New(otherwise, step, err)
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
