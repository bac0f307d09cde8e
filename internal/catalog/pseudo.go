package catalog

import (
	"strings"
	"unicode/utf8"
)

// pseudoLang is the code of the pseudo-locale: a real language for private use in
// no standard, so that nobody chooses it by accident.
const pseudoLang = "xx"

// PASS and FAIL are the same in every language, and drawn in block letters that
// there are only for A to Z.
var blockWords = map[string]bool{"state.PASS": true, "state.FAIL": true}

// pseudo makes every text of c some 40 % longer and marks both its ends, so that a
// text that is cut off, or never went through the catalogue, can be seen.
func pseudo(c *Catalog) *Catalog {
	long := &Catalog{lang: pseudoLang, texts: make(map[string]string, len(c.texts))}
	for key, text := range c.texts {
		if !blockWords[key] {
			text = stretch(text)
		}
		long.texts[key] = text
	}
	return long
}

// stretch gives "[LOAD UNIT ~~~~]" for "LOAD UNIT". Placeholders stay whole.
func stretch(text string) string {
	more := (utf8.RuneCountInString(text)*4 + 9) / 10
	return "[" + text + " " + strings.Repeat("~", more) + "]"
}
