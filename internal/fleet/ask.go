package fleet

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"provision/internal/ota"
	"provision/internal/records"
)

// Filter narrows a fleet; zero fields do not.
type Filter struct {
	Station string    // that made the unit
	Since   time.Time // completed then or later
}

// Group is the units with the same answer: the same verdict for the same reason, the
// one that the unit meets first.
type Group struct {
	Verdict ota.Verdict `json:"verdict"`
	Code    ota.Code    `json:"code,omitempty"`    // empty for ACCEPTED and UNKNOWN
	Says    string      `json:"says,omitempty"`    // one plain sentence; empty for ACCEPTED
	Do      string      `json:"do,omitempty"`      // one thing to do
	Lines   []string    `json:"lines,omitempty"`   // what the unit prints, as ota.Reason has it
	Missing []string    `json:"missing,omitempty"` // UNKNOWN: facts that are needed and not on record
	Count   int         `json:"count"`
}

// Answer is how many of the complete units accept an image.
type Answer struct {
	Units     int     `json:"units"`
	Accepted  int     `json:"accepted"`
	Refused   int     `json:"refused"`
	FallsBack int     `json:"falls_back"`
	Unknown   int     `json:"unknown"`
	Groups    []Group `json:"groups"` // by verdict, the largest first

	ask *question
}

// Member is one unit of an answer.
type Member struct {
	Serial string `json:"serial"`
	MAC    string `json:"mac"`
	Group  int    `json:"group"` // index in Answer.Groups
}

// All reports whether there are units and every one of them accepts the image.
func (a Answer) All() bool { return a.Units > 0 && a.Accepted == a.Units }

// Ask says which of the complete units on record accept the image. Units that share
// all facts are judged once. A look-up that fails is an error and no answer.
func Ask(ctx context.Context, store *records.Store, img *ota.Image, f Filter) (Answer, error) {
	q := &question{store: store, img: img, filter: f, judged: map[facts]int{}, known: map[string]int{}}
	for u, err := range q.units(ctx) {
		if err != nil {
			return Answer{}, fmt.Errorf("ask the records: %w", err)
		}
		n, err := q.group(ctx, u)
		if err != nil {
			return Answer{}, fmt.Errorf("ask the records about %s: %w", u.Serial, err)
		}
		q.groups[n].Count++
		q.last = u.ID
	}
	q.sort()
	a := Answer{Groups: q.groups, ask: q}
	for _, g := range q.groups {
		a.count(g)
	}
	return a, nil
}

func (a *Answer) count(g Group) {
	a.Units += g.Count
	switch g.Verdict {
	case ota.Accepted:
		a.Accepted += g.Count
	case ota.Refused:
		a.Refused += g.Count
	case ota.FallsBack:
		a.FallsBack += g.Count
	default:
		a.Unknown += g.Count
	}
}

// Members yields the units of the answer, in the order they were reserved: those of
// the groups, or all where none is named. It reads the records again, one unit at a
// time, up to the last unit that was asked about. A failed look-up ends it with an
// error. It is for one caller at a time.
func (a Answer) Members(ctx context.Context, groups ...int) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		if a.Units == 0 {
			return
		}
		for u, err := range a.ask.units(ctx) {
			n := 0
			if err == nil {
				n, err = a.ask.group(ctx, u)
			}
			if err != nil {
				yield(Member{}, fmt.Errorf("list units: %w", err))
				return
			}
			if (len(groups) == 0 || slices.Contains(groups, n)) && !yield(Member{u.Serial, u.MAC, n}, nil) {
				return
			}
		}
	}
}

// question is one image asked of one fleet, and what was found out so far.
type question struct {
	store  *records.Store
	img    *ota.Image
	filter Filter
	last   int64 // id of the last unit asked about; 0: no end

	judged map[facts]int  // facts that units share, to group
	known  map[string]int // a group by what it says
	groups []Group
}

// facts are all that an answer depends on. carries stands for the files.
type facts struct {
	revision string
	fuses    fuses
	carries  string
}

func (q *question) units(ctx context.Context) iter.Seq2[records.Finished, error] {
	return q.store.FinishedUnits(ctx, records.FinishedFilter{Station: q.filter.Station, Since: q.filter.Since, LastID: q.last})
}

// group is the group of a unit, judged where no unit was like it.
func (q *question) group(ctx context.Context, u records.Finished) (int, error) {
	key := facts{revision: u.ChipRevision, fuses: fusesOf(u.FinalWords), carries: u.Carries}
	if n, ok := q.judged[key]; ok {
		return n, nil
	}
	files, err := q.store.FactsOf(ctx, u.ID)
	if err != nil {
		return 0, err
	}
	carries, old := carriedBy(files)
	g := groupOf(q.img.Check(device(revisionOf(key.revision), key.fuses, carries)), old)
	name := strings.Join(slices.Concat([]string{string(g.Verdict), string(g.Code), g.Says, g.Do}, g.Lines, g.Missing), "\x00")
	n, ok := q.known[name]
	if !ok {
		n = len(q.groups)
		q.known[name] = n
		q.groups = append(q.groups, g)
	}
	q.judged[key] = n
	return n, nil
}

// What is said of units that cannot be judged.
const (
	saysOld     = "These units were made before the records kept what decides this."
	doOld       = "Start one run with the profile that made them and this version of the program: it records what their bootloader, partition table and app are."
	saysUnknown = "The records of these units do not tell what decides this."
	doUnknown   = "Find out the missing facts at the units, and use ota check with them; or leave these units out."
)

// groupOf is a report as the group of those that have it.
func groupOf(r ota.Report, old bool) Group {
	g := Group{Verdict: r.Verdict}
	switch {
	case r.Verdict == ota.Unknown && old:
		g.Says, g.Do, g.Missing = saysOld, doOld, r.Missing
	case r.Verdict == ota.Unknown:
		g.Says, g.Do, g.Missing = saysUnknown, doUnknown, r.Missing
	case len(r.Reasons) > 0:
		first := r.Reasons[0]
		g.Code, g.Says, g.Do, g.Lines = first.Code, first.Says, first.Do, first.Lines
	}
	return g
}

// sort puts the groups in the order they are told in.
func (q *question) sort() {
	order := make([]int, len(q.groups))
	for i := range order {
		order[i] = i
	}
	rank := []ota.Verdict{ota.Accepted, ota.Refused, ota.FallsBack, ota.Unknown}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := q.groups[a], q.groups[b]
		return cmp.Or(cmp.Compare(slices.Index(rank, x.Verdict), slices.Index(rank, y.Verdict)), cmp.Compare(y.Count, x.Count))
	})
	sorted, place := make([]Group, len(order)), make([]int, len(order))
	for to, from := range order {
		sorted[to], place[from] = q.groups[from], to
	}
	q.groups = sorted
	for k, n := range q.judged {
		q.judged[k] = place[n]
	}
	for k, n := range q.known {
		q.known[k] = place[n]
	}
}
