package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/flow"
	"provision/internal/records"
)

// vouch finishes the record of a unit that can no longer be asked.
func (a *app) vouch() *cobra.Command {
	var f runFlags
	var v flow.Voucher
	cmd := &cobra.Command{
		Use:   "vouch SERIAL --station FILE [--port PORT] [--person NAME] --reason TEXT",
		Short: "Complete a unit whose download mode was closed just before its PASS could be recorded",
		Long: `Complete a unit that lost its power between the burn of UART_DOWNLOAD_DIS, the last
there is, and the record of PASS (E108). All the rest was read back and is on record.
The unit has to say that its download mode is closed, and to pass the profile's boot
check; which unit it is, it cannot say any more: whoever vouches for it, and how they
know, stays on record. Nothing is written to the unit.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.serial, f.operator, f.yes = strings.TrimSpace(args[0]), v.Person, true // nothing is burnt
			cfg, closeAll, err := a.prepareVouch(cmd.Context(), &f, v)
			if err != nil {
				return a.refused(f, err)
			}
			defer closeAll()
			show := a.newShow("provision vouch   "+f.serial+"   "+f.port, false)
			cfg.Sink = show.sink
			a.judged = true
			res := flow.Vouch(cmd.Context(), cfg, v)
			show.stop()
			return a.conclude(res, show)
		},
	}
	f.add(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.station, "station", "", "station profile that the unit was begun with (required)")
	fl.StringVar(&f.db, "db", "", "records database (default: the profile's)")
	fl.StringVar(&v.Person, "person", systemUser(), "who says that it is this unit")
	fl.StringVar(&v.Reason, "reason", "", "how they know: its label, where it sat")
	return cmd
}

// prepareVouch is prepare for a unit that has to be on record, by somebody who stands
// for it.
func (a *app) prepareVouch(ctx context.Context, f *runFlags, v flow.Voucher) (flow.Config, func(), error) {
	if v.Person == "" || v.Reason == "" {
		return flow.Config{}, nil, usagef("who says that it is this unit, and how do they know? say --person and --reason")
	}
	cfg, closeAll, err := a.prepare(ctx, f)
	if err != nil {
		return flow.Config{}, nil, err
	}
	if _, err := f.store.UnitBySerial(ctx, f.serial); errors.Is(err, records.ErrNotFound) {
		closeAll()
		return flow.Config{}, nil, nothingAbout(f.store, f.serial)
	}
	return cfg, closeAll, nil
}
