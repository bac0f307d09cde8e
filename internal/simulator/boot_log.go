package simulator

import "fmt"

// Tags of ESP-IDF's log, by the component that speaks.
const (
	tagBoot      = "boot"
	tagBootChip  = "boot.esp32"
	tagBootCheck = "boot_comm"
	tagImage     = "esp_image"
	tagParts     = "flash_parts"
	tagEfuse     = "efuse"
	tagSecure    = "secure_boot"
	tagSecureV1  = "secure_boot_v1"
	tagEncrypt   = "flash_encrypt"
	tagCPU       = "cpu_start"
)

// loopMark stands for a chip that resets and fails the same way for ever, in the
// words of the recorded logs. It is not sent on the port: there the chip falls
// silent instead of repeating itself for ever.
const loopMark = "(resets and starts again)"

// line prints one line as it is.
func (b *boot) line(format string, args ...any) {
	if !b.chip.running() {
		return
	}
	text := fmt.Sprintf(format, args...)
	b.chip.print(text + "\r\n")
	b.verdict.Lines = append(b.verdict.Lines, text)
}

// info, warn and fail print as ESP-IDF's log does. The times in it are made up: a
// few milliseconds for each line.

func (b *boot) info(tag, format string, args ...any) { b.log("I", tag, format, args...) }
func (b *boot) warn(tag, format string, args ...any) { b.log("W", tag, format, args...) }
func (b *boot) fail(tag, format string, args ...any) { b.log("E", tag, format, args...) }

func (b *boot) log(level, tag, format string, args ...any) {
	b.clock += 4
	b.line("%s (%d) %s: %s", level, b.clock, tag, fmt.Sprintf(format, args...))
}

// loops marks a boot loop.
func (b *boot) loops() {
	if b.chip.running() {
		b.verdict.Lines = append(b.verdict.Lines, loopMark)
	}
}
