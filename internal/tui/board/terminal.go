package board

import "strings"

// Terminal says what a terminal can show, from the environment: no colours where
// the person wants none (NO_COLOR, see no-color.org) or the terminal has none, and
// no lines and blocks where the system's character set is not UTF-8.
func Terminal(getenv func(string) string) (mono, ascii bool) {
	term := getenv("TERM")
	mono = getenv("NO_COLOR") != "" || term == "dumb" || strings.HasPrefix(term, "vt")
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if charset := getenv(name); charset != "" { // the first that is set decides
			charset = strings.ToLower(charset)
			return mono, !strings.Contains(charset, "utf-8") && !strings.Contains(charset, "utf8")
		}
	}
	return mono, false
}
