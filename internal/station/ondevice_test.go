package station

import (
	"errors"
	"strings"
	"testing"
)

// onDevice is the minimal profile with encryption by the unit, and more lines.
func onDevice(t *testing.T, more string) string {
	t.Helper()
	return strings.Replace(read(t, "minimal.toml"), `mode = "host"`, `mode = "device"`, 1) + more
}

func TestOnDevice(t *testing.T) {
	f := parse(t, onDevice(t, "")).FlashEncryption
	if !f.Enabled || !f.OnDevice || f.CryptCount() != 0x7F {
		t.Errorf("%+v", f)
	}
	if parse(t, read(t, "minimal.toml")).FlashEncryption.OnDevice {
		t.Error("the station encrypts, and the profile says the unit does")
	}
}

// TestOnDeviceRefusals: what cannot start the unit, or contradicts what its bootloader
// burns, is refused with the profile.
func TestOnDeviceRefusals(t *testing.T) {
	for name, c := range map[string]struct{ more, key, says string }{
		"no reset lines":      {"[link]\nreset = \"none\"\n", "flash_encryption.mode", "reset lines"},
		"cache fuse not kept": {"[lock]\nfreeze = [\"ABS_DONE_0\"]\n", "lock.freeze", "DIS_CACHE"},
	} {
		_, err := Parse([]byte(onDevice(t, c.more)), "/stations/line.toml")
		if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), c.key) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want a conflict of %s that says %q", name, err, c.key, c.says)
		}
	}
}

// TestOnDeviceExplained: that firmware burns fuses by itself is told among what is
// permanent, and how long it takes among the rest.
func TestOnDeviceExplained(t *testing.T) {
	count := func(text string, permanent bool) (n int) {
		for _, c := range parse(t, text).Explain() {
			if c.Key == "flash_encryption.mode" && c.Permanent == permanent {
				n++
			}
		}
		return n
	}
	host := read(t, "minimal.toml")
	if p, o := count(onDevice(t, ""), true)-count(host, true), count(onDevice(t, ""), false)-count(host, false); p != 1 || o != 1 {
		t.Errorf("%d permanent sentences and %d others more than under host, want 1 and 1", p, o)
	}
}
