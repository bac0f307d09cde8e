package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"provision/internal/ota"
)

// TestEveryReasonIsExplained: ota check sends people to a section of docs/ota.md for
// each reason that package ota has, and so does the page of the fault that it ends in.
func TestEveryReasonIsExplained(t *testing.T) {
	source, err := os.ReadFile("../../internal/ota/report.go")
	if err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../../docs/ota.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`(?m)^\t\w+ +Code = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 20 {
		t.Fatalf("%d codes", len(codes))
	}
	for _, code := range codes {
		if !strings.Contains(string(manual), "\n### "+code[1]+"\n") {
			t.Errorf("docs/ota.md does not explain %s", code[1])
		}
		published, ok := updateCodes[ota.Code(code[1])]
		if !ok {
			t.Errorf("%s has no fault code", code[1])
		}
		if !slices.Contains(moreAbout(published), "docs/ota.md#"+code[1]) {
			t.Errorf("help %s does not name the section about %s", published, code[1])
		}
	}
}
