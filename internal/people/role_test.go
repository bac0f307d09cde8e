package people

import (
	"errors"
	"strings"
	"testing"
)

func TestAllows(t *testing.T) {
	order := []Role{Nobody, Operator, Lead, Engineer}
	for i, have := range order {
		for j, need := range order {
			if got := have.Allows(need); got != (i >= j) {
				t.Errorf("%s allows %s: %v", have, need, got)
			}
		}
		if got := have.Elevated(); got != (i >= 2) {
			t.Errorf("%s elevated: %v", have, got)
		}
	}
}

func TestParseRole(t *testing.T) {
	for _, r := range []Role{Operator, Lead, Engineer} {
		if got, err := ParseRole(r.String()); got != r || err != nil {
			t.Errorf("ParseRole(%s) = %v, %v", r, got, err)
		}
	}
	for _, name := range []string{"", "nobody", "Lead", "admin", "Role(4)"} {
		if got, err := ParseRole(name); got != Nobody || !errors.Is(err, ErrRole) {
			t.Errorf("ParseRole(%q) = %v, %v", name, got, err)
		}
	}
	if got := Role(7).String(); got != "Role(7)" {
		t.Errorf("String of no role: %s", got)
	}
}

func TestBadgeDigest(t *testing.T) {
	// printf 'provision badge v1\0004711' | sha256sum
	const want = "0988840caaf377a5fda0bebda039085d23ffbef8d3c08eb5a9c6b253e0cc5eb0"
	if got := BadgeDigest(" 4711\r\n"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if BadgeDigest("4712") == want || strings.Contains(BadgeDigest("4711"), "4711") {
		t.Error("not a digest of the code")
	}
}
