package board

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"provision/internal/fault"
	"provision/internal/shift"
)

// line is a line of a page that can be longer than the window: pieces with styles,
// one after the other.
type line []span

func text(st style, s string) line { return line{{st: st, text: s}} }

// wrapped are the lines of s.
func wrapped(st style, s string, w int) []line {
	var out []line
	for _, part := range wrap(s, w) {
		out = append(out, text(st, part))
	}
	return out
}

// drawView draws the page, the counters, the self-test or the help. The answer to a
// scan comes at once, below what was scanned.
func (p painter) drawView(a area) {
	if p.scan != nil {
		y := p.large(a, 0, blue|bold, p.scan.Text, small) + 1
		a = a.sub(0, y, a.w, a.h-y)
	}
	p.scrolled(a, p.viewLines(a.w-2))
}

func (p painter) viewLines(w int) []line {
	switch p.view {
	case pageView:
		return p.pageLines(w)
	case countersView:
		return p.counterLines(w)
	case checkView:
		return p.checkLines(w)
	case helpView:
		return p.helpLines(w)
	}
	return nil
}

// scrolled draws as many lines as there is room for, from the one that was scrolled
// to, and says in the last row where that is.
func (p painter) scrolled(a area, lines []line) {
	room := a.h
	if len(lines) > a.h {
		room = max(0, a.h-1)
	}
	from := min(p.scroll, max(0, len(lines)-room))
	for y, l := range lines[from:min(len(lines), from+room)] {
		x := 1
		for _, s := range l {
			x = a.put(x, y, s.st, p.lk.cut(s.text, a.w-1-x))
		}
	}
	if len(lines) > a.h && a.h > 0 {
		where := p.tx.Text("page.where", "n", strconv.Itoa(from+1), "m", strconv.Itoa(from+room), "of", strconv.Itoa(len(lines)))
		a.right(a.h-1, dim, where+" ", p.lk)
	}
}

// mostScroll is how far the page can be scrolled in a window.
func (m model) mostScroll(width, height int, tx words) int {
	p := painter{m, look{}, tx}
	switch {
	case m.choice != nil:
		return len(p.choiceFacts(width - 2))
	case m.view != floorView:
		return max(0, len(p.viewLines(width-2))-height/2)
	}
	return 0
}

func (p painter) pageLines(w int) []line {
	if p.page == nil {
		return nil
	}
	head := p.tx.Text("page." + p.page.Kind)
	if p.page.Title != "" {
		head += ": " + p.page.Title
	}
	out := append(wrapped(bold, head, w), nil)
	if p.page.Kind == "fault" {
		out = append(out, p.faultLines(fault.Code(p.page.Title), w)...)
	}
	out = append(out, p.factLines(p.page.Facts, w)...)
	for _, t := range p.page.Tables {
		out = append(out, p.tableLines(t, w)...)
	}
	return out
}

// faultLines is the page of a fault code in the language of the screen.
func (p painter) faultLines(code fault.Code, w int) []line {
	page, known := fault.Lookup(code)
	if !known {
		return nil
	}
	name, says, do := p.tx.Fault(code)
	out := wrapped(bold, name, w)
	out = append(out, wrapped(plain, says, w)...)
	out = append(out, wrapped(bold, do, w)...)
	kind := "fault.permanent"
	if page.Transient {
		kind = "fault.transient"
	}
	out = append(out, wrapped(plain, p.tx.Text("fault.blame")+": "+p.tx.Class(code), w)...)
	return append(append(out, wrapped(plain, p.tx.Text(kind), w)...), nil)
}

// factLines are facts in two columns. What is for ever is marked.
func (p painter) factLines(facts []shift.Fact, w int) []line {
	label := 0
	for _, f := range facts {
		label = max(label, width(p.word(f.Key)))
	}
	label = min(label, max(8, w/3))
	var out []line
	for _, f := range facts {
		if permanent(f.Key) {
			out = append(out, p.forEver(f.Text, w)...)
			continue
		}
		value := p.value(f.Text)
		if page, known := fault.Lookup(fault.Code(value)); known {
			name, _, _ := p.tx.Fault(page.Code)
			value += " " + name
		}
		for i, part := range wrap(value, w-label-2) {
			head := ""
			if i == 0 {
				head = p.lk.cut(p.word(f.Key), label)
			}
			out = append(out, line{{st: dim, text: fill(head, label+2)}, {st: plain, text: part}})
		}
	}
	return out
}

// permanent reports whether a fact is about what can never be undone.
func permanent(key string) bool {
	_, name, _ := strings.Cut(key, ".")
	return strings.HasPrefix(name, "permanent")
}

// forEver is a sentence about what can never be undone.
func (p painter) forEver(s string, w int) []line {
	tag := " " + p.tx.Text("choice.for_ever") + " "
	var out []line
	for i, part := range wrap(s, max(10, w-width(tag)-1)) {
		if i == 0 {
			out = append(out, line{{st: bold | inverse, text: tag}, {st: bold, text: " " + part}})
			continue
		}
		out = append(out, line{{st: plain, text: strings.Repeat(" ", width(tag)+1)}, {st: bold, text: part}})
	}
	return out
}

// tableLines is a table; the last column takes what is left.
func (p painter) tableLines(t shift.Table, w int) []line {
	out := []line{nil}
	if t.Title != "" {
		out = append(out, text(bold, title(p.word(t.Title))))
	}
	heads := make([]string, len(t.Heads))
	for i, h := range t.Heads {
		heads[i] = p.word(h)
	}
	rows := make([][]string, len(t.Rows))
	for i, cells := range t.Rows {
		for _, c := range cells {
			rows[i] = append(rows[i], p.value(c))
		}
	}
	cols := columns(append([][]string{heads}, rows...))
	if len(heads) > 0 {
		out = append(out, p.rowLines(dim, heads, cols, w)...)
	}
	for _, cells := range rows {
		out = append(out, p.rowLines(plain, cells, cols, w)...)
	}
	return out
}

// leastWrap is the least width of a last column that is told in several lines;
// a narrower one is cut.
const leastWrap = 16

// rowLines is a row of a table. The last column takes what is left of w, and as many
// lines as it needs.
func (p painter) rowLines(st style, cells []string, cols []int, w int) []line {
	if len(cells) == 0 {
		return nil
	}
	first, used := "", 0
	last := len(cells) - 1
	for i, c := range cells[:last] {
		first += fill(p.lk.cut(c, cols[i]), cols[i]+2)
		used += cols[i] + 2
	}
	parts := []string{cells[last]}
	if w-used >= leastWrap {
		parts = wrap(cells[last], w-used)
	}
	out := []line{text(st, strings.TrimRight(first+strings.Join(parts[:min(1, len(parts))], ""), " "))}
	for _, more := range parts[min(1, len(parts)):] {
		out = append(out, text(st, fill("", used)+more))
	}
	return out
}

// value is what a page says, with the words of the catalogue in it in the language of
// the screen.
func (p painter) value(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		if strings.Contains(w, ".") {
			words[i] = p.word(w)
		}
	}
	return strings.Join(words, " ")
}

// columns are the widths that rows need; the last one takes what is left.
func columns(rows [][]string) []int {
	const most = 40
	var out []int
	for _, cells := range rows {
		for i, c := range cells {
			if i == len(out) {
				out = append(out, 0)
			}
			out[i] = min(most, max(out[i], width(c)))
		}
	}
	return out
}

// fill is s with blanks up to w columns.
func fill(s string, w int) string { return s + strings.Repeat(" ", max(0, w-width(s))) }

// title is s with a capital at its beginning.
func title(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// word is the text of key, or the key itself where it is no word of the catalogue.
func (p painter) word(key string) string {
	if p.tx.Has(key) {
		return p.tx.Text(key)
	}
	return key
}
