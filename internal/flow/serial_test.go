package flow_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/station"
)

// counting makes j's station count its own serial numbers from next, SN-next on.
func counting(j *job.Job, next string) *job.Job {
	rule := &j.Profile.Unit.Serial
	rule.Source, rule.Prefix, rule.Next = station.SourceSequence, "SN-", next
	return j
}

// listed makes j's station take them from a list.
func listed(t testing.TB, j *job.Job, serials ...string) *job.Job {
	t.Helper()
	rule := &j.Profile.Unit.Serial
	rule.Source, rule.File = station.SourceList, filepath.Join(t.TempDir(), "serials.txt")
	check(t, os.WriteFile(rule.File, []byte(strings.Join(serials, "\n")), 0o600))
	return j
}

// reserve gives a serial number to another unit, as another run of the station does.
func (r *rig) reserve(serial string) {
	r.t.Helper()
	at := r.config().Now()
	run := fmt.Sprintf("other-%s", serial)
	check(r.t, r.store.StartRun(r.t.Context(), records.Run{ID: run, StartedAt: at, Station: "TEST-1", Port: "other", Version: "test"}))
	_, err := r.store.Reserve(r.t.Context(), run, records.Unit{
		MAC: "02:00:00:00:" + serial[3:5] + ":" + serial[5:7], Serial: serial, Station: "TEST-1", Custody: records.Discard,
	}, at)
	check(r.t, err)
}

// TestNextSerial: a station that counts gives every number of its sequence, the last
// one too, and says so when there are no more.
func TestNextSerial(t *testing.T) {
	t.Parallel()
	upTo := func(first, last int) (out []string) {
		for n := first; n <= last; n++ {
			out = append(out, fmt.Sprintf("SN-%04d", n))
		}
		return out
	}
	for _, c := range []struct {
		name string
		next string
		used []string
		want string // empty: E504
	}{
		{"the first", "0001", nil, "SN-0001"},
		{"the next", "0001", upTo(1, 5), "SN-0006"},
		{"probes end behind the last", "9990", upTo(9990, 9997), "SN-9998"},
		{"the last", "9990", upTo(9990, 9998), "SN-9999"},
		{"none is left", "9990", upTo(9990, 9999), ""},
		{"only one, used", "9999", upTo(9999, 9999), ""},
		{"the last was given by hand", "9990", append(upTo(9990, 9997), "SN-9999"), "SN-9998"},
		{"one in the middle was given by hand", "9990", append(upTo(9990, 9992), "SN-9994"), "SN-9993"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := counting(newJob(t, release), c.next)
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, j)
				for _, s := range c.used {
					r.reserve(s)
				}
				r.serial, r.dryRun = "", true
				if c.want != "" {
					if res := r.mustRun("PLAN", ""); res.Serial != c.want {
						t.Errorf("serial is %s, want %s", res.Serial, c.want)
					}
					return
				}
				if res := r.mustRun("ERROR", "E504"); !strings.Contains(res.Err.Error(), "run out") {
					t.Errorf("reason is %v", res.Err)
				}
			})
		})
	}
}

// TestSequenceLeavesThePattern: a sequence that the pattern ends before its digits
// do has run out as well.
func TestSequenceLeavesThePattern(t *testing.T) {
	t.Parallel()
	text := strings.Replace(release.profile(), `{ pattern = "^SN-[0-9]{4}$", source = "argument" }`,
		`{ pattern = "^SN-[0-4]$", source = "sequence", prefix = "SN-", next = "4" }`, 1)
	j := newJob(t, release)
	j = parseJob(t, text, filepath.Dir(j.Profile.Path))
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		r.serial = ""
		if res := r.mustRun("PASS", ""); res.Serial != "SN-4" {
			t.Errorf("serial is %s", res.Serial)
		}
		other := smallChip()
		other.MAC[5]++
		r.insert(other)
		r.mustWriteNothing(func() { r.mustRun("ERROR", "E504") })
	})
}

// TestNumberTakenMeanwhile: when another run is faster, a unit whose station counts
// gets the next number. A number that a person gave is not exchanged.
func TestNumberTakenMeanwhile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		job   *job.Job
		given string
	}{
		{"sequence", counting(newJob(t, release), "0001"), ""},
		{"list", listed(t, newJob(t, release), "SN-0001", "SN-0002", "SN-0003"), ""},
		{"list of a spreadsheet", listed(t, newJob(t, release), "\ufeffSN-0001", "SN-0002"), ""},
		{"given by hand", counting(newJob(t, release), "0001"), "SN-0001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, c.job)
				r.serial = c.given
				warned := false
				r.sink = func(ev flow.Event) {
					if ev.Kind == flow.PlanMade { // the number is chosen and not reserved yet
						r.reserve("SN-0001")
					}
					warned = warned || ev.Kind == flow.Warning && strings.Contains(ev.Text, "SN-0002")
				}
				if c.given != "" {
					r.mustWriteNothing(func() { r.mustRun("ERROR", "E501") })
					return
				}
				res := r.mustRun("PASS", "")
				if res.Serial != "SN-0002" || r.unit().Serial != "SN-0002" || !warned {
					t.Errorf("serial is %s, on record %s, warned: %v", res.Serial, r.unit().Serial, warned)
				}
				r.serial = "SN-0002"
				r.mustBeSecured(false)
			})
		})
	}
}

// TestSerialInOtherCase: the records know no upper and lower case in serial numbers, and
// neither does whoever types one: the unit goes on, and is greeted, as it is spelt on record.
func TestSerialInOtherCase(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	j = parseJob(t, strings.Replace(release.profile(), `"^SN-[0-9]{4}$"`, `"^(?i)sn-[0-9]{4}$"`, 1), filepath.Dir(j.Profile.Path))
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		r.stopAfter("make and seal keys")
		r.serial = "sn-0001"
		for _, verdict := range []string{"PASS", "DONE"} {
			if res := r.mustRun(verdict, ""); res.Serial != "SN-0001" || r.unit().Serial != "SN-0001" {
				t.Errorf("%s as %s, on record %s", verdict, res.Serial, r.unit().Serial)
			}
		}
	})
}

// TestParkedBeforeItIsTakenUp: a unit that another run has begun, and somebody has set
// aside, between the first look and the reservation is told as set aside, and not as one
// with another serial number.
func TestParkedBeforeItIsTakenUp(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		first := r.config()
		show := first.Sink
		first.Sink = func(ev flow.Event) {
			show(ev)
			if ev.Kind != flow.PlanMade || r.unit() != nil {
				return
			}
			r.stopAfter("make and seal keys")
			check(t, r.store.Park(t.Context(), records.Parking{MAC: r.mac(), Code: "E907", Reason: "wet", Person: "anna", At: r.config().Now()}))
		}
		if res := flow.Run(t.Context(), first); res.Verdict != "PARK" || res.Code != "E907" {
			t.Errorf("it ended as %s %s: %v", res.Verdict, res.Code, res.Err)
		}
	})
}
