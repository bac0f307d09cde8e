package esptool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

const (
	consoleLimit = time.Minute // for a Console whose context has no deadline
	maxLine      = 1024        // bytes; a longer line is delivered in pieces
)

// Run resets the chip into its application and sets the host to 115200 for the boot
// log. It needs reset lines, else the error wraps ErrNoLines. Reconnect leads back.
func (d *Device) Run(ctx context.Context) error {
	if !d.CanReset() {
		return fmt.Errorf("run: %w, or reset is none", ErrNoLines)
	}
	if err := d.setHostBaud(initialBaud); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	d.in, d.printed = nil, nil
	if err := d.moveLines(ctx, runReset); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// Console delivers what the chip prints, line by line, without line ends, colours
// and empty lines, until line returns true (then the error is nil), ctx ends (its
// cause; after a minute if ctx has no deadline) or the port fails (ErrLinkLost). A
// line that was begun when ctx ends is delivered too. What came behind the line
// that stopped it is kept for the next call.
func (d *Device) Console(ctx context.Context, line func(string) (stop bool)) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, consoleLimit)
		defer cancel()
	}
	defer d.interruptible(ctx)()
	d.inStep = false
	deadline, _ := ctx.Deadline()
	for {
		for {
			raw, rest, whole := cutLine(d.printed)
			if !whole {
				break
			}
			d.printed = rest
			if deliver(raw, line) {
				return nil
			}
		}
		if err := d.fill(ctx, deadline); err != nil {
			raw := d.printed
			d.printed = nil
			if deliver(raw, line) {
				return nil
			}
			if errors.Is(err, errTimeout) {
				err = context.DeadlineExceeded
			}
			return fmt.Errorf("console: %w", err)
		}
		d.printed = append(d.printed, d.in...)
		d.in = nil
	}
}

// cutLine splits b behind its first line, which CR or LF ends, or maxLine bytes
// without either. whole is false when b holds no more than the beginning of one.
func cutLine(b []byte) (line, rest []byte, whole bool) {
	i := bytes.IndexAny(b[:min(len(b), maxLine)], "\r\n")
	switch {
	case i >= 0:
		return b[:i], b[i+1:], true
	case len(b) >= maxLine:
		return b[:maxLine], b[maxLine:], true
	}
	return nil, b, false
}

// colours are the escape sequences ESP-IDF wraps its log lines in.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

// deliver hands a line to the caller, cleaned for a log; an empty one is dropped.
func deliver(raw []byte, line func(string) bool) (stop bool) {
	text := colours.ReplaceAllString(strings.ToValidUTF8(string(raw), "\uFFFD"), "")
	text = strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r == 0x7F {
			return -1
		}
		return r
	}, text)
	return strings.TrimSpace(text) != "" && line(text)
}
