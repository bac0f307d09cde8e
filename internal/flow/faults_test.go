package flow_test

import (
	"fmt"
	"testing"

	"provision/internal/efuse"
	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
)

// TestLineIsBlamedFirst: requests and answers have no checksum, so what only the
// line can explain is no verdict on the unit, whatever step it happened in.
func TestLineIsBlamedFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		step fault.Code // what the step would call an error it does not know
		want fault.Code
	}{
		{&esptool.ROMError{Op: 0x03, Code: 0x07}, fault.WriteFailed, fault.Garbled}, // checksum of a block
		{&esptool.ROMError{Op: 0x13, Code: 0x09}, fault.WriteFailed, fault.Garbled}, // MD5 beyond the flash
		{&esptool.ROMError{Op: 0x03, Code: 0x06}, fault.WriteFailed, fault.WriteFailed},
		{&esptool.ROMError{Op: 0x03, Code: 0x08}, fault.WriteFailed, fault.WriteFailed},
		{esptool.ErrUnstable, fault.LinkLost, fault.Garbled},
		{efuse.ErrBusy, fault.ReadBack, fault.LinkLost},
		{efuse.ErrRegister, fault.ReadBack, fault.LinkLost},
		{efuse.ErrReadBack, fault.ReadBack, fault.ReadBack},
		{efuse.ErrUnstable, fault.ReadBack, fault.BadMAC},
		{esptool.ErrContent, fault.WriteFailed, fault.WriteFailed},
	} {
		err := flow.AsFault(fmt.Errorf("burn: %w", c.err), c.step)
		if got := fault.CodeOf(err); got != c.want {
			t.Errorf("%v is %s, want %s", c.err, got, c.want)
		}
	}
}
