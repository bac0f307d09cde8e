package board

import (
	"provision/internal/catalog"
	"provision/internal/shift"
)

// Roles, as shift names them.
const (
	nobody   = ""
	operator = "operator"
	lead     = "lead"
	engineer = "engineer"
)

// rank orders the roles: who may do more stands higher.
func rank(role string) int {
	switch role {
	case operator:
		return 1
	case lead:
		return 2
	case engineer:
		return 3
	}
	return 0
}

// role is the highest role that is signed in.
func (m model) role() string {
	if m.lead.Name != "" {
		return m.lead.Role
	}
	if m.person.Name != "" {
		return operator
	}
	return nobody
}

// hotkey is one key and what it does. The table is what the footer and the help
// page show, so that neither can promise what the other does not know.
type hotkey struct {
	key  rune
	hint string // of the catalogue: what it does, in a word or two
	need string // role, at least
	bar  string // the command barcode that does the same; empty: none
	// offered says whether the key makes sense now; nil: always.
	offered func(model) bool
	does    func(model) (model, []shift.Intent)
}

// hotkeys are all keys of the floor, the most useful first: a narrow footer shows
// the first ones.
var hotkeys []hotkey

// The table is filled at start because what some keys do reads it.
func init() {
	hotkeys = []hotkey{
		{'?', "key.help", nobody, "HELP", nil, open(helpView)},
		{'a', "key.arm", lead, "START", func(m model) bool { return !m.job.Armed }, ask(shift.Arm)},
		{'a', "key.disarm", nobody, "", func(m model) bool { return m.job.Armed }, ask(shift.Disarm)},
		{'u', "key.unlock", lead, "", model.hasLocked, model.unlock},
		{'i', "key.hand", nobody, "", hands, askSlot(shift.HandUnit)},
		{'m', "key.hands", nobody, "", hands, ask(shift.HandsAuto)},
		{'f', "key.fault", nobody, "", model.hasFault, askSlot(shift.Explain)},
		{'p', "key.park", nobody, "QUARANTINE", nil, askSlot(shift.Quarant)},
		{'/', "key.lookup", nobody, "LOOKUP", nil, typeInto(lookup)},
		{'s', "key.code", nobody, "", nil, typeInto(code)},
		{'h', "key.history", nobody, "", nil, ask(shift.History)},
		{'c', "key.counters", nobody, "", nil, open(countersView)},
		{'x', "key.exclude", lead, "", nil, askSlot(shift.Exclude)},
		{'r', "key.reprint", lead, "REPRINT", func(m model) bool { return m.facts.Printer != "" }, askSlot(shift.Reprint)},
		{'e', "key.details", engineer, "", nil, askSlot(shift.Details)},
		{'t', "key.selftest", nobody, "", nil, model.startTest},
		{'o', "key.signout", operator, "LOGOUT", nil, ask(shift.SignOut)},
		{'L', "key.language", nobody, "", nil, model.nextLanguage},
		{'q', "key.quit", nobody, "", nil, model.leave},
	}
}

func hands(m model) bool { return m.facts.Hands }

// hotkey does what key stands for. A key that needs more than the person who is
// signed in may do says so.
func (m model) hotkey(key rune) (model, []shift.Intent) {
	for _, k := range hotkeys {
		if k.key != key || k.offered != nil && !k.offered(m) {
			continue
		}
		if rank(m.role()) < rank(k.need) {
			return m.say("note.need_" + k.need), nil
		}
		m.scan = nil
		return k.does(m)
	}
	if n := int(key - '0'); m.facts.Hands && n >= 1 && n <= 9 && m.index(n) >= 0 {
		return m, []shift.Intent{{Kind: shift.HandUnit, Slot: n}}
	}
	return m, nil
}

// offers are the keys that the person who is signed in can use now.
func (m model) offers() []hotkey {
	var out []hotkey
	for _, k := range hotkeys {
		if rank(m.role()) >= rank(k.need) && (k.offered == nil || k.offered(m)) {
			out = append(out, k)
		}
	}
	return out
}

// open shows one of the screen's own views, or the floor again.
func open(v view) func(model) (model, []shift.Intent) {
	return func(m model) (model, []shift.Intent) {
		m.scroll = 0
		if m.view == v {
			m.view = floorView
		} else {
			m.view = v
		}
		return m, nil
	}
}

func ask(kind shift.IntentKind) func(model) (model, []shift.Intent) {
	return func(m model) (model, []shift.Intent) { return m, []shift.Intent{{Kind: kind}} }
}

func askSlot(kind shift.IntentKind) func(model) (model, []shift.Intent) {
	return func(m model) (model, []shift.Intent) { return m.askNumber(kind) }
}

// unlock frees the station where it is locked, else a slot.
func (m model) unlock() (model, []shift.Intent) {
	if m.locked != nil {
		return m, []shift.Intent{{Kind: shift.Unlock}}
	}
	return m.askNumber(shift.Unlock)
}

func (m model) hasLocked() bool {
	if m.locked != nil {
		return true
	}
	for _, s := range m.slots {
		if s.state == shift.Park || s.state == shift.Lock && !s.waitsForJob(m) && !s.waitsForBadge(m) {
			return true
		}
	}
	return false
}

func (m model) hasFault() bool {
	for _, s := range m.slots {
		if s.code != "" || s.link != "" {
			return true
		}
	}
	return false
}

// typeInto begins a line of text.
func typeInto(kind promptKind) func(model) (model, []shift.Intent) {
	return func(m model) (model, []shift.Intent) {
		m.asking, m.typed = prompt{kind: kind}, ""
		return m, nil
	}
}

// startTest clears the lines of the test before.
func (m model) startTest() (model, []shift.Intent) {
	m.view, m.scroll, m.checks, m.tested, m.wanted = checkView, 0, nil, false, true
	return m, []shift.Intent{{Kind: shift.SelfTest}}
}

func (m model) nextLanguage() (model, []shift.Intent) {
	all := catalog.Languages()
	next := 0
	for i, l := range all {
		if l.Code == m.lang {
			next = (i + 1) % len(all)
		}
	}
	m.lang = all[next].Code
	return m, nil
}
