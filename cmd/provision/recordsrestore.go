package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/records"
)

// restoreFlags are the flags of records restore.
type restoreFlags struct {
	db  dbFlags
	yes bool
}

func (a *app) recordsRestore() *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use: "restore FILE --yes", Short: "Make the records anew from a backup, where they are lost or damaged",
		Long: `Make the database anew from a backup, which is verified first. Stop the station: where
another program has the records open, nothing is done.

A database that is there is never deleted: it is kept beside, under a name with the
time. One that is sound and holds more than the backup, or another history, is not
replaced at all; what would be lost is named. Without --yes it is only told what would
be done.

What was done to units after the backup is not in it: a serial number that a station
counted since will be given again unless the sequence is moved on. docs/operator.md says
what to look at.

The records are those of --db FILE, else of --station FILE. They are always named.`, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.restore(cmd.Context(), args[0], f) },
	}
	f.db.add(cmd)
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it")
	return cmd
}

func (a *app) restore(ctx context.Context, backup string, f restoreFlags) error {
	if f.db.db == "" && f.db.station == "" {
		return usagef("which records? name them with --db FILE, or the profile with --station FILE")
	}
	path, err := f.db.path()
	if err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	for _, file := range []string{backup, path} {
		if err := notFolder(file); err != nil {
			return err
		}
	}
	if sameFile(backup, path) {
		return usagef("%s is the database itself", backup)
	}
	report, err := a.soundBackup(ctx, backup)
	if err != nil {
		return err
	}
	was, err := mayReplace(ctx, path, backup)
	switch {
	case err != nil:
		return err
	case was.sound() && was.beyond.Entries > 0:
		return a.refuseRestore(path, backup, was.beyond)
	case was.sound() && was.beyond.Common == report.Head.N:
		return usagef("%s holds what %s holds, and is sound: there is nothing to restore", path, backup)
	}
	plan := restorePlan(path, backup, was)
	if !f.yes {
		return usagef("nothing was done. With --yes, and the station stopped: %s", plan.sentence(report))
	}
	if report, err = records.Restore(ctx, backup, path, plan.aside); err != nil {
		return restoreFault(path, err)
	}
	if a.json {
		return a.emit(recordsCopied{Kind: "records.restored", Database: path, File: backup, Report: report, Aside: plan.aside, Lost: plan.lost})
	}
	_, err = fmt.Fprintf(a.out, "%s: %s, %d entries, verified; head %v\n", path, howMany(report.Rows["units"], "unit"), report.Head.N, report.Head.Hash)
	if plan.aside != "" {
		fmt.Fprintf(a.out, "  what was there is in %s\n", plan.aside)
	}
	return err
}

// soundBackup verifies a backup before anything else is asked.
func (a *app) soundBackup(ctx context.Context, backup string) (records.Report, error) {
	if _, err := os.Stat(backup); err != nil {
		return records.Report{}, usageError{fmt.Errorf("the backup cannot be read: %w", systemCause(err))}
	}
	store, err := records.OpenReadOnly(ctx, backup)
	if err != nil {
		return records.Report{}, databaseFault(backup, err)
	}
	defer store.Close()
	report, err := store.Verify(ctx)
	var tampered *records.TamperedError
	switch {
	case errors.As(err, &tampered):
		return report, a.tampered(backup, tampered)
	case err != nil:
		return report, databaseFault(backup, err)
	}
	return report, nil
}

// replaced is the database that a backup is to take the place of.
type replaced struct {
	there  bool
	beyond records.Beyond // what it holds and the backup does not
	broken error          // why it is no good any more
}

func (r replaced) sound() bool { return r.there && r.broken == nil }

// mayReplace looks at the database in place.
func mayReplace(ctx context.Context, path, backup string) (replaced, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return replaced{}, nil
	}
	beyond, err := records.Compare(ctx, path, backup)
	switch {
	case errors.Is(err, records.ErrCorrupt), errors.Is(err, records.ErrTampered), errors.Is(err, records.ErrNotDatabase):
		return replaced{true, beyond, err}, nil
	case err != nil:
		return replaced{}, databaseFault(path, err)
	}
	return replaced{true, beyond, nil}, nil
}

// refuseRestore says what only the database in place holds.
func (a *app) refuseRestore(path, backup string, lost records.Beyond) error {
	if a.json {
		if err := a.emit(recordsCopied{Kind: "records.kept", Database: path, File: backup, Lost: &lost}); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.err, "provision: %s is sound and holds what %s does not: %s. It stays.\n", path, backup, whatIsLost(lost))
	fmt.Fprintln(a.err, "  Go on with it. If the backup has to take its place all the same, move it away first, with its -wal and -shm files.")
	return exitError{fault.ExitFail}
}

// mostNamed is how many units are named in a sentence; the JSON has all.
const mostNamed = 12

// whatIsLost is what only one database holds, in a part of a sentence.
func whatIsLost(b records.Beyond) string {
	out := fmt.Sprintf("%s after entry %d, %s", howMany(b.Entries, "entry"), b.Common, howMany(b.Runs, "run"))
	if len(b.Units) == 0 {
		return out
	}
	named := b.Units[:min(len(b.Units), mostNamed)]
	out += fmt.Sprintf(", %s (%s", howMany(int64(len(b.Units)), "unit"), strings.Join(named, ", "))
	if more := len(b.Units) - len(named); more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out + ")"
}

// planned is what restore is to do.
type planned struct {
	path, backup, aside string
	lost                *records.Beyond
	broken              error
}

func restorePlan(path, backup string, was replaced) planned {
	p := planned{path: path, backup: backup, broken: was.broken}
	if was.there {
		p.aside = path + ".before-restore-" + time.Now().UTC().Format("20060102T150405Z")
	}
	if was.beyond.Entries > 0 {
		p.lost = &was.beyond
	}
	return p
}

func (p planned) sentence(report records.Report) string {
	out := fmt.Sprintf("%s is made anew from %s with %s, as of entry %d", p.path, p.backup, howMany(report.Rows["units"], "unit"), report.Head.N)
	if p.aside != "" {
		out += "; what is there now is kept as " + p.aside
	}
	if p.broken != nil {
		out += ". That one is no good any more: " + oneLine(p.broken)
	}
	if p.lost != nil {
		out += ". No longer on record will be: " + whatIsLost(*p.lost)
	}
	return out
}

// restoreFault says why the records could not be made anew.
func restoreFault(path string, err error) error {
	switch {
	case errors.Is(err, records.ErrBusy):
		return advise(fault.New(fault.Database, "", fmt.Errorf("another program has %s open", path)),
			"Stop the station, and whatever else reads these records, and try again.")
	case errors.Is(err, fs.ErrNotExist):
		return usagef("there is no folder %s", filepath.Dir(path))
	}
	return databaseFault(path, err)
}
