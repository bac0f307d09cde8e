package label

import (
	"bytes"
	"fmt"
	"strings"
)

// Render returns the label as it is sent to a printer, in UTF-8. Whatever a value
// holds, it stays the data of its field: every field with a value is sent as
// ^FH_^FD with the characters escaped that could be taken for something else, so
// that the commands of a label never depend on its values. Bar codes hold exactly
// the value. A value that is too long or cannot be printed, and a serial number that
// is missing, is ErrValue.
func (t *Template) Render(f Fields) ([]byte, error) {
	var b bytes.Buffer
	for _, p := range t.pieces {
		b.WriteString(p.raw)
		if p.element < 0 {
			continue
		}
		e := t.elements[p.element]
		data, err := e.data(f)
		if err != nil {
			return nil, err
		}
		b.WriteString(escape(symbolEscape(e.code, data)))
	}
	return b.Bytes(), nil
}

// data returns what the element shows, unescaped.
func (e element) data(f Fields) (string, error) {
	var b strings.Builder
	for _, p := range e.parts {
		if p.field == "" {
			b.WriteString(p.text)
			continue
		}
		v, err := f.printable(p.field)
		if err == nil {
			err = e.accept(p.field, v)
		}
		if err != nil {
			return "", err
		}
		b.WriteString(v)
	}
	return b.String(), nil
}

// accept refuses values that this element would show as something else.
func (e element) accept(name, v string) error {
	switch {
	case strings.ContainsAny(v, e.taboo):
		return fmt.Errorf("%w: {%s} stands in a block of text, which takes the character %s for an order", ErrValue, name, e.taboo)
	case e.code == "":
		return nil
	case v == "":
		return fmt.Errorf("%w: {%s} stands in a bar code and is empty", ErrValue, name)
	case strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Errorf("%w: {%s} stands in a bar code and holds a character that scanners do not send", ErrValue, name)
	case strings.TrimSpace(v) != v:
		return fmt.Errorf("%w: {%s} stands in a bar code and starts or ends with a space", ErrValue, name)
	}
	return nil
}
