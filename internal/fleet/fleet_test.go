package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/internal/fleet"
	"provision/internal/job"
	"provision/internal/ota"
	"provision/internal/records"
	"provision/internal/simulator"
)

// verdicts are what the outcome of a virtual update is called here.
var verdicts = map[simulator.OTAOutcome]ota.Verdict{
	simulator.OTAAccepted: ota.Accepted,
	simulator.OTARefused:  ota.Refused,
	simulator.OTAFellBack: ota.FallsBack,
}

// products are two policies with the keys of two fleets, and what else makes units
// differ.
func products() []product {
	return []product{
		{name: "release, our key", secureBoot: true, encryption: "release", key: ours()},
		{name: "release, their key", secureBoot: true, encryption: "release", key: theirs(), station: "THERE"},
		{name: "secure boot only, our key", secureBoot: true, key: ours()},
		{name: "encryption only", encryption: "release", key: ours()},
		{name: "one slot of another size", secureBoot: true, key: ours(), table: strings.ReplaceAll(twoSlots, "64K", "128K")},
		{name: "anti-rollback", secureBoot: true, key: ours(), bootloader: simulator.BootloaderSpec{AntiRollback: true},
			app: simulator.AppSpec{SecureVersion: 2}},
	}
}

// TestAnswersAreTheUnits makes units with the real flow, asks the records, and then
// lets the units themselves judge.
func TestAnswersAreTheUnits(t *testing.T) {
	jobs := map[string]*job.Job{}
	for _, p := range products() {
		jobs[p.name] = p.newJob(t)
	}
	plain := newApp(t, simulator.AppSpec{Version: "2.0.0"})
	updates := []struct {
		name string
		data []byte
		want string
	}{ // those accepted by more come last: from then on the units run them. Encrypted units print another number
		{"not signed", plain, "1 ACCEPTED, 3 REFUSED not-signed, 3 REFUSED not-signed"},
		{"not an image", []byte("hello"), "7 REFUSED not-an-image"},
		{"too large for some", signed(t, ours(), newApp(t, simulator.AppSpec{Size: 80 << 10, SecureVersion: 2})), "1 ACCEPTED, 6 REFUSED too-large"},
		{"our key, old secure version", signed(t, ours(), plain), "5 ACCEPTED, 1 REFUSED other-key, 1 REFUSED old-secure-version"},
		{"our key", signed(t, ours(), newApp(t, simulator.AppSpec{Version: "3.0.0", SecureVersion: 2})), "6 ACCEPTED, 1 REFUSED other-key"},
		{"their key", signed(t, theirs(), plain), "2 ACCEPTED, 5 REFUSED other-key"},
	}
	inBubble(t, func(t *testing.T) {
		l := newLine(t)
		for _, p := range products() {
			l.make(p, jobs[p.name], 3, 0)
		}
		l.make(products()[0], jobs[products()[0].name], 1, 0)
		for _, v := range updates {
			answer, err := fleet.Ask(t.Context(), l.store, ota.Read(v.data), fleet.Filter{})
			check(t, err)
			if got := told(answer); got != v.want {
				t.Errorf("%s: %s; want %s", v.name, got, v.want)
			}
			l.compare(v.name, v.data, answer)
		}
	})
}

// compare holds an answer against the facts of each unit, and against the unit.
func (l *line) compare(name string, data []byte, answer fleet.Answer) {
	t := l.t
	t.Helper()
	i := 0
	for m, err := range answer.Members(t.Context()) {
		check(t, err)
		u, g := l.units[i], answer.Groups[m.Group]
		i++
		if row := l.unitOf(u); m.Serial != u.serial || m.MAC != row.MAC {
			t.Fatalf("unit %d is told as %+v", i, m)
		}
		d, err := fleet.Load(t.Context(), l.store, l.unitOf(u))
		check(t, err)
		if want := u.facts(t); !reflect.DeepEqual(d, want) {
			t.Errorf("%s: the records tell\n%+v, it is\n%+v", u.product.name, d, want)
		}
		report := ota.Check(data, u.facts(t))
		if report.Verdict != g.Verdict || len(report.Reasons) > 0 && (report.Reasons[0].Code != g.Code || report.Reasons[0].Says != g.Says ||
			report.Reasons[0].Do != g.Do || !slices.Equal(report.Reasons[0].Lines, g.Lines)) {
			t.Errorf("%s, %s: told as %+v; want %+v", name, u.product.name, g, report)
		}
		if did := u.chip.OTA(data, simulator.OTABuild{}); verdicts[did.Outcome] != g.Verdict {
			t.Errorf("%s, %s: told as %s, and the unit: %s %s\n%q", name, u.product.name, g.Verdict, did.Outcome, did.Error, did.Lines)
		}
	}
	if i != len(l.units) {
		t.Errorf("%s: %d units are listed, there are %d", name, i, len(l.units))
	}
}

// told is an answer in one line; its totals are checked on the way.
func told(a fleet.Answer) string {
	var parts []string
	sums := map[ota.Verdict]int{}
	for _, g := range a.Groups {
		parts = append(parts, strings.TrimSpace(fmt.Sprint(g.Count, " ", g.Verdict, " ", g.Code)))
		sums[g.Verdict] += g.Count
	}
	if a.Accepted != sums[ota.Accepted] || a.Refused != sums[ota.Refused] || a.FallsBack != sums[ota.FallsBack] ||
		a.Unknown != sums[ota.Unknown] || a.Units != a.Accepted+a.Refused+a.FallsBack+a.Unknown {
		parts = append(parts, fmt.Sprintf("and totals that do not add up: %+v", a))
	}
	return strings.Join(parts, ", ")
}

func TestFilterAndMembers(t *testing.T) {
	p, q := products()[0], products()[1]
	j, k := p.newJob(t), q.newJob(t)
	img := ota.Read(signed(t, ours(), newApp(t, simulator.AppSpec{})))
	inBubble(t, func(t *testing.T) {
		l := newLine(t)
		ask := func(f fleet.Filter) fleet.Answer {
			t.Helper()
			a, err := fleet.Ask(t.Context(), l.store, img, f)
			check(t, err)
			return a
		}
		if a := ask(fleet.Filter{}); told(a) != "" || a.All() {
			t.Errorf("without units: %s", told(a))
		}
		for range ask(fleet.Filter{}).Members(t.Context()) {
			t.Error("a unit is listed where there is none")
		}
		l.make(p, j, 3, 0)
		l.make(q, k, 3, 0)
		time.Sleep(time.Hour)
		noon := time.Now()
		l.make(p, j, 3, 0)
		all := ask(fleet.Filter{})
		for f, want := range map[fleet.Filter]string{
			{Station: "LINE"}:               "2 ACCEPTED",
			{Station: "THERE"}:              "1 REFUSED other-key",
			{Station: "nowhere"}:            "",
			{Since: noon}:                   "1 ACCEPTED",
			{Station: "THERE", Since: noon}: "",
		} {
			if a := ask(f); told(a) != want || a.All() != strings.HasSuffix(want, "ACCEPTED") {
				t.Errorf("%+v: %s; want %s", f, told(a), want)
			}
		}
		l.make(p, j, 3, 0) // after the question
		for _, v := range []struct {
			groups []int
			want   string
		}{{nil, "SN-0001 SN-0002 SN-0003"}, {[]int{0}, "SN-0001 SN-0003"}, {[]int{1}, "SN-0002"}, {[]int{2}, ""}} {
			var got []string
			for m, err := range all.Members(t.Context(), v.groups...) {
				check(t, err)
				got = append(got, m.Serial)
			}
			if strings.Join(got, " ") != v.want {
				t.Errorf("groups %v: %q; want %s", v.groups, got, v.want)
			}
		}
		for m := range all.Members(t.Context()) {
			if m.Serial != "SN-0001" {
				t.Errorf("the list goes on after a break: %+v", m)
			}
			break
		}
	})
}

// TestNoAnswerWithoutRecords: a look-up that fails is no fleet without units.
func TestNoAnswerWithoutRecords(t *testing.T) {
	store := generated(t, 10, twoFleets(t))
	img := ota.Read(nil)
	a, err := fleet.Ask(t.Context(), store, img, fleet.Filter{})
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a, err := fleet.Ask(ctx, store, img, fleet.Filter{}); !errors.Is(err, context.Canceled) || a.Units != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	n := 0
	for m, err := range a.Members(ctx) {
		if n++; !errors.Is(err, context.Canceled) {
			t.Errorf("%+v, %v", m, err)
		}
	}
	if n != 1 {
		t.Errorf("the list has %d entries, want one error", n)
	}
	if _, err := fleet.Load(ctx, store, records.Unit{ID: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("Load: %v", err)
	}
}

// TestJobsAreTheirUnits: what a profile tells of its units is what the records tell
// of them later, but for where they run from and on which chip.
func TestJobsAreTheirUnits(t *testing.T) {
	for _, p := range products() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			j := p.newJob(t)
			inBubble(t, func(t *testing.T) {
				l := newLine(t)
				u := l.make(p, j, 3, 1)
				want, err := fleet.Load(t.Context(), l.store, l.unitOf(u))
				check(t, err)
				got := fleet.DeviceOfJob(j)
				if label, _ := got.Running.Get(); label != "ota_0" {
					t.Errorf("it runs from %q", label)
				}
				if _, known := got.Revision.Get(); known {
					t.Error("its chip revision is known beforehand")
				}
				got.Running, got.Revision = want.Running, want.Revision
				if !reflect.DeepEqual(got, want) {
					t.Errorf("the profile tells\n%+v, the records\n%+v", got, want)
				}
			})
		})
	}
}
