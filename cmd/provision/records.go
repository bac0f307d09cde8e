package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/records"
)

func (a *app) records() *cobra.Command {
	return group("records", "Care of the database", a.recordsVerify(), a.recordsBackup(), a.recordsRestore(), a.recordsClock())
}

func (a *app) recordsVerify() *cobra.Command {
	var f dbFlags
	var heads []string
	cmd := &cobra.Command{
		Use: "verify", Short: "Find any edit, cut or reordering (exit 1 when there is one)",
		Long: `Find any edit, cut or reordering. Somebody with the file in hand can write the whole
history anew from some point on, so that it fits itself: that shows only against a head
that was noted elsewhere before. verify and backup print the present one.

` + whichDatabase, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			known, err := notedHeads(heads)
			if err != nil {
				return err
			}
			store, err := f.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			return a.verify(cmd.Context(), store, known)
		},
	}
	f.add(cmd)
	cmd.Flags().StringSliceVar(&heads, "head", nil, "a head that was noted elsewhere, 64 hex digits; may be repeated: the history has to go through it")
	return cmd
}

// notedHeads are heads of which only the hash was noted.
func notedHeads(texts []string) (known []records.Head, err error) {
	for _, text := range texts {
		var head records.Head
		if err := head.Hash.UnmarshalText([]byte(strings.TrimSpace(text))); err != nil {
			return nil, usagef("--head %s: a head is 64 hex digits, as provision records verify prints it", text)
		}
		known = append(known, head)
	}
	return known, nil
}

func (a *app) verify(ctx context.Context, store *records.Store, known []records.Head) error {
	report, err := store.Verify(ctx, known...)
	var tampered *records.TamperedError
	if err != nil && !errors.As(err, &tampered) {
		return databaseFault(store.Path(), err)
	}
	if a.json {
		if err := a.emit(recordsVerified{"records.verified", store.Path(), err == nil, report, tampered}); err != nil {
			return err
		}
	}
	if tampered != nil {
		return a.tampered(store.Path(), tampered)
	}
	if !a.json {
		through := ""
		if len(known) > 0 {
			through = ", and it goes through the head that was noted"
		}
		fmt.Fprintf(a.out, "%s: %d entries, nothing was changed%s; head %v\n", store.Path(), report.Head.N, through, report.Head.Hash)
	}
	return nil
}

// recordsVerified is what verify says as JSON.
type recordsVerified struct {
	Kind     string                 `json:"kind"`
	Database string                 `json:"database"`
	OK       bool                   `json:"ok"`
	Report   records.Report         `json:"report"`
	Tampered *records.TamperedError `json:"tampered"`
}

func (a *app) tampered(path string, what *records.TamperedError) error {
	fmt.Fprintf(a.err, "provision: %s: %v\n", path, what)
	return exitError{fault.ExitFail}
}
