package flow

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Lines by which a bootloader says that flash encryption is on, or that it will not
// switch it on (ESP-IDF bootloader_utility.c, flash_encryption/flash_encrypt.c,
// secure_boot_v1/secure_boot.c). Of a key of its own it must not even speak: ours is
// there. Complaints about an image are not among them: it looks into every slot.
var (
	encrypted = []string{"Resetting with flash encryption enabled", "flash encryption is enabled ("}

	notEncrypting = slices.Concat(dead, []refusal{
		{"Generating new flash encryption key", "the unit makes a key of its own"},
		{"Generating new secure boot key", "the unit makes a key of its own"},
		{"Invalid key state", "the bootloader does not take the key that is burnt"},
		{"Initialization of Flash Encryption key failed", "the bootloader does not take the key that is burnt"},
		{"Cannot re-encrypt data", "FLASH_CRYPT_CNT cannot be burnt"},
		{"Flash Encryption cannot be enabled", "FLASH_CRYPT_CNT cannot be burnt"},
		{"SECURE_FLASH_REQUIRE_ALREADY_ENABLED", "the bootloader was built for units that are encrypted already"},
		{"no valid bootloader was found", "the bootloader does not find itself in plain text"},
		{"Failed to read partition table data", "the bootloader finds no partition table in plain text"},
		{"Encryption flash contents failed", "the bootloader could not encrypt the flash"},
		{"Flash encryption check failed", "the bootloader could not encrypt the flash"},
		{"Bootloader digest generation for secure boot failed", "the bootloader wants to make a digest of its own"},
		{"FAILED TO ENABLE SECURE BOOT", "the bootloader could not enable secure boot"},
	})
)

// partitionLine and partitionDone frame one partition in the log.
var partitionLine = regexp.MustCompile(`Encrypting partition \d+ at offset 0x[0-9a-f]+ \(length (0x[0-9a-f]+)\)`)

const partitionDone = "Done encrypting"

// ownReset is in what the ROM prints after a reset that software asked for. Until the
// app runs, that is the bootloader when it has burnt its counter; where the work fails
// it first says so.
const ownReset = "rst:0x3"

// conversionLog follows a unit that encrypts itself.
type conversionLog struct {
	judge   func(line string) (bool, error) // of a start of the firmware
	over    bool                            // it has reset itself
	done    int                             // bytes
	current int                             // bytes of the partition at work
}

// read takes one line, and says whether it ends the wait and how. What the profile
// waits for or rejects counts once the unit has reset itself: before, a line of the
// bootloader that matched by chance would end the wait, and the reset that follows cut
// the unit off at its work. A reset from outside, or a brown-out, only has it begin
// again.
func (c *conversionLog) read(line string) (ends bool, err error) {
	for _, text := range encrypted {
		if strings.Contains(line, text) {
			return true, nil
		}
	}
	for _, bad := range notEncrypting {
		if strings.Contains(line, bad.line) {
			return true, fmt.Errorf("it said %q: %s: %w", line, bad.meaning, errNotEncrypted)
		}
	}
	if m := partitionLine.FindStringSubmatch(line); m != nil {
		n, _ := strconv.ParseUint(m[1], 0, 32) // its form is known; one too large counts as nothing
		c.current = int(n)
	}
	if strings.Contains(line, partitionDone) {
		c.done, c.current = c.done+c.current, 0
	}
	c.over = c.over || strings.Contains(line, ownReset)
	if !c.over {
		return false, nil
	}
	return c.judge(line)
}
