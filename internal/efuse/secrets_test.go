package efuse

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestSecretsDoNotPrint looks for a key's words in whatever prints.
func TestSecretsDoNotPrint(t *testing.T) {
	goal := releaseGoal(t)
	have := blankChip()
	have[1] = goal.Block1.Reveal()
	burns, err := Plan(blankChip(), goal, Proven{})
	if err != nil {
		t.Fatal(err)
	}
	foreign := have
	foreign[1][3] = ^foreign[1][3]
	_, foreignErr := Plan(foreign, goal, Proven{})
	if foreignErr == nil {
		t.Fatal("no refusal to look at")
	}
	var printed strings.Builder
	for _, v := range []any{have, &have, goal, &goal, burns, goal.Block1, foreignErr, Summary(have), burns[0].readBackError(have, goal.Block1.Reveal())} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%08x", "%d", "%s"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		printed.Write(text)
	}
	for _, word := range goal.Block1.Reveal() {
		for _, format := range []string{"%x", "%X", "%d"} {
			if needle := fmt.Sprintf(format, word); strings.Contains(printed.String(), needle) {
				t.Errorf("a key word shows as %s", needle)
			}
		}
	}
	if have.Public()[1] != [8]uint32{} {
		t.Error("Public keeps a key")
	}
}
