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
// finished under the old one; the next one is begun under the new.
func (s *Shift) setJob(j *job.Job) {
	router, err := routerOf(j.Profile, j.Profile.CheckSerial)
	if err != nil {
		s.trouble(0, faultOf(fault.BadProfile).with(err.Error()))
		return
	}
	s.job, s.router, s.pending, s.target, s.unspent = j, router, nil, 0, nil
	s.armed = true
	s.describeJob(0)
	s.jobChanged(Armed)
	s.wake()
}

// describeJob fills in what the job is; made is how much of it was made before.
func (s *Shift) describeJob(made int) {
	p := s.job.Profile
	s.facts = JobFacts{
		ID: p.Job.ID, Revision: p.Job.Revision, Product: strings.TrimSpace(strings.Join(pair(productOf(s.job)), " ")),
		Quota: p.Job.Quota, Made: made, SerialLeft: -1, Permanent: permanent(s.job),
	}
}

// countSerials finds how many serial numbers of a list are still free; -1 when the
// numbers come from elsewhere, where there is no end to see.
func (s *Shift) countSerials(ctx context.Context) (left int, err error) {
	list, ok := s.job.SerialList()
	if !ok {
		return -1, nil
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
		j, err := s.cfg.Jobs(s.context(), id)
		if err == nil {
			err = s.fits(j)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.read(scan, 0, Fault{Code: fault.CodeOf(err), Text: sentence(err), Do: faultOf(fault.CodeOf(err)).Do})
			return
		}
		scan.OK = true
		s.read(scan, 0, Fault{})
		s.ask(&choice{intent: Intent{Kind: changeJob, Text: id}, job: j})
	})
}

// errOtherStation: a job must not move the records or the slots under the units.
var errOtherStation = errors.New("this job belongs to another station or to other records")

func (s *Shift) fits(j *job.Job) error {
	now, next := s.job.Profile, j.Profile
	if now.Station.Name != next.Station.Name || now.Records.Database != next.Records.Database {
		return fault.New(fault.BadProfile, "", fmt.Errorf("%w: %s", errOtherStation, next.Path))
	}
	return nil
}

// resumeJob finds what was made of the job before: since it was last changed to, or
// since this station first made anything.
func (s *Shift) resumeJob(ctx context.Context) error {
	since, err := s.store.LatestAct(ctx, s.cfg.Facts.Station, string(changeJob))
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		return err
	}
	made, err := s.store.CompletedSince(ctx, s.cfg.Facts.Station, since.At)
	if err != nil {
		return err
	}
	s.describeJob(made)
	s.facts.SerialLeft, err = s.countSerials(ctx)
	return err
}

// sentence is an error in one line.
func sentence(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
