package records

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestActs(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	acts := []Act{
		{At: noon, Station: "A", Kind: "job", Person: "ada", Role: RoleLead, Subject: "J-1", Reason: "new order", Detail: "quota 100"},
		{At: noon.Add(time.Hour), Station: "A", Kind: "unlock", Slot: 3, Person: "ada", Role: RoleLead, Subject: "SN-000001"},
		{At: noon.Add(time.Hour), Station: "B", Kind: "unlock"},
		{At: noon.Add(2 * time.Hour), Station: "A", Kind: "job", Subject: "J-2"},
		{At: noon.Add(90 * time.Minute), Station: "A", Kind: "job", Subject: "J-3"}, // the clock was put right
	}
	for _, a := range acts {
		must(t, s.SaveAct(ctx, a))
	}
	for _, test := range []struct {
		filter ActFilter
		want   string
	}{
		{ActFilter{}, "3 4 2 1 0"},
		{ActFilter{Limit: 2}, "3 4"},
		{ActFilter{Since: noon.Add(time.Hour)}, "3 4 2 1"},
		{ActFilter{Since: noon.Add(time.Hour), Station: "A", Limit: 1}, "3"},
		{ActFilter{Station: "B"}, "2"},
		{ActFilter{Kind: "unlock"}, "2 1"},
		{ActFilter{Subject: "sn-000001"}, "1"},
		{ActFilter{Subject: "SN-9"}, ""},
	} {
		got, err := s.Acts(ctx, test.filter)
		must(t, err)
		var order []string
		for _, a := range got {
			for i := range acts {
				if a == acts[i] {
					order = append(order, fmt.Sprint(i))
				}
			}
		}
		if strings.Join(order, " ") != test.want || len(order) != len(got) {
			t.Errorf("%+v: acts %v of %d, want %s", test.filter, order, len(got), test.want)
		}
	}
	if got, err := s.LatestAct(ctx, "A", "job"); err != nil || got != acts[4] {
		t.Errorf("latest job = %+v, %v", got, err)
	}
	_, err := s.LatestAct(ctx, "B", "job")
	wantErr(t, err, ErrNotFound)
	wantErr(t, s.SaveAct(ctx, Act{At: noon, Station: "A"}), ErrInvalid)
	wantErr(t, s.SaveAct(ctx, Act{Kind: "arm", Station: "A"}), ErrInvalid)
	wantErr(t, s.SaveAct(ctx, Act{At: noon, Kind: "arm", Slot: -1}), ErrInvalid)
}

// TestRecordHasItsActs: those on its serial and its MAC, and on nothing else.
func TestRecordHasItsActs(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	e, stranger := newExample(1), newExample(2)
	e.reserve(t, s)
	for _, subject := range []string{e.mac, "", strings.ToLower(e.serial), stranger.mac, strings.ToUpper(e.mac), "SN-000002"} {
		must(t, s.SaveAct(ctx, Act{At: noon, Station: "A", Kind: "park", Subject: subject}))
	}
	for query, want := range map[string]int{e.serial: 3, e.mac: 3, stranger.mac: 1} {
		found, err := s.Lookup(ctx, query)
		must(t, err)
		if n := len(found[0].Acts); n != want {
			t.Errorf("%s: %d acts %+v, want %d", query, n, found[0].Acts, want)
		}
	}
}
