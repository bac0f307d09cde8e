package label

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Names of the fields that a template can hold, written {serial} there.
const (
	Serial   = "serial"
	MAC      = "mac"       // as given, with colons
	MACPlain = "mac_plain" // the same without colons
	Job      = "job"
	Revision = "revision" // of the job
	Product  = "product"
	Version  = "version" // of the firmware
	Date     = "date"    // 2026-01-31
	Time     = "time"    // 16:05
	Station  = "station"
	Operator = "operator"
	Copy     = "copy" // nothing on the first label, then COPY 2, COPY 3 ...
)

// maxValue bounds a value, in characters: a serial number has at most 64.
const maxValue = 64

// ErrValue says that a value cannot be put on a label.
var ErrValue = errors.New("this cannot be put on a label")

// Fields is what one label says.
type Fields struct {
	Serial   string // never empty
	MAC      string // with colons
	Job      string
	Revision string
	Product  string
	Version  string
	At       time.Time // in the zone that the label shall show; zero: no date, no time
	Station  string
	Operator string
	Copy     int // 0 and 1: the first label; more: COPY 2, COPY 3 ...
}

// FieldNames returns the names of all fields, in the order of the manual.
func FieldNames() []string {
	return []string{Serial, MAC, MACPlain, Job, Revision, Product, Version, Date, Time, Station, Operator, Copy}
}

// value returns what the named field holds; name is one of FieldNames.
func (f Fields) value(name string) string {
	switch name {
	case Serial:
		return f.Serial
	case MAC:
		return f.MAC
	case MACPlain:
		return strings.ReplaceAll(f.MAC, ":", "")
	case Job:
		return f.Job
	case Revision:
		return f.Revision
	case Product:
		return f.Product
	case Version:
		return f.Version
	case Date:
		return f.moment(time.DateOnly)
	case Time:
		return f.moment("15:04")
	case Station:
		return f.Station
	case Operator:
		return f.Operator
	case Copy:
		if f.Copy > 1 {
			return "COPY " + strconv.Itoa(f.Copy)
		}
	}
	return ""
}

func (f Fields) moment(layout string) string {
	if f.At.IsZero() {
		return ""
	}
	return f.At.Format(layout)
}

// printable returns the value of the named field when every character of it can be
// printed as text. Else ErrValue, with the name of the field.
func (f Fields) printable(name string) (string, error) {
	v := f.value(name)
	switch {
	case v == "" && name == Serial:
		return "", fmt.Errorf("%w: the serial number is missing", ErrValue)
	case !utf8.ValidString(v) || strings.ContainsFunc(v, unprintable):
		return "", fmt.Errorf("%w: {%s} holds a character that cannot be printed", ErrValue, name)
	case utf8.RuneCountInString(v) > maxValue:
		return "", fmt.Errorf("%w: {%s} has more than %d characters", ErrValue, name, maxValue)
	}
	return v, nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// nearest returns the name of the field that is spelt most like word.
func nearest(word string) string {
	return slices.MinFunc(FieldNames(), func(a, b string) int {
		return distance(word, a) - distance(word, b)
	})
}

// distance counts the bytes to insert, drop or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
