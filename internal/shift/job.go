package shift

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/station"
)

// productOf is what a job makes: the app's project and version.
func productOf(j *job.Job) [2]string {
	for _, f := range j.Firmware {
		if f.Role == "app" {
			return [2]string{f.Project, f.Version}
		}
	}
	return [2]string{}
}

// jobFacts is what a lead looks at before a job is armed: what it is, whose key
// signed it, and everything it does for ever.
func jobFacts(j *job.Job) []Fact {
	p := j.Profile
	facts := []Fact{
		{"record.job", strings.TrimSpace(p.Job.ID + " " + p.Job.Revision)},
		{"record.firmware", strings.TrimSpace(strings.Join(pair(productOf(j)), " "))},
	}
	if j.Signer != "" {
		facts = append(facts, Fact{"record.keys", "signed by " + j.Signer})
	}
	for _, text := range permanent(j) {
		facts = append(facts, Fact{permanentKey, text})
	}
	return facts
}

// permanentKey marks the facts that cannot be taken back.
const permanentKey = "record.permanent"

func pair(p [2]string) []string { return p[:] }

// permanent are the sentences about what a job does to every unit for ever.
func permanent(j *job.Job) (out []string) {
	for _, c := range j.Profile.Explain() {
		if c.Permanent {
			out = append(out, c.Text)
		}
	}
	return out
}

// setJob makes another job the station's. Units that are being worked on are
// finished under the old one; the next one is begun under the new. Numbers that were
// scanned for the old one are scanned again.
func (s *Shift) setJob(c *choice) {
	s.job, s.router, s.pending, s.target, s.unspent = c.job, c.router, nil, 0, nil
	for _, sl := range s.slots {
		sl.serial = ""
	}
	s.armed = true
	s.describeJob(c.made, c.left)
	s.jobChanged(Armed)
	s.wake()
}

// describeJob fills in what the job is: how much of it was made before, and how many
// serial numbers are left. The caller holds mu.
func (s *Shift) describeJob(made, left int) {
	p := s.job.Profile
	s.facts = JobFacts{
		ID: p.Job.ID, Revision: p.Job.Revision, Product: strings.TrimSpace(strings.Join(pair(productOf(s.job)), " ")),
		Quota: p.Job.Quota, Made: made, SerialLeft: left, Permanent: permanent(s.job),
	}
}

// countSerials finds how many serial numbers of a job's list are still free; -1 when
// the numbers come from elsewhere, where there is no end to see.
func (s *Shift) countSerials(ctx context.Context, j *job.Job) (left int, err error) {
	list, err := j.SerialList()
	if err != nil || j.Profile.Unit.Serial.Source != station.SourceList {
		return -1, nil // a list that cannot be read is told by the run that needs it
	}
	for _, serial := range list {
		_, err := s.store.UnitBySerial(ctx, serial)
		switch {
		case errors.Is(err, records.ErrNotFound):
			left++
		case err != nil:
			return -1, err
		}
	}
	return left, nil
}

// madeOf is how many units of a job this station has made: in all the times between
// an act that began the job and the one that began the next.
func (s *Shift) madeOf(ctx context.Context, id string) (made int, err error) {
	station := s.cfg.Facts.Station
	acts, err := s.store.Acts(ctx, records.ActFilter{Station: station, Kind: string(changeJob)}) // the latest first
	later := 0                                                                                   // made since the act before this one
	for _, a := range acts {
		if err != nil {
			break
		}
		var since int
		since, err = s.store.CompletedSince(ctx, station, a.At)
		if a.Subject == id {
			made += since - later
		}
		later = since
	}
	return made, err
}

// jobChanged tells the job as it stands now. The caller holds mu.
func (s *Shift) jobChanged(kind string) {
	s.facts.Armed = s.armed
	facts := s.facts
	s.tell(Event{Event: floor.Event{Kind: kind}, Job: &facts})
}

// traveller is the barcode of another job. It is read and checked whole before
// anybody is asked whether to change to it. The caller holds mu.
func (s *Shift) traveller(text, id string) {
	scan := ScanFacts{Text: text, Meaning: meansJob}
	switch {
	case id == s.facts.ID:
		scan.OK = true
		s.read(scan, 0, Fault{})
		if !s.armed {
			s.intend(Intent{Kind: Arm})
		}
		return
	case s.cfg.Jobs == nil:
		s.read(scan, 0, faultOf(fault.ScanUnknown).with("There is no other job for this station."))
		return
	case !s.allowed(needs[changeJob]):
		s.read(scan, 0, faultOf(fault.NotAllowed).with("Another job is a lead's decision: the lead signs in first."))
		return
	}
	s.slow.Put(func() {
		c, err := s.offer(id)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.read(scan, 0, Fault{Code: fault.CodeOf(err), Text: sentence(err), Do: faultOf(fault.CodeOf(err)).Do})
			return
		}
		scan.OK = true
		s.read(scan, 0, Fault{})
		s.ask(c)
	})
}

// offer reads another job whole, and finds out how much of it is made.
func (s *Shift) offer(id string) (*choice, error) {
	ctx := s.context()
	j, err := s.cfg.Jobs(ctx, id)
	if err != nil {
		return nil, err
	}
	c := &choice{intent: Intent{Kind: changeJob, Text: id}, job: j}
	if err := s.fits(j); err != nil {
		return nil, err
	}
	if c.router, err = routerOf(j.Profile, j.Profile.CheckSerial); err != nil {
		return nil, err
	}
	if c.made, err = s.madeOf(ctx, id); err != nil {
		return nil, fault.New(fault.Database, "", err)
	}
	if c.left, err = s.countSerials(ctx, j); err != nil {
		return nil, fault.New(fault.Database, "", err)
	}
	return c, nil
}

// errOtherStation: a job must not move the records, the slots or the printer under
// the units.
var errOtherStation = errors.New("this job belongs to another station, to other records or to other labels")

func (s *Shift) fits(j *job.Job) error {
	s.mu.Lock()
	now, next := s.job.Profile, j.Profile
	s.mu.Unlock()
	if now.Station.Name != next.Station.Name || now.Records.Database != next.Records.Database || now.Label != next.Label {
		return fault.New(fault.BadProfile, "", fmt.Errorf("%w: %s", errOtherStation, next.Path))
	}
	return nil
}

// sentence is an error in one line.
func sentence(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
