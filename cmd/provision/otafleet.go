package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/fleet"
	"provision/internal/ota"
)

// otaFleetFlags are the flags of ota fleet.
type otaFleetFlags struct{ db, station, list string }

func (a *app) otaFleet() *cobra.Command {
	var f otaFleetFlags
	cmd := &cobra.Command{
		Use: "fleet IMAGE [--station FILE | NAME] [--list FILE | -]", Args: cobra.ExactArgs(1),
		Short: "From the records: which units accept this image, which do not, and why",
		Long: `Say of every unit that is complete in the records whether it would accept IMAGE as
an update: how many do, how many do not, by reason. A unit whose record lacks a fact
that matters counts as UNKNOWN; nothing is guessed.

--station takes a profile, and then asks its records about the units of its station;
or the name of a station, as the records have it. --list writes every unit with its
answer, as CSV: serial, mac, verdict, reason.

Exit 0: there are units, and every one of them accepts it. 1: anything else.

` + whichDatabase,
		RunE: func(cmd *cobra.Command, args []string) error { return a.askFleet(cmd.Context(), args[0], f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.db, "db", "", "records database (default: see provision help lookup)")
	fl.StringVar(&f.station, "station", "", "only units made at this station: a profile, or a name")
	fl.StringVar(&f.list, "list", "", "write the list of units to this file, or to - for standard output")
	return cmd
}

// where resolves --station: a profile names records and station, any other word the
// station alone.
func (f otaFleetFlags) where() (dbFlags, fleet.Filter, error) {
	_, err := os.Stat(f.station)
	switch {
	case f.station == "":
		return dbFlags{db: f.db}, fleet.Filter{}, nil
	case errors.Is(err, fs.ErrNotExist) && !strings.HasSuffix(f.station, ".toml"):
		return dbFlags{db: f.db}, fleet.Filter{Station: f.station}, nil
	}
	p, err := loadProfile(f.station)
	if err != nil {
		return dbFlags{}, fleet.Filter{}, err
	}
	return dbFlags{db: f.db, station: f.station}, fleet.Filter{Station: p.Station.Name}, nil
}

func (a *app) askFleet(ctx context.Context, path string, f otaFleetFlags) error {
	data, err := readInput(path)
	if err != nil {
		return err
	}
	which, filter, err := f.where()
	if err != nil {
		return err
	}
	store, err := which.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	update := newUpdate(path, data)
	answer, err := fleet.Ask(ctx, store, update.image, filter)
	if err != nil {
		return databaseFault(store.Path(), err)
	}
	switch {
	case a.json:
		err = a.emit(struct {
			Kind     string `json:"kind"`
			File     string `json:"file"`
			SHA256   string `json:"sha256"`
			Database string `json:"database"`
			Station  string `json:"station,omitempty"`
			fleet.Answer
		}{"ota.fleet", path, update.facts.SHA256, store.Path(), filter.Station, answer})
	case f.list == "-":
		printFleet(a.err, update, store.Path(), answer)
	default:
		printFleet(a.out, update, store.Path(), answer)
	}
	if err == nil && f.list != "" {
		err = a.listFleet(ctx, f.list, answer, path, store.Path())
	}
	if err == nil && !answer.All() {
		err = exitError{fault.ExitFail}
	}
	return err
}

// printFleet is the answer for a person.
func printFleet(w io.Writer, u *update, database string, answer fleet.Answer) {
	units := fmt.Sprintf("%d complete units", answer.Units)
	if answer.Units == 1 {
		units = "1 complete unit"
	}
	table(w, "", [][]string{{"image", u.path}, {"", u.what(nil)}, {"for", units + " in " + database}})
	if answer.Units == 0 {
		fmt.Fprintln(w, "\nThere is no unit to ask about.")
		return
	}
	for _, g := range answer.Groups {
		fmt.Fprintf(w, "\n%7d  %s", g.Count, g.Verdict)
		if g.Code != "" {
			fmt.Fprintf(w, "  (%s)", g.Code)
		}
		fmt.Fprintln(w)
		const deep = "         "
		paragraph(w, deep, g.Says)
		for _, line := range g.Lines {
			fmt.Fprintln(w, deep+"  | "+line)
		}
		for _, fact := range g.Missing {
			paragraph(w, deep, "- "+fact)
		}
		if g.Do != "" {
			paragraph(w, deep, "To do: "+g.Do)
		}
		if g.Code != "" {
			paragraph(w, deep, "More: docs/ota.md#"+string(g.Code))
		}
	}
}

// listFleet writes every unit with its answer: as CSV, or with --json and - one object
// a line.
func (a *app) listFleet(ctx context.Context, to string, answer fleet.Answer, inputs ...string) error {
	var b strings.Builder
	b.WriteString("serial,mac,verdict,reason\n")
	for m, err := range answer.Members(ctx) {
		if err != nil {
			return fault.New(fault.Database, "", err)
		}
		g := answer.Groups[m.Group]
		if a.json && to == "-" {
			err = a.emit(struct {
				Kind string `json:"kind"`
				fleet.Member
				Verdict ota.Verdict `json:"verdict"`
				Code    ota.Code    `json:"code,omitempty"`
			}{"ota.unit", m, g.Verdict, g.Code})
			if err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(&b, "%s,%s,%s,%s\n", csvField(m.Serial), m.MAC, g.Verdict, g.Code)
	}
	switch {
	case to != "-":
		return writeOutput(to, []byte(b.String()), 0o644, inputs...)
	case a.json:
		return nil
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

// csvField is a serial number as CSV has it: any printable character may be in one.
func csvField(s string) string {
	if strings.ContainsAny(s, `,"`) {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}
