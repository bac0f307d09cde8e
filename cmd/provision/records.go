package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/records"
)

func (a *app) records() *cobra.Command {
	return group("records", "Care of the database", a.recordsVerify())
}

func (a *app) recordsVerify() *cobra.Command {
	var f dbFlags
	cmd := &cobra.Command{
		Use: "verify", Short: "Find any edit, cut or reordering (exit 1 when there is one)", Long: "Find any edit, cut or reordering.\n\n" + whichDatabase, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := f.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			report, err := store.Verify(cmd.Context())
			var tampered *records.TamperedError
			if err != nil && !errors.As(err, &tampered) {
				return databaseFault(store.Path(), err)
			}
			if a.json {
				if err := a.emit(map[string]any{"kind": "records.verified", "database": store.Path(), "ok": err == nil, "report": report, "tampered": tampered}); err != nil {
					return err
				}
			}
			if tampered != nil {
				fmt.Fprintf(a.err, "provision: %s: %v\n", store.Path(), tampered)
				return exitError{fault.ExitFail}
			}
			if !a.json {
				fmt.Fprintf(a.out, "%s: %d entries, nothing was changed; head %v\n", store.Path(), report.Head.N, report.Head.Hash)
			}
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

// release lets a parked unit go on.
func (a *app) release() *cobra.Command {
	var f dbFlags
	var person, reason string
	cmd := &cobra.Command{
		Use: "release SERIAL | MAC --person NAME --reason TEXT", Short: "Let a parked unit go on, by a person's decision",
		Long: "Let a parked unit go on. Who decided, and why, stays in its history.\n\n" + whichDatabase, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" || person == "" {
				return usagef("who decides, and why? say --person and --reason")
			}
			store, err := f.change(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			return a.releaseUnit(cmd.Context(), store, strings.TrimSpace(args[0]), records.Release{Person: person, Reason: reason, At: time.Now()})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&person, "person", os.Getenv("USER"), "who decided")
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}

// releaseUnit releases the unit that name, a serial number or a MAC, means.
func (a *app) releaseUnit(ctx context.Context, store *records.Store, name string, r records.Release) error {
	unit, err := unitNamed(ctx, store, name)
	if errors.Is(err, records.ErrNotFound) { // a part may be parked before it ever has a serial number
		unit.MAC, err = records.ParseMAC(name)
	}
	var parking records.Parking
	r.MAC = unit.MAC
	if err == nil {
		parking, err = store.ParkingOf(ctx, r.MAC)
	}
	if err == nil {
		err = store.Release(ctx, r)
	}
	switch {
	case errors.Is(err, records.ErrInvalid), errors.Is(err, records.ErrNotParked) && !seen(ctx, store, r.MAC):
		return nothingAbout(store, name)
	case errors.Is(err, records.ErrNotParked):
		return usagef("%s is not parked; there is nothing to release", name)
	case err != nil:
		return databaseFault(store.Path(), err)
	}
	return a.sayReleased(name, unit.Serial, parking, r)
}

// seen reports whether a MAC was ever met.
func seen(ctx context.Context, store *records.Store, mac string) bool {
	_, err := store.Lookup(ctx, mac)
	return !errors.Is(err, records.ErrNotFound)
}

func (a *app) sayReleased(name, serial string, p records.Parking, r records.Release) error {
	again := inFuses(p.Code)
	if a.json {
		return a.emit(map[string]any{
			"kind": "unit.released", "mac": p.MAC, "serial": serial, "code": p.Code, "person": r.Person, "reason": r.Reason, "in_fuses": again,
		})
	}
	text := fmt.Sprintf("%s released; run it again", name)
	if again {
		text += fmt.Sprintf("; %s: it was parked for what its fuses hold, and they stay as they are, "+
			"so unless something else has changed, such as the records, the next run parks it again", p.Code)
	}
	_, err := fmt.Fprintf(a.err, "provision: %s\n", text)
	return err
}

// inFuses reports whether a unit is parked for what no decision changes: its fuses.
func inFuses(code string) bool {
	switch fault.Code(code) {
	case fault.ForeignSecured, fault.Contradictory, fault.KeyUncertain:
		return true
	}
	return false
}
