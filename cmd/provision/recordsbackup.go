package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/records"
)

func (a *app) recordsBackup() *cobra.Command {
	var f dbFlags
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Copy the records, whole and verified, while the station works",
		Long: `Copy the records as they are at this moment into a new FILE, and verify the copy. The
station may go on working. A FILE that is there stays as it is. The copy of a database
that was tampered with or is damaged is refused (exit 1 and 3).

FILE is to be guarded like the records: of units that are unfinished now it holds the
sealed keys, which the station's identity opens. Copying the database by hand is no
backup: its latest entries lie in a file beside it.

` + whichDatabase, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := f.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			return a.backup(cmd.Context(), store, args[0])
		},
	}
	f.add(cmd)
	return cmd
}

func (a *app) backup(ctx context.Context, store *records.Store, path string) error {
	report, err := store.Backup(ctx, path)
	var tampered *records.TamperedError
	switch {
	case errors.Is(err, fs.ErrExist):
		return usagef("%s is there already: a backup is written to a new file", path)
	case errors.Is(err, fs.ErrNotExist):
		return usagef("there is no folder %s", filepath.Dir(path))
	case errors.As(err, &tampered):
		return a.tampered(store.Path(), tampered)
	case err != nil:
		return databaseFault(store.Path(), err)
	}
	if a.json {
		return a.emit(recordsCopied{Kind: "records.backed_up", Database: store.Path(), File: path, Report: report})
	}
	_, err = fmt.Fprintf(a.out, "%s: %s, %d entries, verified; head %v\n", path, howMany(report.Rows["units"], "unit"), report.Head.N, report.Head.Hash)
	return err
}

// recordsCopied is what backup and restore say as JSON. File is the backup; Aside is where
// the database lies that was there before, Lost what only that one holds.
type recordsCopied struct {
	Kind     string          `json:"kind"`
	Database string          `json:"database"`
	File     string          `json:"file"`
	Report   records.Report  `json:"report"`
	Aside    string          `json:"aside,omitempty"`
	Lost     *records.Beyond `json:"lost,omitempty"`
}

// howMany is a number of things.
func howMany(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "y") {
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(what, "y"))
	}
	return fmt.Sprintf("%d %ss", n, what)
}
