package records

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestReserveAgainResumes(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	e := newExample(1)
	first := e.reserve(t, s)
	must(t, s.FinishRun(t.Context(), Finish{RunID: e.run, At: noon, Verdict: Error, Code: "E107", Reason: "cable pulled"}))
	again := newExample(1)
	again.run = "run-again"
	again.start(t, s)
	u := again.unit()
	u.MAC = strings.ToUpper(strings.ReplaceAll(u.MAC, ":", "-"))
	u.Serial = strings.ToLower(u.Serial)
	u.Station, u.Goal = "line 2", nil
	second, err := s.Reserve(t.Context(), again.run, u, noon.Add(time.Hour))
	must(t, err)
	if !reflect.DeepEqual(first, second) {
		t.Errorf("resumed as %+v, reserved as %+v", second, first)
	}
	runs, err := s.Runs(t.Context(), RunFilter{UnitID: first.ID})
	if err != nil || len(runs) != 2 {
		t.Errorf("%d runs of the unit, %v; want 2", len(runs), err)
	}
}

func TestReserveRefuses(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	open, done, parked := newExample(1), newExample(2), newExample(3)
	open.reserve(t, s)
	done.complete(t, s)
	parked.reserve(t, s)
	must(t, s.Park(ctx, Parking{MAC: parked.mac, Code: "E303", Reason: "contradictory", At: noon}))
	stranger := newExample(4)
	must(t, s.Park(ctx, Parking{MAC: stranger.mac, Code: "E205", Reason: "foreign", At: noon}))
	fresh := newExample(5)
	fresh.start(t, s)
	over := newExample(6)
	over.start(t, s)
	must(t, s.FinishRun(ctx, Finish{RunID: over.run, At: noon, Verdict: Fail, Code: "E201", Reason: "wrong chip"}))

	tests := []struct {
		name string
		run  string
		edit func(*Unit)
		want error
	}{
		{"serial of another", fresh.run, func(u *Unit) { u.Serial = open.serial }, ErrSerialUsed},
		{"serial of another, in lower case", fresh.run, func(u *Unit) { u.Serial = strings.ToLower(open.serial) }, ErrSerialUsed},
		{"MAC of another", fresh.run, func(u *Unit) { u.MAC = open.mac }, ErrMACKnown},
		{"MAC and serial of two others", fresh.run, func(u *Unit) { u.MAC, u.Serial = open.mac, done.serial }, ErrMACKnown},
		{"complete", fresh.run, func(u *Unit) { u.MAC, u.Serial = done.mac, done.serial }, ErrComplete},
		{"parked", fresh.run, func(u *Unit) { u.MAC, u.Serial = parked.mac, parked.serial }, ErrParked},
		{"parked, under another serial", fresh.run, func(u *Unit) { u.MAC = parked.mac }, ErrMACKnown},
		{"parked stranger", fresh.run, func(u *Unit) { u.MAC = stranger.mac }, ErrParked},
		{"no serial", fresh.run, func(u *Unit) { u.Serial = "" }, ErrInvalid},
		{"serial with a space", fresh.run, func(u *Unit) { u.Serial = " SN-1" }, ErrInvalid},
		{"no MAC", fresh.run, func(u *Unit) { u.MAC = "" }, ErrInvalid},
		{"no custody", fresh.run, func(u *Unit) { u.Custody = "" }, ErrInvalid},
		{"goal not JSON", fresh.run, func(u *Unit) { u.Goal = []byte("{") }, ErrInvalid},
		{"no such run", "nobody", func(*Unit) {}, ErrNotFound},
		{"finished run", over.run, func(*Unit) {}, ErrRunFinished},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			u := fresh.unit()
			test.edit(&u)
			_, err := s.Reserve(ctx, test.run, u, noon)
			wantErr(t, err, test.want)
		})
	}
	if _, err := s.Reserve(ctx, fresh.run, fresh.unit(), time.Time{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("without a time: %v, want ErrInvalid", err)
	}
	_, err := s.UnitByMAC(ctx, fresh.mac)
	wantErr(t, err, ErrNotFound) // nothing of a refusal stays
}

func TestReserveErrorsTellWho(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	has, wants := newExample(1), newExample(2)
	has.reserve(t, s)
	wants.start(t, s)
	u := wants.unit()
	u.Serial = has.serial
	_, err := s.Reserve(t.Context(), wants.run, u, noon)
	var used *SerialUsedError
	if !errors.As(err, &used) || used.MAC != has.mac || !used.At.Equal(noon.Add(time.Second)) {
		t.Errorf("error = %#v, want the MAC that has the serial and since when", err)
	}
	u = wants.unit()
	u.MAC = has.mac
	_, err = s.Reserve(t.Context(), wants.run, u, noon)
	var known *MACKnownError
	if !errors.As(err, &known) || known.Unit.Serial != has.serial {
		t.Errorf("error = %#v, want the unit that the MAC is", err)
	}
}

func TestParkAndRelease(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	e := newExample(1)
	u := e.secure(t, s)
	wantErr(t, s.Release(ctx, Release{MAC: e.mac, Person: "lea", Reason: "looked at it", At: noon}), ErrNotParked)
	wantErr(t, s.Park(ctx, Parking{MAC: e.mac, Code: "E303", At: noon}), ErrInvalid)
	park := Parking{MAC: strings.ToUpper(e.mac), RunID: e.run, Code: "E303", Reason: "contradictory", At: noon}
	must(t, s.Park(ctx, park))
	must(t, s.Park(ctx, park)) // the same once more adds nothing
	other := park
	other.Code, other.Reason = "E210", "failed too often"
	must(t, s.Park(ctx, other)) // nor does what a run finds by then

	var parked *ParkedError
	_, err := s.IntendBurn(ctx, BurnIntent{RunID: e.run, UnitID: u.ID, Step: "x", Bits: Words{1}, At: noon})
	if !errors.As(err, &parked) || parked.Parking.Code != "E303" || parked.Parking.RunID != e.run || parked.Parking.UnitID != u.ID {
		t.Errorf("burn of a parked unit: %v, want *ParkedError with the parking", err)
	}
	wantErr(t, s.Complete(ctx, Completion{UnitID: u.ID, RunID: e.run, At: noon}), ErrParked)
	waiting, err := s.ParkedUnits(ctx)
	if err != nil || len(waiting) != 1 || waiting[0].ParkReason != "contradictory" {
		t.Errorf("ParkedUnits = %+v, %v", waiting, err)
	}

	wantErr(t, s.Release(ctx, Release{MAC: e.mac, Reason: "nobody decided", At: noon}), ErrInvalid)
	must(t, s.Release(ctx, Release{MAC: e.mac, Person: "lea", Reason: "looked at it", At: noon}))
	units, err := s.OpenUnits(ctx)
	if err != nil || len(units) != 1 || units[0].ParkCode != "" {
		t.Errorf("OpenUnits = %+v, %v", units, err)
	}
	must(t, s.Complete(ctx, Completion{UnitID: u.ID, RunID: e.run, At: noon}))

	// A complete unit that is found changed is parked, and stays complete.
	must(t, s.Park(ctx, Parking{MAC: e.mac, Code: "E303", Reason: "came back with other fuses", At: noon}))
	must(t, s.Release(ctx, Release{MAC: e.mac, Person: "lea", Reason: "reader was dirty", At: noon}))
	got, err := s.UnitByMAC(ctx, e.mac)
	if err != nil || got.State != StateComplete {
		t.Errorf("state %s, %v; want complete", got.State, err)
	}
	r, err := s.Lookup(ctx, e.mac)
	must(t, err)
	if n := len(r[0].Parkings); n != 4 {
		t.Errorf("%d parkings and releases are kept, want 4", n)
	}
}

func TestParkStranger(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	e := newExample(1)
	must(t, s.Park(ctx, Parking{MAC: e.mac, Code: "E205", Reason: "foreign", At: noon}))
	p, err := s.ParkingOf(ctx, e.mac)
	if err != nil || p.Reason != "foreign" || p.UnitID != 0 {
		t.Errorf("ParkingOf = %+v, %v", p, err)
	}
	must(t, s.Release(ctx, Release{MAC: e.mac, Person: "lea", Reason: "ours after all", At: noon}))
	_, err = s.ParkingOf(ctx, e.mac)
	wantErr(t, err, ErrNotParked)
	e.reserve(t, s)
}

func TestRuns(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	for n, verdict := range []Verdict{Fail, Error, ""} {
		e := newExample(n)
		must(t, s.StartRun(ctx, Run{ID: e.run, StartedAt: noon.Add(time.Duration(n) * time.Hour), Station: "line 1", Operator: "mia"}))
		if verdict != "" {
			must(t, s.FinishRun(ctx, Finish{RunID: e.run, At: noon, Verdict: verdict, Code: "E1", Reason: "r", MAC: e.mac}))
		}
	}
	wantErr(t, s.StartRun(ctx, Run{ID: "run-000000", StartedAt: noon}), ErrRunExists)
	wantErr(t, s.StartRun(ctx, Run{StartedAt: noon}), ErrInvalid)
	wantErr(t, s.StartRun(ctx, Run{ID: "x"}), ErrInvalid)
	wantErr(t, s.FinishRun(ctx, Finish{RunID: "run-000000", At: noon, Verdict: Error}), ErrRunFinished)
	wantErr(t, s.FinishRun(ctx, Finish{RunID: "run-000002", At: noon, Verdict: Pass}), ErrInvalid) // only Complete may
	wantErr(t, s.FinishRun(ctx, Finish{RunID: "run-000002", At: noon, Verdict: "OK"}), ErrInvalid)
	wantErr(t, s.FinishRun(ctx, Finish{RunID: "nobody", At: noon, Verdict: Fail}), ErrNotFound)
	tests := []struct {
		name   string
		filter RunFilter
		want   string
	}{
		{"all", RunFilter{}, "2 1 0"},
		{"limit", RunFilter{Limit: 2}, "2 1"},
		{"since", RunFilter{Since: noon.Add(time.Hour)}, "2 1"},
		{"until", RunFilter{Until: noon.Add(time.Hour)}, "0"},
		{"verdict", RunFilter{Verdict: Error}, "1"},
		{"unfinished", RunFilter{Unfinished: true}, "2"},
		{"MAC", RunFilter{MAC: "240AC4000001"}, "1"},
		{"station", RunFilter{Station: "line 2"}, ""},
		{"operator and verdict", RunFilter{Operator: "mia", Verdict: Fail}, "0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			runs, err := s.Runs(ctx, test.filter)
			must(t, err)
			var got []string
			for _, r := range runs {
				got = append(got, r.ID[len(r.ID)-1:])
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("runs %v, want %s", got, test.want)
			}
		})
	}
	_, err := s.Runs(ctx, RunFilter{MAC: "nonsense"})
	wantErr(t, err, ErrInvalid)
}

// TestRunsTellTheSerial: a run is found by the label of its unit, also one that ended
// before the unit had it.
func TestRunsTellTheSerial(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	e, stranger := newExample(1), newExample(2)
	for run, mac := range map[string]string{"early": e.mac, "other": stranger.mac, "silent": ""} {
		must(t, s.StartRun(ctx, Run{ID: run, StartedAt: noon.Add(-time.Hour)}))
		must(t, s.FinishRun(ctx, Finish{RunID: run, At: noon, Verdict: Fail, MAC: mac}))
	}
	e.reserve(t, s)
	runs, err := s.Runs(ctx, RunFilter{})
	must(t, err)
	got := map[string]string{}
	for _, r := range runs {
		got[r.ID] = r.Serial
	}
	want := map[string]string{e.run: e.serial, "early": e.serial, "other": "", "silent": ""}
	if !maps.Equal(got, want) {
		t.Errorf("serials %v, want %v", got, want)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	e := newExample(1)
	e.start(t, s)
	event := func(seq int) Event {
		return Event{RunID: e.run, Seq: seq, Time: noon, Slot: 2, Kind: "step.passed", Step: "flash", Code: "", UnitMAC: e.mac, Body: []byte(`{"bytes":1}`)}
	}
	first, err := s.Append(ctx, event(1))
	must(t, err)
	second, err := s.Append(ctx, event(2))
	must(t, err)
	head, err := s.Head(ctx)
	must(t, err)
	if first == second || head.Hash != second {
		t.Errorf("hashes %s, %s, head %s", first, second, head.Hash)
	}
	for _, seq := range []int{0, 1, 2, 4, -1} {
		_, err := s.Append(ctx, event(seq))
		wantErr(t, err, ErrSequence)
	}
	bad := event(3)
	bad.Body = []byte("not JSON")
	_, err = s.Append(ctx, bad)
	wantErr(t, err, ErrInvalid)
	bad = event(1)
	bad.RunID = "nobody"
	_, err = s.Append(ctx, bad)
	wantErr(t, err, ErrNotFound)
	must(t, s.FinishRun(ctx, Finish{RunID: e.run, At: noon, Verdict: Fail}))
	_, err = s.Append(ctx, event(3)) // the end of a run is an event too
	must(t, err)
	got, err := s.Events(ctx, e.run)
	must(t, err)
	if len(got) != 3 || !reflect.DeepEqual(got[1], event(2)) {
		t.Errorf("events %+v", got)
	}
}

// TestActWithEvents: an act and the events that tell of it are on record together, or
// neither is.
func TestActWithEvents(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, act := range map[string]func(*Store, example, Unit, ...Event) error{
		"intend": func(s *Store, e example, u Unit, events ...Event) error {
			_, err := s.IntendBurn(ctx, BurnIntent{RunID: e.run, UnitID: u.ID, Step: "freeze", Block: 0, Bits: Words{1}, At: noon}, events...)
			return err
		},
		"observe": func(s *Store, e example, u Unit, events ...Event) error {
			id, err := s.IntendBurn(ctx, BurnIntent{RunID: e.run, UnitID: u.ID, Step: "freeze", Block: 0, Bits: Words{1}, At: noon})
			must(t, err)
			return s.ObserveBurn(ctx, Observation{BurnID: id, Words: Words{1}, OK: true, At: noon}, events...)
		},
		"save a region": func(s *Store, e example, u Unit, events ...Event) error {
			return s.SaveRegion(ctx, Region{RunID: e.run, UnitID: u.ID, Name: "table", Offset: 0x8000, Length: 4096,
				PlainSHA256: appV1.SHA256, FlashMD5: "00112233445566778899aabbccddeeff", FlashSHA256: sum("x"), VerifiedAt: noon}, events...)
		},
		"complete": func(s *Store, e example, u Unit, events ...Event) error {
			return s.Complete(ctx, Completion{UnitID: u.ID, RunID: e.run, At: noon}, events...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openTemp(t)
			e := newExample(1)
			u := e.secure(t, s) // with two events
			event := func(seq int) Event {
				return Event{RunID: e.run, Seq: seq, Time: noon, Kind: "step.passed", Step: name}
			}
			record := func() (r Record) {
				found, err := s.Lookup(ctx, e.serial)
				must(t, err)
				return found[0]
			}
			if name != "observe" { // which leaves its intent
				before := record()
				wantErr(t, act(s, e, u, event(3), event(5)), ErrSequence)
				if !reflect.DeepEqual(record(), before) {
					t.Error("the act is on record without its events")
				}
			}
			must(t, act(s, e, u, event(3), event(4)))
			events, err := s.Events(ctx, e.run)
			must(t, err)
			if len(events) != 4 {
				t.Errorf("%d events on record, want 4", len(events))
			}
			_, err = s.Verify(ctx)
			must(t, err)
		})
	}
}
