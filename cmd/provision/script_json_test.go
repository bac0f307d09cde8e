//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// objects are the lines of stdout, each a JSON object with a kind.
func objects(ts *testscript.TestScript) []map[string]any {
	var out []map[string]any
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			ts.Fatalf("not a JSON object: %q: %v", line, err)
		}
		if kind, _ := o["kind"].(string); kind == "" {
			ts.Fatalf("no kind: %q", line)
		}
		out = append(out, o)
	}
	if len(out) == 0 {
		ts.Fatalf("nothing on stdout")
	}
	return out
}

// jsonlines checks that stdout is JSON objects and nothing else.
func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 0, "jsonlines")
	objects(ts)
}

// jsonrun checks that stdout is the events of one run: numbered without gaps, with
// its start first and its end last, nothing else, and nothing after.
func jsonRun(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 0, "jsonrun")
	all, seq := objects(ts), 0.0
	for _, o := range all {
		kind := o["kind"]
		if kind == "step.progress" || kind == "boot.line" {
			continue // shown, not kept
		}
		if seq++; o["seq"] != seq {
			ts.Fatalf("%v has seq %v, want %v", kind, o["seq"], seq)
		}
		if o["run"] != all[0]["run"] || o["time"] == nil {
			ts.Fatalf("%v is not an event of run %v: %v", kind, all[0]["run"], o)
		}
	}
	if first, last := all[0]["kind"], all[len(all)-1]["kind"]; first != "run.started" || last != "run.finished" {
		ts.Fatalf("the stream goes from %v to %v", first, last)
	}
}

// jsonlast FIELD VALUE... checks fields of the last JSON object on stdout; a dot
// goes one level down, a number into a list, and an empty VALUE means that the field is not there.
func jsonLast(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0 && len(args)%2 == 0, "jsonlast FIELD VALUE...")
	all := objects(ts)
	for pair := range slices.Chunk(args, 2) {
		got := ""
		if value := field(all[len(all)-1], pair[0]); value != nil {
			got = fmt.Sprint(value)
		}
		if got != pair[1] {
			ts.Fatalf("%s is %q, want %q", pair[0], got, pair[1])
		}
	}
}

func field(value any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		if list, ok := value.([]any); ok {
			n, err := strconv.Atoi(name)
			if err != nil || n >= len(list) {
				return nil
			}
			value = list[n]
			continue
		}
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}
