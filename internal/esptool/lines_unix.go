//go:build linux || darwin || freebsd || openbsd

package esptool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// lineControl is a second descriptor on a serial device. It claims the device,
// sets both modem lines in one TIOCMSET, and keeps them from dropping when the
// device is closed.
type lineControl struct {
	fd    int
	modem bool // the device has modem lines; a pty has none
}

// openLines opens and locks the device. TIOCEXCL, which the serial library sets,
// stops other opens except root's; the lock also stops those that ask.
//
// Opening asserts both lines on most systems, and nothing can prevent it. With
// the usual two transistors that neither resets the chip nor pulls IO0.
func openLines(name string) (*lineControl, error) {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, systemOpenError(name, err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(systemOpenError(name, err), unix.Close(fd))
	}
	_, err = unix.IoctlGetInt(fd, unix.TIOCMGET)
	return &lineControl{fd: fd, modem: err == nil}, nil
}

// present reports whether the device has modem lines.
func (l *lineControl) present() bool { return l.modem }

// attach exists for systems without a second descriptor.
func (l *lineControl) attach(serial.Port) {}

// set moves both lines in one call, so that no state in between reaches the chip.
func (l *lineControl) set(dtr, rts bool) error {
	if !l.modem {
		return fmt.Errorf("set DTR and RTS: %w", ErrNoLines)
	}
	status, err := unix.IoctlGetInt(l.fd, unix.TIOCMGET)
	if err != nil {
		return fmt.Errorf("read modem lines: %w", err)
	}
	status &^= unix.TIOCM_DTR | unix.TIOCM_RTS
	if dtr {
		status |= unix.TIOCM_DTR
	}
	if rts {
		status |= unix.TIOCM_RTS
	}
	if err := unix.IoctlSetPointerInt(l.fd, unix.TIOCMSET, status); err != nil {
		return fmt.Errorf("set modem lines: %w", err)
	}
	return nil
}

// keepOnClose clears HUPCL: without it the last close drops the lines, which can
// reset the chip or hold it in reset.
func (l *lineControl) keepOnClose() error {
	settings, err := unix.IoctlGetTermios(l.fd, ioctlGetTermios)
	if err != nil {
		return fmt.Errorf("read terminal settings: %w", err)
	}
	settings.Cflag &^= unix.HUPCL
	if err := unix.IoctlSetTermios(l.fd, ioctlSetTermios, settings); err != nil {
		return fmt.Errorf("clear HUPCL: %w", err)
	}
	return nil
}

// Close gives the device up.
func (l *lineControl) Close() error { return unix.Close(l.fd) }

// systemOpenError gives the error number of a failed open one of our names.
func systemOpenError(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EIO):
		return fmt.Errorf("%w: %w", ErrPortMissing, err)
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EWOULDBLOCK):
		return fmt.Errorf("%w: %w", ErrPortBusy, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w%s", ErrPortPermission, err, ownerHint(name))
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EISDIR):
		return fmt.Errorf("%w: not a serial device: %w", ErrPortKind, err)
	}
	return err
}

// ownerHint says which group may use the device, "" when that cannot be found out.
func ownerHint(name string) string {
	info, err := os.Stat(name)
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	group := strconv.FormatUint(uint64(st.Gid), 10)
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return fmt.Sprintf("; the device belongs to group %s: have this user added to it and log in again", group)
}
