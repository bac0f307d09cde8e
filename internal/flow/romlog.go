package flow

import (
	"fmt"
	"strings"
)

// unread are the lines by which the ROM says that it could not read a bootloader.
var unread = []refusal{
	{"invalid header: 0x", "the ROM finds no bootloader it can read"},
	{"flash read err, 1000", "the ROM finds no bootloader it can read"},
	{"csum err:", "the bootloader's checksum is wrong"},
}

// What the ROM prints after every reset, and when it jumps to the bootloader.
const (
	romReset = "rst:0x"
	romEntry = "entry 0x"
)

// romLog follows what the ROM says of the bootloader. A good unit may say once that it
// cannot read it: up to v1.1 a chip that powers its flash through VDD_SDIO may ask it
// before it is ready, until a watchdog resets the chip and it starts (ESP32 errata, 3.8;
// esp-idf issues 4589 and 113). So the ROM is believed when it says so at two starts in a
// row.
type romLog struct {
	said  error // what it could not read at this start or the one before; nil: nothing
	reset bool  // the unit was reset since it said so
}

// read takes one line, and says whether it ends the wait and why.
func (l *romLog) read(line string) (ends bool, err error) {
	switch {
	case strings.Contains(line, romReset):
		l.reset = true
	case strings.Contains(line, romEntry):
		l.said = nil
	}
	for _, bad := range unread {
		if strings.Contains(line, bad.line) {
			again := l.said != nil && l.reset
			l.said, l.reset = fmt.Errorf("it said %q: %s: %w", line, bad.meaning, errRefused), false
			if again {
				return true, l.said
			}
		}
	}
	return false, nil
}

// explain is why the time was over: what the ROM could not read at the last start, if
// that is the last that was heard of it.
func (l *romLog) explain(silence error) error {
	if l.said == nil {
		return silence
	}
	return fmt.Errorf("%w; %w", silence, l.said)
}
