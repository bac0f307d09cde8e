package label

import (
	"slices"
	"strings"
)

// part is a stretch of data: a text, or the name of a field.
type part struct {
	text  string
	field string // one of FieldNames; "": text counts
}

// cut splits s, which starts in the given line, at its fields. Two texts never follow
// each other.
func cut(s string, line int) ([]part, error) {
	var parts []part
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			parts = append(parts, part{text: text.String()})
			text.Reset()
		}
	}
	for {
		before, rest, found := strings.Cut(s, "{")
		text.WriteString(before)
		line += strings.Count(before, "\n")
		if !found {
			flush()
			return parts, nil
		}
		if after, double := strings.CutPrefix(rest, "{"); double {
			text.WriteByte('{')
			s = after
			continue
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || strings.ContainsAny(name, "{\r\n") {
			return nil, wrong(line, "there is a { without its }; the character itself is written {{")
		}
		if !slices.Contains(FieldNames(), name) {
			return nil, wrong(line, "there is no field {%s}; the nearest is {%s}", clip(name), nearest(clip(name)))
		}
		flush()
		parts = append(parts, part{field: name})
		s = after
	}
}

// clip shortens what an error quotes.
func clip(s string) string {
	const longest = 24
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "..."
	}
	return s
}

func hasField(parts []part) bool { return firstField(parts) != "" }

// firstField returns the name of the first field, or "".
func firstField(parts []part) string {
	for _, p := range parts {
		if p.field != "" {
			return p.field
		}
	}
	return ""
}

// literal joins the texts of parts.
func literal(parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.text)
	}
	return b.String()
}
