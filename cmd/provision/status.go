package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/flow"
	"provision/internal/records"
)

func (a *app) status() *cobra.Command {
	var f portFlags
	var d dbFlags
	cmd := &cobra.Command{
		Use: "status --port PORT", Short: "What is this chip, in words, and the one next step", Args: cobra.NoArgs,
		Long: "What is this chip, in words, and the one next step. Nothing is written. Where\nthere are records, the unit is looked up in them.\n\n" + whichDatabase,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dev, err := f.device(cmd.Context(), warnTo(a.err))
			if err != nil {
				return err
			}
			defer dev.Close()
			s, err := flow.Inspect(cmd.Context(), dev, a.known(cmd.Context(), d))
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(struct {
					Kind string `json:"kind"`
					flow.Status
				}{"status", s})
			}
			fmt.Fprintf(a.out, "%s\n", s.Chip)
			var rows [][]string
			for _, line := range s.Says {
				name, text, _ := strings.Cut(line, ": ")
				rows = append(rows, []string{name, text})
			}
			table(a.out, "  ", rows)
			fmt.Fprintf(a.out, "\n%s\nNext: %s\n", s.Verdict, s.Next)
			return nil
		},
	}
	f.add(cmd)
	d.add(cmd)
	return cmd
}

// known looks a MAC up in the records, where there are any.
func (a *app) known(ctx context.Context, d dbFlags) func(mac string) (flow.OnRecord, error) {
	return func(mac string) (flow.OnRecord, error) {
		store, err := d.open(ctx)
		if errors.Is(err, errNoRecords) {
			return flow.OnRecord{}, nil // no records were named, and none are here
		}
		if err != nil {
			return flow.OnRecord{}, err
		}
		defer store.Close()
		return onRecord(ctx, store, mac)
	}
}

func onRecord(ctx context.Context, store *records.Store, mac string) (known flow.OnRecord, err error) {
	switch u, err := store.UnitByMAC(ctx, mac); {
	case err == nil:
		known.Unit = &u
	case !errors.Is(err, records.ErrNotFound):
		return known, err
	}
	switch p, err := store.ParkingOf(ctx, mac); {
	case err == nil:
		known.Parked = &p
	case !errors.Is(err, records.ErrNotParked):
		return known, err
	}
	return known, nil
}
