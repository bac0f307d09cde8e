package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"provision/internal/floor"
	"provision/internal/flow"
	"provision/internal/records"
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

// sources are the files of this package and of those whose kinds of events it passes on.
func sources(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.go", "../../internal/flow/event.go", "../../internal/floor/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("nothing like %s: %v", pattern, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			texts[name] = string(text)
		}
	}
	return texts
}

// Places in the source where a kind or a field gets its name.
var (
	kindNamed = []*regexp.Regexp{
		regexp.MustCompile(`"kind": "([a-z_.]+)"`),
		regexp.MustCompile(`Kind: "([a-z_.]+)"`),
		regexp.MustCompile(`\{"([a-z_]+\.[a-z_]+)", `),
		regexp.MustCompile(`^\t[A-Z]\w+ += "([a-z]+\.[a-z]+|warning)"`),
		regexp.MustCompile(`\}\{"([a-z_.]+)", `),
	}
	fieldNamed = []*regexp.Regexp{
		regexp.MustCompile(`json:"([a-z_0-9]+)`),
		regexp.MustCompile(`"([a-z_0-9]+)": [a-zA-Z]`),
	}
)

// notEvents are words in the source that look like kinds and fields, and are none: a
// beginning of one, a file, a coding scheme, and the form of a list of updates.
var notEvents = map[string]bool{"person.": true, "provision.db": true, "repeat": true, "url": true, "inline": true, "value": true}

// TestEveryKindIsDocumented: a script learns from the manual what can come.
func TestEveryKindIsDocumented(t *testing.T) {
	manual := manual(t, "events.md", "ota.md")
	seen := 0
	for name, text := range sources(t) {
		for line := range strings.SplitSeq(text, "\n") {
			for _, re := range kindNamed {
				for _, m := range re.FindAllStringSubmatch(line, -1) {
					seen++
					if notEvents[m[1]] {
						continue
					}
					if !strings.Contains(manual, "`"+m[1]+"`") {
						t.Errorf("%s: no word of the kind %q in the manual", name, m[1])
					}
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("%d kinds are found in the source: this test no longer knows where to look", seen)
	}
}

// TestEveryFieldIsDocumented: so are the fields of every object.
func TestEveryFieldIsDocumented(t *testing.T) {
	manual := manual(t, "events.md", "ota.md")
	fields := map[string]string{} // by where they come from
	for name, text := range sources(t) {
		for _, re := range fieldNamed {
			for line := range strings.SplitSeq(text, "\n") {
				if re == fieldNamed[1] && !strings.Contains(line, "kind") && !strings.HasPrefix(line, "\t\t\t") {
					continue // a map that is no event
				}
				for _, m := range re.FindAllStringSubmatch(line, -1) {
					fields[m[1]] = name
				}
			}
		}
	}
	for _, v := range []any{floor.Event{}, flow.Outlook{}, flow.Status{}, records.Record{}, records.Report{}, records.TamperedError{}, records.Beyond{}} {
		addFields(fields, reflect.TypeOf(v))
	}
	if len(fields) < 150 {
		t.Errorf("%d fields are found: this test no longer knows where to look", len(fields))
	}
	for field, from := range fields {
		if from == "otarelease.go" || notEvents[field] { // release.json is a file, described in ota.md
			continue
		}
		if !strings.Contains(manual, "`"+field+"`") {
			t.Errorf("%s: no word of the field %q in the manual", from, field)
		}
	}
}

// addFields adds the JSON names of a type and of what is in it.
func addFields(fields map[string]string, typ reflect.Type) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		addFields(fields, typ.Elem())
		return
	case reflect.Struct:
	default:
		return
	}
	if typ == reflect.TypeFor[time.Time]() || typ.Implements(reflect.TypeFor[json.Marshaler]()) {
		return
	}
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = typ.String()
		}
		if name != "-" {
			addFields(fields, f.Type)
		}
	}
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
