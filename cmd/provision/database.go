package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/records"
)

// dbFlags say which records a command reads.
type dbFlags struct{ db, station string }

func (f *dbFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.db, "db", "", "records database (default: see provision help lookup)")
	cmd.Flags().StringVar(&f.station, "station", "", "station profile that names the database")
}

// whichDatabase is explained in the help of the commands that use it.
const whichDatabase = `The records are those of --db FILE, else of --station FILE, else of
$PROVISION_DB, else provision.db in this folder, else those of the last run that
this user made on this machine.`

// path is the database to read.
func (f dbFlags) path() (string, error) {
	switch {
	case f.db != "":
		return f.db, nil
	case f.station != "":
		p, err := loadProfile(f.station)
		if err != nil {
			return "", err
		}
		return p.Records.Database, nil
	}
	for _, path := range []string{os.Getenv("PROVISION_DB"), "provision.db", lastDatabase()} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fault.New(fault.FileMissing, "", errors.New("no records here: name the database with --db FILE, or the profile with --station FILE"))
}

// open opens the records for reading. Looking something up makes nothing.
func (f dbFlags) open(ctx context.Context) (*records.Store, error) {
	path, err := f.path()
	if err != nil {
		return nil, err
	}
	if err := notFolder(path); err != nil {
		return nil, err
	}
	store, err := records.OpenReadOnly(ctx, path)
	return store, databaseFault(path, err)
}

// notFolder refuses a folder named as the database, which SQLite would report as a
// file it may not write.
func notFolder(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return usagef("%s is a folder; the records are one file: name it with --db, or as [records] database in the profile", path)
	}
	return nil
}

func databaseFault(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fault.New(fault.FileMissing, "", fmt.Errorf("there is no database %s", path))
	}
	return flow.AsFault(fmt.Errorf("%s: %w", path, err), fault.Database)
}

// lastDatabaseFile keeps the name of the database of the last run; empty where
// this user has no place for such things.
func lastDatabaseFile() string {
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "provision", "last-database")
}

func lastDatabase() string {
	data, err := os.ReadFile(lastDatabaseFile())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// rememberDatabase notes the database of a run for look-ups that name none. It is
// a convenience: where it cannot be kept, nothing is lost.
func rememberDatabase(path string) {
	file := lastDatabaseFile()
	if file == "" || os.MkdirAll(filepath.Dir(file), 0o755) != nil {
		return
	}
	_ = os.WriteFile(file, []byte(path+"\n"), 0o644)
}
