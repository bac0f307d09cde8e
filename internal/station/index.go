package station

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// keyEntry is one key as it stands in the file.
type keyEntry struct {
	path  string // "link.slots[1].port": parts joined by dots, elements numbered from 0
	line  int    // from 1
	kind  unstable.Kind
	elems []unstable.Kind // of an array
}

// keyIndex knows where in the file each key stands and what kind of value it
// has. The decoder proper keeps neither for values that it could decode.
type keyIndex struct {
	entries []keyEntry // in the order of the file
	first   map[string]int
	tables  map[string]int // elements seen of each array of tables
	secrets []keyEntry     // keys whose text looks like a private key

	parser unstable.Parser
	data   []byte
	// Lines are counted forward from the key before: keys come in file order.
	offset, lineNow int
}

// syntaxError is where and why a file is not TOML.
type syntaxError struct {
	line int
	text string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.text) }

// indexKeys reads the keys of a TOML file. The error is a *syntaxError.
func indexKeys(data []byte) (*keyIndex, error) {
	x := &keyIndex{first: map[string]int{}, tables: map[string]int{}, data: data, lineNow: 1}
	x.parser.Reset(data)
	table := ""
	for x.parser.NextExpression() {
		node := x.parser.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = x.addTable(node)
		case unstable.KeyValue:
			x.addKeyValue(table, node)
		}
	}
	if err := x.parser.Error(); err != nil {
		return nil, x.syntaxError(err)
	}
	return x, nil
}

// syntaxError finds the line that the parser complains about.
func (x *keyIndex) syntaxError(err error) error {
	line := 1 + bytes.Count(bytes.TrimRight(x.data, "\n"), []byte("\n"))
	if p, ok := err.(*unstable.ParserError); ok && len(p.Highlight) > 0 {
		line = x.parser.Shape(x.parser.Range(p.Highlight)).Start.Line
	}
	return &syntaxError{line, err.Error()}
}

// addTable notes [a.b] or [[a.b]] and returns its path. A part that is an array
// of tables means the array's last element.
func (x *keyIndex) addTable(node *unstable.Node) string {
	path := ""
	for keys := node.Key(); keys.Next(); {
		part := keys.Node()
		line := x.lineAt(part.Raw)
		path = join(path, string(part.Data))
		if node.Kind == unstable.ArrayTable && keys.IsLast() {
			x.tables[path]++
			x.note(keyEntry{path: path, line: line, kind: unstable.ArrayTable})
		} else {
			x.note(keyEntry{path: path, line: line, kind: unstable.Table})
		}
		if n := x.tables[path]; n > 0 {
			path = element(path, n-1)
			x.note(keyEntry{path: path, line: line, kind: unstable.Table})
		}
	}
	return path
}

// addKeyValue notes key = value below the table of that path, and what is inside
// of the value. A dotted key also notes the tables that it implies.
func (x *keyIndex) addKeyValue(table string, node *unstable.Node) {
	path := table
	for keys := node.Key(); keys.Next(); {
		part := keys.Node()
		line := x.lineAt(part.Raw)
		path = join(path, string(part.Data))
		if keys.IsLast() {
			x.addValue(path, line, node.Value())
		} else {
			x.note(keyEntry{path: path, line: line, kind: unstable.Table})
		}
	}
}

// addValue notes a value, and the keys of the inline tables in it.
func (x *keyIndex) addValue(path string, line int, value *unstable.Node) {
	entry := keyEntry{path: path, line: line, kind: value.Kind}
	var inside []*unstable.Node
	for children := value.Children(); children.Next(); {
		inside = append(inside, children.Node())
	}
	if value.Kind == unstable.Array {
		for _, child := range inside {
			entry.elems = append(entry.elems, child.Kind)
		}
	}
	x.note(entry)
	if value.Kind == unstable.String && looksSecret(value.Data) {
		x.secrets = append(x.secrets, entry)
	}
	switch value.Kind {
	case unstable.InlineTable:
		for _, child := range inside {
			x.addKeyValue(path, child)
		}
	case unstable.Array:
		for i, child := range inside {
			x.addValue(element(path, i), line, child)
		}
	}
}

// note keeps an entry. The first entry of a path gives its line.
func (x *keyIndex) note(e keyEntry) {
	x.entries = append(x.entries, e)
	if _, seen := x.first[e.path]; !seen {
		x.first[e.path] = e.line
	}
}

// line returns the line of the key with that path, else that of the nearest table
// around it, else 0.
func (x *keyIndex) line(path string) int {
	for path != "" {
		if line, ok := x.first[path]; ok {
			return line
		}
		path = parent(path)
	}
	return 0
}

// lineAt counts the line of a place in the file.
func (x *keyIndex) lineAt(r unstable.Range) int {
	at := int(r.Offset)
	if at < x.offset {
		x.offset, x.lineNow = 0, 1
	}
	x.lineNow += bytes.Count(x.data[x.offset:at], []byte("\n"))
	x.offset = at
	return x.lineNow
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// join adds a key to a path. A key that TOML must quote stays quoted, so that
// "a.b" in quotes is never taken for the key b of the table a.
func join(path, key string) string {
	if !bareKey.MatchString(key) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// element is the path of the i-th element of an array, counted from 0.
func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// parent is the path without its last part; empty for a top-level key.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// looksSecret recognises the two texts that people paste where a file name or a
// recipient belongs.
func looksSecret(text []byte) bool {
	upper := bytes.ToUpper(text)
	return bytes.Contains(upper, []byte("AGE-SECRET-KEY-")) || bytes.Contains(upper, []byte("PRIVATE KEY-----"))
}
