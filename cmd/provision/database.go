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
$PROVISION_DB, else provision.db in this folder, else those that this user worked
with last on this machine: with run, batch, vouch, station selftest or the screen.`

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
	if path := os.Getenv("PROVISION_DB"); path != "" {
		return path, nil // named, so it has to be there
	}
	for _, path := range []string{"provision.db", lastDatabase()} {
		if _, err := os.Stat(path); path != "" && err == nil {
			return path, nil
		}
	}
	return "", advise(fault.New(fault.FileMissing, "", errNoRecords), "")
}

// errNoRecords: nobody named a database, and none is where one is looked for.
var errNoRecords = errors.New("no records here: name the database with --db FILE, or the profile with --station FILE")

// open opens the records for reading. Looking something up makes nothing.
func (f dbFlags) open(ctx context.Context) (*records.Store, error) {
	path, err := f.path()
	if err != nil {
		return nil, err
	}
	if err := isFile(path); err != nil {
		return nil, err
	}
	store, err := records.OpenReadOnly(ctx, path)
	return store, databaseFault(path, err)
}

// change opens the records to add to what is there already.
func (f dbFlags) change(ctx context.Context) (*records.Store, error) {
	path, err := f.path()
	if err != nil {
		return nil, err
	}
	if err := isFile(path); err != nil {
		return nil, err
	}
	store, err := records.Open(ctx, path)
	return store, databaseFault(path, err)
}

// begin opens the records to add to, and makes those that are named by --db or
// --station when they are not there yet.
func (f dbFlags) begin(ctx context.Context) (*records.Store, error) {
	if f.db == "" && f.station == "" {
		return f.change(ctx)
	}
	path, err := f.path()
	if err != nil {
		return nil, err
	}
	if err := notFolder(path); err != nil {
		return nil, err
	}
	store, err := records.Open(ctx, path)
	return store, databaseFault(path, err)
}

// unitNamed finds the one unit that a serial number or a MAC means, ErrNotFound
// without one.
func unitNamed(ctx context.Context, store *records.Store, name string) (records.Unit, error) {
	u, err := store.UnitBySerial(ctx, name)
	if errors.Is(err, records.ErrNotFound) {
		u, err = store.UnitByMAC(ctx, name)
	}
	if errors.Is(err, records.ErrInvalid) { // it is no MAC either
		return u, records.ErrNotFound
	}
	return u, err
}

// nothingAbout is what to say of a name that the records do not know.
func nothingAbout(store *records.Store, name string) error {
	return usagef("nothing about %q in %s", name, store.Path())
}

// isFile refuses a database that is not there, and a folder.
func isFile(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return databaseFault(path, err)
	}
	return notFolder(path)
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
		return advise(fault.New(fault.FileMissing, "", fmt.Errorf("there is no database %s", path)), "Correct its name, where it is given: --db, the profile, or $PROVISION_DB.")
	case errors.Is(err, fs.ErrPermission) && !errors.Is(err, records.ErrReadOnly):
		return advise(fault.New(fault.Database, "", fmt.Errorf("%s cannot be read: %w", path, systemCause(err))),
			"Make it readable for this user, or ask as the user that the station runs as.")
	}
	if errors.Is(err, records.ErrNotDatabase) {
		err = advise(flow.AsFault(err, fault.Database), "Correct the name of the database.")
	}
	if !strings.Contains(err.Error(), path) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return flow.AsFault(err, fault.Database)
}

// lastDatabaseFile keeps the name of the database that was worked with last; empty where
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

// rememberDatabase notes a database for look-ups that name none. It is
// a convenience: where it cannot be kept, nothing is lost.
func rememberDatabase(path string) {
	file := lastDatabaseFile()
	if file == "" || os.MkdirAll(filepath.Dir(file), 0o755) != nil {
		return
	}
	_ = os.WriteFile(file, []byte(path+"\n"), 0o644)
}
