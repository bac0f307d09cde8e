package station

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The kinds of problem. errors.Is finds them in what Load and Parse return.
var (
	ErrUnreadable  = errors.New("profile cannot be read")
	ErrSyntax      = errors.New("not valid TOML")
	ErrUnknownKey  = errors.New("unknown key")
	ErrType        = errors.New("wrong type of value")
	ErrMissing     = errors.New("required key missing")
	ErrValue       = errors.New("value not allowed")
	ErrConflict    = errors.New("values do not fit together")
	ErrUnsupported = errors.New("not supported by this version")
	ErrSecret      = errors.New("secret in the profile")
)

// Problem is one thing that is wrong with a profile.
type Problem struct {
	File string // as given to Load
	Line int    // from 1; 0 when the problem is that something is absent
	Key  string // "link.slots[1].port"; empty for a syntax error
	Kind error  // one of the Err values above
	Text string // what is wrong and what to write instead
}

// Error gives "file:line: key: text", leaving out what is not known.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Key != "" {
		b.WriteString(": " + p.Key)
	}
	b.WriteString(": " + p.Text)
	return b.String()
}

// Unwrap returns the kind.
func (p *Problem) Unwrap() error { return p.Kind }

// Invalid is every problem of one profile, in the order of the file; problems
// without a line come last. It is never empty.
type Invalid []*Problem

// Error gives one problem a line.
func (v Invalid) Error() string {
	lines := make([]string, len(v))
	for i, p := range v {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems, so that errors.Is and errors.As see each.
func (v Invalid) Unwrap() []error {
	errs := make([]error, len(v))
	for i, p := range v {
		errs[i] = p
	}
	return errs
}

// findings collects the problems of one file.
type findings struct {
	file     string
	keys     *keyIndex // nil until the file has been parsed
	problems Invalid
}

// add notes a problem with the key of that path. Its line is looked up; a key
// that is not in the file takes the line of the nearest table that is.
func (f *findings) add(kind error, path, format string, args ...any) {
	line := 0
	if f.keys != nil {
		line = f.keys.line(path)
	}
	f.addAt(kind, line, path, format, args...)
}

// addAt notes a problem at a line.
func (f *findings) addAt(kind error, line int, path, format string, args ...any) {
	f.problems = append(f.problems, &Problem{
		File: f.file, Line: line, Key: path, Kind: kind, Text: fmt.Sprintf(format, args...),
	})
}

// err returns the problems sorted, or nil when there are none.
func (f *findings) err() error {
	if len(f.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(f.problems, func(a, b *Problem) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Compare(a.Line, b.Line)
	})
	return f.problems
}
