package records

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestShiftCounts(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	tests := []struct {
		name  string
		runs  []contact
		want  Counts // but for Since, FPY and Slots
		slots string // "slot: runs passed failed trend" of each
	}{
		{"nothing", nil, Counts{}, ""},
		{"first pass", []contact{{0, 1, 1, Pass, "", false}}, Counts{In: 1, First: 1, Passed: 1}, "1: 1 1 0 P"},
		{"before the shift", []contact{{-2, 1, 1, Pass, "", false}}, Counts{}, ""},
		{"begun before, passed in the shift", []contact{{-1, 1, 1, Pass, "", false}}, Counts{}, ""},
		{"elsewhere", []contact{{0, 1, 1, Pass, "", true}}, Counts{}, ""},
		{"retested", []contact{{0, 1, 1, Fail, "E403", false}, {1, 2, 1, Pass, "", false}},
			Counts{In: 1, Retested: 1, Passed: 1}, "1: 1 0 1 F, 2: 1 1 0 P"},
		{"failed before the shift", []contact{{-60, 1, 1, Fail, "E403", false}, {0, 1, 1, Pass, "", false}},
			Counts{In: 1, Retested: 1, Passed: 1}, "1: 1 1 0 P"},
		{"failed elsewhere", []contact{{-9, 1, 1, Park, "E303", true}, {0, 1, 1, Pass, "", false}},
			Counts{In: 1, Retested: 1, Passed: 1}, "1: 1 1 0 P"},
		{"cut short before", []contact{{0, 1, 1, "", "", false}, {1, 1, 1, Pass, "", false}},
			Counts{In: 1, Retested: 1, Passed: 1}, "1: 1 1 0 P"},
		{"interrupted before", []contact{{0, 1, 1, Error, "E902", false}, {1, 1, 1, Pass, "", false}},
			Counts{In: 1, Retested: 1, Passed: 1}, "1: 2 1 0 EP"},
		{"DONE before its PASS", []contact{{0, 1, 1, Done, "", false}, {1, 1, 1, Pass, "", false}},
			Counts{In: 1, First: 1, Passed: 1}, "1: 2 1 0 DP"},
		{"only greeted as DONE", []contact{{-60, 1, 1, Pass, "", false}, {0, 1, 1, Done, "", false}, {1, 1, 1, Done, "", false}},
			Counts{}, "1: 2 0 0 DD"},
		{"passed, then DONE", []contact{{0, 1, 1, Pass, "", false}, {1, 1, 1, Done, "", false}},
			Counts{In: 1, First: 1, Passed: 1}, "1: 2 1 0 PD"},
		{"failed", []contact{{0, 1, 1, Fail, "E201", false}, {1, 1, 1, Fail, "E201", false}},
			Counts{In: 1, Failed: 1}, "1: 2 0 2 FF"},
		{"failed, then parked", []contact{{0, 1, 1, Fail, "E301", false}, {1, 1, 1, Park, "E303", false}},
			Counts{In: 1, Parked: 1}, "1: 2 0 2 FK"},
		{"failed, then ERROR", []contact{{0, 1, 1, Fail, "E301", false}, {1, 1, 1, Error, "E107", false}},
			Counts{In: 1, Errors: 1}, "1: 2 0 2 FE"},
		{"an error each run", []contact{{0, 1, 1, Error, "E107", false}, {1, 1, 1, Error, "E901", false}, {2, 1, 1, Error, "E902", false}},
			Counts{In: 1, Errors: 2}, "1: 3 0 2 EEE"},
		{"never told its MAC", []contact{{0, 1, 0, Error, "E101", false}, {1, 1, 0, Fail, "E201", false}},
			Counts{Errors: 1}, "1: 2 0 2 EF"},
		{"still running", []contact{{0, 1, 1, "", "", false}}, Counts{}, ""},
		{"many", []contact{{0, 2, 1, Pass, "", false}, {0, 1, 2, Pass, "", false}, {0, 3, 3, Fail, "E301", false}, {2, 3, 3, Pass, "", false},
			{3, 1, 4, Park, "E205", false}}, Counts{In: 4, First: 2, Retested: 1, Passed: 3, Parked: 1}, "1: 2 1 1 PK, 2: 1 1 0 P, 3: 2 1 1 FP"},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := newDay(s, test.name)
			d.first = 100 * (i + 1)
			for _, c := range test.runs {
				d.run(t, c)
			}
			got, err := s.ShiftCounts(t.Context(), test.name, noon)
			must(t, err)
			var slots []string
			for _, s := range got.Slots {
				slots = append(slots, fmt.Sprintf("%d: %d %d %d %s", s.Slot, s.Runs, s.Passed, s.Failed, s.Trend))
			}
			if text := strings.Join(slots, ", "); text != test.slots {
				t.Errorf("slots %q, want %q", text, test.slots)
			}
			want := test.want
			if want.In > 0 {
				want.FPY = float64(want.First) / float64(want.In)
			}
			want.Since, want.Slots, got.Slots = noon, nil, nil
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestShiftCountsParkedByHand: what is set aside without a run of its own is parked,
// whatever its last verdict was, until it is released or has another run.
func TestShiftCountsParkedByHand(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	fail, pass := contact{minute: 1, slot: 1, unit: 1, verdict: Fail, code: "E301"}, contact{minute: 1, slot: 1, unit: 1, verdict: Pass}
	again := contact{minute: 30, slot: 1, unit: 1, verdict: Fail, code: "E301"}
	for i, test := range []struct {
		name    string
		runs    []contact // before
		park    int       // minute
		release int       // minute; 0: not
		after   []contact
		want    Counts // but for Since, FPY and Slots
	}{
		{"too many attempts", []contact{fail}, 2, 0, nil, Counts{In: 1, Parked: 1}}, // in the instant the run ended
		{"after an ERROR", []contact{{1, 1, 1, Error, "E107", false}}, 5, 0, nil, Counts{In: 1, Parked: 1, Errors: 1}},
		{"after a PASS", []contact{pass}, 5, 0, nil, Counts{In: 1, First: 1, Passed: 1, Parked: 1}},
		{"released", []contact{fail}, 5, 9, nil, Counts{In: 1, Failed: 1}},
		{"released, then failed", []contact{fail}, 5, 9, []contact{again}, Counts{In: 1, Failed: 1}},
		{"before its last run", []contact{fail}, 5, 0, []contact{again}, Counts{In: 1, Failed: 1}},
		{"another unit", []contact{{1, 1, 2, Fail, "E301", false}}, 5, 0, nil, Counts{In: 1, Failed: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDay(s, test.name)
			d.first = 100 * (i + 1)
			for _, c := range test.runs {
				d.run(t, c)
			}
			minute := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
			mac := d.unit(1).mac
			must(t, s.Park(ctx, Parking{MAC: mac, Code: "E210", Reason: "failed too often", At: minute(test.park)}))
			if test.release > 0 {
				must(t, s.Release(ctx, Release{MAC: mac, Person: "ada", Reason: "reworked", At: minute(test.release)}))
			}
			for _, c := range test.after {
				d.run(t, c)
			}
			got, err := s.ShiftCounts(ctx, test.name, noon)
			must(t, err)
			got.Since, got.FPY, got.Slots = time.Time{}, 0, nil
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestTrendIsTheLastTwenty(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	d := newDay(s, "A")
	for i := range 23 {
		verdict, code := Fail, "E301"
		if i < 4 {
			verdict, code = Error, "E101"
		}
		// Runs recorded in another order than they started.
		d.run(t, contact{minute: (i * 7) % 23, slot: 5, verdict: verdict, code: code})
	}
	got, err := s.ShiftCounts(t.Context(), "A", noon)
	must(t, err)
	// Minutes 3 to 22, with ERROR in 7, 14 and 21.
	if want := "FFFFEFFFFFFEFFFFFFEF"; got.Slots[0].Trend != want || got.Slots[0].Runs != 23 || got.Errors != 4 {
		t.Errorf("%+v, want trend %s", got, want)
	}
}

func TestCompletedSince(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	d := newDay(s, "A")
	for n, minute := range []int{0, 10, 59, 60, 61} { // each passes a minute later
		d.run(t, contact{minute: minute, unit: n + 1, verdict: Pass})
	}
	d.run(t, contact{minute: 62, unit: 6, verdict: Fail, code: "E301"})
	d.run(t, contact{minute: 62, unit: 7, verdict: Pass, elsewhere: true})
	d.run(t, contact{minute: 62, unit: 1, verdict: Done})
	must(t, s.Park(t.Context(), Parking{MAC: d.unit(5).mac, Code: "E303", Reason: "came back", At: noon.Add(2 * time.Hour)}))
	for minute, want := range map[int]int{0: 5, 1: 5, 2: 4, 60: 3, 61: 2, 63: 0} {
		if n, err := s.CompletedSince(t.Context(), "A", noon.Add(time.Duration(minute)*time.Minute)); err != nil || n != want {
			t.Errorf("since minute %d: %d, %v; want %d", minute, n, err, want)
		}
	}
	if n, err := s.LastHour(t.Context(), "A", noon.Add(71*time.Minute)); err != nil || n != 4 {
		t.Errorf("in the hour before minute 71: %d, %v; want 4", n, err)
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	// What people do to the unit, in the instant the run before ended.
	const byHand, release Verdict = "park", "release"
	tests := []struct {
		name string
		runs []contact
		want int
	}{
		{"none", nil, 0},
		{"each kind", []contact{{verdict: Fail, code: "E301"}, {verdict: Error, code: "E107"}, {verdict: Park, code: "E303"}}, 3},
		{"not the unit's fault", []contact{{verdict: Error, code: "E902"}, {verdict: Error, code: "E501"}, {verdict: Fail, code: "E506"},
			{verdict: Error, code: "E802"}, {verdict: Error, code: "E601"}, {verdict: Error, code: "E603"}, {verdict: Error, code: "E901"},
			{verdict: Error, code: "E903"}, {verdict: Park, code: "E502"}, {verdict: Park, code: "E907"}, {verdict: Error, code: "E109"}, {verdict: Done}, {}}, 0},
		{"each that may be", []contact{{verdict: Error, code: "E101"}, {verdict: Fail, code: "E201"}, {verdict: Fail, code: "E305"},
			{verdict: Fail, code: "E402"}, {verdict: Fail, code: "E701"}}, 5},
		{"a fault without a code", []contact{{verdict: Fail}}, 1},
		{"passed", []contact{{verdict: Fail, code: "E301"}, {verdict: Pass}}, 0},
		{"passed, then met by other profiles and bad contacts", []contact{{verdict: Pass}, {verdict: Park, code: "E209"}, {verdict: Error, code: "E101"}}, 0},
		{"passed, then set aside by hand", []contact{{verdict: Pass}, {verdict: Park, code: "E209"}, {verdict: byHand}}, 0},
		{"parked by hand", []contact{{verdict: Fail, code: "E301"}, {verdict: byHand}}, 1},
		{"released", []contact{{verdict: Fail, code: "E301"}, {verdict: Park, code: "E303"}, {verdict: byHand}, {verdict: release}}, 0},
		{"released, then failed", []contact{{verdict: Park, code: "E303"}, {verdict: byHand}, {verdict: release}, {verdict: Fail, code: "E301"}, {verdict: Error, code: "E101"}}, 2},
		{"released twice", []contact{{verdict: Fail, code: "E301"}, {verdict: byHand}, {verdict: release}, {verdict: Fail, code: "E301"}, {verdict: byHand}, {verdict: release}, {verdict: Fail, code: "E301"}}, 1},
		{"another unit", []contact{{verdict: Fail, code: "E301", unit: 2}}, 0},
		{"elsewhere", []contact{{verdict: Fail, code: "E301", elsewhere: true}}, 1},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := newDay(s, test.name)
			d.first = 100 * (i + 1)
			mac := d.unit(1).mac
			end := 0 // of the last run, in minutes
			for _, c := range test.runs {
				c.minute, c.unit = end+1, max(c.unit, 1)
				at := noon.Add(time.Duration(end) * time.Minute)
				switch c.verdict {
				case byHand:
					must(t, s.Park(t.Context(), Parking{MAC: mac, Code: "E303", Reason: "too often", At: at}))
				case release:
					must(t, s.Release(t.Context(), Release{MAC: mac, Person: "ada", Reason: "reworked", At: at}))
				default:
					d.run(t, c)
					end = c.minute + 1
				}
			}
			if n, err := s.Attempts(t.Context(), strings.ToUpper(mac)); err != nil || n != test.want {
				t.Errorf("%d attempts, %v; want %d", n, err, test.want)
			}
		})
	}
	_, err := s.Attempts(t.Context(), "nonsense")
	wantErr(t, err, ErrInvalid)
}
