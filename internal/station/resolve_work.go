package station

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// A job's number must fit a barcode and the top line of the screen.
const maxJobID = 40

// maxCount bounds numbers of units: beyond any order, within any int.
const maxCount = 1_000_000_000

func (r *resolver) job(d *document) Job {
	j := Job{
		ID:       r.jobID(d.Job.ID),
		Revision: d.Job.Revision,
		Quota:    r.whole("job.quota", d.Job.Quota, 0, 0, maxCount),
	}
	r.plain("job.revision", j.Revision)
	if d.Job.Order != "" {
		j.Order = r.absolute("job.order", d.Job.Order)
	}
	return j
}

func (r *resolver) jobID(written *string) string {
	const key = "job.id"
	if written == nil {
		return jobNamedFor(r.base)
	}
	id := *written
	switch {
	case id == "":
		r.add(ErrValue, key, "is empty; write the job's number, or take the line out for %s", jobNamedFor(r.base))
	case len(id) > maxJobID:
		r.add(ErrValue, key, "is longer than %d characters", maxJobID)
	case strings.ContainsFunc(id, notASCII):
		r.add(ErrValue, key, "%s holds a character that a barcode does not; write plain letters, digits and signs", clip(id))
	case strings.TrimSpace(id) != id:
		r.add(ErrValue, key, "%s begins or ends with a space, which a scan would lose", clip(id))
	}
	return id
}

// jobNamedFor is the job of a profile that names none: its file name without
// .toml, in characters that a job may have.
func jobNamedFor(base string) string {
	name := strings.Map(func(c rune) rune {
		if notASCII(c) {
			return '-'
		}
		return c
	}, strings.TrimSuffix(base, ".toml"))
	name = strings.TrimSpace(name[:min(len(name), maxJobID)])
	return cmp.Or(name, "job")
}

// notASCII reports what is not a printable character of plain ASCII.
func notASCII(c rune) bool { return c < ' ' || c > '~' }

func (r *resolver) people(d *document) People {
	p := People{
		Operators: d.People.Operators, Leads: d.People.Leads, Engineers: d.People.Engineers,
		SignIn: oneOf(r, "people.sign_in", d.People.SignIn, SignInNone, []SignIn{SignInBadge, SignInNone}, nil),
	}
	r.names("people.operators", p.Operators)
	r.names("people.leads", p.Leads)
	r.names("people.engineers", p.Engineers)
	r.oneRole("people.leads", p.Leads, "people.operators", p.Operators)
	r.oneRole("people.engineers", p.Engineers, "people.operators", p.Operators)
	r.oneRole("people.engineers", p.Engineers, "people.leads", p.Leads)
	return p
}

// names checks one list of people.
func (r *resolver) names(key string, names []string) {
	for i, name := range names {
		at := element(key, i)
		if name == "" {
			r.add(ErrValue, at, "is empty; write a name or take it out")
		}
		if slices.Contains(names[:i], name) {
			r.add(ErrConflict, at, "%s stands in the list twice", clip(name))
		}
		r.plain(at, name)
	}
}

// oneRole refuses a name that stands in another list as well.
func (r *resolver) oneRole(key string, names []string, otherKey string, others []string) {
	for i, name := range names {
		if name != "" && slices.Contains(others, name) {
			r.add(ErrConflict, element(key, i), "%s stands in %s as well; a person has one role", clip(name), otherKey)
		}
	}
}

// A lead's time is bounded, because a lead who walks away stays signed in.
const (
	defaultLeadSeconds = 120
	maxLeadSeconds     = 3600
)

// Three failures in a row are no accident, and a unit that failed three times will
// fail again (station practice: stop on three).
const (
	defaultStop     = 3
	defaultAttempts = 3
	maxStop         = 1000
	maxAttempts     = 100
)

func (r *resolver) screen(d *document) Screen {
	s := d.Screen
	seconds := r.whole("screen.lead_seconds", s.LeadSeconds, defaultLeadSeconds, 1, maxLeadSeconds)
	return Screen{
		Language:         oneOf(r, "screen.language", s.Language, "en", []string{"en", "de", "zh"}, nil),
		StopAfterSlot:    r.whole("screen.stop_after_slot", s.StopAfterSlot, defaultStop, 0, maxStop),
		StopAfterStation: r.whole("screen.stop_after_station", s.StopAfterStation, defaultStop, 0, maxStop),
		Attempts:         r.whole("screen.attempts", s.Attempts, defaultAttempts, 1, maxAttempts),
		Target:           r.whole("screen.target", s.Target, 0, 0, maxCount),
		LeadTime:         time.Duration(seconds) * time.Second,
		Mono:             s.Mono,
	}
}
