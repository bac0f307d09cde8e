package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/flow"
	"provision/internal/records"
)

func (a *app) unfinished() *cobra.Command {
	var f dbFlags
	cmd := &cobra.Command{
		Use: "unfinished", Short: "Units that were begun and are not complete, and what to do with each",
		Long: "Units that were begun and are not complete: those that go on when they are put in,\nthen those that wait for a person.\n\n" + whichDatabase,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := f.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			units, err := flow.Unfinished(cmd.Context(), store)
			if err != nil {
				return databaseFault(store.Path(), err)
			}
			if a.json {
				return a.unfinishedJSON(units)
			}
			if len(units) == 0 {
				fmt.Fprintf(a.out, "%s: every unit that was begun is complete\n", store.Path())
			}
			unfinishedText(a.out, units)
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

func (a *app) unfinishedJSON(units []flow.Outlook) error {
	for _, u := range units {
		if err := a.emit(struct {
			Kind string `json:"kind"`
			flow.Outlook
		}{"unit.unfinished", u}); err != nil {
			return err
		}
	}
	return nil
}

// openAndParked parts what flow.Unfinished lists: units that go on when they are put
// in, and units that wait for a person.
func openAndParked(units []flow.Outlook) (open, parked []flow.Outlook) {
	for i, u := range units {
		if u.State == records.StateParked {
			return units[:i], units[i:]
		}
	}
	return units, nil
}

// unfinishedText lists units with what to do below each.
func unfinishedText(w io.Writer, units []flow.Outlook) {
	for _, u := range units {
		stands, _, _ := strings.Cut(u.Stands, "\n")
		if u.State == records.StateOpen && u.Last != nil { // a parked unit's code says it
			stands += "; the last run " + lastEnd(u.Last)
		}
		fmt.Fprintf(w, "%s  %s\n", strings.Join(notEmpty(u.Serial, u.MAC, strings.ToUpper(string(u.State)), u.Code, u.Since.Local().Format(minutes)), "  "), stands)
		fmt.Fprintf(w, "    %s\n", u.Next)
	}
}

// lastEnd is how a run ended, as a part of a sentence.
func lastEnd(r *flow.LastRun) string {
	end := "was cut short, or goes on"
	if r.Verdict != "" {
		end = "ended as " + strings.Join(notEmpty(string(r.Verdict), r.Code), " ")
	}
	return r.At.Local().Format(minutes) + " " + end
}

// tellUnfinished lists every unit that a batch finds begun, before its first one: on
// stdout as JSON, else beside the output.
func (a *app) tellUnfinished(ctx context.Context, store *records.Store) error {
	units, err := flow.Unfinished(ctx, store)
	switch {
	case err != nil:
		return databaseFault(store.Path(), err)
	case a.json:
		return a.unfinishedJSON(units)
	}
	open, parked := openAndParked(units)
	a.tellUnits(open, "one unit was begun and is not complete", "%d units were begun and are not complete")
	a.tellUnits(parked, "one unit waits for a person", "%d units wait for a person")
	return nil
}

func (a *app) tellUnits(units []flow.Outlook, one, more string) {
	switch n := len(units); n {
	case 0:
		return
	case 1:
		fmt.Fprintf(a.err, "provision: %s:\n", one)
	default:
		fmt.Fprintf(a.err, "provision: "+more+":\n", n)
	}
	unfinishedText(a.err, units)
}
