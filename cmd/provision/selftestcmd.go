package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"provision/internal/catalog"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/shift"
)

// selfTestOnly is the self-test of the station screen for who has no screen.
func (a *app) selfTestOnly() *cobra.Command {
	var db string
	cmd := &cobra.Command{
		Use:   "selftest FILE",
		Short: "What the station screen checks when it starts: records, disk, clock, keys, files, ports, printer",
		Long: `Check a station as its screen does when it starts: that records can be written and
reach the disk, space, clock, the station's keys, the job's files and their signer,
the ports of all slots, scanner and printer; and tell of units that are unfinished.
No unit is touched. Exit 3: something is bad. 0: nothing is; a port that does not open,
while others do, is only a warning.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := stationProfile(args[0], db)
			if err != nil {
				return err
			}
			slots, err := a.slots(p, true)
			if err != nil {
				return err
			}
			var run flow.Config
			store, closeAll, err := a.openRecords(cmd.Context(), p, &run, portsOf(slots)...)
			if err != nil {
				return err
			}
			defer closeAll()
			test := selfTest{profile: p, store: store, slots: slots, now: time.Now}
			labels, err := openLabels(p)
			if err != nil {
				return err
			}
			if labels != nil {
				test.printer = labels.printer
			}
			words, err := catalog.Load("en")
			if err != nil {
				return err
			}
			return a.tellChecks(words, func(tell checkTeller) { test.run(cmd.Context(), tell) })
		},
	}
	cmd.Flags().StringVar(&db, "db", "", "records database (default: the profile's)")
	return cmd
}

// checkTeller is told each line of a self-test.
type checkTeller func(shift.CheckFacts, ...shift.Fault)

// tellChecks prints the lines of a self-test as they come. What is bad decides the
// exit code.
func (a *app) tellChecks(words *catalog.Catalog, test func(checkTeller)) error {
	bad := false
	test(func(c shift.CheckFacts, faults ...shift.Fault) {
		bad = bad || c.State == checkBad
		var code fault.Code
		var do string
		for _, f := range faults {
			code, do = f.Code, f.Do
		}
		if a.json {
			// An output that cannot be written is told at the end of the program.
			_ = a.emit(struct {
				Kind  string           `json:"kind"`
				Check shift.CheckFacts `json:"check"`
				Code  fault.Code       `json:"code,omitempty"`
				Do    string           `json:"do,omitempty"`
			}{"check.line", c, code, do})
			return
		}
		name := c.Name
		if words.Has(name) {
			name = words.Text(name)
		}
		if words.Has(c.Name+"_do") && c.State != checkOK && code == "" {
			do = words.Text(c.Name + "_do")
		}
		fmt.Fprintf(a.out, "%-4s  %-22s %s\n", strings.ToUpper(c.State), name, strings.Join(notEmpty(string(code), c.Text), "  "))
		if do != "" {
			fmt.Fprintf(a.out, "      %s\n", do)
		}
		unfinishedText(a.out, c.Units)
	})
	if bad {
		return exitError{fault.ExitError}
	}
	return nil
}
