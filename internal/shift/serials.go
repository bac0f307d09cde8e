package shift

import (
	"slices"
	"time"

	"provision/internal/fault"
)

// pending is a serial number that was scanned before its unit was put in.
type pending struct {
	serial string
	slot   int // 0: whichever asks first
	until  time.Time
}

// pendingTime is how long a number waits for its unit: who scans a label has the
// unit in the other hand.
const pendingTime = 3 * time.Minute

// binding is a serial number whose unit could not be begun: the label is on that
// unit, so that the number waits for it.
type binding struct{ mac, serial string }

// maxBindings bounds how many units a number is remembered for.
const maxBindings = 64

// serialFor takes the serial number for the unit in a slot, or returns "". Nobody
// else gets it after that. The caller holds mu.
func (s *Shift) serialFor(sl *slot, mac string) string {
	serial := sl.serial
	if i := slices.IndexFunc(s.unspent, func(b binding) bool { return b.mac == mac }); serial == "" && i >= 0 {
		serial = s.unspent[i].serial
	}
	for _, slot := range []int{sl.number, 0} { // its own first
		if i := slices.IndexFunc(s.pending, func(p pending) bool { return p.slot == slot }); serial == "" && i >= 0 {
			serial = s.pending[i].serial
		}
	}
	if serial != "" {
		sl.serial = ""
		s.unbind(mac)
		s.pending = slices.DeleteFunc(s.pending, func(p pending) bool { return p.serial == serial })
	}
	return serial
}

// giveBack keeps the number of a unit that went out before it was begun for that
// unit: its label is on it. The caller holds mu.
func (s *Shift) giveBack(sl *slot) {
	if sl.serial != "" {
		s.bind(sl.mac, sl.serial)
		sl.serial = ""
	}
}

// bind remembers the number of a unit that could not be begun.
func (s *Shift) bind(mac, serial string) {
	s.unbind(mac)
	if len(s.unspent) == maxBindings {
		s.unspent = slices.Delete(s.unspent, 0, 1)
	}
	s.unspent = append(s.unspent, binding{mac, serial})
}

func (s *Shift) unbind(mac string) {
	s.unspent = slices.DeleteFunc(s.unspent, func(b binding) bool { return b.mac == mac })
}

// assign gives a serial number to the slot that asks for one, else keeps it for the
// next unit. It returns the slot, 0 when it waits. The caller holds mu.
func (s *Shift) assign(serial string) int {
	to := s.target
	s.target = 0
	defer s.wake() // a slot may be about to ask
	for _, n := range s.numbers() {
		if sl := s.slots[n]; sl.asks() && sl.serial == "" && (to == 0 || to == n) {
			sl.serial = serial
			return n
		}
	}
	if to != 0 { // the slot's next unit, whatever was meant for it before
		s.pending = slices.DeleteFunc(s.pending, func(p pending) bool { return p.slot == to })
	}
	if len(s.pending) == len(s.slots) {
		s.pending = slices.Delete(s.pending, 0, 1)
	}
	s.pending = append(s.pending, pending{serial, to, s.now().Add(pendingTime)})
	return to
}

// asks reports whether the unit in the slot waits for its number.
func (sl *slot) asks() bool { return sl.present && sl.waiting == Scan }

// held reports whether a serial number already waits for a unit. One that is
// remembered for a unit that went out may be scanned for another. The caller holds mu.
func (s *Shift) held(serial string) bool {
	return slices.ContainsFunc(s.pending, func(p pending) bool { return p.serial == serial }) ||
		slices.ContainsFunc(s.numbers(), func(n int) bool { return s.slots[n].serial == serial })
}

// take takes a number back from whoever it waits for. The caller holds mu.
func (s *Shift) take(serial string) {
	s.pending = slices.DeleteFunc(s.pending, func(p pending) bool { return p.serial == serial })
	s.unspent = slices.DeleteFunc(s.unspent, func(b binding) bool { return b.serial == serial })
	for _, sl := range s.slots {
		if sl.serial == serial {
			sl.serial = ""
		}
	}
}

// forget drops numbers whose unit did not come. The caller holds mu.
func (s *Shift) forget(late func(pending) bool) {
	for _, p := range s.pending {
		if late(p) {
			s.trouble(p.slot, Fault{Code: fault.SerialMissing, Text: "refuse.expired"})
		}
	}
	s.pending = slices.DeleteFunc(s.pending, late)
}
