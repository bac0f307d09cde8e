package flow

import (
	"errors"
	"testing"
)

func TestConversionLog(t *testing.T) {
	log := conversionLog{judge: func(string) (bool, error) { return false, nil }}
	for _, line := range []struct {
		text string
		done int
		ends bool
	}{
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
	for _, bad := range notEncrypting {
		if ends, err := log.read("E (1) x: " + bad.line + " (1)"); !ends || !errors.Is(err, errNotEncrypted) {
			t.Errorf("%s: ends %v, %v", bad.line, ends, err)
		}
	}
}
