package label

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxTemplate bounds a template, in bytes: a large logo has about half of it.
const maxTemplate = 256 << 10

// ErrTemplate says that a template cannot be used. The text names the line.
var ErrTemplate = errors.New("label template")

//go:embed default.zpl
var defaultTemplate string

// Template is a label with fields to fill in. It is not changed by use.
type Template struct {
	pieces   []piece
	elements []element
}

// piece is a stretch of the label: text to send as it is, then the data of an
// element that holds values; -1: none.
type piece struct {
	raw     string
	element int
}

// element is a printed field.
type element struct {
	x, y  int    // dots
	code  string // bar code command; "": text
	taboo string // characters that the text block around it takes for itself
	parts []part
}

// Default returns the built-in template for labels of about 50 x 25 mm at 203 dots an
// inch: a Data Matrix of the serial number, the serial number, MAC, product, version
// and the mark of a copy. It has room for serial numbers of up to 28 characters.
func Default() *Template {
	t, err := Parse(defaultTemplate)
	if err != nil {
		panic(err) // it is part of this program, and a test reads it
	}
	return t
}

// Parse reads a label in ZPL whose data hold fields such as {serial}; {{ is a brace.
// A template prints one label, and a bar code of it holds the serial number: without
// it the label could never be scanned back. Fields stand in ^FD and ^FV; a bar code
// with a field holds nothing else, and is ^BX (Data Matrix) of quality 200 or ^BC
// (Code 128). Comments (^FX) are dropped. Errors are ErrTemplate with the line.
func Parse(text string) (*Template, error) {
	text = strings.TrimPrefix(text, "\uFEFF")
	if err := checkText(text); err != nil {
		return nil, err
	}
	before, list := split(text)
	if strings.TrimSpace(before) != "" {
		return nil, wrong(1, "there is text before the first command")
	}
	p := parser{hexAt: -1}
	for _, c := range list {
		if err := p.add(c); err != nil {
			return nil, err
		}
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return &p.t, nil
}

func checkText(text string) error {
	if len(text) > maxTemplate {
		return fmt.Errorf("%w: it has more than %d bytes", ErrTemplate, maxTemplate)
	}
	for i, row := range strings.Split(text, "\n") {
		row = strings.TrimSuffix(row, "\r")
		if !utf8.ValidString(row) || oneLine(strings.ReplaceAll(row, "\t", "")) != strings.ReplaceAll(row, "\t", "") {
			return wrong(i+1, "there are bytes that are not text; save it as UTF-8, pictures as ^GFA")
		}
	}
	return nil
}

func wrong(line int, format string, args ...any) error {
	return fmt.Errorf("%w: line %d: %s", ErrTemplate, line, fmt.Sprintf(format, args...))
}

// parser collects a template, command by command.
type parser struct {
	t      Template
	draft  draft
	hexAt  int // piece that holds the ^FH of the draft; -1: none
	codeAt int // piece that holds its bar code command, when draft.code is set
	inside bool
	labels int  // that were begun
	utf8   bool // ^CI28 is there
}

func (p *parser) add(c command) error {
	if c.name == "" {
		return wrong(c.line, "there is a %c without a command", c.prefix)
	}
	if c.prefix == '^' && c.name == "FX" { // a comment
		return nil
	}
	if err := p.allow(c); err != nil {
		return err
	}
	parts, err := cut(c.param, c.line)
	if err != nil {
		return err
	}
	p.follow(c)
	data := p.draft.note(c)
	switch {
	case data && !p.inside:
		return wrong(c.line, "there is data outside of a label; ^XA starts one")
	case data:
		return p.data(c, parts)
	case hasField(parts):
		return wrong(c.line, "the field {%s} stands in ^%s; fields stand in ^FD", firstField(parts), c.name)
	}
	c.param = literal(parts)
	p.t.pieces = append(p.t.pieces, piece{c.String(), -1})
	return nil
}

// follow keeps track of where the draft's commands are.
func (p *parser) follow(c command) {
	switch here := len(p.t.pieces); {
	case c.prefix != '^':
	case c.name == "XA", c.name == "XZ", c.name == "FS":
		p.hexAt = -1
	case c.name == "FH":
		if p.hexAt >= 0 { // the last one counts
			p.t.pieces[p.hexAt].raw = ""
		}
		p.hexAt = here
	case c.name[0] == 'B' && c.name != "BY":
		p.codeAt = here
	}
}

// data takes the data of an element. Without fields they stay as they are written.
func (p *parser) data(c command, parts []part) error {
	d, hexAt := p.draft, p.hexAt
	p.draft, p.hexAt = draft{}, -1
	e := element{x: d.x, y: d.y, code: d.code, taboo: d.taboo}
	for _, part := range parts {
		part.text = unescape(oneLine(part.text), d.mark)
		e.parts = append(e.parts, part)
	}
	p.t.elements = append(p.t.elements, e)
	if !hasField(parts) {
		c.param = literal(parts)
		p.t.pieces = append(p.t.pieces, piece{c.String(), -1})
		return nil
	}
	if d.code != "" {
		if err := d.checkCode(e, c.line); err != nil {
			return err
		}
		p.t.pieces[p.codeAt].raw = d.rewrite()
	}
	if hexAt >= 0 { // Render writes its own
		p.t.pieces[hexAt].raw = ""
	}
	p.t.pieces = append(p.t.pieces, piece{fmt.Sprintf("^FH%c^%s", mark, c.name), len(p.t.elements) - 1})
	return nil
}

// finish checks what only the whole shows, and makes the printer read UTF-8.
func (p *parser) finish() error {
	switch {
	case p.labels == 0:
		return fmt.Errorf("%w: ^XA, the start of a label, is missing", ErrTemplate)
	case p.inside:
		return fmt.Errorf("%w: ^XZ, the end of a label, is missing", ErrTemplate)
	case !slices.ContainsFunc(p.t.elements, element.holdsSerial):
		return fmt.Errorf("%w: no bar code holds {%s}, so that the label could never be scanned back", ErrTemplate, Serial)
	}
	if !p.utf8 {
		i := slices.IndexFunc(p.t.pieces, func(q piece) bool { return strings.HasPrefix(q.raw, "^XA") })
		p.t.pieces[i].raw = "^XA^CI28" + strings.TrimPrefix(p.t.pieces[i].raw, "^XA")
	}
	return nil
}

// holdsSerial reports whether e is a bar code of the serial number.
func (e element) holdsSerial() bool {
	return e.code != "" && slices.ContainsFunc(e.parts, func(p part) bool { return p.field == Serial })
}
