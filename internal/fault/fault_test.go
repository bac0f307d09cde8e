package fault

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// declared returns every Code constant of codes.go, so that a code without a
// page cannot hide: the compiler does not hand out a list of constants.
func declared(t *testing.T) []Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []Code
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, Code(s))
		}
		return true
	})
	if len(codes) == 0 {
		t.Fatal("codes.go declares no code")
	}
	return codes
}

func TestEveryCodeHasAPage(t *testing.T) {
	codes := declared(t)
	for _, c := range codes {
		if page, ok := Lookup(c); !ok || page.Code != c {
			t.Errorf("%s has no page", c)
		}
	}
	if got := len(All()); got != len(codes) {
		t.Errorf("%d pages for %d codes", got, len(codes))
	}
}

func TestPagesAreSortedAndUnique(t *testing.T) {
	all := All()
	for i := 1; i < len(all); i++ {
		if all[i-1].Code >= all[i].Code {
			t.Errorf("%s stands before %s", all[i-1].Code, all[i].Code)
		}
	}
	names := map[string]Code{}
	for _, p := range all {
		if other, taken := names[p.Name]; taken {
			t.Errorf("%s and %s are both called %q", other, p.Code, p.Name)
		}
		names[p.Name] = p.Code
	}
}

func TestPagesAreComplete(t *testing.T) {
	classes := []Class{Link, Part, Fuse, Flash, Identity, Records, Boot, Profile, Station}
	form := regexp.MustCompile(`^E([1-9])[0-9]{2}$`)
	for _, p := range All() {
		m := form.FindStringSubmatch(string(p.Code))
		if m == nil {
			t.Errorf("%q is not a code", p.Code)
			continue
		}
		if want := classes[m[1][0]-'1']; p.Class != want {
			t.Errorf("%s is of class %s, want %s", p.Code, p.Class, want)
		}
		if !slices.Contains([]Verdict{Fail, Input, Error, Park}, p.Verdict) {
			t.Errorf("%s leads to %q", p.Code, p.Verdict)
		}
		if len(p.Name) == 0 || len(p.Name) > 30 {
			t.Errorf("%s: the name %q does not fit a tile", p.Code, p.Name)
		}
		checkSentence(t, p.Code, p.Says)
		checkSentence(t, p.Code, p.Do)
	}
}

// checkSentence holds what the operator's screen asks for: one plain sentence.
func checkSentence(t *testing.T, code Code, s string) {
	t.Helper()
	switch {
	case s == "" || s[len(s)-1] != '.' || strings.Count(s, ".") != 1:
		t.Errorf("%s: %q is not one sentence", code, s)
	case s[0] < 'A' || s[0] > 'Z':
		t.Errorf("%s: %q does not begin with a capital", code, s)
	case strings.Contains(s, "0x"):
		t.Errorf("%s: %q makes the operator read hex", code, s)
	case len(s) > 120:
		t.Errorf("%s: %q is too long to read at a glance", code, s)
	}
}

// TestPublishedCodesStay compares with the list of what has been published. A new
// code is a new line there; a line that is there never changes or goes away.
func TestPublishedCodesStay(t *testing.T) {
	want, err := os.ReadFile("testdata/published.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, p := range All() {
		fmt.Fprintf(&got, "%s %s %s\n", p.Code, p.Verdict, p.Name)
	}
	if got.String() != string(want) {
		t.Errorf("codes differ from testdata/published.txt; now:\n%s", got.String())
	}
}

func TestLookupUnknown(t *testing.T) {
	for _, c := range []Code{"", "E000", "E199", "E999", "e101", "E1011"} {
		if page, ok := Lookup(c); ok {
			t.Errorf("Lookup(%q) = %v", c, page)
		}
	}
}

func TestAllIsACopy(t *testing.T) {
	All()[0].Says = "changed"
	if page, _ := Lookup(NoAnswer); page.Says == "changed" {
		t.Error("a caller of All changed the table")
	}
}

func TestFaultError(t *testing.T) {
	cause := errors.New("word 3 is 00000000")
	for _, c := range []struct {
		err  error
		want string
	}{
		{New(ReadBack, "burn BLOCK1", cause), "E301 burn BLOCK1: word 3 is 00000000"},
		{New(ReadBack, "", cause), "E301: word 3 is 00000000"},
		{New(WrongChip, "identify", nil), "E201 identify: This is not an ESP32."},
		{New("E999", "", nil), "E999"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestFaultKeepsItsCause(t *testing.T) {
	err := fmt.Errorf("slot 2: %w", New(FileMissing, "load", &fs.PathError{Op: "open", Path: "app.bin", Err: fs.ErrNotExist}))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("the cause is lost")
	}
	if got := CodeOf(err); got != FileMissing {
		t.Errorf("CodeOf = %s", got)
	}
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{New(ReadBack, "", nil), 1},
		{New(BadProfile, "", nil), 2},
		{New(SerialForm, "", nil), 2},
		{New(NoAnswer, "", nil), 3},
		{New(Database, "", nil), 3},
		{New(ForeignSecured, "", nil), 4},
		{New(Interrupted, "", nil), 130},
		{errors.New("nobody gave this a code"), 3},
		{New("E999", "", nil), 3},
		// The outermost code counts: a layer that knows more may say so.
		{New(KeyUncertain, "resume", New(LinkLost, "burn", nil)), 4},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("ExitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
	if Pass.ExitCode() != 0 || Done.ExitCode() != 0 || Verdict("SOON").ExitCode() != 3 {
		t.Error("PASS and DONE exit 0, an unknown verdict exits 3")
	}
}
