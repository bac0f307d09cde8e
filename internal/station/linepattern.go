package station

import (
	"encoding/json"
	"regexp"
	"strings"
)

// LinePattern recognises a line of a boot log. Written plainly it is found
// anywhere in the line, character by character; written between slashes it is a
// regular expression (RE2), also found anywhere.
type LinePattern struct {
	text   string
	regexp *regexp.Regexp // nil: text is looked for as it is
}

func parseLinePattern(text string) (LinePattern, error) {
	if len(text) < 3 || !strings.HasPrefix(text, "/") || !strings.HasSuffix(text, "/") {
		return LinePattern{text: text}, nil
	}
	re, err := regexp.Compile(text[1 : len(text)-1])
	if err != nil {
		return LinePattern{text: text}, err
	}
	return LinePattern{text: text, regexp: re}, nil
}

// Match reports whether the line, without its line end, is the one meant.
func (p LinePattern) Match(line string) bool {
	if p.regexp != nil {
		return p.regexp.MatchString(line)
	}
	return strings.Contains(line, p.text)
}

// String gives the pattern as it was written.
func (p LinePattern) String() string { return p.text }

// MarshalJSON gives the pattern as it was written, so that a policy kept in the
// records says what was waited for.
func (p LinePattern) MarshalJSON() ([]byte, error) { return json.Marshal(p.text) }

func (p LinePattern) isRegexp() bool { return p.regexp != nil }
