package flow

import (
	"errors"
	"testing"
)

func TestConversionLog(t *testing.T) {
	log := conversionLog{judge: func(string) (bool, error) { return true, errRefused }} // were it asked
	for _, line := range []struct {
		text string
		done int
		ends bool
	}{
		{"rst:0x1 (POWERON_RESET),boot:0x12 (SPI_FAST_FLASH_BOOT)", 0, false},
		{"I (181) flash_encrypt: bootloader encrypted successfully", 0, false},
		{"I (189) flash_encrypt: Encrypting partition 1 at offset 0xd000 (length 0x2000)...", 0, false},
		{"I (193) flash_encrypt: Done encrypting", 0x2000, false},
		{"I (217) flash_encrypt: Encrypting partition 2 at offset 0x10000 (length 0x100000)...", 0x2000, false},
		{"I (221) flash_encrypt: Done encrypting", 0x102000, false},
		{"E (225) esp_image: image at 0x30000 has invalid magic byte (nothing flashed here?)", 0x102000, false},
		{"I (249) boot: Resetting with flash encryption enabled...", 0x102000, true},
	} {
		ends, err := log.read(line.text)
		if ends != line.ends || err != nil || log.done != line.done {
			t.Errorf("%s: ends %v, %v, %#x bytes; want %v and %#x", line.text, ends, err, log.done, line.ends, line.done)
		}
	}
	quiet := conversionLog{judge: func(line string) (bool, error) { return line == "ready", nil }}
	for i, line := range []string{
		"rst:0x1 (POWERON_RESET)", "ready", "rst:0x1 (POWERON_RESET)", "ready", "rst:0xf (RTCWDT_BROWN_OUT_RESET)", "rst:0x10 (RTCWDT_RTC_RESET)", "ready",
		"rst:0x3 (SW_RESET)", "entry 0x40080400", "ready",
	} {
		if ends, err := quiet.read(line); ends != (i == 9) || err != nil {
			t.Errorf("line %d, %q: ends %v, %v", i, line, ends, err)
		}
	}
	for _, bad := range notEncrypting {
		if ends, err := log.read("E (1) x: " + bad.line + " (1)"); !ends || !errors.Is(err, errNotEncrypted) {
			t.Errorf("%s: ends %v, %v", bad.line, ends, err)
		}
	}
}
