package records

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What can be wrong with the database or the place it is in. A database that is
// not there is fs.ErrNotExist.
var (
	ErrReadOnly    = errors.New("database is read-only")
	ErrFull        = errors.New("disk or database is full")
	ErrBusy        = errors.New("database is busy: another write has not ended")
	ErrCorrupt     = errors.New("database is damaged")
	ErrNewer       = errors.New("database was written by a newer version of this program")
	ErrNotDatabase = errors.New("not a records database")
	ErrTampered    = errors.New("records were changed behind the ledger") // always a *TamperedError
	ErrNotScrubbed = errors.New("a destroyed key may still be in the write-ahead log")
)

// What the records refuse.
var (
	ErrNotFound     = errors.New("not in the records")
	ErrInvalid      = errors.New("refused by the records")         // a value that can never be stored
	ErrSerialUsed   = errors.New("serial belongs to another unit") // always a *SerialUsedError
	ErrMACKnown     = errors.New("MAC is already in the records")  // always a *MACKnownError
	ErrParked       = errors.New("parked, a person must decide")   // a *ParkedError
	ErrNotParked    = errors.New("not parked")
	ErrComplete     = errors.New("unit is complete")     // and never written again
	ErrNotComplete  = errors.New("unit is not complete") // so it gets no label yet
	ErrBadgeUsed    = errors.New("badge belongs to another person")
	ErrKeysExist    = errors.New("unit already has keys")             // never a second key over a first
	ErrKeyReused    = errors.New("key was used before")               // same fingerprint
	ErrKeyNotSealed = errors.New("key is not sealed in the records")  // so it must not be burnt
	ErrUnverified   = errors.New("a key was never compared")          // so its copy must not be destroyed
	ErrKeyWords     = errors.New("words of a key block are not kept") // BLOCK1 and BLOCK2
	ErrRunExists    = errors.New("run already exists")
	ErrRunFinished  = errors.New("run is finished")
	ErrTakenOver    = errors.New("another run has taken this unit up")
	ErrObserved     = errors.New("burn was already observed")
	ErrSequence     = errors.New("event out of sequence")
	ErrTooMany      = errors.New("too many matches")
)

// SerialUsedError says who has the serial. It is ErrSerialUsed.
type SerialUsedError struct {
	Serial string
	MAC    string    // the unit that has it
	At     time.Time // since when
}

func (e *SerialUsedError) Error() string {
	return fmt.Sprintf("serial %s belongs to the unit with MAC %s since %s", e.Serial, e.MAC, e.At.Format(time.RFC3339))
}

// Is reports whether target is ErrSerialUsed.
func (e *SerialUsedError) Is(target error) bool { return target == ErrSerialUsed }

// MACKnownError carries the unit that the MAC belongs to: one with another serial.
// It is ErrMACKnown.
type MACKnownError struct{ Unit Unit }

func (e *MACKnownError) Error() string {
	return fmt.Sprintf("MAC %s is already in the records as serial %s (%s)", e.Unit.MAC, e.Unit.Serial, e.Unit.State)
}

// Is reports whether target is ErrMACKnown.
func (e *MACKnownError) Is(target error) bool { return target == ErrMACKnown }

// ParkedError carries the parking that stands in the way. It is ErrParked.
type ParkedError struct{ Parking Parking }

func (e *ParkedError) Error() string {
	return fmt.Sprintf("MAC %s is parked since %s: %s %s", e.Parking.MAC, e.Parking.At.Format(time.RFC3339), e.Parking.Code, e.Parking.Reason)
}

// Is reports whether target is ErrParked.
func (e *ParkedError) Is(target error) bool { return target == ErrParked }

// byCode maps SQLite's primary result codes to ours.
var byCode = map[int]error{
	sqlite3.SQLITE_READONLY: ErrReadOnly,
	sqlite3.SQLITE_FULL:     ErrFull,
	sqlite3.SQLITE_BUSY:     ErrBusy,
	sqlite3.SQLITE_LOCKED:   ErrBusy,
	sqlite3.SQLITE_CORRUPT:  ErrCorrupt,
	sqlite3.SQLITE_NOTADB:   ErrNotDatabase,
}

// classify adds our sentinel, or the context's, to an error of SQLite. Other
// errors, and those already classified, pass unchanged.
func classify(ctx context.Context, err error) error {
	code, ok := resultCode(err)
	if !ok {
		return err
	}
	if code&0xff == sqlite3.SQLITE_INTERRUPT && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if ours := byCode[code&0xff]; ours != nil && !errors.Is(err, ours) {
		return fmt.Errorf("%w: %w", ours, err)
	}
	return err
}

// resultCode returns the extended result code of an error of SQLite.
func resultCode(err error) (code int, ok bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Code(), true
}

// classifyFile adds our sentinel to what the system says when the database's file
// or folder may not be written.
func classifyFile(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// isUnique reports whether err is a broken UNIQUE constraint.
func isUnique(err error) bool {
	code, ok := resultCode(err)
	return ok && (code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}
