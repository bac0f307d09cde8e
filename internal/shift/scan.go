package shift

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/people"
	"provision/internal/records"
	"provision/internal/scanner"
	"provision/internal/station"
)

// Meanings of a scan.
const (
	meansBadge   = "badge"
	meansJob     = "job"
	meansSerial  = "serial"
	meansSlot    = "slot"
	meansCommand = "command"
	meansLabel   = "label"
	meansLookup  = "lookup"
	meansLayout  = "layout"
	meansUnknown = "unknown"
)

// routerOf makes the router of a profile.
func routerOf(p *station.Profile, serial func(string) error) (*scanner.Router, error) {
	rules := scanner.Rules{Serial: serial}
	for _, r := range []struct {
		to      **regexp.Regexp
		pattern string
	}{{&rules.Badge, p.Scanner.Badge}, {&rules.Job, p.Scanner.Job}, {&rules.Slot, p.Scanner.Slot}, {&rules.Command, p.Scanner.Command}} {
		var err error
		if *r.to, err = regexp.Compile(r.pattern); err != nil {
			return nil, fault.New(fault.BadProfile, "", err)
		}
	}
	return scanner.NewRouter(rules)
}

// scanned finds out what a scan means and does it. A badge is always a badge: its
// code is told to nobody. While a PIN is asked for, nothing else is taken. The caller
// holds mu.
func (s *Shift) scanned(text string) {
	text = strings.TrimSpace(text)
	if text == "" || s.twice.Seen(text, s.now()) {
		return
	}
	r := s.router.Route(text)
	if r.Kind == scanner.Badge {
		s.badge(r.Value)
		return
	}
	if _, asked := s.desk.PINAsked(s.now()); asked {
		return
	}
	if scanner.IsLayoutTest(text) {
		s.layoutTested(text)
		return
	}
	if s.looking {
		s.looking = false
		s.read(ScanFacts{Text: text, Meaning: meansLookup, OK: true}, 0, Fault{})
		s.lookUp(text)
		return
	}
	switch r.Kind {
	case scanner.Job:
		s.traveller(text, r.Value)
	case scanner.Slot:
		s.slotScanned(text, r.Slot)
	case scanner.Act:
		s.command(text, r.Command)
	case scanner.Serial:
		s.serialScanned(r.Value)
	default:
		s.strange(text)
	}
}

// typed is a text that was typed or scanned where another is expected: a badge there
// is a badge. It reports whether it was one.
func (s *Shift) typed(text string) bool {
	r := s.router.Route(text)
	if r.Kind == scanner.Badge {
		s.badge(r.Value)
	}
	return r.Kind == scanner.Badge
}

// read tells what was read. A Fault says why it was refused.
func (s *Shift) read(scan ScanFacts, slot int, f Fault) {
	s.tell(f.on(Event{Event: floor.Event{Kind: ScanRead, Slot: slot}, Scan: &scan}))
}

// strange is a text that fits no pattern. While a fresh label is to be scanned back
// it may be a label from another roll: then it is the label that is wrong.
func (s *Shift) strange(text string) {
	if !s.labelRead(text, true) {
		s.read(ScanFacts{Text: text, Meaning: meansUnknown}, 0, faultOf(fault.ScanUnknown))
	}
}

// layoutTested tells whether scanner and computer agree about the keyboard. The
// sentence is a word of the catalogue.
func (s *Shift) layoutTested(text string) {
	scan, found := ScanFacts{Text: text, Meaning: meansLayout}, scanner.CheckLayout(text)
	if scan.OK = found == scanner.LayoutOK; scan.OK {
		s.read(scan, 0, Fault{})
		return
	}
	s.read(scan, 0, Fault{Code: fault.ScanUnknown, Text: "layout." + string(found)})
}

// slotScanned says which slot the next serial number is for.
func (s *Shift) slotScanned(text string, n int) {
	scan := ScanFacts{Text: text, Meaning: meansSlot}
	if s.slots[n] == nil {
		s.read(scan, 0, faultOf(fault.ScanUnknown).with(fmt.Sprintf("This station has no slot %d.", n)))
		return
	}
	s.target, scan.OK = n, true
	s.read(scan, n, Fault{})
}

// command does what a barcode of the command sheet asks for.
func (s *Shift) command(text string, c scanner.Command) {
	s.read(ScanFacts{Text: text, Meaning: meansCommand, OK: true}, s.target, Fault{})
	slot := s.target
	s.target = 0
	switch c {
	case scanner.Start:
		s.intend(Intent{Kind: Arm})
	case scanner.Next:
		s.forget(func(pending) bool { return true })
		s.tell(Event{Event: floor.Event{Kind: PageShown}}) // no page: whatever is shown is put away
	case scanner.Reprint:
		s.intend(Intent{Kind: Reprint, Slot: slot})
	case scanner.Quarantine:
		s.intend(Intent{Kind: Quarant, Slot: slot})
	case scanner.Help:
		s.intend(Intent{Kind: Explain, Slot: slot})
	case scanner.Logout:
		s.intend(Intent{Kind: SignOut})
	case scanner.Lookup:
		s.looking = true
	}
}

// serialScanned is a serial number of this product. Whether it is free only the
// records can say.
func (s *Shift) serialScanned(serial string) {
	s.slow.Put(func() {
		ctx, done := context.WithTimeout(s.context(), patience)
		defer done()
		u, err := s.store.UnitBySerial(ctx, serial)
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case errors.Is(err, records.ErrNotFound):
			s.newSerial(serial)
		case err != nil:
			s.read(ScanFacts{Text: serial, Meaning: meansSerial}, 0, faultOf(fault.Database))
		default:
			s.knownSerial(serial, u)
		}
	})
}

// newSerial is a serial number that no unit has yet.
func (s *Shift) newSerial(serial string) {
	scan := ScanFacts{Text: serial, Meaning: meansSerial}
	switch {
	case s.labelRead(serial, !s.scansSerials()):
	case !s.scansSerials():
		s.read(scan, 0, faultOf(fault.ScanUnknown).with("No unit has this serial number."))
	case !s.job.Orders(serial):
		s.read(scan, 0, faultOf(fault.NotInOrder))
	case s.held(serial) && s.target == 0: // with the slot's barcode first it is meant for that slot
		s.read(scan, 0, faultOf(fault.SerialUsed).with("This serial number was scanned already and waits for its unit."))
	default:
		s.take(serial)
		scan.OK = true
		s.read(scan, s.assign(serial), Fault{})
	}
}

// knownSerial is the serial number of a unit on record: its fresh label, which needs
// no answer, a mistake where a new unit is to be named, or else a question about it.
func (s *Shift) knownSerial(serial string, u records.Unit) {
	asked := s.asking()
	switch {
	case s.labelRead(serial, asked == 0 && u.State == records.StateComplete && len(s.printed()) > 0):
		return
	case asked != 0 && s.slots[asked].mac != u.MAC:
		text := fmt.Sprintf("%s belongs to another unit since %s.", u.Serial, u.CreatedAt.Format("2006-01-02 15:04"))
		s.read(ScanFacts{Text: serial, Meaning: meansSerial}, asked, faultOf(fault.SerialUsed).with(text))
	default:
		s.read(ScanFacts{Text: serial, Meaning: meansLookup, OK: true}, 0, Fault{})
	}
	if asked == 0 || s.slots[asked].mac != u.MAC {
		s.lookUp(serial)
	}
}

// asking is the first slot that waits for a serial number, 0 without one.
func (s *Shift) asking() int {
	for _, n := range s.numbers() {
		if s.slots[n].asks() {
			return n
		}
	}
	return 0
}

// badge finds the person of a badge and signs them in.
func (s *Shift) badge(code string) {
	digest := people.BadgeDigest(code)
	s.slow.Put(func() {
		ctx, done := context.WithTimeout(s.context(), patience)
		defer done()
		p, err := s.store.PersonByBadge(ctx, digest)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil || s.roleHere(p) == people.Nobody {
			f := faultOf(fault.NotAllowed)
			if err != nil && !errors.Is(err, records.ErrNotFound) {
				f = faultOf(fault.Database)
			}
			s.read(ScanFacts{Text: "?", Meaning: meansBadge}, 0, f)
			return
		}
		s.read(ScanFacts{Text: p.Name, Meaning: meansBadge, OK: true}, 0, Fault{})
		s.signIn(p)
	})
}
