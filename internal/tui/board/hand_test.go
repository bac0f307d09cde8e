package board

import (
	"slices"
	"strings"
	"testing"
	"time"

	"provision/internal/flow"
	"provision/internal/people"
	"provision/internal/shift"
)

// typed is m after keys, and all that was asked for. Words in angle brackets are
// keys that are no characters.
func typed(m model, keys string) (model, []shift.Intent) {
	var all []shift.Intent
	for keys != "" {
		key, rest := []rune(keys)[0], keys[len(string([]rune(keys)[0])):]
		if name, after, ok := strings.Cut(strings.TrimPrefix(keys, "<"), ">"); ok && keys[0] == '<' {
			key, rest = keyNames[name], after
		}
		var intents []shift.Intent
		m, intents = m.press(key)
		all = append(all, intents...)
		keys = rest
	}
	return m, all
}

// TestKeys: what each key asks the station for, for whom, and what only the screen
// does with it.
func TestKeys(t *testing.T) {
	lot := shift.PersonFacts{Name: "Ludwig", Role: lead}
	eng := shift.PersonFacts{Name: "Eva", Role: engineer}
	for _, c := range []struct {
		name  string
		scene string
		lead  shift.PersonFacts
		keys  string
		want  []shift.Intent
	}{
		{"arm needs a lead", "not-armed", shift.PersonFacts{}, "a", nil},
		{"arm", "not-armed", lot, "a", []shift.Intent{{Kind: shift.Arm}}},
		{"anybody disarms", "floor-4", shift.PersonFacts{}, "a", []shift.Intent{{Kind: shift.Disarm}}},
		{"unlock the station", "lock", lot, "u", []shift.Intent{{Kind: shift.Unlock}}},
		{"unlock needs a lead", "lock", shift.PersonFacts{}, "u", nil},
		{"unlock a slot", "floor-12", lot, "u9", []shift.Intent{{Kind: shift.Unlock, Slot: 9}}},
		{"unlock a parked unit releases it", "floor-12", lot, "u11", []shift.Intent{{Kind: shift.Release, Slot: 11}}},
		{"two digits", "floor-12", lot, "x12", []shift.Intent{{Kind: shift.Exclude, Slot: 12}}},
		{"one digit and Enter", "floor-12", lot, "x1<enter>", []shift.Intent{{Kind: shift.Exclude, Slot: 1}}},
		{"one digit is enough where no second can follow", "floor-12", lot, "x2", []shift.Intent{{Kind: shift.Exclude, Slot: 2}}},
		{"no such slot", "floor-8", lot, "x9", nil},
		{"a number given up", "floor-8", lot, "x<esc>3", nil},
		{"one slot is implied", "state-FAIL", shift.PersonFacts{}, "f", []shift.Intent{{Kind: shift.Explain, Slot: 1}}},
		{"quarantine is asked again", "floor-8", shift.PersonFacts{}, "p3<enter>", []shift.Intent{{Kind: shift.Quarant, Slot: 3}}},
		{"quarantine given up", "floor-8", shift.PersonFacts{}, "p3<esc>", nil},
		{"reprint", "floor-8", lot, "r3", []shift.Intent{{Kind: shift.Reprint, Slot: 3}}},
		{"details need an engineer", "floor-8", lot, "e3", nil},
		{"details", "floor-8", eng, "e3", []shift.Intent{{Kind: shift.Details, Slot: 3}}},
		{"history", "floor-8", shift.PersonFacts{}, "h", []shift.Intent{{Kind: shift.History}}},
		{"self-test", "floor-8", shift.PersonFacts{}, "t", []shift.Intent{{Kind: shift.SelfTest}}},
		{"sign out", "floor-8", shift.PersonFacts{}, "o", []shift.Intent{{Kind: shift.SignOut}}},
		{"nobody to sign out", "no-job", shift.PersonFacts{}, "o", nil},
		{"look-up", "floor-8", shift.PersonFacts{}, "/AQ<backspace>B-1<enter>", []shift.Intent{{Kind: shift.Lookup, Text: "AB-1"}}},
		{"look-up of nothing", "floor-8", shift.PersonFacts{}, "/ <enter>", nil},
		{"a code typed by hand", "floor-8", shift.PersonFacts{}, "sB-1 <enter>", []shift.Intent{{Kind: shift.Scanned, Text: "B-1"}}},
		{"a code given up", "floor-8", shift.PersonFacts{}, "sB-1<esc><enter>", nil},
		{"hands", "trouble", shift.PersonFacts{}, "3i4m", []shift.Intent{{Kind: shift.HandUnit, Slot: 3}, {Kind: shift.HandUnit, Slot: 4}, {Kind: shift.HandsAuto}}},
		{"no hands at a live station", "floor-8", shift.PersonFacts{}, "3im", nil},
		{"PIN", "pin", shift.PersonFacts{}, "<backspace>9<enter>", []shift.Intent{{Kind: shift.PINGiven, Text: "129"}}},
		{"PIN given up", "pin", shift.PersonFacts{}, "q<esc>", []shift.Intent{{Kind: shift.PINGiven}}},
		{"choice", "choice", lot, "72", []shift.Intent{{Kind: shift.Choose, Text: "reason.contacts_replaced"}}},
		{"choice given up", "choice", lot, "<esc>", []shift.Intent{{Kind: shift.Choose}}},
		{"quit at rest", "idle-24", shift.PersonFacts{}, "q", []shift.Intent{{Kind: shift.Quit}}},
		{"quit is asked while units are at work", "floor-8", shift.PersonFacts{}, "q", nil},
		{"quit", "floor-8", shift.PersonFacts{}, "qq", []shift.Intent{{Kind: shift.Quit}}},
		{"quit given up", "floor-8", shift.PersonFacts{}, "qn", nil},
		{"interrupt", "floor-8", shift.PersonFacts{}, "<ctrl+c><ctrl+c>", []shift.Intent{{Kind: shift.QuitNow}}},
		{"quit, then interrupt", "floor-8", shift.PersonFacts{}, "qq<ctrl+c>", []shift.Intent{{Kind: shift.Quit}, {Kind: shift.QuitNow}}},
		{"interrupt in a PIN", "pin", shift.PersonFacts{}, "<ctrl+c>q", []shift.Intent{{Kind: shift.Quit}}},
		{"a key without a meaning", "floor-8", lot, "Q#\x01", nil},
	} {
		m := scene(t, c.scene)
		if c.lead.Name != "" {
			m.lead = c.lead
		}
		if _, got := typed(m, c.keys); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q asks for %v, want %v", c.name, c.keys, got, c.want)
		}
	}
}

// TestThirdInterruptCloses: when nobody answers, the screen goes all the same.
func TestThirdInterruptCloses(t *testing.T) {
	m, _ := typed(scene(t, "floor-8"), "<ctrl+c><ctrl+c>")
	if m.finished {
		t.Fatal("it closed before the station could answer")
	}
	if m, _ = typed(m, "<ctrl+c>"); !m.finished {
		t.Error("it does not close")
	}
}

// TestFooterIsTheTable: the footer and the help page show what a role may do, and
// every key that is shown does something.
func TestFooterIsTheTable(t *testing.T) {
	for _, who := range []shift.PersonFacts{{}, {Name: "L", Role: lead}, {Name: "E", Role: engineer}} {
		for _, name := range scenes(t) {
			m := scene(t, name)
			m.lead, m.pin, m.choice, m.asking = who, nil, nil, prompt{}
			for _, k := range m.offers() {
				after, intents := m.press(k.key)
				if after.notice != "" {
					t.Errorf("%s: %q is offered to %q and refused: %s", name, k.key, m.role(), after.notice)
				}
				if len(intents) == 0 && after.asking == m.asking && after.view == m.view && after.lang == m.lang {
					t.Errorf("%s: %q is offered and does nothing", name, k.key)
				}
			}
		}
	}
	got := bare(scene(t, "floor-4").render(200, 24, mono, texts(t, "en")))
	for hint, want := range map[string]bool{"q quit": true, "o sign out": true, "x leave out": false, "e details": false, "m automatic": false} {
		if strings.Contains(got, hint) != want {
			t.Errorf("the operator's footer holds %q: %v", hint, !want)
		}
	}
}

// TestIdle: thirty seconds after the last key the floor is back, whatever was open,
// but not under a PIN or a choice, which the station ends.
func TestIdle(t *testing.T) {
	for _, keys := range []string{"?", "c", "/AB", "x", "p3"} {
		m := scene(t, "floor-8")
		m.lead = shift.PersonFacts{Name: "L", Role: lead}
		m, _ = typed(m, keys)
		at := m.now
		covered := func(m model) bool { return m.view != floorView || m.asking != prompt{} }
		if m = m.tick(at.Add(idleAfter - time.Second)); !covered(m) {
			t.Errorf("%q: gone too soon", keys)
		}
		if m = m.tick(at.Add(idleAfter)); covered(m) {
			t.Errorf("%q: still there", keys)
		}
	}
	m := scene(t, "page-record")
	if m = m.tick(m.now.Add(idleAfter)); m.page != nil || m.view != floorView {
		t.Error("the page is still there")
	}
	for _, name := range []string{"pin", "choice"} {
		m := scene(t, name)
		if m = m.tick(m.now.Add(time.Hour)); m.pin == nil && m.choice == nil {
			t.Errorf("%s: the question went by itself", name)
		}
	}
}

// TestSelfTestByItself: one at the start of the shift that found nothing leaves the
// floor to the units after a glance; one that was asked for, or found something, is
// there to be read. Where units are at work only what is bad covers them.
func TestSelfTestByItself(t *testing.T) {
	for _, c := range []struct {
		scene string
		state string
		keys  string
		stays bool
	}{
		{"not-armed", "ok", "", false}, {"not-armed", "warn", "", true}, {"not-armed", "bad", "", true}, {"not-armed", "ok", "t", true},
		{"floor-8", "warn", "", false}, {"floor-8", "bad", "", true}, {"floor-8", "ok", "t", true},
	} {
		m, _ := typed(scene(t, c.scene), c.keys)
		at := m.now
		m = m.apply(shift.Event{Event: flow.Event{Kind: shift.CheckLine}, Check: &shift.CheckFacts{Name: "check.disk", State: c.state}})
		m = m.apply(shift.Event{Event: flow.Event{Kind: shift.CheckEnded}})
		if m = m.tick(at.Add(glanceFor)); (m.view == checkView) != c.stays {
			t.Errorf("%s: %s after %q: stays %v", c.scene, c.state, c.keys, !c.stays)
		}
		if unit := m.apply(shift.Event{Event: flow.Event{Kind: flow.RunStarted, Slot: 1}, State: shift.Run}); (unit.view == checkView) != (c.keys != "") {
			t.Errorf("%s: %s after %q: a unit finds the self-test in its way: %v", c.scene, c.state, c.keys, unit.view == checkView)
		}
		if m = m.tick(at.Add(idleAfter)); m.view != floorView {
			t.Errorf("%s after %q: stays for ever", c.state, c.keys)
		}
	}
}

// TestStationInterruptsTheScreen: what the station says or asks comes before what
// the screen was asking, so that nothing is hidden behind a prompt.
func TestStationInterruptsTheScreen(t *testing.T) {
	who := &shift.PersonFacts{Name: "L", Role: lead}
	for _, ev := range []shift.Event{
		{Event: flow.Event{Kind: shift.ScanRead}, Scan: &shift.ScanFacts{Text: "AB-1", Meaning: "lookup", OK: true}},
		{Event: flow.Event{Kind: shift.PageShown}, Page: &shift.Page{Kind: "record"}},
		{Event: flow.Event{Kind: shift.ChoiceAsked}, Choice: &shift.Choice{Action: "unlock", Keys: []string{"reason.other"}}},
		{Event: flow.Event{Kind: shift.PINAsked}, Person: who},
	} {
		for _, keys := range []string{"/AB", "p", "p3"} {
			m, _ := typed(scene(t, "floor-8"), keys)
			if m = m.apply(ev); m.asking != (prompt{}) || m.typed != "" {
				t.Errorf("%s after %q: %+v", ev.Kind, keys, m.hand)
			}
		}
	}
	m := scene(t, "pin").apply(shift.Event{Event: flow.Event{Kind: shift.ScanRead}, Scan: &shift.ScanFacts{Text: "AB-1", Meaning: "serial"}})
	if m.pin == nil || m.typed != "127" {
		t.Error("a scan cleared the PIN")
	}
}

// TestTroubleGoes: what is wrong stays for minutes or until somebody sends it away;
// why a key did nothing, for seconds, in words that ask for nothing.
func TestTroubleGoes(t *testing.T) {
	m := scene(t, "refused")
	said := m.troubled.Add(-noticeFor)
	for lang, want := range map[string]string{"en": "E906 not allowed: This slot is not stopped.", "de": "E906 nicht erlaubt"} {
		p := painter{m, mono, texts(t, lang)}
		if got := p.saying().text; got != want {
			t.Errorf("%s: %q", lang, got)
		}
	}
	if m.tick(said.Add(noticeFor-1)).trouble == nil || m.tick(said.Add(noticeFor)).trouble != nil {
		t.Error("a refusal stands for another time")
	}
	m = scene(t, "trouble")
	if m.tick(m.troubled.Add(-time.Second)).trouble == nil || m.tick(m.troubled).trouble != nil {
		t.Error("a trouble stands for another time")
	}
	if m, _ = typed(m, "<esc>"); m.trouble != nil {
		t.Error("Esc does not send it away")
	}
}

// TestBanner: what was scanned stands for three seconds, and a key sends it away.
func TestBanner(t *testing.T) {
	m := scene(t, "scan")
	read := m.scan.until.Add(-bannerFor)
	if m.tick(read.Add(bannerFor-time.Millisecond)).scan == nil || m.tick(read.Add(bannerFor)).scan != nil {
		t.Error("it does not stand for three seconds")
	}
	if m, _ = typed(m, "<esc>"); m.scan != nil {
		t.Error("Esc does not send it away")
	}
}

func TestLanguageGoesRound(t *testing.T) {
	m := model{hand: hand{lang: "en"}}
	var seen []string
	for range 4 {
		m, _ = typed(m, "L")
		seen = append(seen, m.lang)
	}
	if !slices.Equal(seen, []string{"de", "zh", "en", "de"}) {
		t.Errorf("went through %v", seen)
	}
}

// TestLongPIN: the longest PIN that people can have can be typed, also where the field
// shows a part of it.
func TestLongPIN(t *testing.T) {
	long := strings.Repeat("z9", people.MaxPIN/2)
	m, _ := typed(scene(t, "pin"), strings.Repeat("<backspace>", 3)+long+"9")
	if got := m.render(80, 24, mono, texts(t, "en")); strings.Contains(got, "z9") || !strings.Contains(got, "● ●_") {
		t.Errorf("\n%s", got)
	}
	if _, got := typed(m, "<enter>"); !slices.Equal(got, []shift.Intent{{Kind: shift.PINGiven, Text: long}}) {
		t.Errorf("sent %v", got)
	}
}

// TestPINIsNotShown: the digits are on no screen.
func TestPINIsNotShown(t *testing.T) {
	m := scene(t, "pin")
	got := bare(m.render(80, 24, mono, texts(t, "en")))
	if m.typed != "127" || strings.Contains(got, "127") || !strings.Contains(got, "● ● ●") {
		t.Errorf("%q\n%s", m.typed, got)
	}
	if refused := m.apply(shift.Event{Event: flow.Event{Kind: shift.PINRefused}}); refused.typed != "" || refused.pin == nil {
		t.Errorf("after a refusal: %q", refused.typed)
	}
	m = m.apply(shift.Event{Event: flow.Event{Kind: shift.PINClosed}})
	if m.typed != "" || m.pin != nil {
		t.Error("the digits are kept")
	}
}
