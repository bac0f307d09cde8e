package esptool

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// bootLine is the ROM's word on how it boots: boot:0x13 (SPI_FAST_FLASH_BOOT). The
// number is the strapping register, the words are what to go by.
var bootLine = regexp.MustCompile(`boot:0x[0-9a-fA-F]+ \([A-Z0-9_/()]*\)`)

var (
	textDisabled  = []byte("Download mode is disabled")
	textFlashBoot = []byte("FLASH_BOOT")
	textDownload  = [][]byte{[]byte("DOWNLOAD_BOOT"), []byte("UART_BOOT"), []byte("waiting for download")}
	textEcho      = bytes.Repeat([]byte{0x55}, 16) // part of our own SYNC
)

// fewBytes is what a line may pick up when it is opened, and what does not count.
const fewBytes = 4

// diagnose says why a chip did not answer SYNC, from the last bytes it sent
// instead. The error wraps ErrDownloadDisabled, ErrNotDownloadMode, ErrGarbled or
// ErrNoAnswer. Message texts: ESP32 mask ROM.
func diagnose(tail []byte) error {
	boot := bootLine.Find(tail)
	switch {
	case bytes.Contains(tail, textDisabled):
		return ErrDownloadDisabled
	case bytes.Contains(tail, textFlashBoot):
		return fmt.Errorf("%w: it booted from flash (%s); IO0 was not low when EN rose", ErrNotDownloadMode, boot)
	case bytes.Contains(tail, textEcho):
		return fmt.Errorf("%w: what we send comes back: a console, or a loop on the line", ErrNotDownloadMode)
	case slices.ContainsFunc(textDownload, func(t []byte) bool { return bytes.Contains(tail, t) }):
		return fmt.Errorf("%w: it is in download mode and does not hear us: check the wire to its RX", ErrNoAnswer)
	case len(tail) < fewBytes:
		return fmt.Errorf("%w: nothing received: check power, cable and reset wiring", ErrNoAnswer)
	case isText(tail):
		return fmt.Errorf("%w: an application is talking", ErrNotDownloadMode)
	}
	return fmt.Errorf("%w: %d bytes: check speed, ground and crystal", ErrGarbled, len(tail))
}

// isText reports whether at least nine of ten bytes are printable ASCII or line
// ends.
func isText(b []byte) bool {
	printable := 0
	for _, c := range b {
		if c >= 0x20 && c < 0x7F || c == '\r' || c == '\n' || c == '\t' || c == 0x1B {
			printable++
		}
	}
	return printable*10 >= len(b)*9
}

// causeRank orders causes by how much they say.
var causeRank = []error{ErrNoAnswer, ErrGarbled, ErrNotDownloadMode, ErrDownloadDisabled}

// clearerCause returns the one of two causes that says more; a tie goes to b.
func clearerCause(a, b error) error {
	if a == nil {
		return b
	}
	rank := func(err error) int {
		return slices.IndexFunc(causeRank, func(c error) bool { return errors.Is(err, c) })
	}
	if rank(a) > rank(b) {
		return a
	}
	return b
}
