package scanner_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"provision/internal/scanner"
)

var began = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)

// play types a script: characters with the gap of ms before them, "<80>" sets
// the gap of those after it, "<!200>" lets ms pass once with Ticks as Due asks.
func play(t *testing.T, a *scanner.Assembler, script string) []string {
	t.Helper()
	var got []string
	now, gap := began, time.Duration(0)
	note := func(events []scanner.Event) {
		for _, e := range events {
			got = append(got, tell(e))
		}
	}
	pass := func(d time.Duration) {
		end := now.Add(d)
		for {
			due, waits := a.Due()
			if !waits || !due.Before(end) {
				break
			}
			note(a.Tick(due))
			if again, waits := a.Due(); waits && !again.After(due) {
				t.Fatalf("due again at the time it was due")
			}
		}
		now = end
	}
	for script != "" {
		if rest, ok := strings.CutPrefix(script, "<"); ok {
			number, after, _ := strings.Cut(rest, ">")
			script = after
			once := strings.HasPrefix(number, "!")
			ms, err := strconv.Atoi(strings.TrimPrefix(number, "!"))
			if err != nil {
				t.Fatal(err)
			}
			if d := time.Duration(ms) * time.Millisecond; once {
				pass(d)
			} else {
				gap = d
			}
			continue
		}
		r := []rune(script)[0]
		script = script[len(string(r)):]
		pass(gap)
		note(a.Rune(r, now))
	}
	pass(time.Second)
	return got
}

// tell is an event in short: scan:TEXT, q, enter, tab, broken:TEXT.
func tell(e scanner.Event) string {
	switch e := e.(type) {
	case scanner.Scan:
		return "scan:" + e.Text
	case scanner.Broken:
		return "broken:" + e.Text
	case scanner.Key:
		switch e.Rune {
		case scanner.EnterKey:
			return "enter"
		case '\t':
			return "tab"
		}
		return string(e.Rune)
	}
	return fmt.Sprint(e)
}

func TestAssembler(t *testing.T) {
	long := strings.Repeat("0123456789", 30)
	for _, c := range []struct{ name, prefix, script, want string }{
		{"scan in one read", "", "SN-1234\r", "scan:SN-1234"},
		{"scan with gaps", "", "<20>SN-1234\r", "scan:SN-1234"},
		{"a gap of MaxGap", "", "<50>SN-1234\r", "scan:SN-1234"},
		{"scan ended by LF", "", "SN-1234\n", "scan:SN-1234"},
		{"scan ended by Tab", "", "SN-1234\t", "scan:SN-1234"},
		{"scan ended by CRLF", "", "SN-1234\r\n", "scan:SN-1234"},
		{"CRLF at the pace of the scan", "", "<20>SN-1234\r\n", "scan:SN-1234"},
		{"the end comes late", "", "SN-1234<140>\r", "scan:SN-1234"},
		{"a hiccup inside", "", "<5>SN-1<!120>234\r", "scan:SN-1234"},
		{"two back to back", "", "SN-1234\rSN-1235\r", "scan:SN-1234 scan:SN-1235"},
		{"two back to back with CRLF", "", "SN-1234\r\nSN-1235\r\n", "scan:SN-1234 scan:SN-1235"},
		{"a scan that begins with q", "", "<5>quit-77\r", "scan:quit-77"},

		{"a key", "", "q", "q"},
		{"two keys quickly", "", "<40>jk", "j k"},
		{"Enter", "", "\r", "enter"},
		{"Tab", "", "\t", "tab"},
		{"a terminal that says LF", "", "\n", "enter"},
		{"Enter twice", "", "<120>\r\r", "enter enter"},
		{"fast hand", "", "<80>hello\r", "h e l l o enter"},
		{"slow hand", "", "<400>hello\r", "h e l l o enter"},
		{"a key and Enter in one read", "", "y\r", "y enter"},
		{"wide letters by hand", "", "<90>grün", "g r ü n"},
		{"a key with Ctrl", "", "\x03", "\x03"},

		{"a key, then a scan", "", "<200>j<!200><0>SN-1234\r", "j scan:SN-1234"},
		{"Enter, then a scan in one read", "", "y\rSN-1234\r", "y enter scan:SN-1234"},
		{"a scan, then a key", "", "SN-1234\r<!200>j", "scan:SN-1234 j"},
		{"a scan, then Enter", "", "SN-1234\r<!200>\r", "scan:SN-1234 enter"},
		{"its head was taken for keys", "", "SN<!90>-123456\r", "S N broken:-123456"},
		{"the LF after a broken scan", "", "SN<!90>-123456\r\n", "S N broken:-123456"},

		{"no end", "", "SN-1234", "broken:SN-1234"},
		{"no end, q in front", "", "<5>qSN-1234", "broken:qSN-1234"},
		{"the end after it was given up", "", "SN-1234<!200>\r", "broken:SN-1234"},
		{"the rest after it was given up", "", "SN-1234<!250>q7\r\n", "broken:SN-1234"},
		{"the rest trickles in", "", "SN-1234<!100><140>quit\r", "broken:SN-1234"},
		{"a key after it was given up", "", "SN-1234<!400>q", "broken:SN-1234 q"},
		{"Enter after it was given up", "", "SN-1234<!400>\r", "broken:SN-1234 enter"},
		{"a scan after it was given up", "", "SN-12<!400>SN-1234\r", "broken:SN-12 scan:SN-1234"},
		{"a key held down", "", "<33>j<!500>jjjjjjjjjjjj<!500>k", "j k"},
		{"a key held down for long", "", "<33>j<!500>" + strings.Repeat("j", 400) + "<!500>k", "j k"},

		{"as long as can be", "", long[:256] + "\r", "scan:" + long[:256]},
		{"too long", "", long[:257] + "\r\n", "broken:" + long[:256]},
		{"too long, then a scan", "", long + "\rSN-1234\r", "broken:" + long[:256] + " scan:SN-1234"},
		{"much that cannot be seen", "", strings.Repeat("\x00", 300) + "q\r", "broken:"},

		{"control characters", "", "\x02SN\x1b-12\x0034\x7f\r", "scan:SN-1234"},
		{"characters without a shape", "", "SN-\u202e12\ufeff34\r", "scan:SN-1234"},
		{"GS stays", "", "01234\x1d21ABC\r", "scan:01234\x1d21ABC"},
		{"control characters make no length", "", "\x01\x02\x03abc\r", "\x01 \x02 \x03 a b c enter"},
		{"other scripts", "", "序列号-12\r", "scan:序列号-12"},
		{"a suffix after the end", "", "SN-1234\r\x03", "scan:SN-1234"},

		{"a paste", "", "first line\nsecond line\n\nthird line", "scan:first line scan:second line broken:third line"},
		{"a paste with short lines", "", "first\nq\nn\n\nlast\n", "scan:first broken:q broken:n scan:last"},
		{"a paste that ends short", "", "first\nqn", "scan:first broken:qn"},

		{"prefix", "~", "~SN-1234\r", "scan:SN-1234"},
		{"prefix that is a control character", "\x02", "\x02SN-1234\r", "scan:SN-1234"},
		{"prefix, short", "~", "~A1\r\n", "scan:A1"},
		{"prefix, slow", "~", "<100>~SN-1234\r", "scan:SN-1234"},
		{"prefix right after a key", "~", "j~SN-1234\r", "j scan:SN-1234"},
		{"prefix soon after a key", "~", "j<!90>~SN-1234\r", "j scan:SN-1234"},
		{"prefix right after two keys", "~", "j<!90>k~SN-1234\r", "j k scan:SN-1234"},
		{"prefix, nothing", "~", "~\r", "broken:"},
		{"prefix, no end", "~", "~q<!300>", "broken:q"},
		{"prefix twice", "~", "~~SN-1234\r", "scan:SN-1234"},
		{"prefix, the one before had no end", "~", "~SN-1~SN-1234\r", "broken:SN-1 scan:SN-1234"},
		{"prefix while the rest is dropped", "~", "~SN-1<!200>x~SN-1234\r", "broken:SN-1 scan:SN-1234"},
		{"prefix after a short line", "~", "SN-1\rq~SN-1234\r", "scan:SN-1 broken:q scan:SN-1234"},
		{"set up for a prefix, none came", "~", "SN-1234\r", "scan:SN-1234"},
		{"prefix, by hand", "~", "<90>jk\r", "j k enter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := scanner.New(scanner.Config{Prefix: c.prefix})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(play(t, a, c.script), " "); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestKeyWaitsOnlyForTheGap: a key is one as soon as no scan can come of it, and a
// Tick before that changes nothing.
func TestKeyWaitsOnlyForTheGap(t *testing.T) {
	a, _ := scanner.New(scanner.Config{})
	if _, waits := a.Due(); waits {
		t.Fatal("waits before anything came")
	}
	if got := a.Rune('q', began); len(got) != 0 {
		t.Fatalf("at once: %v", got)
	}
	due, waits := a.Due()
	if want := began.Add(scanner.DefaultMaxGap); !waits || !due.Equal(want) {
		t.Fatalf("due %v, %v; want %v", due, waits, want)
	}
	if got := a.Tick(due.Add(-1)); len(got) != 0 {
		t.Fatalf("too early: %v", got)
	}
	if got := a.Tick(due); !slices.Equal(got, []scanner.Event{scanner.Key{Rune: 'q'}}) {
		t.Fatalf("when due: %v", got)
	}
	if _, waits := a.Due(); waits {
		t.Fatal("waits for nothing")
	}
}

// TestWithoutTicks: the times of the characters alone give the same, later.
func TestWithoutTicks(t *testing.T) {
	a, _ := scanner.New(scanner.Config{})
	var got []string
	at := began
	for _, s := range []struct {
		r     rune
		after time.Duration
	}{{'q', 0}, {'S', time.Second}, {'N', 0}, {'1', 0}, {'2', 0}, {'x', time.Second}, {'y', time.Second}} {
		at = at.Add(s.after)
		for _, e := range a.Rune(s.r, at) {
			got = append(got, tell(e))
		}
	}
	if want := []string{"q", "broken:SN12", "x"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEnterIsATerminator(t *testing.T) {
	a, _ := scanner.New(scanner.Config{})
	for _, r := range "SN-1234" {
		a.Rune(r, began)
	}
	if got := a.Enter(began); !slices.Equal(got, []scanner.Event{scanner.Scan{Text: "SN-1234"}}) {
		t.Errorf("got %v", got)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  scanner.Config
		ok   bool
	}{
		{"defaults", scanner.Config{}, true},
		{"a slow scanner", scanner.Config{MaxGap: 300 * time.Millisecond}, true},
		{"STX", scanner.Config{Prefix: "\x02"}, true},
		{"two characters", scanner.Config{Prefix: "~~"}, false},
		{"no character", scanner.Config{Prefix: "\xff"}, false},
		{"NUL", scanner.Config{Prefix: "\x00"}, false},
		{"a terminator", scanner.Config{Prefix: "\t"}, false},
		{"every key a scan", scanner.Config{MinLength: 1}, false},
		{"longer than any scan", scanner.Config{MinLength: 257}, false},
		{"negative gap", scanner.Config{MaxGap: -1}, false},
		{"pause shorter than gap", scanner.Config{Pause: time.Millisecond}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := scanner.New(c.cfg); (err == nil) != c.ok || err != nil && !errors.Is(err, scanner.ErrConfig) {
				t.Errorf("err = %v, want ok: %v", err, c.ok)
			}
		})
	}
}

// FuzzAssembler types anything at any pace. Every character is another one, so
// that what comes out can be found in what went in.
func FuzzAssembler(f *testing.F) {
	f.Add([]byte("aaaaaaae"), false)
	f.Add([]byte("\x05aaaa\x85e\x85aaa\x45e"), true)
	f.Add([]byte("apaaaaeepaaaac\xffaaaaaa"), true)
	f.Fuzz(func(t *testing.T, script []byte, withPrefix bool) {
		cfg := scanner.Config{}
		if withPrefix {
			cfg.Prefix = "~"
		}
		a, err := scanner.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var events []scanner.Event
		at, run, next := began, 0, rune(0x4E00)
		inBurst := map[rune]bool{}
		var burst []rune
		for _, b := range script {
			gap := []time.Duration{0, 5, 40, 49, 51, 100, 160, 500}[b>>5] * time.Millisecond
			at = at.Add(gap)
			if gap > scanner.DefaultMaxGap {
				run, burst = 0, nil
			}
			if b&1 == 1 {
				events = append(events, a.Tick(at)...)
			}
			switch b & 0x1F >> 1 {
			case 0:
				events = append(events, a.Enter(at)...)
				run, burst = 0, nil
			case 1:
				events = append(events, a.Rune('\n', at)...)
				run, burst = 0, nil
			case 2:
				events = append(events, a.Rune('~', at)...)
				run, burst = 0, nil
			case 3:
				events = append(events, a.Rune(0x1B, at)...)
			default:
				next++
				events = append(events, a.Rune(next, at)...)
				burst = append(burst, next)
				if run++; run >= scanner.DefaultMinLength {
					for _, r := range burst {
						inBurst[r] = true
					}
				}
			}
		}
		for range 3 {
			if due, waits := a.Due(); waits {
				events = append(events, a.Tick(due)...)
			}
		}
		if _, waits := a.Due(); waits {
			t.Error("waits for ever")
		}
		judge(t, events, next, inBurst)
	})
}

// judge: each numbered character comes out once at most and in order, and no key
// comes from inside a burst.
func judge(t *testing.T, events []scanner.Event, last rune, inBurst map[rune]bool) {
	t.Helper()
	seen := rune(0x4E00)
	for _, e := range events {
		text := textOf(t, e)
		if key, ok := e.(scanner.Key); ok {
			text = string(key.Rune)
			if inBurst[key.Rune] {
				t.Errorf("key %q from inside a burst", key.Rune)
			}
		}
		for _, r := range text {
			if r < 0x4E00 {
				continue
			}
			if r <= seen || r > last {
				t.Errorf("character %d comes out after %d of %d", r-0x4E00, seen-0x4E00, last-0x4E00)
			}
			seen = r
		}
	}
}

// textOf returns the text of a scan, whole or broken; it must be short enough and
// hold nothing that cannot be seen but GS.
func textOf(t *testing.T, e scanner.Event) string {
	t.Helper()
	var text string
	switch e := e.(type) {
	case scanner.Scan:
		text = e.Text
	case scanner.Broken:
		text = e.Text
	}
	if n := len([]rune(text)); n > scanner.MaxLength {
		t.Errorf("text of %d characters", n)
	}
	for _, r := range text {
		if r != 0x1D && !unicode.IsGraphic(r) {
			t.Errorf("%q in %T", r, e)
		}
	}
	return text
}
