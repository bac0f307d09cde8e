package records

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// LabelKind is what became of a label.
type LabelKind string

// A label is printed, or was not because the printer failed; then it is scanned on
// its unit and verified, or found to be another one. Printed is recorded before the
// printer is asked, so that no two labels can ever bear the same copy's number; failed,
// of the same copy, then says that it did not come out.
const (
	LabelPrinted  LabelKind = "printed"
	LabelFailed   LabelKind = "failed"
	LabelVerified LabelKind = "verified"
	LabelMismatch LabelKind = "mismatch"
)

// Label is one thing that happened to the label of a unit.
type Label struct {
	UnitID int64     `json:"unit_id"`
	At     time.Time `json:"at"`
	Kind   LabelKind `json:"kind"`
	Copy   int       `json:"copy"` // 1: the first; more: reprints, and what was printed after a failure
	Person string    `json:"person,omitempty"`
	Reason string    `json:"reason,omitempty"` // of a reprint, or of a failure
	Detail string    `json:"detail,omitempty"` // what was scanned instead, or what the printer said
}

// SaveLabel records what happened to a label and returns which copy it happened
// to. What is about a copy that this cannot be true of is ErrInvalid:
//   - printed is about the next copy. Its number is used up, whatever comes of it.
//   - failed is about the next copy, which keeps its number for another try; or, where
//     l.Copy says so, about the one printed last: it did not come out after all. That
//     can be said once, and not of a copy that was verified.
//   - verified and mismatch are about a copy that came out; with l.Copy 0, the last.
//
// ErrNotComplete when a label is printed for a unit that is not complete: a label says
// PASS.
func (s *Store) SaveLabel(ctx context.Context, l Label) (copied int, err error) {
	err = s.write(ctx, func(t *txn) (err error) {
		copied, err = t.saveLabel(ctx, l)
		return err
	})
	return copied, named(err, "record that the label of unit %d is %s", l.UnitID, l.Kind)
}

func (t *txn) saveLabel(ctx context.Context, l Label) (int, error) {
	at, err := stamp(l.At)
	if err != nil {
		return 0, err
	}
	u, err := unitByID(ctx, t, l.UnitID)
	if err != nil {
		return 0, err
	}
	if l.Kind == LabelPrinted && u.State != StateComplete {
		return 0, ErrNotComplete
	}
	past, err := labelsOf(ctx, t, l.UnitID)
	if err != nil {
		return 0, err
	}
	if l.Copy, err = l.whichCopy(copiesIn(past)); err != nil {
		return 0, err
	}
	_, err = t.insert(ctx, "labels", "INSERT INTO labels (unit_id, at, kind, copy, person, reason, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
		l.UnitID, at, l.Kind, l.Copy, l.Person, l.Reason, l.Detail)
	return l.Copy, err
}

// copies are the labels of a unit that were printed: what happened to each last, the
// first copy's first.
type copies []LabelKind

// copiesIn takes them from what happened, in order.
func copiesIn(past []Label) (c copies) {
	for _, l := range past {
		switch {
		case l.Kind == LabelPrinted:
			c = append(c, LabelPrinted)
		case l.Copy <= len(c) && c[l.Copy-1] != LabelVerified: // a try before it has a number does not count
			c[l.Copy-1] = l.Kind
		}
	}
	return c
}

// last is the last copy that came out, or of which nothing else is known; 0: none.
func (c copies) last() int {
	n := len(c)
	for n > 0 && c[n-1] == LabelFailed {
		n--
	}
	return n
}

// whichCopy returns the copy that l is about, when those were printed.
func (l Label) whichCopy(c copies) (int, error) {
	next, n, fits := len(c)+1, l.Copy, false
	switch l.Kind {
	case LabelPrinted:
		n = cmp.Or(n, next)
		fits = n == next
	case LabelFailed:
		n = cmp.Or(n, next)
		fits = n == next || n > 0 && n == len(c) && c[n-1] != LabelFailed && c[n-1] != LabelVerified
	case LabelVerified, LabelMismatch:
		n = cmp.Or(n, c.last())
		fits = n > 0 && n < next && c[n-1] != LabelFailed
	default:
		return 0, fmt.Errorf("%w: no such thing happens to a label", ErrInvalid)
	}
	if !fits {
		return 0, fmt.Errorf("%w: copy %d, while %d were printed and copy %d is the last that came out", ErrInvalid, n, len(c), c.last())
	}
	return n, nil
}

// NextCopy returns the number that the next label printed for a unit will have, since
// a label can say which copy it is: 1 for the first. The number of a copy that did not
// come out is not given again: some of it may have.
func (s *Store) NextCopy(ctx context.Context, unitID int64) (int, error) {
	past, err := s.LabelsOf(ctx, unitID)
	return len(copiesIn(past)) + 1, err
}

// LastCopy returns the last copy of a unit's label that was printed and not found to
// have failed; 0 when there is none.
func (s *Store) LastCopy(ctx context.Context, unitID int64) (int, error) {
	past, err := s.LabelsOf(ctx, unitID)
	return copiesIn(past).last(), err
}

// LabelsOf returns what happened to a unit's label, in the order it was recorded.
func (s *Store) LabelsOf(ctx context.Context, unitID int64) ([]Label, error) {
	labels, err := labelsOf(ctx, s.r, unitID)
	return labels, named(classify(ctx, err), "labels of unit %d", unitID)
}

func labelsOf(ctx context.Context, q querier, unitID int64) ([]Label, error) {
	return list(ctx, q, func(scan func(...any) error) (Label, error) {
		var l Label
		err := scan(&l.UnitID, timestamp{&l.At}, &l.Kind, &l.Copy, &l.Person, &l.Reason, &l.Detail)
		return l, err
	}, "SELECT unit_id, at, kind, copy, person, reason, detail FROM labels WHERE unit_id = ? ORDER BY id", unitID)
}

// LabelsDue returns the complete units that passed at a station at or after since
// and have no verified label, those that wait longest first. A unit is due also
// while its label is printed and not yet scanned, and when that failed (LastCopy tells
// one from the other); a parked one is not.
func (s *Store) LabelsDue(ctx context.Context, station string, since time.Time) ([]Unit, error) {
	units, err := labelsDue(ctx, s.r, station, since)
	return units, named(classify(ctx, err), "labels due at %s", station)
}

func labelsDue(ctx context.Context, q querier, station string, since time.Time) ([]Unit, error) {
	return list(ctx, q, scanUnit, "SELECT "+unitColumns+` FROM runs JOIN units ON units.id = runs.unit_id
		WHERE runs.station = ? AND verdict = 'PASS' AND runs.finished_at >= ? AND state = 'complete'
		AND NOT EXISTS (SELECT 1 FROM labels WHERE labels.unit_id = units.id AND kind = 'verified')
		ORDER BY runs.finished_at, runs.id`, station, since.UTC().Format(timeLayout))
}
