package job

import (
	"errors"

	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/keys"
	"provision/internal/station"
)

// recipients finds out whether the unit's keys can be sealed to everybody whom the
// profile names.
func (b *builder) recipients() {
	p := b.job.Profile
	if _, err := keys.ParseRecipients(p.Keys.Recipients); err != nil {
		b.fail(fault.BadProfile, p.Path, "keys.recipients: %v", err)
	}
}

// policy asks the planner of the fuses what it will be asked at each unit. Station
// profiles have rules of their own, with better words; whatever they let through,
// the planner has the last say, and it has it here.
func (b *builder) policy() {
	p := b.job.Profile
	err := b.job.Goal(revision(p.Unit.MinRevision)).Check()
	switch {
	case errors.Is(err, efuse.ErrForbidden):
		b.fail(fault.Unsupported, p.Path, "the fuses cannot be burnt as asked: %v", err)
	case err != nil:
		b.fail(fault.BadProfile, p.Path, "the fuses cannot be burnt as asked: %v", err)
	}
}

// revision is a profile's revision as the planner counts it.
func revision(rev station.Revision) efuse.Revision {
	return efuse.Revision{Major: int(rev / 100), Minor: int(rev % 100)}
}
