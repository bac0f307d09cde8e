package records

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

var (
	bootV1 = Firmware{SHA256: sum("bootloader 1.0"), Role: "bootloader", Size: 26000}
	tables = Firmware{SHA256: sum("partition table"), Role: "partition-table", Size: 3072}
)

// put records that a unit has files at offsets, in that order.
func (e example) put(t testing.TB, s *Store, u Unit, files ...Carried) {
	t.Helper()
	for _, f := range files {
		must(t, s.SaveRegion(t.Context(), Region{RunID: e.run, UnitID: u.ID, Name: "r", Offset: f.Offset, Length: 4096,
			FlashMD5: sum("md5")[:32], FirmwareSHA256: f.SHA256, VerifiedAt: noon}))
	}
}

func TestSaveFacts(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	facts := func(f Firmware, offset int64, text string) Facts {
		return Facts{SHA256: f.SHA256, Offset: offset, Facts: json.RawMessage(text)}
	}
	wantErr(t, s.SaveFacts(ctx, []Facts{facts(bootV1, 0x1000, "{}")}), ErrNotFound)
	must(t, s.SaveFirmware(ctx, []Firmware{bootV1, tables, appV1}))
	for _, bad := range []string{"", "{", "no"} {
		wantErr(t, s.SaveFacts(ctx, []Facts{facts(tables, 0x8000, `{"n":1}`), facts(bootV1, 0x1000, bad)}), ErrInvalid)
	}
	wantErr(t, s.SaveFacts(ctx, []Facts{{SHA256: "xyz", Facts: json.RawMessage("{}")}}), ErrInvalid)
	if err := s.SaveFacts(ctx, []Facts{facts(bootV1, -1, "{}")}); err == nil {
		t.Error("an offset below 0 is kept")
	}
	upper := facts(bootV1, 0x1000, `{"n":2}`)
	upper.SHA256 = strings.ToUpper(upper.SHA256)
	must(t, s.SaveFacts(ctx, []Facts{upper, facts(tables, 0x8000, `{"n":3}`), facts(tables, 0x9000, `{"n":4}`)}))
	before, err := s.Head(ctx)
	must(t, err)
	must(t, s.SaveFacts(ctx, []Facts{facts(bootV1, 0x1000, `{"n":5}`)}))
	if after, err := s.Head(ctx); err != nil || after != before {
		t.Errorf("facts known already are entered again: %v, %v", after, err)
	}

	e := newExample(1)
	u := e.seal(t, s)
	e.put(t, s, u, Carried{SHA256: bootV1.SHA256, Offset: 0x1000}, Carried{SHA256: tables.SHA256, Offset: 0x9000}, Carried{SHA256: appV1.SHA256, Offset: 0x10000})
	want := []Carried{
		{bootV1.SHA256, "bootloader", 0x1000, json.RawMessage(`{"n":2}`)},
		{tables.SHA256, "partition-table", 0x9000, json.RawMessage(`{"n":4}`)},
		{appV1.SHA256, "app", 0x10000, nil},
	}
	if got, err := s.FactsOf(ctx, u.ID); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("FactsOf = %+v, %v", got, err)
	}
}

// TestFactsOfTheNewest: of an offset the last file counts, in the order of their last
// verification, and what no file is in does not count at all.
func TestFactsOfTheNewest(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	must(t, s.SaveFirmware(t.Context(), []Firmware{bootV1, tables, appV1}))
	e := newExample(1)
	u := e.seal(t, s)
	e.put(t, s, u, Carried{SHA256: tables.SHA256, Offset: 0x1000}, Carried{SHA256: appV1.SHA256, Offset: 0x10000},
		Carried{SHA256: bootV1.SHA256, Offset: 0x1000}, Carried{Offset: 0x10000}, Carried{SHA256: tables.SHA256, Offset: 0x8000},
		Carried{SHA256: bootV1.SHA256, Offset: 0x1000})
	files, err := s.FactsOf(t.Context(), u.ID)
	must(t, err)
	var got []string
	for _, f := range files {
		got = append(got, fmt.Sprintf("%s@%#x", f.Role, f.Offset))
	}
	if want := "app@0x10000 partition-table@0x8000 bootloader@0x1000"; strings.Join(got, " ") != want {
		t.Errorf("%s; want %s", got, want)
	}
	if files, err := s.FactsOf(t.Context(), 99); err != nil || len(files) != 0 {
		t.Errorf("a unit that is not there has %v, %v", files, err)
	}
}

func TestFinishedUnits(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	history(t, s)
	newExample(7).complete(t, s)
	fill(t, s, 10, 3)
	last := newExample(12)
	must(t, s.Park(ctx, Parking{MAC: last.mac, Code: "E303", Reason: "came back", At: noon}))
	serials := func(f FinishedFilter) string {
		t.Helper()
		var out []string
		for u, err := range s.FinishedUnits(ctx, f) {
			must(t, err)
			full, err := s.UnitBySerial(ctx, u.Serial)
			must(t, err)
			if u.ID != full.ID || u.MAC != full.MAC || u.ChipRevision != full.ChipRevision || !reflect.DeepEqual(u.FinalWords, full.FinalWords) {
				t.Errorf("%+v is not %+v", u, full)
			}
			out = append(out, strings.TrimPrefix(u.Serial, "SN-0000"))
		}
		return strings.Join(out, " ")
	}
	seven, err := s.UnitBySerial(ctx, newExample(7).serial)
	must(t, err)
	for f, want := range map[FinishedFilter]string{
		{}:                                    "01 07 10 11",
		{Station: "line 1"}:                   "01 07 10 11",
		{Station: "line 2"}:                   "",
		{LastID: seven.ID}:                    "01 07",
		{Since: noon.Add(10 * time.Minute)}:   "10 11",
		{Since: noon.Add(11 * time.Minute)}:   "11",
		{Since: noon.Add(600 * time.Minute)}:  "",
		{Station: "line 1", LastID: seven.ID}: "01 07",
	} {
		if got := serials(f); got != want {
			t.Errorf("%+v: %q; want %q", f, got, want)
		}
	}
	for range s.FinishedUnits(ctx, FinishedFilter{}) {
		break
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range s.FinishedUnits(cancelled, FinishedFilter{}) {
		wantErr(t, err, context.Canceled)
	}
}

// TestCarriesTellsUnitsApart: the same text for the same files at the same places in
// the same order, and only then.
func TestCarriesTellsUnitsApart(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	must(t, s.SaveFirmware(t.Context(), []Firmware{bootV1, tables, appV1}))
	boot, app := Carried{SHA256: bootV1.SHA256, Offset: 0x1000}, Carried{SHA256: appV1.SHA256, Offset: 0x10000}
	moved := app
	moved.Offset = 0x20000
	carries := map[string][]int{}
	for n, files := range [][]Carried{{boot, app}, {boot, {Offset: 0x9000}, app}, {app, boot}, {boot, moved}, {boot}, {}, {boot, app}} {
		e := newExample(n)
		u := e.seal(t, s)
		e.put(t, s, u, files...)
		for _, k := range e.keys {
			must(t, s.MarkVerified(t.Context(), e.run, u.ID, k.Purpose, noon))
		}
		must(t, s.Complete(t.Context(), Completion{UnitID: u.ID, RunID: e.run, At: noon}))
	}
	n := 0
	for u, err := range s.FinishedUnits(t.Context(), FinishedFilter{}) {
		must(t, err)
		carries[u.Carries] = append(carries[u.Carries], n)
		n++
	}
	want := [][]int{{0, 1, 6}, {2}, {3}, {4}, {5}}
	if len(carries) != len(want) {
		t.Errorf("%d different texts, want %d: %v", len(carries), len(want), carries)
	}
	for _, group := range want {
		found := false
		for _, same := range carries {
			found = found || reflect.DeepEqual(same, group)
		}
		if !found {
			t.Errorf("units %v are not told together: %v", group, carries)
		}
	}
}

// TestFleetUsesIndexes: regions, of which there are the most, are read by a covering
// index and in its order.
func TestFleetUsesIndexes(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	query, args := FinishedFilter{Station: "line 1", Since: noon, LastID: 9}.query()
	rows, err := s.r.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	must(t, err)
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		must(t, rows.Scan(&id, &parent, &unused, &detail))
		plan = append(plan, detail)
	}
	must(t, rows.Err())
	if text := strings.Join(plan, "; "); !strings.Contains(text, "COVERING INDEX regions_carried (unit_id=?)") || strings.Contains(text, "TEMP") {
		t.Errorf("a fleet is read by %s", text)
	}
}

// FuzzFinalWords: the short way reads what encoding/json reads, or leaves it to it.
func FuzzFinalWords(f *testing.F) {
	for _, blocks := range [][]BlockWords{{}, {{Block: 0, Words: Words{1, 0xdeadbeef}}}, {{Block: 0}, {Block: 1}, {Block: 2}, {Block: 3, Words: Words{7: 0xffffffff}}}} {
		text, err := json.Marshal(blocks)
		must(f, err)
		f.Add(string(text))
	}
	f.Add(`[{"block":-1,"words":"00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"}]`)
	f.Add(`[{"block":0,"words":"00000000 00000000 00000000 00000000 00000000 00000000 00000000 0000000A"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		blocks, ok := plainBlocks(text)
		if !ok {
			return
		}
		var want []BlockWords
		if err := json.Unmarshal([]byte(text), &want); err != nil || !reflect.DeepEqual(blocks, want) {
			t.Errorf("%q is read as %v, it is %v, %v", text, blocks, want, err)
		}
	})
}

func TestFinalWordsTheShortWay(t *testing.T) {
	t.Parallel()
	want := []BlockWords{{Block: 0, Words: Words{0x07f30180, 1: 0xc4a1b2c3}}, {Block: 1}, {Block: 2}, {Block: 3, Words: Words{4: 3}}}
	text, err := encodeFinal(want)
	must(t, err)
	if got, ok := plainBlocks(text.(string)); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, ok)
	}
	var long []BlockWords
	must(t, finalWords{&long}.Scan(strings.ReplaceAll(text.(string), ",", ", ")))
	if !reflect.DeepEqual(long, want) {
		t.Errorf("the long way reads %v", long)
	}
	if err := (finalWords{&long}).Scan(strings.Replace(text.(string), "07f30180", "7f30180", 1)); err == nil {
		t.Error("words that are none are read")
	}
	if err := (finalWords{&long}).Scan(7); err == nil {
		t.Error("a number is read as words")
	}
}
