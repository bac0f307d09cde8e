package flow_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/records"
)

// healthOf is what the first event of the last run says of the station.
func (r *rig) healthOf() *flow.HealthFacts {
	r.t.Helper()
	if len(r.events) == 0 || r.events[0].Kind != flow.RunStarted || r.events[0].Station.Health == nil {
		r.t.Fatalf("the run does not begin with the health of the station: %+v", r.events)
	}
	return r.events[0].Station.Health
}

// TestHealth: a run tells what of the station it has checked, and no more: a dry run
// writes nothing, and a clock can be compared only when there was a run before.
func TestHealth(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		loaded := []string{"algorithms", "images", "signer"}
		mustHave := func(checked ...string) *flow.HealthFacts {
			t.Helper()
			h := r.healthOf()
			if want := slices.Concat(loaded, checked); !slices.Equal(h.Checked, want) {
				t.Errorf("checked %q, want %q", h.Checked, want)
			}
			if h.Signer != j.Signer || len(h.Signer) != 64 {
				t.Errorf("signer is %q", h.Signer)
			}
			return h
		}
		r.dryRun = true
		r.run()
		if h := mustHave(); h.FreeBytes != 0 || h.SyncMS != 0 || !h.Clock.IsZero() {
			t.Errorf("a dry run tells of records that it did not write: %+v", h)
		}
		r.dryRun = false
		r.mustRun("PASS", "")
		if h := mustHave("records", "sync", "space"); h.FreeBytes < records.MinFreeBytes || !h.Clock.Equal(r.events[0].Time) {
			t.Errorf("it tells %+v", h)
		}
		r.mustRun("DONE", "")
		mustHave("records", "sync", "space", "clock")
	})
}

// TestHealthWithoutSecureBoot: nobody's signature is told of where none is checked.
func TestHealthWithoutSecureBoot(t *testing.T) {
	t.Parallel()
	j := newJob(t, encryptionOnly)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, encryptionOnly, j)
		r.mustRun("PASS", "")
		if h := r.healthOf(); h.Signer != "" || slices.Contains(h.Checked, "signer") {
			t.Errorf("it tells of a signer: %+v", h)
		}
	})
}

// TestCheckStationRefuses: a clock that is behind the latest run, and records that do
// not take a row.
func TestCheckStationRefuses(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		r.mustRun("PASS", "")
		cfg := r.config()
		for behind, want := range map[time.Duration]fault.Code{4 * time.Minute: "", 6 * time.Minute: fault.ClockWrong} {
			cfg.Now = func() time.Time { return time.Now().Add(-behind) }
			if _, err := flow.CheckStation(t.Context(), cfg); want == "" && err != nil || want != "" && fault.CodeOf(err) != want {
				t.Errorf("%v behind the latest run: %v, want %q", behind, err, want)
			}
		}
		closed, err := records.Open(t.Context(), t.TempDir()+"/provision.db")
		check(t, err)
		check(t, closed.Close())
		cfg = r.config()
		cfg.Records = closed
		var f *fault.Fault
		if _, err := flow.CheckStation(t.Context(), cfg); !errors.As(err, &f) || f.Step != "start" {
			t.Errorf("with closed records: %v", err)
		}
	})
}

// TestHealthJSON: names in the stream are published.
func TestHealthJSON(t *testing.T) {
	h := flow.HealthFacts{
		Checked: []string{"images"}, SyncMS: 1.5, FreeBytes: 2, Clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Signer: "ab", Ports: 3, MissingPorts: []int{4},
	}
	text, err := json.Marshal(flow.StationFacts{Name: "N", Profile: "P", Version: "V", Port: "p", Health: &h})
	check(t, err)
	const want = `{"name":"N","profile":"P","version":"V","port":"p","health":{"checked":["images"],"sync_ms":1.5,"free_bytes":2,` +
		`"clock":"2026-01-02T03:04:05Z","signer":"ab","ports":3,"missing_ports":[4]}}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	var back flow.StationFacts
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(*back.Health, h) {
		t.Errorf("back as %+v, %v", back.Health, err)
	}
}

// TestHealthInWords: what was not checked is not told.
func TestHealthInWords(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	full := flow.HealthFacts{
		Checked: []string{"algorithms", "images", "signer", "records", "sync", "space", "clock"}, SyncMS: 2.4, FreeBytes: 73_800_000_000,
		Clock: at, Signer: strings.Repeat("0123456789abcdef", 4),
	}
	ports := func(opened int, missing ...int) flow.HealthFacts {
		h := flow.HealthFacts{Checked: []string{"images"}}
		h.CheckedPorts(opened, missing)
		return h
	}
	for _, c := range []struct {
		health flow.HealthFacts
		want   string
	}{
		{full, "records ok (synced in 2 ms), 73 GB free, clock ok (2026-01-02 03:04 UTC), images ok, signed by 0123456789abcdef"},
		{flow.HealthFacts{Checked: []string{"images", "records", "sync", "space"}, SyncMS: 12, FreeBytes: 500_000_000, Clock: at},
			"records new, without a unit (synced in 12 ms), only 500 MB free, clock 2026-01-02 03:04 UTC, images ok"},
		{flow.HealthFacts{Checked: []string{"algorithms", "images"}}, "images ok"},
		{flow.HealthFacts{Checked: []string{"images", "records", "sync", "space"}, SyncMS: 12, FreeBytes: 2_500_000_000},
			"records new, without a unit (synced in 12 ms), 2.5 GB free, images ok"},
		{ports(0), "images ok"},
		{ports(1), "images ok, port ok"},
		{ports(3), "images ok, 3 ports ok"},
		{ports(3, 2), "images ok, port of slot 2 does not open"},
		{ports(0, 1, 2), "images ok, ports of slots 1 2 do not open"},
	} {
		if got := c.health.String(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
