package scanner

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// ErrConfig is a Config that cannot work.
var ErrConfig = errors.New("scanner settings cannot work")

// Defaults of a Config. Typical scanners type 10 to 30 characters in 30 to 50 ms;
// a fast hand leaves 80 ms and more between two keys.
const (
	DefaultMinLength = 4
	DefaultMaxGap    = 50 * time.Millisecond
	DefaultPause     = 150 * time.Millisecond
)

// Config says what the scanner at the keyboard is set up to send. Zero values are
// the defaults.
type Config struct {
	// Prefix is the one character a scan begins with, or empty. It must be one
	// that no barcode holds and nobody types: "~", or STX ("\x02").
	Prefix string

	// MinLength is how many characters must come in a burst before it is taken for
	// a scan. It does not apply after a prefix.
	MinLength int

	// MaxGap is the longest time between the first characters of a scan: a key
	// waits this long before it is one.
	MaxGap time.Duration

	// Pause is how long a scan that has begun is waited for to go on or to end.
	Pause time.Duration
}

// complete returns the Config with defaults in place of zeros, and the prefix as a
// character, 0 without one. Errors are ErrConfig.
func (c Config) complete() (Config, rune, error) {
	if c.MinLength == 0 {
		c.MinLength = DefaultMinLength
	}
	if c.MaxGap == 0 {
		c.MaxGap = DefaultMaxGap
	}
	if c.Pause == 0 {
		c.Pause = max(DefaultPause, c.MaxGap)
	}
	if c.MinLength < 2 || c.MinLength > MaxLength {
		return c, 0, fmt.Errorf("%w: a scan of at least %d characters; 2 to %d are possible", ErrConfig, c.MinLength, MaxLength)
	}
	if c.MaxGap < 0 || c.Pause < c.MaxGap {
		return c, 0, fmt.Errorf("%w: the pause of %v is shorter than the gap of %v, or the gap is negative", ErrConfig, c.Pause, c.MaxGap)
	}
	if c.Prefix == "" {
		return c, 0, nil
	}
	prefix, size := utf8.DecodeRuneInString(c.Prefix)
	if size != len(c.Prefix) || prefix == utf8.RuneError {
		return c, 0, fmt.Errorf("%w: the prefix %q is not one character", ErrConfig, c.Prefix)
	}
	if prefix == 0 || terminator(prefix) {
		return c, 0, fmt.Errorf("%w: %q cannot be a prefix, it ends a scan or means nothing", ErrConfig, c.Prefix)
	}
	return c, prefix, nil
}
