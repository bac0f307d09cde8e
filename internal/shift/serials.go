package shift

import (
	"slices"
)

// pending is a serial number that was scanned before its unit was put in.
type pending struct {
	serial string
	slot   int // 0: whichever asks first
}

// binding is a serial number whose unit could not be begun: the label is on that
// unit, so that the number waits for it.
type binding struct{ mac, serial string }

// maxBindings bounds how many units a number is remembered for.
const maxBindings = 64

// serialFor takes the serial number for the unit in a slot, or returns "". The
// caller holds mu.
func (s *Shift) serialFor(sl *slot, mac string) string {
	if sl.serial != "" {
		serial := sl.serial
		sl.serial = ""
		s.unbind(mac)
		return serial
	}
	if i := slices.IndexFunc(s.unspent, func(b binding) bool { return b.mac == mac }); i >= 0 {
		serial := s.unspent[i].serial
		s.unspent = slices.Delete(s.unspent, i, i+1)
		return serial
	}
	for _, slot := range []int{sl.number, 0} { // its own first
		if i := slices.IndexFunc(s.pending, func(p pending) bool { return p.slot == slot }); i >= 0 {
			serial := s.pending[i].serial
			s.pending = slices.Delete(s.pending, i, i+1)
			return serial
		}
	}
	return ""
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
	for _, n := range s.numbers() {
		sl := s.slots[n]
		if sl.state == Scan && sl.present && sl.serial == "" && (to == 0 || to == n) {
			sl.serial = serial
			s.wake()
			return n
		}
	}
	if to != 0 { // the slot's next unit, whatever was meant for it before
		s.pending = slices.DeleteFunc(s.pending, func(p pending) bool { return p.slot == to })
	}
	if len(s.pending) == len(s.slots) {
		s.pending = slices.Delete(s.pending, 0, 1)
	}
	s.pending = append(s.pending, pending{serial, to})
	return to
}

// held reports whether a serial number already waits for its unit. The caller holds
// mu.
func (s *Shift) held(serial string) bool {
	return slices.ContainsFunc(s.pending, func(p pending) bool { return p.serial == serial }) ||
		slices.ContainsFunc(s.numbers(), func(n int) bool { return s.slots[n].serial == serial })
}
