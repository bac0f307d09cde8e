package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"provision/internal/fault"
	"provision/internal/flashcrypt"
	"provision/internal/records"
	"provision/internal/secureboot"
)

// HealthFacts is what a station was found to have in order before a unit was touched.
// What is not in order has ended the run, or the batch, with its fault; only ports that
// do not open are told and no more.
type HealthFacts struct {
	// Checked names what was looked at, and nothing else: "algorithms" (known answers),
	// "images" (of the job, when it was loaded), "signer" (the app carries the signature of
	// this key), "records" (a row was written), "sync" (it reached the disk), "space",
	// "clock" (not before the latest run; left out where there is none to compare it with),
	// "ports".
	Checked      []string  `json:"checked"`
	SyncMS       float64   `json:"sync_ms,omitempty"`       // milliseconds until the row was on the disk
	FreeBytes    uint64    `json:"free_bytes,omitempty"`    // on the disk of the records
	Clock        time.Time `json:"clock,omitzero"`          // what it said, in the station's zone
	Signer       string    `json:"signer,omitempty"`        // fingerprint of the app-signing key
	Ports        int       `json:"ports,omitempty"`         // of the slots, that opened
	MissingPorts []int     `json:"missing_ports,omitempty"` // slots whose ports did not
}

// ClockTolerance is how far the clock may be behind the latest run: two stations
// on one database are never set to the same second.
const ClockTolerance = 5 * time.Minute

// CheckStation checks what can be checked without a unit: of cfg it needs the job, which
// was checked when it was made, records and clock. A dry run writes no row.
func CheckStation(ctx context.Context, cfg Config) (HealthFacts, error) {
	const step = "start"
	h := HealthFacts{Signer: cfg.Job.Signer}
	if err := errors.Join(flashcrypt.SelfTest(), secureboot.SelfTest()); err != nil {
		return h, fault.New(fault.Internal, step, err)
	}
	h.checked("algorithms", "images")
	if h.Signer != "" {
		h.checked("signer")
	}
	if cfg.DryRun {
		return h, nil
	}
	began := cfg.Now()
	found, err := cfg.Records.Check(ctx)
	if err != nil {
		return h, asFault(step, err, fault.Database)
	}
	h.SyncMS = float64(cfg.Now().Sub(began).Microseconds()) / 1000
	h.FreeBytes = found.FreeBytes
	h.checked("records", "sync", "space")
	return h, h.checkClock(cfg.Now(), found)
}

// checkClock holds the clock against the latest run, or against the time that a person has
// stood for since.
func (h *HealthFacts) checkClock(now time.Time, found records.Health) error {
	if found.LatestAt.Sub(now) > ClockTolerance {
		return fault.New(fault.ClockWrong, "start", fmt.Errorf("the clock says %s, and the records already go up to %s",
			now.UTC().Format(time.DateTime), found.LatestAt.UTC().Format(time.DateTime)))
	}
	h.Clock = now
	if !found.LatestAt.IsZero() {
		h.checked("clock")
	}
	return nil
}

func (h *HealthFacts) checked(what ...string) { h.Checked = append(h.Checked, what...) }

// CheckedPorts adds how many ports have opened, and the slots whose ports have not.
func (h *HealthFacts) CheckedPorts(opened int, missing []int) {
	h.Ports, h.MissingPorts = opened, missing
	if opened+len(missing) > 0 {
		h.checked("ports")
	}
}

// lowSpace is when a person should look after the disk: a shift of units takes a
// few hundred megabytes at most.
const lowSpace = 1 << 30

// LowSpace reports whether a person should look after a disk with so much space left.
func LowSpace(free uint64) bool { return free < lowSpace }

// Space is a size in figures that do not change with every unit.
func Space(n uint64) string {
	switch {
	case n >= 10*lowSpace:
		return fmt.Sprintf("%d GB", n/1e9)
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%d MB", n/1e6)
}

// String is the facts in a line for a person.
func (h HealthFacts) String() string {
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if slices.Contains(h.Checked, "records") {
		state := "new, without a unit"
		if slices.Contains(h.Checked, "clock") { // there is a run to compare it with
			state = "ok"
		}
		say("records %s (synced in %.0f ms)", state, h.SyncMS)
		only := map[bool]string{true: "only "}[LowSpace(h.FreeBytes)]
		say("%s%s free", only, Space(h.FreeBytes))
	}
	switch at := h.Clock.Format("2006-01-02 15:04 MST"); {
	case slices.Contains(h.Checked, "clock"):
		say("clock ok (%s)", at)
	case !h.Clock.IsZero():
		say("clock %s", at)
	}
	say("images ok")
	if h.Signer != "" {
		say("signed by %.16s", h.Signer)
	}
	switch {
	case len(h.MissingPorts) == 1:
		say("port of slot %d does not open", h.MissingPorts[0])
	case len(h.MissingPorts) > 1:
		say("ports of slots %s do not open", strings.Trim(fmt.Sprint(h.MissingPorts), "[]"))
	case h.Ports == 1:
		say("port ok")
	case h.Ports > 1:
		say("%d ports ok", h.Ports)
	}
	return strings.Join(parts, ", ")
}
