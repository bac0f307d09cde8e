package records

import (
	"context"
	"fmt"
	"time"
)

// LabelKind is what became of a label.
type LabelKind string

// A label is printed, or was not because the printer failed; then it is scanned on
// its unit and verified, or found to be another one.
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
	Copy   int       `json:"copy"` // 1: the first that was printed; more: reprints
	Person string    `json:"person,omitempty"`
	Reason string    `json:"reason,omitempty"` // of a reprint, or of a failure
	Detail string    `json:"detail,omitempty"` // what was scanned instead, or what the printer said
}

// SaveLabel records what happened to a label and returns which copy it happened
// to. Copies have no gaps: with l.Copy 0, printed and failed are about the next
// copy, verified and mismatch about the last one printed; any other copy that this
// is not true of is ErrInvalid. ErrNotComplete when a label is printed for a unit
// that is not complete: a label says PASS.
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
	printed, err := copiesOf(ctx, t, l.UnitID)
	if err != nil {
		return 0, err
	}
	if l.Copy, err = l.whichCopy(printed); err != nil {
		return 0, err
	}
	res, err := t.ExecContext(ctx, "INSERT INTO labels (unit_id, at, kind, copy, person, reason, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
		l.UnitID, at, l.Kind, l.Copy, l.Person, l.Reason, l.Detail)
	return l.Copy, t.noteInserted(ctx, "labels", res, err)
}

// whichCopy returns the copy that l is about, when so many were printed.
func (l Label) whichCopy(printed int) (int, error) {
	first, last := 1, printed
	switch l.Kind {
	case LabelPrinted, LabelFailed:
		first, last = printed+1, printed+1
	case LabelVerified, LabelMismatch:
	default:
		return 0, fmt.Errorf("%w: no such thing happens to a label", ErrInvalid)
	}
	n := l.Copy
	if n == 0 {
		n = last
	}
	if n < first || n > last {
		return 0, fmt.Errorf("%w: copy %d, while %d were printed", ErrInvalid, n, printed)
	}
	return n, nil
}

func copiesOf(ctx context.Context, q querier, unitID int64) (n int, err error) {
	err = q.QueryRowContext(ctx, "SELECT count(*) FROM labels WHERE unit_id = ? AND kind = 'printed'", unitID).Scan(&n)
	return n, err
}

// NextCopy returns the number that the next label printed for a unit will have: 1
// for the first, since a label can say which copy it is.
func (s *Store) NextCopy(ctx context.Context, unitID int64) (int, error) {
	n, err := copiesOf(ctx, s.r, unitID)
	return n + 1, named(classify(ctx, err), "next copy of the label of unit %d", unitID)
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
// while its label is printed and not yet scanned; a parked one is not.
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
