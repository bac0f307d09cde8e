package ota_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"provision/internal/ota"
	"provision/internal/simulator"
)

// verdicts are what the outcome of a virtual update is called here.
var verdicts = map[simulator.OTAOutcome]ota.Verdict{
	simulator.OTAAccepted: ota.Accepted,
	simulator.OTARefused:  ota.Refused,
	simulator.OTAFellBack: ota.FallsBack,
}

// TestVerdictsAreTheUnits holds the answer given before against what the virtual unit
// then does with the same file, for every kind of unit.
func TestVerdictsAreTheUnits(t *testing.T) {
	w := newWorkshop(t)
	for _, v := range refusals {
		data := v.image(t, w)
		for _, k := range kinds {
			t.Run(v.name+"/"+k.name, func(t *testing.T) {
				t.Parallel()
				u := w.newUnit(t, k, v.setup)
				report := ota.Check(data, u.facts)
				did := u.chip.OTA(data, v.setup.build)
				if report.Verdict != verdicts[did.Outcome] {
					t.Fatalf("said %s, the unit: %v\n%s\n%q", report.Verdict, did, show(report), did.Lines)
				}
				if k.scheme < 2 {
					checkReasons(t, report, [2]ota.Code{v.open, v.secure}[k.scheme], v.also)
				}
				if len(report.Reasons) > 0 {
					checkLines(t, report.Reasons[0], did)
				}
			})
		}
	}
}

// checkReasons wants want first, alone marked as such, and also somewhere.
func checkReasons(t *testing.T, r ota.Report, want ota.Code, also []ota.Code) {
	t.Helper()
	var codes []ota.Code
	for i, reason := range r.Reasons {
		codes = append(codes, reason.Code)
		if reason.First != (i == 0) {
			t.Errorf("reason %d: first = %v", i, reason.First)
		}
		if reason.Says == "" || reason.Do == "" || !strings.HasSuffix(reason.Says, ".") || !strings.HasSuffix(reason.Do, ".") {
			t.Errorf("%s: says %q, do %q", reason.Code, reason.Says, reason.Do)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(codes)))) < len(codes) {
		t.Errorf("a reason is told twice: %q", codes)
	}
	first := ota.Code("")
	if len(codes) > 0 {
		first = codes[0]
	}
	if first != want {
		t.Errorf("first reason %q, want %q\n%s", first, want, show(r))
	}
	for _, code := range also {
		if want != "" && !slices.Contains(codes, code) {
			t.Errorf("no reason %q\n%s", code, show(r))
		}
	}
}

// checkLines wants the lines of the reason met first among those the unit printed,
// in that order, and the same error.
func checkLines(t *testing.T, r ota.Reason, did simulator.OTAResult) {
	t.Helper()
	if r.Error != did.Error {
		t.Errorf("error %q, the unit: %q", r.Error, did.Error)
	}
	printed := withoutTimes(did.Lines)
	for _, line := range r.Lines {
		like := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(line), `\?`, `.`) + "$")
		i := slices.IndexFunc(printed, like.MatchString)
		if i < 0 {
			t.Fatalf("the unit did not print %q, but\n%s", line, strings.Join(printed, "\n"))
		}
		printed = printed[i+1:]
	}
}

var timestamp = regexp.MustCompile(`^([IWE]) \([0-9]+\) `)

func withoutTimes(lines []string) (out []string) {
	for _, l := range lines {
		out = append(out, timestamp.ReplaceAllString(l, "$1 (t) "))
	}
	return out
}

// show is a report for a person.
func show(r ota.Report) string {
	var b strings.Builder
	fmt.Fprintln(&b, r.Verdict, "missing:", r.Missing, "notes:", r.Notes)
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "  %s (%s): %s\n    %q %s %s\n    do: %s\n", reason.Code, reason.By, reason.Says, reason.Lines, reason.Error, reason.Why, reason.Do)
	}
	return b.String()
}
