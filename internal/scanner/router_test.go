package scanner_test

import (
	"errors"
	"regexp"
	"testing"

	"provision/internal/scanner"
)

// defaultRules are the default patterns, with what a serial number looks like.
func defaultRules(serial func(string) error) scanner.Rules {
	return scanner.Rules{
		Badge:   regexp.MustCompile(scanner.DefaultBadge),
		Job:     regexp.MustCompile(scanner.DefaultJob),
		Slot:    regexp.MustCompile(scanner.DefaultSlot),
		Command: regexp.MustCompile(scanner.DefaultCommand),
		Serial:  serial,
	}
}

// serials fits the serial numbers of the pattern alone.
func serials(pattern string) func(string) error {
	re := regexp.MustCompile(`\A(?:` + pattern + `)\z`)
	return func(s string) error {
		if !re.MatchString(s) {
			return errors.New("not a serial number of this product")
		}
		return nil
	}
}

func TestRoute(t *testing.T) {
	r, err := scanner.NewRouter(defaultRules(serials(`(SN|CMD)-[0-9A-Z]+`)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		want scanner.Read
	}{
		{"BADGE-4711", scanner.Read{Kind: scanner.Badge, Text: "BADGE-4711", Value: "4711"}},
		{" BADGE-4711 \u00a0", scanner.Read{Kind: scanner.Badge, Text: "BADGE-4711", Value: "4711"}},
		{"JOB-A7/rev B", scanner.Read{Kind: scanner.Job, Text: "JOB-A7/rev B", Value: "A7/rev B"}},
		{"SLOT-03", scanner.Read{Kind: scanner.Slot, Text: "SLOT-03", Value: "03", Slot: 3}},
		{"SLOT-24", scanner.Read{Kind: scanner.Slot, Text: "SLOT-24", Value: "24", Slot: 24}},
		{"SLOT-0", scanner.Read{Kind: scanner.Unknown, Text: "SLOT-0", Value: "SLOT-0"}},
		{"SLOT-100", scanner.Read{Kind: scanner.Unknown, Text: "SLOT-100", Value: "SLOT-100"}},
		{"CMD-START", scanner.Read{Kind: scanner.Act, Text: "CMD-START", Value: "START", Command: scanner.Start}},
		{"CMD-LOOKUP", scanner.Read{Kind: scanner.Act, Text: "CMD-LOOKUP", Value: "LOOKUP", Command: scanner.Lookup}},
		{"CMD-FORMAT", scanner.Read{Kind: scanner.Unknown, Text: "CMD-FORMAT", Value: "CMD-FORMAT"}},
		{"cmd-start", scanner.Read{Kind: scanner.Unknown, Text: "cmd-start", Value: "cmd-start"}},
		{"SN-1234", scanner.Read{Kind: scanner.Serial, Text: "SN-1234", Value: "SN-1234"}},
		{"CMD-1234", scanner.Read{Kind: scanner.Serial, Text: "CMD-1234", Value: "CMD-1234"}},
		{"BADGE-", scanner.Read{Kind: scanner.Unknown, Text: "BADGE-", Value: "BADGE-"}},
		{"4006381333931", scanner.Read{Kind: scanner.Unknown, Text: "4006381333931", Value: "4006381333931"}},
		{"  ", scanner.Read{Kind: scanner.Unknown}},
	} {
		if got := r.Route(c.text); got != c.want {
			t.Errorf("Route(%q) = %+v, want %+v", c.text, got, c.want)
		}
	}
}

// TestRouteWithoutRules: what has no pattern is of no kind.
func TestRouteWithoutRules(t *testing.T) {
	r, err := scanner.NewRouter(scanner.Rules{})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Route("BADGE-4711"); got.Kind != scanner.Unknown {
		t.Errorf("got %+v", got)
	}
}

// TestRouteFitsWhole: a pattern that its author forgot to anchor still has to fit
// all of the text.
func TestRouteFitsWhole(t *testing.T) {
	r, err := scanner.NewRouter(scanner.Rules{Slot: regexp.MustCompile(`S(1|12)`), Badge: regexp.MustCompile(`(?i)b-(\w+)`)})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]scanner.Kind{
		"S12": scanner.Slot, "XS12": scanner.Unknown, "S123": scanner.Unknown, "B-7": scanner.Badge, "B-7!": scanner.Unknown,
	} {
		if got := r.Route(text); got.Kind != want {
			t.Errorf("Route(%q) = %+v, want %s", text, got, want)
		}
	}
}

func TestRules(t *testing.T) {
	with := func(change func(*scanner.Rules)) scanner.Rules {
		rules := defaultRules(serials(`SN-[0-9]{4}`))
		change(&rules)
		return rules
	}
	for _, c := range []struct {
		name  string
		rules scanner.Rules
		want  error
	}{
		{"defaults", with(func(*scanner.Rules) {}), nil},
		{"no serial numbers", with(func(r *scanner.Rules) { r.Serial = nil }), nil},
		{"no group", with(func(r *scanner.Rules) { r.Job = regexp.MustCompile(`^JOB-.+$`) }), scanner.ErrRule},
		{"two groups", with(func(r *scanner.Rules) { r.Slot = regexp.MustCompile(`^(S|L)([0-9]+)$`) }), scanner.ErrRule},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := scanner.NewRouter(c.rules); !errors.Is(err, c.want) {
				t.Errorf("NewRouter = %v, want %v", err, c.want)
			}
		})
	}
}

// TestCommandsCanBeScanned: each of the sheet fits the default pattern.
func TestCommandsCanBeScanned(t *testing.T) {
	r, err := scanner.NewRouter(defaultRules(nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(scanner.Commands()) != 7 {
		t.Fatalf("%d commands", len(scanner.Commands()))
	}
	for _, c := range scanner.Commands() {
		if got := r.Route("CMD-" + string(c)); got.Kind != scanner.Act || got.Command != c {
			t.Errorf("%s: %+v", c, got)
		}
	}
}

func FuzzRoute(f *testing.F) {
	for _, text := range []string{"BADGE-1", "SLOT-99", "CMD-NEXT", "SN-1234", " ", "\x1d"} {
		f.Add(text)
	}
	r, err := scanner.NewRouter(defaultRules(serials(`SN-[0-9]{4}`)))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := r.Route(text)
		if (got.Kind == scanner.Slot) != (got.Slot > 0) || (got.Kind == scanner.Act) != (got.Command != "") {
			t.Errorf("%q: %+v", text, got)
		}
		if again := r.Route(got.Text); again != got {
			t.Errorf("%q: %+v, then %+v", text, got, again)
		}
	})
}
