package station

import (
	"regexp"
	"strings"
)

func (r *resolver) unit(d *document) Unit {
	u := Unit{
		MinRevision: r.revision("unit.min_revision", d.Unit.MinRevision, 0),
		MaxRevision: r.revision("unit.max_revision", d.Unit.MaxRevision, NoMaximum),
		Serial:      r.serial(d),
	}
	if u.MinRevision > u.MaxRevision {
		r.add(ErrConflict, "unit.max_revision", "%v is below unit.min_revision %v: no chip would be accepted", u.MaxRevision, u.MinRevision)
	}
	if u.MinRevision%100 > maxMinor {
		r.add(ErrValue, "unit.min_revision", "no ESP32 has revision %v; its fuses can say v%d.%d at most", u.MinRevision, maxMajor, maxMinor)
	}
	oneOf(r, "unit.coding_scheme", d.Unit.CodingScheme, "none", []string{"none"}, map[string]string{
		"3/4":    "such chips hold shorter keys, and their key blocks cannot be topped up after a burn that was cut short",
		"repeat": "such chips have no room for a whole key",
	})
	if d.Unit.FlashSize != nil {
		size, err := parseFlashSize(d.Unit.FlashSize)
		if err != nil {
			r.add(ErrValue, "unit.flash_size", "%v", err)
		}
		u.FlashSize = size
	}
	return u
}

func (r *resolver) revision(key string, written any, fallback Revision) Revision {
	if written == nil {
		return fallback
	}
	rev, err := parseRevision(written)
	if err != nil {
		r.add(ErrValue, key, "%v", err)
		return fallback
	}
	return rev
}

// defaultPattern accepts what prints well on a label and in a file name.
const defaultPattern = `[0-9A-Za-z][0-9A-Za-z._-]*`

func (r *resolver) serial(d *document) SerialRule {
	written := d.Unit.Serial
	s := SerialRule{
		Pattern: or(written.Pattern, defaultPattern),
		CheckDigit: oneOf(r, "unit.serial.check_digit", written.CheckDigit, NoCheckDigit,
			[]CheckDigit{NoCheckDigit, Luhn, Mod10}, nil),
		Source: oneOf(r, "unit.serial.source", written.Source, SourceScan,
			[]Source{SourceScan, SourceArgument, SourceSequence, SourceList}, nil),
		Prefix: written.Prefix,
		Next:   written.Next,
	}
	if written.Pattern != nil && s.Pattern == "" {
		r.add(ErrValue, "unit.serial.pattern", "is empty; write a pattern, or take the line out to accept letters, digits, dots and dashes")
	}
	whole, err := wholeMatch(s.Pattern)
	if err != nil {
		r.add(ErrValue, "unit.serial.pattern", "%s is not a pattern: %s", clip(s.Pattern), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	s.whole = whole
	if s.Source == SourceList {
		s.File = r.file("unit.serial.file", written.File, "the file with the serial numbers, one a line")
	} else if written.File != "" {
		r.add(ErrConflict, "unit.serial.file", `is only read with source = "list"`)
	}
	r.sequence(s)
	return s
}

// wholeMatch compiles a pattern that must match from the first character to the
// last, whether or not ^ and $ are written. The pattern is compiled alone first,
// so that an unbalanced bracket cannot escape the group around it.
func wholeMatch(pattern string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

var onlyDigits = regexp.MustCompile(`^[0-9]{1,18}$`)

// sequence checks that the first serial number of a sequence is one that the
// pattern accepts, so that the mistake is found before a unit is there.
func (r *resolver) sequence(s SerialRule) {
	if s.Source != SourceSequence {
		r.sequenceOnly("unit.serial.prefix", s.Prefix)
		r.sequenceOnly("unit.serial.next", s.Next)
		return
	}
	if !onlyDigits.MatchString(s.Next) {
		kind := ErrValue
		if s.Next == "" {
			kind = ErrMissing
		}
		r.add(kind, "unit.serial.next", `wants the first number in quotes, with its leading zeros, like "000001"`)
		return
	}
	if s.whole == nil {
		return // the pattern has its finding already
	}
	first, err := s.InSequence(0)
	if err == nil {
		err = s.Check(first)
	}
	if err != nil {
		r.add(ErrConflict, "unit.serial.next", "the sequence would begin with a serial number that is not allowed: %v", err)
	}
}

func (r *resolver) sequenceOnly(key, text string) {
	if text != "" {
		r.add(ErrConflict, key, `is only used with source = "sequence"`)
	}
}
