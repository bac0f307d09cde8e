package board

import (
	"slices"

	"provision/internal/shift"
)

// mostChecks is how many lines of a self-test are kept.
const mostChecks = 64

// applyQuestion is what ev asks the person in front of the screen, or answers.
func (m model) applyQuestion(ev shift.Event) model {
	switch ev.Kind {
	case shift.ScanRead:
		m = m.scanRead(ev)
	case shift.PINAsked:
		m.pin, m.refuse = &shift.PersonFacts{}, false
		if ev.Person != nil {
			*m.pin = *ev.Person
		}
		m = m.unasked()
		m.typed, m.scan = "", nil
	case shift.PINRefused:
		m.refuse, m.typed = true, ""
	case shift.PINClosed:
		m.pin, m.refuse, m.typed = nil, false, ""
	case shift.ChoiceAsked:
		m = m.unasked()
		m.choice, m.scan, m.touched = ev.Choice, nil, m.now
		m.scroll = 0
	case shift.ChoiceClosed:
		m.choice = nil
	case shift.CheckLine:
		m = m.addCheck(ev)
	case shift.CheckEnded:
		m.tested, m.touched = true, m.now
		if !m.wanted && !m.complains() {
			m.touched = m.now.Add(glanceFor - idleAfter) // nobody asked, and all is well
		}
	case shift.PageShown:
		m = m.show(ev.Page)
	}
	return m
}

// scanRead shows what was scanned. Who scans is at work again: a page that somebody
// looked at goes; the answer to a look-up comes after it.
func (m model) scanRead(ev shift.Event) model {
	if ev.Scan == nil {
		return m
	}
	m = m.unasked()
	m.scan = &banner{*ev.Scan, ev.Slot, *reasonOf(ev), m.now.Add(bannerFor)}
	m.view, m.page, m.scroll, m.touched = floorView, nil, 0, m.now
	if !ev.Scan.OK {
		m.bell = max(m.bell, double)
	}
	return m
}

// unasked is m without a question of the screen's own: the station has something to
// say, or somebody scanned where he was to type.
func (m model) unasked() model {
	m.asking = prompt{}
	if m.pin == nil {
		m.typed = ""
	}
	return m
}

// show puts a page on the screen, or puts away what is there. An explanation of
// nothing is the page of all keys.
func (m model) show(p *shift.Page) model {
	m = m.unasked()
	m.page, m.view, m.scroll, m.touched = p, pageView, 0, m.now
	switch {
	case p == nil:
		m.view, m.scan = floorView, nil
	case p.Kind == "none" && p.Title == "":
		m.page, m.view = nil, helpView
	}
	return m
}

// addCheck adds a line to the self-test, or begins the next one.
func (m model) addCheck(ev shift.Event) model {
	if ev.Check == nil {
		return m
	}
	if m.tested {
		m.checks, m.tested = nil, false
	}
	if len(m.checks) < mostChecks {
		m.checks = append(m.checks[:len(m.checks):len(m.checks)], check{*ev.Check, ev.Code})
	}
	if m.wanted || m.atWork() == 0 || ev.Check.State == "bad" {
		m.view, m.touched = checkView, m.now
	}
	return m
}

// giveWay puts a self-test that nobody asked for away when a unit needs the screen.
func (m model) giveWay(st shift.State) model {
	if m.view == checkView && !m.wanted && (st == shift.Run || st == shift.Scan) {
		m.view = floorView
	}
	return m
}

// complains reports whether the self-test found anything.
func (m model) complains() bool {
	return slices.ContainsFunc(m.checks, func(c check) bool { return c.State != "ok" })
}
