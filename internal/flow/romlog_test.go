package flow

import (
	"errors"
	"strings"
	"testing"
)

// TestRomLog: the ROM is believed at two starts in a row, and where it is the last that
// was heard. The logs are those of esp-idf issues 4589 and 113, and of a blank v3.0 chip.
func TestRomLog(t *testing.T) {
	const on, watchdog = "rst:0x1 (POWERON_RESET),boot:0x17 (SPI_FAST_FLASH_BOOT)", "rst:0x10 (RTCWDT_RTC_RESET),boot:0x17 (SPI_FAST_FLASH_BOOT)"
	const unreadable, entry = "flash read err, 1000", "entry 0x40080764"
	silence := errors.New("nothing came")
	for _, c := range []struct {
		name  string
		lines []string
		ends  bool   // at the last line, and at none before
		says  string // when the time is over
	}{
		{"late once", []string{on, unreadable, "ets_main.c 371 ", "ets Jun  8 2016 00:22:57", watchdog, "mode:DIO, clock div:2", entry}, false, "nothing came"},
		{"at the prompt", []string{on, unreadable, "OK", ">ets Jun  8 2016 00:22:57", watchdog, entry}, false, "nothing came"},
		{"never", []string{on, unreadable, "ets_main.c 371 ", watchdog, unreadable}, true, ""},
		{"never, in other words", []string{on, "csum err:0x12!=0x34", watchdog, "invalid header: 0xffffffff"}, true, ""},
		{"more than once at one start", []string{on, "invalid header: 0xffffffff", "invalid header: 0xffffffff", "invalid header: 0xffffffff"}, false, "invalid header"},
		{"late at two starts apart", []string{on, unreadable, watchdog, entry, on, unreadable}, false, unreadable},
		{"and then nothing", []string{on, unreadable, watchdog}, false, unreadable},
		{"a good start", []string{on, entry}, false, "nothing came"},
	} {
		var log romLog
		for i, line := range c.lines {
			ends, err := log.read(line)
			if want := c.ends && i == len(c.lines)-1; ends != want || ends != errors.Is(err, errRefused) {
				t.Errorf("%s: %q ends %v, %v", c.name, line, ends, err)
			}
		}
		if err := log.explain(silence); !c.ends && (!errors.Is(err, silence) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: when the time is over it is %v", c.name, err)
		}
	}
}
