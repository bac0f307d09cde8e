package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	history(t, s)
	e := newExample(1)
	stranger := newExample(4)
	tests := []struct{ query, want string }{
		{e.serial, "SN-000001"},
		{strings.ToLower(e.serial), "SN-000001"},
		{"  " + e.serial + "\n", "SN-000001"},
		{e.mac, "SN-000001"},
		{strings.ToUpper(e.mac), "SN-000001"},
		{strings.ReplaceAll(e.mac, ":", ""), "SN-000001"},
		{strings.ReplaceAll(e.mac, ":", "-"), "SN-000001"},
		{"240a.c400.0001", "SN-000001"},
		{e.keys[1].Fingerprint, "SN-000001"},
		{e.keys[1].Fingerprint[:8], "SN-000001"},
		{strings.ToUpper(e.keys[0].Fingerprint[:20]), "SN-000001"},
		{appV1.SHA256, "SN-000001 SN-000003"},
		{appV1.SHA256[:10], "SN-000001 SN-000003"},
		{"hello_world", "SN-000001 SN-000003"},
		{"hello_world/1.0", "SN-000001 SN-000003"},
		{"1.0", "SN-000001 SN-000003"},
		{stranger.mac, "(parked)"},

		{"hello_world/2.0", ""},
		{e.keys[1].Fingerprint[:7], ""},
		{"24:0a:c4:00:00:ff", ""},
		{"", ""},
		{"%", ""},
		{"' OR 1=1 --", ""},
	}
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			records, err := s.Lookup(t.Context(), test.query)
			var got []string
			for _, r := range records {
				name := r.Unit.Serial
				if r.Unit.ID == 0 {
					name = "(" + string(r.Unit.State) + ")"
				}
				got = append(got, name)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("found %v, want %s", got, test.want)
			}
			if test.want == "" {
				wantErr(t, err, ErrNotFound)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLookupKeyStates(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	open, escrowed, discarded := newExample(1), newExample(2), newExample(3)
	open.seal(t, s)
	escrowed.complete(t, s)
	discarded.start(t, s)
	u := discarded.unit()
	u.Custody = Discard
	u, err := s.Reserve(ctx, discarded.run, u, noon)
	must(t, err)
	must(t, s.SealKeys(ctx, discarded.run, u.ID, discarded.keys[:1], discarded.working, nil, nil, noon))
	must(t, s.MarkVerified(ctx, discarded.run, u.ID, discarded.keys[0].Purpose, noon))
	must(t, s.Complete(ctx, Completion{UnitID: u.ID, RunID: discarded.run, At: noon}))
	for e, want := range map[*example]KeyState{&open: KeySealed, &escrowed: KeyEscrowed, &discarded: KeyDiscarded} {
		r, err := s.Lookup(ctx, e.serial)
		must(t, err)
		if got := r[0].Keys[0].State; got != want {
			t.Errorf("key of %s is %s, want %s", e.serial, got, want)
		}
	}
}

// TestLookupSeesTheNewestRegion: firmware that was written over is not carried.
func TestLookupSeesTheNewestRegion(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	e, same := newExample(1), newExample(2)
	u := e.secure(t, s)
	same.secure(t, s)
	v2 := appV1
	v2.SHA256, v2.Version = sum("app 2.0"), "2.0"
	must(t, s.SaveFirmware(ctx, []Firmware{v2, appV1}))
	region := Region{RunID: e.run, UnitID: u.ID, Name: "factory", Offset: 0x10000, Length: 131072, PlainSHA256: v2.SHA256,
		FlashMD5: sum("x")[:32], Encrypted: true, FirmwareSHA256: strings.ToUpper(v2.SHA256), VerifiedAt: noon}
	must(t, s.SaveRegion(ctx, region))
	carriers := func(query string) string {
		found, err := s.Lookup(ctx, query)
		if !errors.Is(err, ErrNotFound) {
			must(t, err)
		}
		var serials []string
		for _, r := range found {
			serials = append(serials, r.Unit.Serial)
		}
		return strings.Join(serials, " ")
	}
	for query, want := range map[string]string{"hello_world/1.0": same.serial, "hello_world/2.0": e.serial, v2.SHA256[:8]: e.serial,
		"hello_world": e.serial + " " + same.serial, "other": ""} {
		if got := carriers(query); got != want {
			t.Errorf("%s is carried by %q, want %q", query, got, want)
		}
	}
	regions, err := s.Regions(ctx, u.ID)
	if err != nil || len(regions) != 1 || regions[0].Firmware == nil || *regions[0].Firmware != v2 {
		t.Errorf("regions = %+v, %v; want the newest alone", regions, err)
	}
	region.FirmwareSHA256 = sum("nobody saved this")
	wantErr(t, s.SaveRegion(ctx, region), ErrNotFound)
	region.FirmwareSHA256, region.RunID = "", "nobody"
	wantErr(t, s.SaveRegion(ctx, region), ErrNotFound)
	wantErr(t, s.SaveFirmware(ctx, []Firmware{{SHA256: "short"}}), ErrInvalid)

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = s.Lookup(cancelled, "hello_world")
	wantErr(t, err, context.Canceled)
}

func TestLookupTooMany(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	fill(t, s, 0, 4)
	for limit, want := range map[int]error{3: ErrTooMany, 4: nil, 5: nil} {
		records, err := lookup(t.Context(), s.r, "hello_world/1.0", limit)
		if !errors.Is(err, want) || len(records) != min(limit, 4) {
			t.Errorf("limit %d: %d records, %v; want %v", limit, len(records), err, want)
		}
		if records[0].Unit.Serial != "SN-000000" {
			t.Errorf("the first is %s", records[0].Unit.Serial)
		}
	}
}

// TestLookupsUseIndexes: none reads a whole table that grows with the units.
func TestLookupsUseIndexes(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	history(t, s)
	seen, details := 0, []string(nil)
	planned := func(query string, args ...any) {
		seen++
		rows, err := s.r.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
		must(t, err)
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			must(t, rows.Scan(&id, &parent, &unused, &detail))
			details = append(details, detail)
			if strings.HasPrefix(detail, "SCAN") && !strings.HasPrefix(detail, "SCAN firmware") && detail != "SCAN CONSTANT ROW" {
				t.Errorf("%s\n\t%s", query, detail)
			}
		}
		must(t, rows.Err())
	}
	spy := spy{s.r, planned}
	for _, query := range []string{"SN-000001", newExample(1).mac, newExample(1).keys[0].Fingerprint, appV1.SHA256, "hello_world/1.0"} {
		if _, err := lookup(t.Context(), spy, query, LookupLimit); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
	details = nil
	_, err := shiftCounts(t.Context(), spy, "line 1", noon)
	must(t, err)
	if plan := strings.Join(details, "; "); !strings.Contains(plan, "runs_station") || !strings.Contains(plan, "runs_vain") || strings.Contains(plan, "TEMP") {
		t.Errorf("a shift is counted by %s", plan)
	}
	for what, query := range map[string]func() error{
		"due":    func() error { _, err := labelsDue(t.Context(), spy, "line 1", noon); return err },
		"copies": func() error { _, err := labelsOf(t.Context(), spy, 1); return err },
		"badge":  func() error { _, err := personByBadge(t.Context(), spy, ada().Badge); return err },
	} {
		if err := query(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if seen < 30 {
		t.Errorf("only %d queries were looked at", seen)
	}
	planned("SELECT id FROM units WHERE state = ? AND state <> 'complete' ORDER BY id", "open")
	planned("SELECT id FROM runs WHERE unit_id = ? ORDER BY started_at", 1)
	planned(completedSince, "line 1", noon.Format(timeLayout))
	planned(attempts, newExample(1).mac)
	planned(actQuery+" WHERE station = ? AND kind = ? ORDER BY id DESC LIMIT 1", "line 1", "job")
	planned(actQuery+" WHERE at >= ? ORDER BY at DESC, id DESC LIMIT ?", noon.Format(timeLayout), 9)
	planned(actQuery+" WHERE subject = ? AND subject <> '' ORDER BY at DESC, id DESC LIMIT ?", "J-1", 9)
	planned(activePeople+"AND name = ?", "ada")
}

// spy shows each query to a test before it runs.
type spy struct {
	querier
	see func(query string, args ...any)
}

func (s spy) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s.see(query, args...)
	return s.querier.QueryContext(ctx, query, args...)
}

func (s spy) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s.see(query, args...)
	return s.querier.QueryRowContext(ctx, query, args...)
}

func TestParseMAC(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"24:0a:c4:a1:b2:c3", "24-0A-C4-A1-B2-C3", "240A.C4A1.B2C3", "240ac4a1b2c3"} {
		if got, err := ParseMAC(good); err != nil || got != "24:0a:c4:a1:b2:c3" {
			t.Errorf("ParseMAC(%q) = %q, %v", good, got, err)
		}
	}
	for _, bad := range []string{"", "24:0a:c4:a1:b2", "24:0a:c4:a1:b2:c3:d4", "24:0a:c4:a1:b2:g3", "240:ac:4a:1b:2c:3", "24:0a-c4:a1-b2:c3",
		"24 0a c4 a1 b2 c3", "240ac4a1b2c", "2:40:ac:4a:1b:2c:3", "240ac4a.1b2.c3", "24::0ac4a1b2:c3:"} {
		if got, err := ParseMAC(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("ParseMAC(%q) = %q, %v; want ErrInvalid", bad, got, err)
		}
	}
}

func FuzzParseMAC(f *testing.F) {
	for _, s := range []string{"24:0a:c4:a1:b2:c3", "24-0A-C4-A1-B2-C3", "240A.C4A1.B2C3", "240ac4a1b2c3", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		mac, err := ParseMAC(s)
		if err != nil {
			return
		}
		if again, err := ParseMAC(mac); err != nil || again != mac || len(mac) != 17 {
			t.Errorf("%q is %q, which is %q, %v", s, mac, again, err)
		}
	})
}

func FuzzWords(f *testing.F) {
	f.Add(Words{1, 0xffffffff}.String())
	f.Add("00000000 00000000")
	f.Fuzz(func(t *testing.T, s string) {
		var w Words
		if err := w.UnmarshalText([]byte(s)); err == nil && w.String() != s {
			t.Errorf("%q is read as %s", s, w)
		}
	})
}

func TestWordsPrint(t *testing.T) {
	t.Parallel()
	want := "00000001 00000000 00000000 00000000 00000000 00000000 00000000 deadbeef"
	if got := fmt.Sprint(Words{1, 7: 0xdeadbeef}); got != want {
		t.Errorf("words print as %s, want %s", got, want)
	}
}
