package board

import (
	"slices"
	"time"

	"provision/internal/catalog"
	"provision/internal/fault"
	"provision/internal/shift"
)

// words are the texts of the screen in the language that was chosen.
type words = *catalog.Catalog

// How long things stand on the screen.
const (
	bannerFor  = 3 * time.Second  // what was scanned
	noticeFor  = 8 * time.Second  // what the screen itself has to say about a key
	troubleFor = 5 * time.Minute  // something is wrong that stops nobody
	idleAfter  = 30 * time.Second // without a key or a scan, back to the floor
	glanceFor  = 5 * time.Second  // a self-test that nobody asked for and that found nothing
	blinkEvery = time.Second
)

// model is the station as far as its events have told. It is a value: apply returns
// the next one, and nothing that one model holds is changed by another.
type model struct {
	now      time.Time
	facts    shift.ShiftFacts
	tips     []string       // for the page of keys
	job      shift.JobFacts // ID is empty until there is one
	person   shift.PersonFacts
	lead     shift.PersonFacts // or engineer: who may do more for a while
	counts   shift.Counts
	slots    []slot
	machines []shift.MachineFacts
	due      int // labels that were not scanned back yet

	locked   *reason // the whole station stands still
	trouble  *reason
	troubled time.Time // until when trouble is shown
	last     happening
	bell     bell // to be rung, the most urgent one

	scan   *banner
	pin    *shift.PersonFacts // whose PIN is asked for
	refuse bool               // the PIN before was wrong
	choice *shift.Choice
	page   *shift.Page
	checks []check
	tested bool // the self-test is over

	hand          // what the person at the keyboard is doing
	hushed   bool // somebody pressed a key since a unit was to be set aside
	closing  bool // the station was asked to close
	stopping bool // and not to wait for its units
	finished bool
}

// reason is why something is as it is, and what to do about it.
type reason struct {
	code fault.Code
	text string
	do   string // empty: there is nothing to do
}

// banner is what was scanned, shown until a time.
type banner struct {
	shift.ScanFacts
	slot  int
	why   reason // it was refused
	until time.Time
}

// apply returns m after ev. It is pure: state in, state out.
func (m model) apply(ev shift.Event) model {
	if ev.Time.After(m.now) {
		m.now = ev.Time.In(m.now.Location()) // the place stays that of the screen's clock
	}
	if i := m.index(ev.Slot); i >= 0 {
		before := m.slots[i]
		after := before.apply(ev)
		m.slots = slices.Clone(m.slots)
		m.slots[i] = after
		if before.state != after.state {
			m.bell = max(m.bell, after.face(m).bell)
			m.hushed = m.hushed && after.state != shift.Park
		}
	}
	if ev.Label != nil {
		m.due = ev.Label.Due
	}
	counted := ev.Kind == shift.JobSet && ev.Job != nil && ev.Job.ID == m.job.ID // no other job: one more of it is made
	m = m.applyStation(ev).applyQuestion(ev).giveWay(ev.State)
	if h := told(ev); h.kind != "" && !counted {
		m.last = h
	}
	return m
}

// applyStation is what ev says of the station as a whole.
func (m model) applyStation(ev shift.Event) model {
	switch ev.Kind {
	case shift.ShiftStarted:
		if ev.Shift != nil {
			m.facts = *ev.Shift
			m.slots = newSlots(ev.Shift.Slots)
		}
	case shift.ShiftEnded:
		m.finished = true
	case shift.JobSet, shift.Armed, shift.Disarmed:
		m = m.setJob(ev)
	case shift.StationLocked:
		m.locked = reasonOf(ev)
		m.bell = max(m.bell, alarm)
	case shift.StationFree:
		m.locked = nil
	case shift.Trouble, shift.LabelFailed, shift.LabelWrong:
		m.trouble = reasonOf(ev)
		m.troubled = m.now.Add(troubleFor)
		if ev.Do == "" {
			m.troubled = m.now.Add(noticeFor) // the answer to a key, nothing to be done about
		}
	case shift.LabelPrinted, shift.LabelClosed:
		if m.trouble != nil && (m.trouble.code == fault.PrinterFailed || m.trouble.code == fault.LabelMismatch) {
			m.trouble = nil
		}
	case shift.CountsMade:
		if ev.Counts != nil {
			m.counts = *ev.Counts
		}
	case shift.PersonIn, shift.PersonOut:
		m = m.setPerson(ev)
	case shift.MachineState:
		m = m.setMachine(ev)
	}
	return m
}

// setMachine is m after a machine has changed. One that somebody has to see to is
// heard.
func (m model) setMachine(ev shift.Event) model {
	if ev.Machine == nil {
		return m
	}
	same := func(x shift.MachineFacts) bool { return x.Name == ev.Machine.Name }
	m.machines = append(slices.DeleteFunc(slices.Clone(m.machines), same), *ev.Machine)
	if !ev.Machine.OK {
		m.bell = max(m.bell, once)
	}
	return m
}

// machine is what is known of a machine; nothing was said of it: it works.
func (m model) machine(name string) shift.MachineFacts {
	for _, x := range m.machines {
		if x.Name == name {
			return x
		}
	}
	return shift.MachineFacts{Name: name, OK: true}
}

func (m model) setJob(ev shift.Event) model {
	if ev.Job != nil {
		m.job = *ev.Job
	}
	switch ev.Kind {
	case shift.Armed:
		m.job.Armed = true
	case shift.Disarmed:
		m.job.Armed = false
	}
	return m
}

func (m model) setPerson(ev shift.Event) model {
	if ev.Person == nil {
		return m
	}
	who := *ev.Person
	if ev.Kind == shift.PersonOut {
		who = shift.PersonFacts{}
	}
	if rank(ev.Person.Role) > rank(operator) {
		m.lead = who
	} else {
		m.person = who
	}
	return m
}

// tick is m at another time. It moves what time moves, and nothing else.
func (m model) tick(now time.Time) model {
	m.now = now
	if m.scan != nil && !now.Before(m.scan.until) {
		m.scan = nil
	}
	if m.trouble != nil && !now.Before(m.troubled) {
		m.trouble = nil
	}
	if m.notice != "" && now.Sub(m.noticed) >= noticeFor {
		m.notice = ""
	}
	if now.Sub(m.touched) >= idleAfter && (m.view != checkView || m.tested) {
		m.view, m.page, m.scroll, m.asking, m.wanted = floorView, nil, 0, prompt{}, false
	}
	return m
}

// blink is the phase of what blinks.
func (m model) blink() bool { return m.now.UnixNano()/int64(blinkEvery)%2 != 0 }

// moving reports whether the screen changes by itself several times a second.
func (m model) moving() bool {
	return slices.ContainsFunc(m.slots, slot.working)
}

// counting reports whether seconds are counted down on the screen.
func (m model) counting() bool {
	return m.lead.Name != "" && !m.lead.Until.IsZero() || m.choice != nil && !m.choice.Until.IsZero() || m.notice != ""
}

// atWork is the number of units that must stay where they are.
func (m model) atWork() int {
	n := 0
	for _, s := range m.slots {
		if s.working() {
			n++
		}
	}
	return n
}

func (m model) index(number int) int {
	if number == 0 {
		return -1
	}
	return slices.IndexFunc(m.slots, func(s slot) bool { return s.number == number })
}

func newSlots(numbers []int) []slot {
	out := make([]slot, len(numbers))
	for i, n := range numbers {
		out[i] = slot{number: n, state: shift.Off}
	}
	return out
}

func reasonOf(ev shift.Event) *reason { return &reason{ev.Code, ev.Text, ev.Do} }
