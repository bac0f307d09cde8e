package station

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// rule returns the serial rule of a profile whose [unit] serial holds text.
func rule(t *testing.T, text string) SerialRule {
	t.Helper()
	return parse(t, read(t, "minimal.toml")+"[unit]\nserial = { "+text+" }\n").Unit.Serial
}

func TestCheckSerial(t *testing.T) {
	demo := `pattern = "^DEMO-[0-9]{6}$"`
	for _, c := range []struct {
		rule, serial string
		want         error
	}{
		{demo, "DEMO-000001", nil},
		{demo, "", ErrSerialMissing},
		{demo, "DEMO-00001", ErrSerialForm},
		{demo, "demo-000001", ErrSerialForm},
		{demo, "xDEMO-000001", ErrSerialForm},
		{demo, "DEMO-000001\n", ErrSerialForm},
		{demo, " DEMO-000001", ErrSerialForm},

		// Anchors may be left out, and an alternative does not escape them.
		{`pattern = "[0-9]{4}"`, "1234", nil},
		{`pattern = "[0-9]{4}"`, "12345", ErrSerialForm},
		{`pattern = "A|B"`, "AB", ErrSerialForm},
		{`pattern = "(?m)^A$"`, "A\nB", ErrSerialForm},

		// Whatever the pattern says, a serial number is short printable ASCII.
		{`pattern = ".*"`, strings.Repeat("7", 64), nil},
		{`pattern = ".*"`, strings.Repeat("7", 65), ErrSerialForm},
		{`pattern = ".*"`, "SN 1", ErrSerialForm},
		{`pattern = ".*"`, "SN\x001", ErrSerialForm},
		{`pattern = ".*"`, "SÑ1", ErrSerialForm},
		{`pattern = ".*"`, "\xff", ErrSerialForm},

		// Without a pattern.
		{`source = "scan"`, "A1.b_2-c", nil},
		{`source = "scan"`, "-A1", ErrSerialForm},
		{`source = "scan"`, "A1;DROP", ErrSerialForm},

		// Luhn: the example of ISO/IEC 7812-1's algorithm in common use; letters do not count.
		{`check_digit = "luhn"`, "79927398713", nil},
		{`check_digit = "luhn"`, "SN-7992739871-3", nil},
		{`check_digit = "luhn"`, "79927398710", ErrSerialCheckDigit},
		{`check_digit = "luhn"`, "79927398731", ErrSerialCheckDigit},
		{`check_digit = "luhn"`, "79927398713X", ErrSerialCheckDigit},
		// GS1: the GTIN-13 and the GTIN-8 and SSCC forms of the General Specifications.
		{`check_digit = "mod10"`, "6291041500213", nil},
		{`check_digit = "mod10"`, "4006381333931", nil},
		{`check_digit = "mod10"`, "73513537", nil},
		{`check_digit = "mod10"`, "6291041500214", ErrSerialCheckDigit},
	} {
		r := rule(t, c.rule)
		if err := r.Check(c.serial); !errors.Is(err, c.want) {
			t.Errorf("{%s}.Check(%q) = %v, want %v", c.rule, c.serial, err, c.want)
		}
	}
}

func TestProfileCheckSerial(t *testing.T) {
	p := parse(t, read(t, "full.toml"))
	if err := p.CheckSerial("AB-0001008"); err != nil {
		t.Error(err)
	}
	if err := p.CheckSerial("AB-0001009"); !errors.Is(err, ErrSerialCheckDigit) {
		t.Errorf("got %v", err)
	}
}

// TestCheckDigitFindsEveryMistypedDigit is what both ways promise.
func TestCheckDigitFindsEveryMistypedDigit(t *testing.T) {
	for _, way := range []CheckDigit{Luhn, Mod10} {
		for n := range 500 {
			good := way.appendTo(fmt.Sprintf("SN%06d", n*1999))
			if err := way.check(good); err != nil {
				t.Fatalf("%s: %v", way, err)
			}
			for i := 2; i < len(good); i++ {
				bad := []byte(good)
				bad[i] = '0' + (bad[i]-'0'+byte(1+n%9))%10
				if err := way.check(string(bad)); !errors.Is(err, ErrSerialCheckDigit) {
					t.Errorf("%s takes %s for %s", way, bad, good)
				}
			}
		}
	}
}

func TestSequence(t *testing.T) {
	r := rule(t, `source = "sequence", prefix = "DEMO-", next = "000998"`)
	for i, want := range []string{"DEMO-000998", "DEMO-000999", "DEMO-001000"} {
		if got, err := r.InSequence(uint64(i)); err != nil || got != want {
			t.Errorf("InSequence(%d) = %s, %v; want %s", i, got, err, want)
		}
	}
	last, err := r.InSequence(999_999 - 998)
	if err != nil || last != "DEMO-999999" {
		t.Errorf("last = %s, %v", last, err)
	}
	for _, i := range []uint64{1_000_000 - 998, 1 << 63, ^uint64(0)} {
		if got, err := r.InSequence(i); !errors.Is(err, ErrSequenceEnd) {
			t.Errorf("InSequence(%d) = %s, %v", i, got, err)
		}
	}
}

func TestSequenceWithCheckDigit(t *testing.T) {
	r := rule(t, `source = "sequence", next = "7992739871", check_digit = "luhn", pattern = "[0-9]{11}"`)
	got, err := r.InSequence(0)
	if err != nil || got != "79927398713" {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := rule(t, `source = "scan"`).InSequence(0); err == nil {
		t.Error("a rule without a sequence gives numbers")
	}
}
