package catalog

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"

	toml "github.com/pelletier/go-toml/v2"

	"provision/internal/fault"
)

//go:embed words/*.toml
var words embed.FS

// ErrNoLanguage is a language that there is no catalogue of.
var ErrNoLanguage = errors.New("no such language")

// Language is a language that a person can choose.
type Language struct {
	Code string // "de"
	Name string // in the language itself: "Deutsch"
}

// Languages lists them, English first.
func Languages() []Language {
	return []Language{{"en", "English"}, {"de", "Deutsch"}, {"zh", "中文"}}
}

// Load returns the catalogue of lang: the code of one of Languages, or "xx", which
// is English made long, to try the screen with. Any other is ErrNoLanguage.
func Load(lang string) (*Catalog, error) {
	if lang == pseudoLang {
		english, err := Load("en")
		if err != nil {
			return nil, err
		}
		return pseudo(english), nil
	}
	for _, l := range Languages() {
		if l.Code == lang {
			return read(words, lang)
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrNoLanguage, lang)
}

// read collects the texts of lang from its files in dir. English has no file of
// fault pages: they are internal/fault's own.
func read(dir fs.FS, lang string) (*Catalog, error) {
	c := &Catalog{lang: lang, texts: map[string]string{}}
	parts := []string{"screen", "steps", "faults"}
	if lang == "en" {
		c.takeFaultPages()
		parts = parts[:2]
	}
	for _, part := range parts {
		name := "words/" + lang + "." + part + ".toml"
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, fmt.Errorf("words of the screen: %w", err)
		}
		if err := c.parse(data); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return c, nil
}

// parse adds the texts of one file, which is tables of strings and nothing else. A
// key that another file had before is an error.
func (c *Catalog) parse(data []byte) error {
	var tables map[string]map[string]string
	if err := toml.Unmarshal(data, &tables); err != nil {
		return err
	}
	for table, texts := range tables {
		for name, text := range texts {
			key := table + "." + name
			if c.Has(key) {
				return fmt.Errorf("%s has a text already", key)
			}
			c.texts[key] = text
		}
	}
	return nil
}

func (c *Catalog) takeFaultPages() {
	for _, p := range fault.All() {
		page := string(p.Code)
		c.texts[page+".name"], c.texts[page+".says"], c.texts[page+".do"] = p.Name, p.Says, p.Do
	}
}
