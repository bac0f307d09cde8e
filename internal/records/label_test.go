package records

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestLabels(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	u := newExample(1).complete(t, s)
	for i, test := range []struct {
		kind LabelKind
		copy int // as given
		want int // 0: refused
	}{
		{LabelVerified, 0, 0}, // nothing was printed yet
		{LabelMismatch, 1, 0},
		{LabelPrinted, 2, 0},
		{LabelFailed, 0, 1},
		{LabelPrinted, 0, 1},
		{LabelPrinted, 1, 0},
		{LabelMismatch, 0, 1},
		{LabelVerified, 0, 1},
		{LabelFailed, 1, 0}, // it was verified
		{LabelFailed, 2, 2},
		{LabelPrinted, 3, 0},
		{LabelPrinted, 2, 2},
		{LabelVerified, 3, 0},
		{LabelVerified, 1, 1},
		{LabelVerified, 0, 2},
		{LabelPrinted, -1, 0},
		{"eaten", 1, 0},
		{"", 0, 0},
	} {
		got, err := s.SaveLabel(ctx, Label{UnitID: u.ID, At: noon, Kind: test.kind, Copy: test.copy})
		if got != test.want || err != nil && test.want != 0 {
			t.Errorf("%d: %s of copy %d = %d, %v; want %d", i, test.kind, test.copy, got, err, test.want)
		}
		if test.want == 0 {
			wantErr(t, err, ErrInvalid)
		}
	}
	if n, err := s.NextCopy(ctx, u.ID); err != nil || n != 3 {
		t.Errorf("next copy is %d, %v; want 3", n, err)
	}
	full := Label{UnitID: u.ID, At: noon.Add(time.Minute), Kind: LabelPrinted, Copy: 3, Person: "ada", Reason: "torn", Detail: "zebra"}
	_, err := s.SaveLabel(ctx, full)
	must(t, err)
	labels, err := s.LabelsOf(ctx, u.ID)
	if err != nil || len(labels) != 9 || labels[8] != full {
		t.Errorf("labels = %+v, %v", labels, err)
	}
	r, err := s.Lookup(ctx, u.Serial)
	if err != nil || len(r[0].Labels) != 9 || r[0].Labels[8] != full {
		t.Errorf("record has labels %+v, %v", r, err)
	}
	if _, err := s.Verify(ctx); err != nil {
		t.Error(err)
	}
}

// TestLabelIsRecordedFirst: a label that is on record before it is printed has its
// number for good, also when it does not come out.
func TestLabelIsRecordedFirst(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	u := newExample(1).complete(t, s)
	for i, test := range []struct {
		kind       LabelKind
		copy       int // as given
		want       int // 0: refused
		next, last int // afterwards
	}{
		{LabelFailed, 0, 1, 1, 0}, // known before the printer was asked
		{LabelPrinted, 1, 1, 2, 1},
		{LabelFailed, 1, 1, 2, 0},
		{LabelFailed, 1, 0, 2, 0}, // once is enough
		{LabelVerified, 0, 0, 2, 0},
		{LabelVerified, 1, 0, 2, 0},
		{LabelMismatch, 1, 0, 2, 0},
		{LabelPrinted, 1, 0, 2, 0},
		{LabelPrinted, 0, 2, 3, 2},
		{LabelFailed, 1, 0, 3, 2}, // not the last one
		{LabelMismatch, 0, 2, 3, 2},
		{LabelFailed, 2, 2, 3, 0}, // a stray scan says nothing of this copy
		{LabelPrinted, 0, 3, 4, 3},
		{LabelVerified, 0, 3, 4, 3},
		{LabelMismatch, 0, 3, 4, 3},
		{LabelFailed, 3, 0, 4, 3}, // it was seen on its unit
		{LabelPrinted, 4, 4, 5, 4},
		{LabelFailed, 4, 4, 5, 3},
		{LabelMismatch, 0, 3, 5, 3},
		{LabelFailed, 3, 0, 5, 3},
		{LabelFailed, 0, 5, 5, 3},
		{LabelVerified, 5, 0, 5, 3},
	} {
		got, err := s.SaveLabel(ctx, Label{UnitID: u.ID, At: noon, Kind: test.kind, Copy: test.copy})
		if got != test.want || err != nil && test.want != 0 {
			t.Errorf("%d: %s of copy %d = %d, %v; want %d", i, test.kind, test.copy, got, err, test.want)
		}
		if test.want == 0 {
			wantErr(t, err, ErrInvalid)
		}
		next, err1 := s.NextCopy(ctx, u.ID)
		last, err2 := s.LastCopy(ctx, u.ID)
		if err := errors.Join(err1, err2); err != nil || next != test.next || last != test.last {
			t.Errorf("%d: next copy %d, last %d, %v; want %d and %d", i, next, last, err, test.next, test.last)
		}
	}
}

// TestLabelIsPrintedAfterPASS: by the methods and by the database.
func TestLabelIsPrintedAfterPASS(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	open, parked := newExample(1).secure(t, s), newExample(2).complete(t, s)
	must(t, s.Park(ctx, Parking{MAC: parked.MAC, Code: "E303", Reason: "came back", At: noon}))
	db := raw(t, s.Path())
	const insert = "INSERT INTO labels (unit_id, at, kind, copy, person, reason, detail) VALUES (?, ?, 'printed', ?, '', '', '')"
	for _, u := range []Unit{open, parked} {
		_, err := s.SaveLabel(ctx, Label{UnitID: u.ID, At: noon, Kind: LabelPrinted})
		wantErr(t, err, ErrNotComplete)
		if _, err := db.ExecContext(ctx, insert, u.ID, noon.Format(timeLayout), 1); err == nil {
			t.Errorf("the database takes a label of a unit that is %s", u.State)
		}
	}
	_, err := s.SaveLabel(ctx, Label{UnitID: 99, At: noon, Kind: LabelPrinted})
	wantErr(t, err, ErrNotFound)
	_, err = s.SaveLabel(ctx, Label{UnitID: open.ID, Kind: LabelFailed})
	wantErr(t, err, ErrInvalid) // no time

	done := newExample(3).complete(t, s)
	if _, err := db.ExecContext(ctx, insert, done.ID, noon.Format(timeLayout), 2); err == nil {
		t.Error("the database takes a second label without a first")
	}
	exec(t, db, insert, done.ID, noon.Format(timeLayout), 1)
	if _, err := db.ExecContext(ctx, insert, done.ID, noon.Format(timeLayout), 1); err == nil {
		t.Error("the database takes one copy twice")
	}
}

func TestLabelsDue(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	day := newDay(s, "A")
	// Units 1 to 6 pass a minute after they start; unit 6 at another station, begun here.
	for n := 1; n <= 5; n++ {
		day.run(t, contact{minute: 10 - n, unit: n, verdict: Pass})
	}
	day.run(t, contact{minute: 20, unit: 6, verdict: Error, code: "E107"})
	day.run(t, contact{minute: 21, unit: 6, verdict: Pass, elsewhere: true})
	label := func(n int, kinds ...LabelKind) {
		u, err := s.UnitByMAC(ctx, day.unit(n).mac)
		must(t, err)
		for _, kind := range kinds {
			_, err := s.SaveLabel(ctx, Label{UnitID: u.ID, At: noon, Kind: kind})
			must(t, err)
		}
	}
	label(1, LabelPrinted, LabelVerified)
	label(2, LabelPrinted, LabelMismatch)
	label(3, LabelFailed)
	u, err := s.UnitByMAC(ctx, day.unit(2).mac)
	must(t, err)
	_, err = s.SaveLabel(ctx, Label{UnitID: u.ID, At: noon, Kind: LabelFailed, Copy: 1}) // printed, and did not come out
	must(t, err)
	must(t, s.Park(ctx, Parking{MAC: day.unit(4).mac, Code: "E303", Reason: "came back", At: noon}))
	due := func(station string, minute int) string {
		units, err := s.LabelsDue(ctx, station, noon.Add(time.Duration(minute)*time.Minute))
		must(t, err)
		var names []string
		for _, u := range units {
			names = append(names, u.Serial)
		}
		return strings.Join(names, " ")
	}
	for _, test := range []struct {
		station string
		minute  int
		want    string
	}{
		{"A", 0, "SN-000005 SN-000003 SN-000002"}, // as they passed: in minutes 6, 8, 9
		{"A", 7, "SN-000003 SN-000002"},
		{"A", 9, "SN-000002"},
		{"A", 10, ""},
		{"A elsewhere", 0, "SN-000006"},
		{"B", 0, ""},
	} {
		if got := due(test.station, test.minute); got != test.want {
			t.Errorf("due at %s since minute %d: %q, want %q", test.station, test.minute, got, test.want)
		}
	}
}
