package main

import (
	"bytes"
	"strings"
	"testing"

	"provision/internal/catalog"
	"provision/internal/fault"
	"provision/internal/shift"
)

// TestSelfTestLineOfAFault: units that could not be read are nothing to be put in again:
// what to do is what the fault's page says.
func TestSelfTestLineOfAFault(t *testing.T) {
	words, err := catalog.Load("en")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &app{out: &out}
	page, _ := fault.Lookup(fault.Database)
	err = a.tellChecks(words, func(tell checkTeller) {
		tell(shift.CheckFacts{Name: "check.open_units", State: checkBad, Text: "disk I/O error"}, shift.Fault{Code: page.Code, Text: page.Says, Do: page.Do})
	})
	if err != (exitError{fault.ExitError}) {
		t.Errorf("the self-test ends with %v", err)
	}
	if got := out.String(); !strings.Contains(got, page.Do) || strings.Contains(got, words.Text("check.open_units_do")) {
		t.Errorf("it says\n%s", got)
	}
}
