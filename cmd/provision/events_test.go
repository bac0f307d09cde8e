package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manual is a document for whoever writes scripts.
func manual(t *testing.T, names ...string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("../../docs", name))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// manualRows are the tables of events.md. A word in backticks is a field; what has a dot
// is a kind, and what stands in quotation marks a value.
type manualRows struct {
	rows   map[string]names // of kinds, and of objects as "Heading/object"
	fields map[string]names // of events: the kinds that a field is of
}

var (
	fieldWord = regexp.MustCompile("`([a-z_0-9]+)`")
	kindWord  = regexp.MustCompile("`([a-z_]+(?:\\.[a-z_]+)?)`")
	inBraces  = regexp.MustCompile(`\([^()]*\)`)
	sameAs    = regexp.MustCompile("as `([a-z_.]+)` has")
)

func inTicks(re *regexp.Regexp, text string) (out []string) {
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

func setOf(list ...string) names {
	set := names{}
	for _, word := range list {
		set[word] = true
	}
	return set
}

// tables calls row for each row of the tables of a document, with the heading above it
// and the first cell of the table's head.
func tables(text string, row func(heading, head string, cells []string)) {
	heading, head := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "## "); ok {
			heading = name
		}
		if !strings.HasPrefix(line, "|") {
			head = ""
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case head == "":
			head = cells[0]
		case !strings.HasPrefix(line, "|---"):
			row(heading, head, cells)
		}
	}
}

func readManual(t *testing.T) manualRows {
	t.Helper()
	m := manualRows{rows: map[string]names{}, fields: map[string]names{}}
	same := map[string]string{}
	object := ""
	tables(manual(t, "events.md"), func(heading, head string, cells []string) {
		rest := strings.Join(cells[1:], " ")
		switch head {
		case "field":
			for _, field := range inTicks(fieldWord, cells[0]) {
				m.fields[field] = setOf(inTicks(kindWord, rest)...)
			}
		case "kind":
			for _, kind := range inTicks(kindWord, inBraces.ReplaceAllString(cells[0], "")) {
				m.rows[kind] = setOf(inTicks(fieldWord, rest)...)
				if other := inTicks(sameAs, rest); other != nil {
					same[kind] = other[0]
				}
			}
		case "object":
			if name := inTicks(fieldWord, cells[0]); name != nil {
				object = heading + "/" + name[0]
				m.rows[object] = names{}
			}
			m.rows[object].add(setOf(inTicks(fieldWord, rest)...))
		}
	})
	for kind, other := range same {
		m.rows[kind].add(m.rows[other])
	}
	return m
}

// differ compares what is printed with what is told of it.
func differ(t *testing.T, what string, printed, told names) {
	t.Helper()
	for name := range printed {
		if !told[name] {
			t.Errorf("%s: the manual does not tell of the field %q", what, name)
		}
	}
	for name := range told {
		if !printed[name] {
			t.Errorf("%s: the manual tells of a field %q, and there is none", what, name)
		}
	}
}

// TestEveryObjectIsDocumented: a script learns from the manual what can come, and what is
// in it: of each kind and each object in it the fields that it has, and no other.
func TestEveryObjectIsDocumented(t *testing.T) {
	s, m := readShapes(t), readManual(t)
	if len(s.kinds) < 35 || len(s.own) != len(ownRows) {
		t.Fatalf("%d kinds and %d objects are found in the source: this test no longer knows where to look", len(s.kinds), len(s.own))
	}
	seen := map[string]bool{}
	for kind, printed := range s.kinds {
		if typ := s.own[kind]; typ != nil { // an object with a kind put before it
			s.fields(typ, printed)
		}
		for row, told := range m.rows {
			if row == kind || strings.HasSuffix(kind, ".") && strings.HasPrefix(row, kind) { // the beginning of several
				seen[kind], seen[row] = true, true
				differ(t, row, printed, told)
			}
		}
		if !seen[kind] {
			t.Errorf("the manual has no row of the kind %q", kind)
		}
	}
	for row, typ := range s.own {
		if seen[row] { // of a kind that is told already
			continue
		}
		seen[row] = true
		printed := names{}
		s.fields(typ, printed)
		differ(t, row, printed, m.rows[row])
	}
	for row := range m.rows {
		if !seen[row] && s.events[row] == nil {
			t.Errorf("the manual has a row of %q, and nothing of that name is printed", row)
		}
	}
}

// everyEvent are the fields that any event may have: who, where and when.
var everyEvent = setOf("seq", "time", "run", "slot", "kind", "step", "code", "mac", "serial", "text", "do")

// TestEveryEventIsDocumented: of which kinds the fields of events are, in both manuals.
func TestEveryEventIsDocumented(t *testing.T) {
	s, m := readShapes(t), readManual(t)
	if len(s.events) < 20 {
		t.Fatalf("%d kinds of events are found in the source: this test no longer knows where to look", len(s.events))
	}
	told := setOf(inTicks(kindWord, manual(t, "events.md"))...)
	short := cliKinds(t)
	for kind, made := range s.events {
		if !told[kind] && !short[kind] {
			t.Errorf("no manual tells of the event %q", kind)
		}
		for field := range made {
			if everyEvent[field] {
				continue
			}
			if !m.fields[field][kind] {
				t.Errorf("%s has the field %q, and events.md does not say so", kind, field)
			}
		}
	}
	for field, kinds := range m.fields {
		for kind := range kinds {
			if strings.Contains(kind, ".") && s.events[kind] != nil && !s.events[kind][field] {
				t.Errorf("events.md says that %s has the field %q", kind, field)
			}
		}
	}
}

// cliKinds are the kinds in the table of cli.md, which is held against the source: what
// stands beside a kind is in its event, or in an object of it.
func cliKinds(t *testing.T) names {
	t.Helper()
	s, m := readShapes(t), readManual(t)
	kinds := names{}
	tables(manual(t, "cli.md"), func(_, head string, cells []string) {
		if head != "kind" {
			return
		}
		for _, kind := range inTicks(kindWord, cells[0]) {
			kinds[kind] = true
			can := names{}
			can.add(everyEvent)
			for field := range s.events[kind] {
				can[field] = true
				can.add(m.rows["Events of a run/"+field])
			}
			for _, field := range inTicks(fieldWord, strings.Join(cells[2:], " ")) {
				if !can[field] {
					t.Errorf("cli.md says that %s has the field %q", kind, field)
				}
			}
			if s.events[kind] == nil {
				t.Errorf("cli.md tells of the event %q, and there is none", kind)
			}
		}
	})
	if len(kinds) < 15 {
		t.Fatalf("%d kinds in cli.md", len(kinds))
	}
	return kinds
}

// TestEveryFlagIsDocumented: every flag of every command is named in a manual.
func TestEveryFlagIsDocumented(t *testing.T) {
	manual := manual(t, "cli.md", "ota.md", "simulator.md")
	var walk func(*cobra.Command)
	seen := 0
	walk = func(c *cobra.Command) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			seen++
			named := regexp.MustCompile("--" + regexp.QuoteMeta(f.Name) + `\b`)
			if !f.Hidden && !named.MatchString(manual) {
				t.Errorf("%s --%s is in no manual", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			if !slices.Contains([]string{"help", "completion"}, sub.Name()) {
				walk(sub)
			}
		}
	}
	walk((&app{}).root())
	if seen < 100 {
		t.Errorf("%d flags are found", seen)
	}
}
