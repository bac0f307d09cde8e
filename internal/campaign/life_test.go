package campaign

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"provision/internal/campaign/judge"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/records"
	"provision/internal/simulator"
)

// maxContacts is how often a unit is taken up before it goes to another line, and
// then again before it counts as lost.
const maxContacts = 10

// mostHurts is how many things go wrong in a life, at most; harsh ones have more.
const mostHurts = 3

// life is one unit at the bench.
type life struct {
	*bench
	*plan
	ctx    context.Context
	serial string
	unit   *judge.Unit
	random *keyStream
	other  *judge.Unit // the unit that gets into its slot by mistake; nil: none yet

	known    bool               // its serial number is reserved
	came     simulator.Counters // how far the chip was when it left a line; zero: it did not
	contacts int
	said     flow.Result // the last verdict
	alive    bool        // there was one
	happened map[string]int
	outcome  string
	story    []string // a line a contact
	found    []string // what the judge says is wrong
}

// keyStream is the station's random source.
type keyStream = rand.ChaCha8

func newKeyStream(seed uint64, use byte) *keyStream {
	var s [32]byte
	for i := range 8 {
		s[i] = byte(seed >> (8 * i))
	}
	s[31] = use
	return rand.NewChaCha8(s)
}

// live takes a unit through its life.
func (b *bench) live(ctx context.Context, p *plan) *life {
	l := &life{
		bench: b, plan: p, ctx: ctx, serial: fmt.Sprintf("SN-%d", p.seed),
		random: newKeyStream(p.seed, 1), happened: map[string]int{},
	}
	l.unit = l.newUnit(p.chip, simulator.WithFaults(p.faults))
	l.unit.Unfit, l.unit.Weak, l.unit.Worn = p.unfit, p.weak(), len(p.faults.WornSectors) > 0
	l.unit.Noisy, l.unit.Hangs = p.noisy(), len(p.faults.Hang) > 0
	check(b.t, l.unit.Chip.Preburn(p.former))
	l.unit.Origin = l.unit.Chip.Fuses()
	defer l.end()
	l.outcome = l.toVerdict()
	l.happened["ended as "+l.outcome]++
	if l.outcome == "PASS" {
		l.happened["PASS: "+l.plan.order.name]++
	}
	l.afterwards()
	l.countFaults()
	return l
}

// countFaults counts what the chip was hurt by, as far as it came: not every fault of
// a plan strikes before its unit is finished.
func (l *life) countFaults() {
	f, n := l.faults, l.came
	if n == (simulator.Counters{}) {
		n = l.unit.Chip.Counters()
	}
	count := func(what string, struck bool) {
		if struck {
			l.happened["hurt: "+what]++
		}
	}
	for what, marks := range map[string][]uint64{cutOnWire: f.CutWire, unplugged: f.Unplug, hung: f.Hang} {
		for _, at := range marks {
			count(what, at <= n.Wire)
		}
	}
	for _, c := range f.CutBurn {
		count(cutInBurn, c.Burn <= n.Burns)
	}
	for _, at := range f.CutErase {
		count(cutInErase, at <= n.Erases)
	}
	for _, at := range f.CutProgram {
		count(cutInProgram, at <= n.Programs)
	}
	count("bytes lost", f.Lose.Rate > 0)
	count("bytes changed", f.Garble.Rate > 0)
	count("bytes doubled", f.Duplicate.Rate > 0)
	count("bytes late", f.Late.Rate > 0)
	count("a weak fuse", len(f.WeakBits) > 0)
	count("a fuse that never takes", l.unit.Weak)
	count("a worn sector", l.unit.Worn)
	count("an unfit part", l.unfit != "")
	count("burnt before", l.former != simulator.Fuses{})
}

// What can happen to a chip by itself.
const (
	cutOnWire    = "power cut on the wire"
	cutInBurn    = "power cut in a burn"
	cutInErase   = "power cut in an erase"
	cutInProgram = "power cut in a page program"
	unplugged    = "cable pulled"
	hung         = "hung"
)

// String tells the life, and what was wrong with it.
func (l *life) String() string {
	lines := append([]string{fmt.Sprintf("seed %d: %v: %s", l.seed, l.plan, l.outcome)}, l.story...)
	return strings.Join(append(lines, l.found...), "\n  ")
}

func (l *life) newUnit(cfg simulator.Config, opts ...simulator.Option) *judge.Unit {
	chip := simulator.New(cfg, append(opts, simulator.WithRandom(newKeyStream(l.seed, 2)))...)
	return &judge.Unit{Chip: chip, Config: cfg, Origin: chip.Fuses(), Order: l.plan.order.judged()}
}

func (l *life) end() {
	for _, u := range []*judge.Unit{l.unit, l.other} {
		if u != nil {
			check(l.t, u.Chip.Close())
		}
	}
}

// toVerdict contacts the unit until there is a verdict that stands.
func (l *life) toVerdict() string {
	for l.contacts < maxContacts {
		l.contact(l.nextHurt())
		if verdict, stands := l.stands(); stands {
			return verdict
		}
		l.hands()
	}
	l.moveToGoodLine()
	for l.contacts < 2*maxContacts {
		l.contact(hurt{})
		if verdict, stands := l.stands(); stands {
			return verdict + " on another line"
		}
		l.hands()
	}
	l.violated(judge.Violation{Invariant: "I4", Text: "the unit is lost: no verdict, however often it is taken up"})
	return "lost"
}

// nextHurt is what the plan has for the next contact.
func (l *life) nextHurt() hurt {
	if len(l.hurts) == 0 {
		return hurt{}
	}
	h := l.hurts[0]
	switch h.what {
	case wrongProfile, wrongLabel, otherUnit, setAside:
		if !l.known { // there is nothing it could be mistaken for
			return hurt{}
		}
	}
	l.hurts = l.hurts[1:]
	return h
}

// stands says how the unit ended, if it did: a verdict that another contact would
// not change, given by a run over this very unit.
func (l *life) stands() (verdict string, stands bool) {
	switch {
	case !l.alive:
		return "", false
	case l.said.Verdict == "PASS", l.said.Verdict == "DONE":
		return "PASS", true
	case l.said.Verdict == "PARK" && l.said.Code != "E502" && l.said.Code != "E209":
		return "PARK " + string(l.said.Code), true
	case l.said.Verdict == "FAIL" && (l.unfit != "" || l.unit.Weak || l.unit.Worn || l.said.Code == "E301" || l.said.Code == "E302"):
		return "FAIL " + string(l.said.Code), true
	}
	return "", false
}

// contact puts the unit into the slot for one run, with what is done to it.
func (l *life) contact(h hurt) {
	l.contacts++
	c := &contact{
		bench: l.bench, order: l.plan.order, serial: l.serial, id: fmt.Sprintf("%d.%d", l.seed, l.contacts),
		chip: l.unit.Chip, random: l.random, hurt: h,
	}
	said := judge.Contact{Run: c.id, Serial: l.serial}
	judged := l.unit
	switch h.what {
	case wrongProfile:
		c.order = l.anotherOrder()
		other := c.order.judged()
		said.Order = &other
	case wrongLabel:
		c.serial = fmt.Sprintf("SN-%d", 1<<40+l.seed)
		said.Serial = c.serial
	case otherUnit:
		judged = l.another()
		c.chip = judged.Chip
	case swapped:
		c.other = l.another().Chip
	case setAside:
		l.park()
	}
	before := judged.Chip.Fuses()
	l.watch(c, judged)
	l.said, l.alive = c.run(l.ctx)
	if h.what == noRecords && c.struck {
		l.reopen()
		said.NoRecords = true
	}
	l.tell(c)
	said.Verdict, said.Code = l.said.Verdict, string(l.said.Code)
	said.Swapped, said.Interrupted = h.what == swapped && c.struck, h.what == ctrlC && c.struck
	l.judgeRun(judged, said)
	switch h.what {
	case otherUnit, wrongLabel, wrongProfile:
		l.alive = false // it says nothing of this unit as it was ordered
	case setAside:
		l.untouched(before)
		l.release()
		l.alive = false
	}
}

// watch looks at the unit at some moment of the run, too, and takes notice of what
// the run says.
func (l *life) watch(c *contact, u *judge.Unit) {
	look := 1 + l.plan.random.IntN(3*eventsOfRun)
	c.event = func(ev flow.Event) {
		l.known = l.known || ev.Kind == flow.SerialReserved && u == l.unit
		if ev.Kind == flow.RunFinished && ev.Verdict == "PASS" {
			l.happened["PASS shown"]++
			l.judgeShown(u, judge.Contact{Run: c.id, Verdict: ev.Verdict})
		}
		if c.events == look {
			l.happened["looked at in between"]++
			l.judgeMoment(u)
		}
	}
}

// judgeRun has the unit judged after a run, and whatever else was in the slot.
func (l *life) judgeRun(u *judge.Unit, said judge.Contact) {
	if !l.alive {
		l.judgeMoment(u)
		if l.plan.oneIn(4) {
			l.crash()
		}
	} else {
		l.judgeShown(u, said)
	}
	if l.other != nil && l.other != u {
		l.judgeMoment(l.other)
	}
}

// judgeShown judges a verdict that somebody sees just now.
func (l *life) judgeShown(u *judge.Unit, said judge.Contact) {
	found, err := l.judge.After(l.ctx, u, said)
	check(l.t, err)
	l.violated(found...)
}

func (l *life) judgeMoment(u *judge.Unit) {
	found, err := l.judge.Moment(l.ctx, u)
	check(l.t, err)
	l.violated(found...)
}

func (l *life) violated(found ...judge.Violation) {
	for _, v := range found {
		l.found = append(l.found, fmt.Sprintf("contact %d: %v", l.contacts, v))
	}
}

// another is a blank unit that gets into the slot by mistake.
func (l *life) another() *judge.Unit {
	if l.other == nil {
		cfg := l.chip
		cfg.MAC[0] ^= 0x04
		l.other = l.newUnit(cfg, simulator.WithDownloadMode())
		l.other.Stranger = true
	}
	return l.other
}

// anotherOrder is one that no unit of this order may be finished under. With the same
// keys and custody it may, whoever encrypts: as long as nothing is burnt, a unit
// follows the profile at hand.
func (l *life) anotherOrder() *order {
	for {
		o := orders[l.plan.random.IntN(len(orders))]
		mine := l.plan.order
		if !o.closed && (o.secureBoot != mine.secureBoot || (o.encryption != "") != (mine.encryption != "") || o.escrow != mine.escrow) {
			return o
		}
	}
}

// hands take the unit out and put it back: its cable is in again, its power comes
// back, and most starts are on its own, with whatever firmware then does.
func (l *life) hands() {
	chip := l.unit.Chip
	chip.Replug()
	if l.plan.oneIn(3) {
		chip.PowerCycle()
	} else {
		chip.Boot()
	}
	time.Sleep(time.Second)
}

// moveToGoodLine takes the unit to a slot where nothing disturbs it. What is wrong
// with the part stays wrong.
func (l *life) moveToGoodLine() {
	stays := simulator.Faults{WeakBits: l.faults.WeakBits, WornSectors: l.faults.WornSectors}
	from := l.unit.Chip
	l.came = from.Counters()
	to := simulator.New(l.chip, simulator.WithFaults(stays), simulator.WithRandom(newKeyStream(l.seed, 3)))
	check(l.t, to.Preburn(from.Fuses()))
	check(l.t, to.SetFlashFrom(from))
	l.unit.Chip, l.unit.Noisy, l.unit.Hangs = to, false, false
	check(l.t, from.Close())
	l.happened["moved to another line"]++
}

// afterwards is what may still come to a unit with a verdict: it is put in again, it
// is released by a person, another chip has its MAC.
func (l *life) afterwards() {
	passed := l.alive && (l.said.Verdict == "PASS" || l.said.Verdict == "DONE")
	switch {
	case passed && l.plan.oneIn(3):
		l.again("DONE")
	case passed && l.plan.oneIn(20):
		l.clone()
	case !passed && l.unfit == "" && l.plan.oneIn(2):
		l.release()
		l.again("")
	}
}

// again puts the unit in once more. A finished one, on a line that works, is greeted
// and not touched, unless nobody can talk to it any more. Each of the things that go
// wrong in a life may be due only now, and take a contact: the one after them counts.
func (l *life) again(want string) {
	for range mostHurts + 1 {
		l.hands()
		l.contact(hurt{})
		if want == "" || !l.alive || l.said.Verdict == want {
			return
		}
		if l.said.Code == "E108" && l.plan.order.closed {
			return
		}
	}
	if !l.unit.Noisy {
		l.violated(judge.Violation{Invariant: "I5", Text: fmt.Sprintf("a finished unit is not greeted but told %s %s", l.said.Verdict, l.said.Code)})
	}
}

// mac is the unit's address as the records have it.
func (l *life) mac() string {
	m := l.unit.Chip.MAC()
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// park is a person who sets the unit aside.
func (l *life) park() {
	check(l.t, l.store.Park(l.ctx, records.Parking{
		MAC: l.mac(), Code: string(fault.SetAside), Reason: "dropped", Person: "lead", At: time.Now(),
	}))
	l.happened[setAside]++
}

// untouched judges a run over a unit that a person had set aside.
func (l *life) untouched(before simulator.Fuses) {
	if l.unit.Chip.Fuses() != before {
		l.violated(judge.Violation{Invariant: "I4", Text: "a unit that a person set aside was burnt"})
	}
	if l.alive && (l.said.Verdict == "PASS" || l.said.Verdict == "DONE") {
		l.violated(judge.Violation{Invariant: "I6", Text: "a unit that a person set aside is told " + l.said.Verdict})
	}
}

func (l *life) release() {
	err := l.store.Release(l.ctx, records.Release{MAC: l.mac(), Person: "lead", Reason: "looks good", At: time.Now()})
	if !errors.Is(err, records.ErrNotParked) {
		check(l.t, err)
		l.happened["released"]++
	}
}

// clone puts in another chip with the MAC of this one, which is finished.
func (l *life) clone() {
	if l.plan.order.closed {
		return // it cannot be asked any more
	}
	l.happened["cloned"]++
	real, cfg := l.unit, l.chip
	l.unit = l.newUnit(cfg)
	l.unit.Stranger = true
	l.contact(hurt{})
	if l.said.Code != "E303" {
		l.violated(judge.Violation{Invariant: "I7", Text: fmt.Sprintf("a second chip with one MAC is told %s %s", l.said.Verdict, l.said.Code)})
	}
	check(l.t, l.unit.Chip.Close())
	l.unit = real
	l.release()
	l.again("DONE")
}

// tell adds the contact to the story.
func (l *life) tell(c *contact) {
	line := fmt.Sprintf("%d: %s ", l.contacts, c.hurt)
	if c.struck {
		l.happened[c.hurt.what]++
	}
	if !l.alive {
		line += "killed"
	} else {
		line += strings.TrimSpace(fmt.Sprintf("%s %s %v", l.said.Verdict, l.said.Code, errText(l.said.Err)))
		l.happened["run: "+strings.TrimSpace(l.said.Verdict+" "+string(l.said.Code))]++
	}
	l.happened["runs"]++
	n := l.unit.Chip.Counters()
	l.story = append(l.story, fmt.Sprintf("%s (%d writes, %d events, wire %d, burns %d)", line, c.writes, c.events, n.Wire, n.Burns))
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
