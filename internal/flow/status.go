package flow

import (
	"context"
	"fmt"

	"provision/internal/efuse"
	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/records"
)

// Status is what a chip is, for somebody who wants to know before doing anything.
type Status struct {
	MAC     string    `json:"mac"`
	Chip    string    `json:"text"`
	Facts   ChipFacts `json:"chip"`
	Serial  string    `json:"serial,omitempty"`
	State   string    `json:"state,omitempty"` // in the records
	Class   string    `json:"class"`
	Says    []string  `json:"says"`    // the fuses that matter, in words: "NAME: text"
	Verdict string    `json:"verdict"` // one sentence
	Next    string    `json:"next"`    // one step
}

// statusFields are the fuses that decide what a unit is.
var statusFields = []string{
	"FLASH_CRYPT_CNT", "FLASH_CRYPT_CONFIG", "ABS_DONE_0", "ABS_DONE_1", "BLOCK1", "BLOCK2",
	"JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE", "DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE", "UART_DOWNLOAD_DIS",
}

// OnRecord is what the records know of a MAC. A part may be parked before it is a unit:
// by a person who was warned of it, or for having failed too often.
type OnRecord struct {
	Unit   *records.Unit    // nil: it was never begun
	Parked *records.Parking // nil: it is not parked
}

// Inspect reads a chip and writes nothing. known looks its MAC up in the records.
func Inspect(ctx context.Context, dev *esptool.Device, known func(mac string) (OnRecord, error)) (Status, error) {
	const step = "status"
	r := &runner{dev: dev}
	var err error
	if r.chip, err = dev.Identify(ctx); err != nil {
		return Status{}, asFault(step, err, fault.LinkLost)
	}
	if err := r.readWords(ctx); err != nil {
		return Status{}, asFault(step, err, fault.LinkLost)
	}
	mac, err := r.words.MAC()
	if err != nil {
		return Status{}, fault.New(fault.BadMAC, step, err)
	}
	r.mac = fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])
	flashErr := r.attach(ctx)
	s := Status{MAC: r.mac, Chip: r.describe(), Facts: *r.chipFacts()}
	if flashErr != nil {
		s.Says = append(s.Says, "flash: "+flashErr.Error())
	}
	for _, state := range efuse.Summary(r.words) {
		for _, name := range statusFields {
			if state.Name == name {
				s.Says = append(s.Says, name+": "+state.Text)
			}
		}
	}
	record, err := known(r.mac)
	if err != nil {
		return Status{}, asFault(step, err, fault.Database)
	}
	r.judgeStatus(&s, record)
	return s, nil
}

// judgeStatus says what the chip is to us, and the one next step.
func (r *runner) judgeStatus(s *Status, record OnRecord) {
	unit := record.Unit
	v := efuse.Classify(r.words, efuse.Expectation{Goal: efuse.Goal{Revision: r.revision()}})
	s.Class = v.Class.String()
	if unit != nil {
		s.Serial, s.State = unit.Serial, string(unit.State)
	}
	elsewhere := "put it aside, and search the other stations' records for " + s.MAC
	switch {
	case unit != nil && unit.State == records.StateComplete:
		s.Class = efuse.OursComplete.String()
		s.Verdict = fmt.Sprintf("Ours, complete as %s.", unit.Serial)
		s.Next = "nothing; provision lookup " + unit.Serial + " tells its history"
	case unit != nil && unit.State == records.StateParked:
		s.Verdict = fmt.Sprintf("Ours, %s, parked (%s): %s", unit.Serial, unit.ParkCode, unit.ParkReason)
		s.Next = parkedNext(*unit, nil) // closed ones do not answer here
	case unit != nil:
		s.Class = efuse.OursPartial.String()
		s.Verdict = fmt.Sprintf("Ours, begun as %s and not finished.", unit.Serial)
		s.Next = "run it again with the profile it was begun with"
	case record.Parked != nil:
		s.State = string(records.StateParked)
		s.Verdict = fmt.Sprintf("Parked (%s): %s", record.Parked.Code, record.Parked.Reason)
		s.Next = parkedNext(records.Unit{MAC: s.MAC, ParkCode: record.Parked.Code}, nil)
		if v.Class == efuse.ForeignSecured { // a release changes no fuse
			s.Next = elsewhere
		}
	case v.Class == efuse.Virgin:
		s.Verdict = "Blank: " + v.Reason
		s.Next = "provision run --station FILE --port PORT --serial SERIAL"
	case v.Class == efuse.ForeignSecured:
		s.Verdict = v.Reason
		s.Next = elsewhere
	default:
		s.Verdict = v.Reason
		s.Next = "put it aside: it cannot be provisioned"
	}
}
