package main

import (
	"errors"
	"fmt"
	"os"
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
		Use: "release SERIAL | MAC --reason TEXT", Short: "Let a parked unit go on, by a person's decision",
		Long: "Let a parked unit go on. Who decided, and why, stays in its history.\n\n" + whichDatabase, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" || person == "" {
				return usagef("who decides, and why? say --person and --reason")
			}
			path, err := f.path()
			if err != nil {
				return err
			}
			store, err := records.Open(cmd.Context(), path)
			if err != nil {
				return databaseFault(path, err)
			}
			defer store.Close()
			mac := args[0]
			if u, err := store.UnitBySerial(cmd.Context(), mac); err == nil {
				mac = u.MAC
			}
			err = store.Release(cmd.Context(), records.Release{MAC: mac, Person: person, Reason: reason, At: time.Now()})
			switch {
			case errors.Is(err, records.ErrNotParked):
				return usagef("%s is not parked; there is nothing to release", args[0])
			case errors.Is(err, records.ErrNotFound), errors.Is(err, records.ErrInvalid):
				return usagef("nothing about %q in %s", args[0], path)
			case err != nil:
				return databaseFault(path, err)
			}
			fmt.Fprintf(a.err, "provision: %s released; run it again\n", args[0])
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&person, "person", os.Getenv("USER"), "who decided")
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}
