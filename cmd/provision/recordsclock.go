package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"provision/internal/flow"
	"provision/internal/records"
)

func (a *app) recordsClock() *cobra.Command {
	var d decision
	cmd := &cobra.Command{
		Use: "clock TIME [--person NAME] --reason TEXT", Short: "Stand for the clock, where the records say that it is behind (E903)",
		Long: `Stand for this machine's clock, where the records say that it is behind them (E903) and
it is right: an earlier run was made with the clock ahead. TIME is what another clock
says now, a watch or a telephone, as "2026-03-02 14:30" in this machine's time zone: the
machine's own has to agree with it to within five minutes. Later runs are compared with
those that are recorded from then on. Who said so, and why, stays in the history.

` + whichDatabase, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			told, err := watchTime(args[0])
			if err != nil {
				return err
			}
			store, err := d.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			return a.acceptClock(cmd.Context(), store, told, d)
		},
	}
	d.add(cmd)
	return cmd
}

// watchTime is the time that a person reads off another clock.
func watchTime(text string) (at time.Time, err error) {
	text = strings.TrimSpace(text)
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", time.DateTime, time.RFC3339} {
		if at, err = time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return at, usagef("%q is no time: what does another clock say now, as \"2026-03-02 14:30\"?", text)
}

// acceptClock puts on record that the clock is right, which has to be in the way and to
// be what the person says.
func (a *app) acceptClock(ctx context.Context, store *records.Store, told time.Time, d decision) error {
	now := time.Now()
	if off := now.Sub(told).Abs(); off > flow.ClockTolerance {
		return usagef("this machine's clock says %s, so it is not right: set it, then see whether the records still object",
			now.Format("2006-01-02 15:04 MST"))
	}
	latest, err := store.LatestTime(ctx)
	if err != nil {
		return databaseFault(store.Path(), err)
	}
	if latest.Sub(now) <= flow.ClockTolerance {
		return usagef("the clock is not behind the records; there is nothing to accept")
	}
	if err := store.AcceptClock(ctx, now, d.person, d.reason); err != nil {
		return databaseFault(store.Path(), err)
	}
	if a.json {
		return a.emit(clockAccepted{Kind: "clock.accepted", Time: now.UTC(), Latest: latest, Person: d.person, Reason: d.reason})
	}
	_, err = fmt.Fprintf(a.err, "provision: the clock is accepted as right (%s); what was recorded before, up to %s, no longer counts for it\n",
		now.Format("2006-01-02 15:04 MST"), latest.Local().Format("2006-01-02 15:04 MST"))
	return err
}

// clockAccepted is what records clock says as JSON.
type clockAccepted struct {
	Kind   string    `json:"kind"`
	Time   time.Time `json:"time"`
	Latest time.Time `json:"latest"` // on record, that the clock is behind
	Person string    `json:"person"`
	Reason string    `json:"reason"`
}
