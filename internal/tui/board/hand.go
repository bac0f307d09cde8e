package board

import (
	"strconv"
	"strings"
	"time"

	"provision/internal/people"
	"provision/internal/shift"
)

// view is what covers the floor. PINs, choices and what was scanned cover it by
// themselves and go when they are answered.
type view int

const (
	floorView view = iota
	pageView
	countersView
	checkView
	helpView
)

// hand is what the person at the keyboard is doing. No part of it is the station's.
type hand struct {
	view    view
	scroll  int
	asking  prompt
	wanted  bool      // the self-test was asked for
	typed   string    // into the PIN, the look-up line or the number of a slot
	touched time.Time // last key or scan
	notice  string    // what the screen says about a key: a key of the catalogue
	noticed time.Time
	lang    string // that was chosen with the key; empty: as the station began
}

// prompt is a question of the screen itself.
type prompt struct {
	kind promptKind
	act  shift.IntentKind // for a number, and for a yes
	slot int              // for a yes
}

type promptKind int

const (
	nothing promptKind = iota
	number             // of a slot
	yes                // to an act that a slip of the finger must not do
	lookup
	code  // a barcode that cannot be scanned, typed by hand
	leave // the station, while units are at work
)

// mostText is the longest line of text: a fingerprint is the longest thing that is
// looked up.
const mostText = 80

// Keys that are no characters.
const (
	keyEsc = -1 - iota
	keyUp
	keyDown
	keyPageUp
	keyPageDown
	keyBackspace
	keyInterrupt // Ctrl-C
	keyEnter     = '\r'
)

// press is m after a key, and what is asked of the station.
func (m model) press(key rune) (model, []shift.Intent) {
	m.touched, m.notice = m.now, ""
	m.hushed = true
	switch {
	case key == keyInterrupt:
		return m.interrupt()
	case m.asking.kind == leave:
		return m.answerLeave(key)
	case m.pin != nil:
		return m.answerPIN(key)
	case m.choice != nil:
		return m.answerChoice(key)
	case m.asking.kind == number:
		return m.answerNumber(key)
	case m.asking.kind == yes:
		return m.answerYes(key)
	case m.asking.kind == lookup:
		return m.answerText(key, shift.Lookup)
	case m.asking.kind == code:
		return m.answerText(key, shift.Scanned)
	}
	if m, ok := m.move(key); ok {
		return m, nil
	}
	return m.hotkey(key)
}

// move scrolls and closes what covers the floor; false when key does neither.
func (m model) move(key rune) (model, bool) {
	const page = 10
	switch key {
	case keyEsc:
		m.view, m.page, m.scan, m.scroll = floorView, nil, nil, 0
		if m.trouble != nil && m.locked == nil {
			m.trouble = nil
		}
	case keyUp:
		m.scroll = max(0, m.scroll-1)
	case keyDown:
		m.scroll++
	case keyPageUp:
		m.scroll = max(0, m.scroll-page)
	case keyPageDown, ' ':
		m.scroll += page
	case keyEnter, keyBackspace:
	default:
		return m, false
	}
	return m, true
}

// interrupt is Ctrl-C: it asks once, then does not wait for the units.
func (m model) interrupt() (model, []shift.Intent) {
	switch {
	case m.stopping:
		m.finished = true // nobody answers: closing the screen hurts no unit
		return m, nil
	case m.asking.kind == leave || m.closing:
		m.asking, m.closing, m.stopping = prompt{}, true, true
		return m, []shift.Intent{{Kind: shift.QuitNow}}
	}
	return m.leave()
}

// leave closes the station: at once when nothing runs, else it asks first.
func (m model) leave() (model, []shift.Intent) {
	if m.atWork() > 0 {
		m.asking = prompt{kind: leave}
		return m, nil
	}
	m.closing = true
	return m, []shift.Intent{{Kind: shift.Quit}}
}

func (m model) answerLeave(key rune) (model, []shift.Intent) {
	m.asking = prompt{}
	if key != 'q' {
		return m, nil
	}
	m.closing = true
	return m, []shift.Intent{{Kind: shift.Quit}}
}

func (m model) answerPIN(key rune) (model, []shift.Intent) {
	switch {
	case key == keyEsc:
		m.typed = ""
		return m, []shift.Intent{{Kind: shift.PINGiven}}
	case key == keyEnter && m.typed != "":
		pin := m.typed
		m.typed, m.refuse = "", false
		return m, []shift.Intent{{Kind: shift.PINGiven, Text: pin}}
	}
	return m.edit(key, people.MaxPIN), nil
}

func (m model) answerChoice(key rune) (model, []shift.Intent) {
	switch i := int(key - '1'); {
	case key == keyEsc:
		m.choice = nil
		return m, []shift.Intent{{Kind: shift.Choose}}
	case key >= '1' && key <= '9' && i < len(m.choice.Keys):
		answer := m.choice.Keys[i]
		m.choice = nil
		return m, []shift.Intent{{Kind: shift.Choose, Text: answer}}
	}
	m, _ = m.move(key)
	return m, nil
}

// answerText takes a key of a line of text, which is sent as act.
func (m model) answerText(key rune, act shift.IntentKind) (model, []shift.Intent) {
	switch {
	case key == keyEsc:
		m.asking, m.typed = prompt{}, ""
		return m, nil
	case key == keyEnter:
		text := strings.TrimSpace(m.typed)
		m.asking, m.typed = prompt{}, ""
		if text == "" {
			return m, nil
		}
		return m, []shift.Intent{{Kind: act, Text: text}}
	}
	return m.edit(key, mostText), nil
}

// edit adds a character to what is typed, or takes the last one off.
func (m model) edit(key rune, most int) model {
	runes := []rune(m.typed)
	switch {
	case key == keyBackspace && len(runes) > 0:
		m.typed = string(runes[:len(runes)-1])
	case key >= ' ' && len(runes) < most:
		m.typed += string(key)
	}
	return m
}

// askNumber asks for the slot that act is about. Where there is one slot only, it
// is that.
func (m model) askNumber(act shift.IntentKind) (model, []shift.Intent) {
	if len(m.slots) == 1 {
		return m.forSlot(act, m.slots[0].number)
	}
	m.asking, m.typed = prompt{kind: number, act: act}, ""
	return m, nil
}

func (m model) answerNumber(key rune) (model, []shift.Intent) {
	switch {
	case key == keyEnter && m.typed != "":
	case key >= '0' && key <= '9':
		m.typed += string(key)
		if n, _ := strconv.Atoi(m.typed); n > 0 && n*10 <= m.highest() && len(m.typed) < 2 {
			return m, nil // a second digit may follow
		}
	case key == keyBackspace:
		m.typed = ""
		return m, nil
	default:
		m.asking, m.typed = prompt{}, ""
		return m, nil
	}
	n, _ := strconv.Atoi(m.typed)
	act := m.asking.act
	m.asking, m.typed = prompt{}, ""
	if m.index(n) < 0 {
		return m.say("note.no_slot"), nil
	}
	return m.forSlot(act, n)
}

// forSlot is m after act was chosen for a slot. Setting a unit aside is asked
// again; a unit that is set aside already is what a lead unlocks there.
func (m model) forSlot(act shift.IntentKind, n int) (model, []shift.Intent) {
	switch {
	case act == shift.Quarant:
		m.asking = prompt{kind: yes, act: act, slot: n}
		return m, nil
	case act == shift.Unlock && m.slots[m.index(n)].state == shift.Park:
		act = shift.Release
	}
	return m, []shift.Intent{{Kind: act, Slot: n}}
}

func (m model) answerYes(key rune) (model, []shift.Intent) {
	asked := m.asking
	m.asking = prompt{}
	if key != keyEnter {
		return m, nil
	}
	return m, []shift.Intent{{Kind: asked.act, Slot: asked.slot}}
}

// say shows one of the screen's own remarks.
func (m model) say(key string) model {
	m.notice, m.noticed = key, m.now
	return m
}

// highest is the largest number of a slot.
func (m model) highest() int {
	n := 0
	for _, s := range m.slots {
		n = max(n, s.number)
	}
	return n
}
