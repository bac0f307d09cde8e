package board

import (
	"strconv"

	"provision/internal/fault"
	"provision/internal/shift"
)

// happening is the last event that is worth a line.
type happening struct {
	kind   string
	slot   int
	state  shift.State
	serial string
	name   string // of a person or a job, or a number
	code   fault.Code
}

// told is what ev leaves in the line of the last event; kind is empty for all that
// changes nothing for a person.
func told(ev shift.Event) happening {
	h := happening{kind: ev.Kind, slot: ev.Slot, state: ev.State, serial: ev.Serial, code: ev.Code}
	switch ev.Kind {
	case shift.ShiftStarted:
		if ev.Shift == nil || ev.Shift.Open == 0 {
			return happening{}
		}
		h.name = strconv.Itoa(ev.Shift.Open)
		return h
	case shift.PersonIn, shift.PersonOut:
		if ev.Person != nil {
			h.name = ev.Person.Name
		}
		return h
	case shift.Armed, shift.Disarmed, shift.StationLocked, shift.StationFree:
		return h
	case shift.LabelPrinted, shift.LabelClosed, shift.LabelFailed, shift.LabelWrong:
		if ev.Label != nil {
			h.serial = ev.Label.Serial
		}
		return h
	case shift.JobSet:
		if ev.Job != nil {
			h.name = ev.Job.ID
		}
		return h
	}
	if ev.Code == fault.NotArmed || ev.Code == fault.NotAllowed {
		return happening{} // nothing happened: something is waited for
	}
	if ev.Slot > 0 && (ev.State.Final() || ev.State == shift.Scan || ev.State == shift.Lock || ev.State == shift.Skip) {
		h.kind = "state"
		return h
	}
	return happening{}
}
