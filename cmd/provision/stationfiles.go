package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/keys"
	"provision/internal/records"
	"provision/internal/station"
)

// stationProfile loads the profile a command was given, with its records elsewhere
// where --db says so.
func stationProfile(path, db string) (*station.Profile, error) {
	if path == "" {
		return nil, usagef("which station? name its profile with --station FILE")
	}
	p, err := loadProfile(path)
	if err == nil && db != "" {
		p.UseDatabase(absolute(db))
	}
	return p, err
}

// loadProfile reads a profile; what is wrong with it is an input fault.
func loadProfile(path string) (*station.Profile, error) {
	p, err := station.Load(path)
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, station.ErrUnreadable):
		return nil, unreadable(path, err)
	case errors.Is(err, station.ErrUnsupported):
		return nil, fault.New(fault.Unsupported, "", err)
	}
	return nil, fault.New(fault.BadProfile, "", err)
}

// durable is whether a place keeps what was committed to it; doubt is what nobody can
// find out about one from here.
var durable, doubt = records.Durable, records.Doubt

// openRecords opens the database and the station's identity, and notes the
// database for look-ups that name none. Where one of the ports may have a real unit
// at it, the database has to lie where a commit outlives the power. The store, which is
// cfg's too, is nil in a dry run that found none; cfg.Records then stays nil as well.
func (a *app) openRecords(ctx context.Context, p *station.Profile, cfg *flow.Config, ports ...string) (*records.Store, func(), error) {
	if !cfg.DryRun && !allVirtual(ports) {
		warnings, err := outlivesPower(p)
		if err != nil {
			return nil, nil, flow.AsFault(err, fault.Database)
		}
		if cfg.Job != nil {
			cfg.Job.Warnings = append(cfg.Job.Warnings, warnings...)
		}
	}
	store, closeAll, err := a.openRecordsQuietly(ctx, p, cfg)
	if err == nil && store != nil {
		rememberDatabase(p.Records.Database)
	}
	return store, closeAll, err
}

// outlivesPower refuses a place for the records, or for a station's identity that is
// still to be made, that keeps nothing. An identity that is there in memory may have been
// put there on purpose, at each start from a safe place: that is a warning.
func outlivesPower(p *station.Profile) (warnings []string, err error) {
	if err := durable(p.Records.Database); err != nil {
		return nil, err
	}
	if why := doubt(p.Records.Database); why != "" {
		warnings = append(warnings, "Nobody can say whether the records outlive a power cut: "+why+".")
	}
	err = durable(p.Keys.Identity)
	if _, there := os.Stat(p.Keys.Identity); err == nil || errors.Is(there, fs.ErrNotExist) {
		return warnings, err
	}
	return append(warnings, fmt.Sprintf("Without the station's identity nothing opens the keys of unfinished units, and %v.", err)), nil
}

// allVirtual reports whether there are only virtual units at these ports.
func allVirtual(ports []string) bool {
	return !slices.ContainsFunc(ports, func(port string) bool { return !isVirtual(port) })
}

// openRecordsQuietly opens the database and the station's identity. A dry run reads
// what is there and makes nothing.
func (a *app) openRecordsQuietly(ctx context.Context, p *station.Profile, cfg *flow.Config) (*records.Store, func(), error) {
	if err := notFolder(p.Records.Database); err != nil {
		return nil, nil, err
	}
	open := records.Open
	if cfg.DryRun {
		open = records.OpenReadOnly
	}
	if !cfg.DryRun {
		if err := os.MkdirAll(filepath.Dir(p.Records.Database), 0o755); err != nil {
			return nil, nil, flow.AsFault(fmt.Errorf("make the folder of the records: %w", err), fault.Database)
		}
	}
	store, err := open(ctx, p.Records.Database)
	if cfg.DryRun && errors.Is(err, fs.ErrNotExist) {
		return nil, func() {}, nil
	}
	if err != nil {
		return nil, nil, flow.AsFault(err, fault.Database)
	}
	cfg.Records = store
	closeAll := func() {
		if err := store.Close(); err != nil {
			fmt.Fprintf(a.err, "provision: close %s: %v\n", p.Records.Database, err)
		}
	}
	if cfg.Identity, err = sealingIdentity(ctx, p, store, cfg.DryRun); err != nil {
		closeAll()
		return nil, nil, err
	}
	return store, closeAll, nil
}

// sealingIdentity is the station's identity, and not one of the owner's. A dry run
// seals nothing and needs none.
func sealingIdentity(ctx context.Context, p *station.Profile, store *records.Store, dryRun bool) (keys.Identity, error) {
	id, err := stationIdentity(p.Keys.Identity, !dryRun, func() error { return notMissed(ctx, p, store) })
	switch {
	case dryRun && errors.Is(err, fs.ErrNotExist):
		return id, nil
	case err != nil:
		return id, flow.AsFault(err, fault.KeySafety)
	}
	if err := ownRecipient(p, id); err != nil {
		return id, flow.AsFault(fmt.Errorf("%s: %w", p.Path, err), fault.BadProfile)
	}
	return id, nil
}

// leftoverAge is how old a file has to be to be nobody's: making an identity takes
// less than a second.
const leftoverAge = time.Hour

// notMissed reports the units whose keys nobody could open without the identity that
// is not there: a new one in its place would hide that.
func notMissed(ctx context.Context, p *station.Profile, store *records.Store) error {
	n, err := store.WorkingKeys(ctx)
	if err != nil || n == 0 {
		return err
	}
	return fmt.Errorf("%s is missing, and nothing else opens the keys of the unfinished units (%d): put the file back. "+
		"If it is lost for good, so are those units; `provision keys init --station %s` then makes a new one",
		p.Keys.Identity, n, p.Path)
}

// stationIdentity loads the station's identity, and makes it the first time, unless
// mayMake objects.
func stationIdentity(path string, create bool, mayMake func() error) (keys.Identity, error) {
	if create {
		if err := keys.RemoveLeftovers(path, time.Now().Add(-leftoverAge)); err != nil {
			return keys.Identity{}, err
		}
	}
	id, err := keys.LoadIdentity(path)
	if !errors.Is(err, fs.ErrNotExist) || !create {
		return id, err
	}
	if err := mayMake(); err != nil {
		return id, err
	}
	id, err = keys.CreateIdentity(path)
	if errors.Is(err, fs.ErrExist) { // another run was first
		return keys.LoadIdentity(path)
	}
	return id, err
}
