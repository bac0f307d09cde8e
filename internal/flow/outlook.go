package flow

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"provision/internal/fault"
	"provision/internal/records"
)

// Outlook is what the records alone say of a unit that is not finished, for whoever
// starts a station: where the work on it stood, and the one next action. What is left
// to do is read from the unit when it is there, never from here.
type Outlook struct {
	Serial string        `json:"serial"`
	MAC    string        `json:"mac"`
	State  records.State `json:"state"` // open or parked
	Code   string        `json:"code,omitempty"`
	Since  time.Time     `json:"since"` // when it was begun
	Stands string        `json:"stands"`
	Last   *LastRun      `json:"last_run,omitempty"` // over it
	Next   string        `json:"next"`
}

// LastRun is how the latest run over a unit ended.
type LastRun struct {
	Run     string          `json:"run"`
	At      time.Time       `json:"at"`                // when it began
	Verdict records.Verdict `json:"verdict,omitempty"` // "" when it was cut short, or goes on
	Code    string          `json:"code,omitempty"`
}

// Unfinished lists the units that are begun and not complete, the oldest first: those
// that go on when they are put in, then those that wait for a person. A unit that was
// finished, and set aside when it came back, is neither.
func Unfinished(ctx context.Context, store *records.Store) ([]Outlook, error) {
	open, err := store.OpenUnits(ctx)
	if err != nil {
		return nil, err
	}
	parked, err := store.ParkedUnits(ctx)
	if err != nil {
		return nil, err
	}
	var out []Outlook
	for _, u := range append(open, parked...) {
		if !u.CompletedAt.IsZero() {
			continue
		}
		burns, err := store.Burns(ctx, u.ID)
		if err != nil {
			return nil, err
		}
		runs, err := store.Runs(ctx, records.RunFilter{MAC: u.MAC, Limit: 1})
		if err != nil {
			return nil, err
		}
		o := outlook(u, burns)
		for _, r := range runs {
			o.Last = &LastRun{Run: r.ID, At: r.StartedAt, Verdict: r.Verdict, Code: r.Code}
		}
		out = append(out, o)
	}
	return out, nil
}

// outlook is that of a unit with those burns on record.
func outlook(u records.Unit, burns []records.Burn) Outlook {
	o := Outlook{Serial: u.Serial, MAC: u.MAC, State: u.State, Code: u.ParkCode, Since: u.CreatedAt}
	var last records.Burn
	if len(burns) > 0 {
		last = burns[len(burns)-1]
	}
	switch {
	case last.ID == 0:
		o.Stands = "nothing is burnt"
	case last.ObservedAt.IsZero():
		o.Stands = fmt.Sprintf("cut inside %q", last.Step)
	default:
		o.Stands = fmt.Sprintf("came as far as %q", last.Step)
	}
	switch {
	case u.State == records.StateParked:
		o.Stands = u.ParkReason
		o.Next = parkedNext(u, burns)
	case last.Step == closeDownload:
		o.Next = fmt.Sprintf("run it with its serial number (provision run --station FILE --port PORT --serial %s); "+
			"if it is closed already (E108), provision vouch %s completes it", u.Serial, u.Serial)
	default:
		o.Next = "put it in again: its fuses and flash are read, and what is missing is done, under the same number and keys"
	}
	return o
}

// parkedNext is what to do with a parked unit with those burns on record. A release is
// advised where it can help.
func parkedNext(u records.Unit, burns []records.Burn) string {
	code := fault.Code(u.ParkCode)
	page, _ := fault.Lookup(code)
	switch code {
	case fault.DownloadDisabled:
		if atDoor(burns) == nil {
			return fmt.Sprintf("start it: when it is seen to run and its label says %s, provision vouch %s --station FILE --port PORT --person NAME --reason TEXT", u.Serial, u.Serial)
		}
	case fault.ReadBack, fault.LockMissing, fault.CannotBurn: // bad fuses: the page says that it is not to be tried again
		return page.Do
	case fault.Contradictory, fault.KeyUncertain: // the next run would find the same
		return page.Do + " A release changes no fuse: keep it for the engineer, or scrap it."
	}
	return fmt.Sprintf("%s To let it go on: provision release %s --person NAME --reason TEXT", cmp.Or(page.Do, "A person decides."), u.MAC)
}
