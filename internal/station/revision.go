package station

import (
	"fmt"
	"regexp"
	"strconv"
)

// Revision is a chip revision as images and espefuse count it: major*100+minor,
// so that v3.1 is 301.
type Revision uint16

// NoMaximum is the largest revision of a profile that names none. Image headers
// use the same value for the same purpose.
const NoMaximum Revision = 0xFFFF

// revisionV3 is the first revision with UART_DOWNLOAD_DIS (ESP32 TRM; the fuse
// must not be burnt on older chips).
const revisionV3 Revision = 300

// String gives "v3.1".
func (r Revision) String() string { return fmt.Sprintf("v%d.%d", r/100, r%100) }

// The ESP32's eFuses can say major 0 to 3 and minor 0 to 3 (ESP-IDF efuse_ll.h).
// A maximum may still be v3.99: ESP-IDF writes 399 into images for "any v3".
const maxMajor, maxMinor = 3, 3

var revisionText = regexp.MustCompile(`^v?([0-9])\.([0-9]{1,2})$`)

// parseRevision reads "v3.1", "3.1" or the whole number 301. A bare 1, 2 or 3 is
// refused: it may mean v3.0 to the writer and would mean v0.3.
func parseRevision(value any) (Revision, error) {
	var major, minor int64
	switch v := value.(type) {
	case int64:
		major, minor = v/100, v%100
		if v > 0 && v < 100 {
			return 0, fmt.Errorf(`%d is not clear; write "v%d.0"`, v, v%10)
		}
	case string:
		m := revisionText.FindStringSubmatch(v)
		if m == nil {
			return 0, fmt.Errorf(`%s is not a chip revision; write one like "v3.0" or 300`, clip(v))
		}
		major = int64(m[1][0] - '0')
		minor, _ = strconv.ParseInt(m[2], 10, 64) // two digits at most
	}
	if major < 0 || major > maxMajor || minor < 0 {
		return 0, fmt.Errorf("no ESP32 has revision %v; its fuses can say v%d.%d at most", value, maxMajor, maxMinor)
	}
	return Revision(major*100 + minor), nil
}

var sizeText = regexp.MustCompile(`^([0-9]{1,5}) ?(KB|MB)$`)

// The ESP32 maps, and its flash encryption tells apart, 16 MiB of flash
// (ESP32 TRM, "External Flash").
const minFlash, maxFlash = 1 << 20, 16 << 20

// parseFlashSize reads "4MB", "1024KB" or a whole number of bytes. Sizes are
// powers of two, as flash chips are; MB and KB mean 2^20 and 2^10 bytes.
func parseFlashSize(value any) (uint32, error) {
	var size int64
	switch v := value.(type) {
	case int64:
		size = v
	case string:
		m := sizeText.FindStringSubmatch(v)
		if m == nil {
			return 0, fmt.Errorf(`%s is not a flash size; write one like "4MB"`, clip(v))
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s is not a flash size: %w", clip(v), err)
		}
		size = n << map[string]int{"KB": 10, "MB": 20}[m[2]]
	}
	if size < minFlash || size > maxFlash || size&(size-1) != 0 {
		return 0, fmt.Errorf("%v is not the size of an ESP32's flash: 1MB, 2MB, 4MB, 8MB or 16MB", value)
	}
	return uint32(size), nil
}
