package records

import "strings"

// where gathers the terms of a filter, all of which must hold.
type where struct {
	terms []string
	args  []any
}

// add adds a term, and the arguments of its marks, if on.
func (w *where) add(on bool, term string, args ...any) {
	if on {
		w.terms, w.args = append(w.terms, term), append(w.args, args...)
	}
}

// text returns the clause, "" without a term.
func (w *where) text() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// limitOf returns what LIMIT takes: SQLite reads -1 as none.
func limitOf(n int) int {
	if n <= 0 {
		return -1
	}
	return n
}
