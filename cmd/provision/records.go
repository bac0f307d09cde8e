package main

import (
	"errors"
	"fmt"

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
