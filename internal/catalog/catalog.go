package catalog

import (
	"cmp"
	"strings"

	"provision/internal/fault"
)

// Catalog is the texts of one language, by key: "state.READY" is READY in the table
// [state] of a file. It never changes, so any number of goroutines may ask it.
type Catalog struct {
	lang  string
	texts map[string]string
}

// Lang is the code the catalogue was loaded with: "en", "de", "zh" or "xx".
func (c *Catalog) Lang() string { return c.lang }

// Has reports whether there is a text for key.
func (c *Catalog) Has(key string) bool {
	_, ok := c.texts[key]
	return ok
}

// Text returns the text of key. pairs are names and values of its placeholders:
// Text("scan.taken", "serial", s) puts s where the text says {serial}. Values are
// not translated and not looked into. A placeholder without a value stays as it is,
// a name without a value is ignored, and a missing text is its key in brackets, so
// that the hole can be seen and reported.
func (c *Catalog) Text(key string, pairs ...string) string {
	text, ok := c.texts[key]
	if !ok {
		return "[" + key + "]"
	}
	if len(pairs) < 2 {
		return text
	}
	var fill []string
	for i := 0; i+1 < len(pairs); i += 2 {
		fill = append(fill, "{"+pairs[i]+"}", pairs[i+1])
	}
	return strings.NewReplacer(fill...).Replace(text)
}

// Fault returns the page of code: its short name, what happened, the one thing to
// do. A code that was never published is shown as itself, and what to do is then
// what helps with any fault nobody has foreseen.
func (c *Catalog) Fault(code fault.Code) (name, says, do string) {
	if _, published := fault.Lookup(code); !published {
		_, says, do = c.Fault(fault.Internal)
		return cmp.Or(string(code), string(fault.Internal)), says, do
	}
	page := string(code)
	return c.Text(page + ".name"), c.Text(page + ".says"), c.Text(page + ".do")
}

// Class says in a few words what is to blame for code: the cable, the part, the
// station. A code that was never published is the station's.
func (c *Catalog) Class(code fault.Code) string {
	class := fault.Station
	if page, ok := fault.Lookup(code); ok {
		class = page.Class
	}
	return c.Text("class." + string(class))
}

// Step returns what the step of a run is called on the screen. Steps that are named
// for a place ("write app at ...") are looked up by ever fewer of their first words.
// No step has no name; one that is not known is shown by its first word in brackets,
// because the rest may hold addresses.
func (c *Catalog) Step(name string) string {
	words := strings.Fields(name)
	if len(words) == 0 {
		return ""
	}
	for n := len(words); n > 0; n-- {
		if key := "step." + strings.Join(words[:n], " "); c.Has(key) {
			return c.Text(key)
		}
	}
	return "[" + words[0] + "]"
}
