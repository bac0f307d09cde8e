package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"provision/internal/ota"
)

// update is an image that is to be one, and what is said of it.
type update struct {
	path   string
	data   []byte
	image  *ota.Image
	facts  imageFacts
	report ota.Report
}

func newUpdate(path string, data []byte) *update {
	return &update{path: path, data: data, image: ota.Read(data), facts: examine(path, data)}
}

// signature says who signed the image, as far as that can be told: of the two keys
// that a V1 signature leaves possible, the one that the unit trusts.
func (u *update) signature(trusts []string) (text string, keys []string) {
	scheme := u.image.Scheme()
	if scheme == 0 {
		return "not signed", nil
	}
	keys = u.image.Signers()
	if i := slices.IndexFunc(keys, func(k string) bool { return slices.Contains(trusts, k) }); i >= 0 {
		keys = keys[i : i+1]
	}
	return fmt.Sprintf("signed for Secure Boot V%d with key %s", scheme, strings.Join(shortKeys(keys), " or ")), keys
}

// what is the image in one line.
func (u *update) what(trusts []string) string {
	kind := u.facts.What
	if kind == "unknown" {
		return fmt.Sprintf("no image, %d bytes", len(u.data))
	}
	words := []string{kind}
	if u.facts.Project != "" {
		words = []string{strings.TrimSpace(u.facts.Project + " " + u.facts.Version)}
	}
	words = append(words, fmt.Sprintf("%d bytes", len(u.data)))
	if u.image.Length() > 0 {
		text, _ := u.signature(trusts)
		words = append(words, text)
	}
	if app := u.image.App(); app != nil && app.SecureVersion > 0 {
		words = append(words, fmt.Sprintf("secure version %d", app.SecureVersion))
	}
	return strings.Join(words, ", ")
}

// verdictSays explains a verdict.
var verdictSays = map[ota.Verdict]string{
	ota.Accepted:  "the unit writes it, switches to it and starts it.",
	ota.Refused:   "esp_ota gives up, and the unit goes on with the app it has.",
	ota.FallsBack: "esp_ota takes it, the bootloader does not start it, and the unit comes back with the app it had.",
	ota.Unknown:   "nothing is seen against it; these facts would decide:",
}

// print is the answer for a person.
func (u *update) print(w io.Writer, unit whom) {
	trusts, _ := unit.device.Trusts.Get()
	rows := [][]string{{"image", u.path}, {"", u.what(trusts)}}
	if unit.name != "" {
		rows = append(rows, []string{"for", unit.name}, []string{"", deviceFacts(unit.device)})
	}
	table(w, "", rows)
	fmt.Fprintf(w, "\n%s: %s\n", u.report.Verdict, verdictSays[u.report.Verdict])
	for i, r := range u.report.Reasons {
		printReason(w, i, len(u.report.Reasons), r)
	}
	u.printMissing(w, unit)
	for _, note := range u.report.Notes {
		fmt.Fprintln(w)
		paragraph(w, "", "Note: "+note)
	}
}

// printReason is one reason; of several, the unit tells about the first only.
func printReason(w io.Writer, i, of int, r ota.Reason) {
	number := ""
	if of > 1 {
		number = fmt.Sprintf("%d. ", i+1)
	}
	fmt.Fprintln(w)
	paragraph(w, "", number+r.Says)
	prints, returns := "The unit prints", "The call returns"
	if !r.First {
		prints, returns = "The unit would print, did it come so far", "The call would return"
	}
	if len(r.Lines) > 0 {
		paragraph(w, indent, fmt.Sprintf("%s (%v):", prints, r.By))
	}
	for _, line := range r.Lines {
		fmt.Fprintf(w, "%s  | %s\n", indent, line)
	}
	if r.Error != "" {
		paragraph(w, indent, fmt.Sprintf("%s %s.", returns, r.Error))
	}
	paragraph(w, indent, r.Why)
	paragraph(w, indent, "To do: "+r.Do)
	paragraph(w, indent, "More: docs/ota.md#"+string(r.Code))
}

const (
	indent    = "   "
	lineWidth = 100
)

// paragraph prints text in lines of that width; an empty one not at all.
func paragraph(w io.Writer, indent, text string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(indent)+len(line)+1+len(word) > lineWidth {
			fmt.Fprintln(w, indent+line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	if line != "" {
		fmt.Fprintln(w, indent+line)
	}
}

// printMissing lists the facts that would decide.
func (u *update) printMissing(w io.Writer, unit whom) {
	missing := u.report.Missing
	if len(missing) == 0 {
		return
	}
	if u.report.Verdict != ota.Unknown {
		fmt.Fprintln(w, "\nNot known, and it could be a reason too:")
	}
	for _, fact := range missing {
		paragraph(w, indent, "- "+fact)
	}
	if unit.name == "" {
		paragraph(w, indent, "To do: say whose: --serial SERIAL for a unit in the records, --station FILE for the units of a profile.")
	}
}

// json is the answer for a program.
func (u *update) json(unit whom) any {
	trusts, _ := unit.device.Trusts.Get()
	_, keys := u.signature(trusts)
	out := struct {
		Kind      string   `json:"kind"`
		File      string   `json:"file"`
		SHA256    string   `json:"sha256"`
		Size      int      `json:"size"`
		What      string   `json:"what"`
		Project   string   `json:"project,omitempty"`
		Version   string   `json:"version,omitempty"`
		Signature int      `json:"signature"` // Secure Boot version it is signed for; 0: not signed
		Keys      []string `json:"keys,omitempty"`
		For       string   `json:"for,omitempty"`
		Serial    string   `json:"serial,omitempty"`
		MAC       string   `json:"mac,omitempty"`
		ota.Report
	}{
		Kind: "ota.checked", File: u.path, SHA256: u.facts.SHA256, Size: len(u.data), What: u.facts.What,
		Project: u.facts.Project, Version: u.facts.Version, Signature: u.image.Scheme(), Keys: keys,
		For: unit.name, Serial: unit.serial, MAC: unit.mac, Report: u.report,
	}
	return out
}
