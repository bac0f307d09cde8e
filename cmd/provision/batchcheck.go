package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"provision/internal/floor"
	"provision/internal/flow"
)

// tellChecked checks the station of a batch before its first unit, and says in a line
// what is in order. A port that does not open ends no batch: it may be plugged in later,
// and its slot tells.
func (a *app) tellChecked(ctx context.Context, cfg floor.Config) error {
	health, err := flow.CheckStation(ctx, cfg.Run)
	if err != nil {
		return err
	}
	health.CheckedPorts(checkPorts(ctx, cfg.Slots))
	if !a.json {
		_, err := fmt.Fprintf(a.out, "station  %v\n", health)
		return err
	}
	p := cfg.Run.Job.Profile
	return a.emit(struct {
		Kind    string            `json:"kind"`
		Time    time.Time         `json:"time"`
		Station flow.StationFacts `json:"station"`
	}{"station.checked", cfg.Run.Now().UTC(), flow.StationFacts{
		Name: p.Station.Name, Profile: cfg.Run.Job.ProfileSHA256(), Version: cfg.Run.Version, Health: &health,
	}})
}

// checkPorts counts the ports that open, and names the slots whose do not. A virtual chip
// has just been opened, or made. A socket is not tried: it may take one client only, and
// be slow to notice that the last one has gone.
func checkPorts(ctx context.Context, slots []floor.Slot) (opened int, missing []int) {
	var real []floor.Slot
	for _, s := range slots {
		switch {
		case isVirtual(s.Port):
			opened++
		case !strings.Contains(s.Port, "://"):
			real = append(real, s)
		}
	}
	for i, err := range tryPorts(ctx, real) {
		if err != nil {
			missing = append(missing, real[i].Number)
			continue
		}
		opened++
	}
	return opened, missing
}
