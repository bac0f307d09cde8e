package board

import (
	"regexp"
	"strings"
	"testing"

	"provision/internal/scanner"
	"provision/internal/shift"
)

// hole is a text that the catalogue does not have.
var hole = regexp.MustCompile(`\[[a-z_]+\.[A-Za-z_.]+\]`)

// TestNoHoles: every text that a scene asks for is there, in every language.
func TestNoHoles(t *testing.T) {
	for _, lang := range []string{"en", "de", "zh"} {
		tx := texts(t, lang)
		for _, name := range scenes(t) {
			m := scene(t, name)
			for _, role := range []string{nobody, lead, engineer} {
				m.lead = shift.PersonFacts{Role: role}
				if role != nobody {
					m.lead.Name = "L"
				}
				if got := hole.FindString(bare(m.render(220, 70, mono, tx))); got != "" {
					t.Errorf("%s: %s lacks %s", name, lang, got)
				}
			}
		}
	}
}

// TestTips: what is special about a station is on the page of keys.
func TestTips(t *testing.T) {
	m := scene(t, "help")
	m.tips = []string{"PIN 2468"}
	if got := m.render(80, 60, mono, texts(t, "de")); !strings.Contains(got, "PIN 2468") {
		t.Errorf("no tip:\n%s", got)
	}
}

// TestAllWordsAreThere: so are those that no scene asks for.
func TestAllWordsAreThere(t *testing.T) {
	var keys []string
	for _, s := range shift.States() {
		keys = append(keys, "state."+string(s), "act."+string(s))
	}
	for _, k := range hotkeys {
		keys = append(keys, k.hint, "help."+k.hint[len("key."):])
		if k.need != nobody {
			keys = append(keys, "note.need_"+k.need, "role."+k.need)
		}
	}
	for _, act := range []shift.IntentKind{shift.Unlock, shift.Exclude, shift.Quarant, shift.Reprint, shift.Explain, shift.Details, shift.HandUnit} {
		keys = append(keys, "ask."+string(act))
	}
	for _, kind := range []string{
		shift.ShiftStarted, shift.PersonIn, shift.PersonOut, shift.Armed, shift.Disarmed, shift.StationLocked, shift.StationFree,
		shift.JobSet, shift.LabelPrinted, shift.LabelClosed, shift.LabelFailed, shift.LabelWrong, "state",
	} {
		keys = append(keys, "last."+kind)
	}
	for _, stage := range []string{shift.LabelDue, shift.LabelPrinted, shift.LabelFailed, shift.LabelWrong, shift.LabelClosed} {
		keys = append(keys, labelKey(stage))
	}
	for _, meaning := range []string{"badge", "job", "serial", "slot", "command", "label", "lookup", "layout", "unknown"} {
		keys = append(keys, "meaning."+meaning)
	}
	for _, found := range []scanner.Layout{scanner.YZSwapped, scanner.CapsLock, scanner.Punctuation, scanner.OtherLayout} {
		keys = append(keys, "layout."+string(found))
	}
	for _, act := range []shift.IntentKind{shift.Arm, shift.Disarm, shift.Unlock, shift.Exclude, shift.Release, shift.Reprint, shift.Quarant, "job"} {
		keys = append(keys, "action."+string(act))
	}
	for _, kind := range []string{"record", "history", "details", "fault", "none"} {
		keys = append(keys, "page."+kind)
	}
	keys = append(keys, "plain.ok", "plain.warn", "plain.bad", "scan.broken", "pin.again", "note.no_slot", "ask.yes_park", "ask.lookup", "ask.lookup_keys", "ask.code", "ask.code_keys",
		"floor.starting", "floor.no_job", "floor.not_armed", "floor.arm_now", "floor.closing", "selftest.running", "selftest.good")
	for _, lang := range []string{"en", "de", "zh"} {
		tx := texts(t, lang)
		for _, key := range keys {
			if !tx.Has(key) {
				t.Errorf("%s lacks %s", lang, key)
			}
		}
	}
}
