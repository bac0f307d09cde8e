package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/records"
)

// decision is what a person says about a unit.
type decision struct {
	db             dbFlags
	person, reason string
}

func (d *decision) add(cmd *cobra.Command) {
	d.db.add(cmd)
	cmd.Flags().StringVar(&d.person, "person", systemUser(), "who decided")
	cmd.Flags().StringVar(&d.reason, "reason", "", "why")
}

// open opens the records for a decision that has a name and a reason.
func (d *decision) open(ctx context.Context) (*records.Store, error) {
	if d.reason == "" || d.person == "" {
		return nil, usagef("who decides, and why? say --person and --reason")
	}
	return d.db.change(ctx)
}

func (a *app) park() *cobra.Command {
	var d decision
	cmd := &cobra.Command{
		Use: "park SERIAL | MAC [--person NAME] --reason TEXT", Short: "Set a unit aside: no station of these records works on it until it is released",
		Long: "Set a unit aside. Who decided, and why, stays in its history.\n\n" + whichDatabase, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := d.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			return a.parkUnit(cmd.Context(), store, strings.TrimSpace(args[0]), d)
		},
	}
	d.add(cmd)
	return cmd
}

// parkUnit sets aside the unit that name means. A MAC that was never met can be set
// aside as well: a warning from another plant may come before its unit does.
func (a *app) parkUnit(ctx context.Context, store *records.Store, name string, d decision) error {
	unit, err := unitNamed(ctx, store, name)
	if errors.Is(err, records.ErrNotFound) {
		if unit.MAC, err = records.ParseMAC(name); err != nil {
			return nothingAbout(store, name)
		}
	}
	if err == nil {
		_, parked := store.ParkingOf(ctx, unit.MAC)
		if parked == nil {
			return usagef("%s is parked already; provision lookup %s tells why", name, name)
		}
		err = store.Park(ctx, records.Parking{MAC: unit.MAC, Code: string(fault.SetAside), Reason: d.reason, Person: d.person, At: time.Now()})
	}
	if err != nil {
		return databaseFault(store.Path(), err)
	}
	if a.json {
		return a.emit(map[string]any{
			"kind": "unit.parked", "mac": unit.MAC, "serial": unit.Serial, "code": fault.SetAside, "person": d.person, "reason": d.reason,
		})
	}
	_, err = fmt.Fprintf(a.err, "provision: %s is set aside until: provision release %s --person NAME --reason TEXT\n", name, shellQuote(name))
	return err
}

func (a *app) release() *cobra.Command {
	var d decision
	cmd := &cobra.Command{
		Use: "release SERIAL | MAC [--person NAME] --reason TEXT", Short: "Let a parked unit go on, by a person's decision",
		Long: "Let a parked unit go on. Who decided, and why, stays in its history.\n\n" + whichDatabase, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := d.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			return a.releaseUnit(cmd.Context(), store, strings.TrimSpace(args[0]), records.Release{Person: d.person, Reason: d.reason, At: time.Now()})
		},
	}
	d.add(cmd)
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
	switch {
	case p.Code == string(fault.DownloadDisabled):
		text += fmt.Sprintf("; %s: if its download mode is closed, that cannot be undone, and the next run parks it again: "+
			"then provision vouch %s completes it", p.Code, shellQuote(cmp.Or(serial, name)))
	case again:
		text += fmt.Sprintf("; %s: it was parked for what its fuses hold, and they stay as they are, "+
			"so unless something else has changed, such as the records, the next run parks it again", p.Code)
	}
	_, err := fmt.Fprintf(a.err, "provision: %s\n", text)
	return err
}

// inFuses reports whether a unit is parked for what no decision changes: its fuses.
func inFuses(code string) bool {
	switch fault.Code(code) {
	case fault.ForeignSecured, fault.Contradictory, fault.KeyUncertain, fault.DownloadDisabled:
		return true
	}
	return false
}
