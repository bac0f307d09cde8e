package efuse

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"runtime/debug"
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

// traced keeps what a crash at any access would print.
type traced struct {
	*fakeChip
	dumps []string
}

func (c *traced) ReadReg(ctx context.Context, addr uint32) (uint32, error) {
	c.dumps = append(c.dumps, string(debug.Stack()))
	return c.fakeChip.ReadReg(ctx, addr)
}

func (c *traced) WriteReg(ctx context.Context, addr, value uint32) error {
	c.dumps = append(c.dumps, string(debug.Stack()))
	return c.fakeChip.WriteReg(ctx, addr, value)
}

// TestNoKeyInADump: wherever the burn of a key waits for the line, no argument in the
// dump of a crash is a word of it. Values that the runtime marks as no longer sure are
// left out: what an earlier call left on the stack is beyond a caller's reach. So are
// the chip's own calls, which get the words one by one.
func TestNoKeyInADump(t *testing.T) {
	goal := releaseGoal(t)
	burns, err := Plan(blankChip(), goal, Proven{})
	if err != nil {
		t.Fatal(err)
	}
	chip := &traced{fakeChip: newFake(t).powerOn(blankChip())}
	if _, err := Execute(t.Context(), chip, timing40(t), burns[0]); err != nil {
		t.Fatal(err)
	}
	leaks, chips := map[string]int{}, 0
	for _, dump := range chip.dumps {
		for line := range strings.Lines(dump) {
			for _, word := range goal.Block1.Reveal() {
				argument := regexp.MustCompile(fmt.Sprintf(`\b%#x[,})]`, word))
				switch called, _, _ := strings.Cut(line, "({"); {
				case !argument.MatchString(line):
				case strings.Contains(line, "traced"):
					chips++
				default:
					leaks[called]++
				}
			}
		}
	}
	if len(leaks) > 0 {
		t.Errorf("words of the key are arguments of %v", leaks)
	}
	if chips == 0 {
		t.Error("the dumps show no arguments: this test would find nothing")
	}
}
