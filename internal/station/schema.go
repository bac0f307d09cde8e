package station

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// schema is the list of the keys there are, taken from the document type: paths
// without element numbers, in the order of declaration. It stands in for the
// decoder's own DisallowUnknownFields, which takes jtag_disable for JTAG_DISABLE
// and says nothing about the other keys once one value has the wrong type.
type schema struct {
	order []string
	types map[string]reflect.Type
}

var known = newSchema(reflect.TypeFor[document]())

func newSchema(t reflect.Type) *schema {
	s := &schema{types: map[string]reflect.Type{}}
	s.addFields("", t)
	return s
}

func (s *schema) addFields(path string, t reflect.Type) {
	for field := range t.Fields() {
		key := join(path, field.Tag.Get("toml"))
		t := optional(field.Type)
		s.order = append(s.order, key)
		s.types[key] = t
		if t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() == reflect.Struct {
			s.addFields(key, t)
		}
	}
}

// optional follows the pointer of an optional field.
func optional(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// below returns the names of the keys in the table of that path.
func (s *schema) below(table string) []string {
	var names []string
	for _, path := range s.order {
		if parent(path) == table {
			names = append(names, lastPart(path))
		}
	}
	return names
}

// elsewhere returns the first table that holds a key of that name, in brackets.
func (s *schema) elsewhere(name string) (table string, ok bool) {
	i := slices.IndexFunc(s.order, func(path string) bool {
		return parent(path) != "" && lastPart(path) == name
	})
	if i < 0 {
		return "", false
	}
	table = "[" + parent(s.order[i]) + "]"
	if s.types[parent(s.order[i])].Kind() == reflect.Slice {
		table = "[" + table + "]"
	}
	return table, true
}

func lastPart(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

var elementNumber = regexp.MustCompile(`\[\d+\]`)

// checkKeys notes every key that is unknown and every value of the wrong type.
func (f *findings) checkKeys(s *schema) {
	unknown := map[string]bool{}
	for _, e := range f.keys.entries {
		path := elementNumber.ReplaceAllString(e.path, "")
		if unknown[path] || unknown[parent(path)] {
			unknown[path] = true // reported once, with its table
			continue
		}
		t, ok := s.types[path]
		if !ok {
			unknown[path] = true
			f.addAt(ErrUnknownKey, e.line, e.path, "%s", s.unknownText(path, e.kind))
			continue
		}
		if path != e.path && strings.HasSuffix(e.path, "]") {
			continue // an element: judged with its array
		}
		if !fits(t, e.kind, e.elems) {
			f.addAt(ErrType, e.line, e.path, "wants %s", describe(t))
		}
	}
}

// unknownText says that a key is unknown and what may have been meant.
func (s *schema) unknownText(path string, kind unstable.Kind) string {
	table, name := parent(path), lastPart(path)
	what := "unknown key"
	if kind == unstable.Table || kind == unstable.ArrayTable {
		what = "unknown section"
	}
	siblings := s.below(table)
	if best := nearest(name, siblings); best != "" {
		return what + "; nearest known: " + best
	}
	if home, ok := s.elsewhere(name); ok {
		return what + " here; it belongs in " + home
	}
	if len(siblings) == 0 {
		return what
	}
	return what + "; known: " + strings.Join(siblings, ", ")
}

// fits reports whether a value of that kind can be decoded into t.
func fits(t reflect.Type, kind unstable.Kind, elems []unstable.Kind) bool {
	switch t.Kind() {
	case reflect.String:
		return kind == unstable.String
	case reflect.Bool:
		return kind == unstable.Bool
	case reflect.Int, reflect.Int64:
		return kind == unstable.Integer
	case reflect.Interface:
		return kind == unstable.String || kind == unstable.Integer
	case reflect.Struct:
		return kind == unstable.Table || kind == unstable.InlineTable
	case reflect.Slice:
		return fitsArray(t.Elem(), kind, elems)
	}
	return false
}

func fitsArray(elem reflect.Type, kind unstable.Kind, elems []unstable.Kind) bool {
	if kind == unstable.ArrayTable {
		return elem.Kind() == reflect.Struct
	}
	if kind != unstable.Array {
		return false
	}
	return !slices.ContainsFunc(elems, func(k unstable.Kind) bool { return !fits(elem, k, nil) })
}

// describe says in words what to write for a value of type t.
func describe(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Interface:
		return "text in quotes or a whole number"
	case reflect.Struct:
		return "a table with keys of its own"
	}
	switch t.Elem().Kind() {
	case reflect.String:
		return `a list of texts, like ["a", "b"]`
	case reflect.Struct:
		return "tables with double brackets around their name"
	}
	return "a list of whole numbers, like [1, 2]"
}
