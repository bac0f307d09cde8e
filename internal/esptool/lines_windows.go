package esptool

import (
	"errors"
	"fmt"
	"io/fs"

	"go.bug.st/serial"
)

// lineControl sets the modem lines through the serial library, one after the
// other: Windows opens a port once only, and has no call for both.
type lineControl struct{ dev serial.Port }

// openLines has nothing to claim: the open itself is exclusive.
func openLines(string) (*lineControl, error) { return &lineControl{}, nil }

// present reports true: every COM port takes line settings.
func (l *lineControl) present() bool { return true }

// attach hands over the opened device.
func (l *lineControl) attach(dev serial.Port) { l.dev = dev }

// set moves DTR, then RTS.
func (l *lineControl) set(dtr, rts bool) error {
	if err := l.dev.SetDTR(dtr); err != nil {
		return fmt.Errorf("set DTR: %w", err)
	}
	if err := l.dev.SetRTS(rts); err != nil {
		return fmt.Errorf("set RTS: %w", err)
	}
	return nil
}

// keepOnClose has nothing to do: both lines are inactive when a port is closed.
func (l *lineControl) keepOnClose() error { return nil }

// Close has nothing to give up.
func (l *lineControl) Close() error { return nil }

// systemOpenError gives the error of a failed open one of our names.
func systemOpenError(_ string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrPortMissing, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrPortBusy, err) // how Windows says in use
	}
	return err
}

// ownerHint is empty: COM ports have no group.
func ownerHint(string) string { return "" }
