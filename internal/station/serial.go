package station

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// What can be wrong with a serial number.
var (
	ErrSerialMissing    = errors.New("no serial number")
	ErrSerialForm       = errors.New("not a serial number of this product")
	ErrSerialCheckDigit = errors.New("check digit of the serial number is wrong")
	ErrSequenceEnd      = errors.New("sequence of serial numbers has run out of digits")
)

// Source says where serial numbers come from.
type Source string

const (
	SourceScan     Source = "scan"     // a label is scanned for each unit
	SourceArgument Source = "argument" // the caller gives it with the command
	SourceSequence Source = "sequence" // counted up by the station
	SourceList     Source = "list"     // the next unused line of a file
)

// SerialRule says what a serial number looks like and where it comes from.
type SerialRule struct {
	Pattern    string // regular expression; the whole serial number must match
	CheckDigit CheckDigit
	Source     Source
	Prefix     string // of a sequence; may be empty
	Next       string // of a sequence: its first number, with leading zeros
	File       string // of a list

	whole *regexp.Regexp
}

// maxSerial bounds a serial number, in bytes: it must fit a label and a column.
const maxSerial = 64

// CheckSerial reports whether s can be a serial number of this product. The error
// is ErrSerialMissing, ErrSerialForm or ErrSerialCheckDigit. It does not know
// which serial numbers are used already. Spaces and line ends that a scanner adds
// are the caller's to remove.
func (p *Profile) CheckSerial(s string) error { return p.Unit.Serial.Check(s) }

// Check is CheckSerial for the rule alone.
func (r SerialRule) Check(s string) error {
	if s == "" {
		return ErrSerialMissing
	}
	if len(s) > maxSerial {
		return fmt.Errorf("%w: %s has more than %d characters", ErrSerialForm, clip(s), maxSerial)
	}
	if strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return fmt.Errorf("%w: %s holds a space or a character that is not plain ASCII", ErrSerialForm, clip(s))
	}
	if !r.whole.MatchString(s) {
		return fmt.Errorf("%w: %s does not match %s", ErrSerialForm, clip(s), r.Pattern)
	}
	return r.CheckDigit.check(s)
}

// InSequence returns the serial number i places after the first one of a
// sequence: prefix, number with its leading zeros, check digit if the rule has
// one. Past the last number of that many digits it is ErrSequenceEnd.
func (r SerialRule) InSequence(i uint64) (string, error) {
	first, count, err := r.span()
	if err != nil {
		return "", err
	}
	if i >= count {
		return "", fmt.Errorf("%w: %d numbers from %s%s", ErrSequenceEnd, count, r.Prefix, r.Next)
	}
	return r.CheckDigit.appendTo(r.Prefix + fmt.Sprintf("%0*d", len(r.Next), first+i)), nil
}

// SequenceLen returns how many serial numbers a sequence has.
func (r SerialRule) SequenceLen() (uint64, error) {
	_, count, err := r.span()
	return count, err
}

// span is the first number of a sequence, and how many there are up to the last of
// as many digits.
func (r SerialRule) span() (first, count uint64, err error) {
	if !onlyDigits.MatchString(r.Next) {
		return 0, 0, fmt.Errorf("serial sequence from %s: not a number of 1 to 18 digits", clip(r.Next))
	}
	last, _ := strconv.ParseUint(strings.Repeat("9", len(r.Next)), 10, 64)
	first, _ = strconv.ParseUint(r.Next, 10, 64) // 18 digits fit
	return first, last - first + 1, nil
}
