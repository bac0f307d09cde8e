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
	"provision/internal/keys"
	"provision/internal/records"
)

func (a *app) keys() *cobra.Command {
	return group("keys", "Custody of the units' keys", a.keysInit(), a.keysStatus(), a.keysRecover())
}

func (a *app) keysInit() *cobra.Command {
	var profile, output string
	cmd := &cobra.Command{
		Use: "init --station FILE | --output FILE", Args: cobra.NoArgs,
		Short: "Make the station's identity (run does it the first time), or an owner's",
		Long: `Make an age identity, mode 0600, and print its public half.

--station FILE   the station's own, where the profile has it. It opens the keys of
                 unfinished units. The first run makes it too.
--output FILE    an owner's, to be made on the owner's machine and kept there. The
                 public half (age1...) goes into [keys] recipients of the profiles;
                 the file opens the keys of every unit that is escrowed to it. What
                 age-keygen makes is as good.`,
		RunE: func(*cobra.Command, []string) error {
			path, make, err := identityToMake(profile, output)
			if err != nil {
				return err
			}
			id, err := make(path)
			switch {
			case errors.Is(err, fs.ErrExist):
				return usagef("%s is there already; nothing was changed", path)
			case err != nil && output != "":
				return unwritable(path, err)
			case err != nil:
				return flow.AsFault(err, fault.KeySafety)
			}
			return a.sayIdentity(path, id)
		},
	}
	cmd.Flags().StringVar(&profile, "station", "", "station profile")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file for an owner's identity")
	return cmd
}

// identityToMake is where the identity goes that flags ask for, and what makes it.
func identityToMake(profile, output string) (path string, make func(string) (keys.Identity, error), err error) {
	if output == "" {
		path, err = identityPath(profile)
		return path, keys.CreateIdentity, err
	}
	if profile != "" {
		return "", nil, usagef("the station's identity or an owner's? say --station or --output, not both")
	}
	return output, keys.CreateOwnerIdentity, nil
}

func (a *app) keysStatus() *cobra.Command {
	var profile string
	cmd := &cobra.Command{
		Use: "status --station FILE", Short: "The station's identity, by its public half", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			path, err := identityPath(profile)
			if err != nil {
				return err
			}
			id, err := keys.LoadIdentity(path)
			if errors.Is(err, fs.ErrNotExist) {
				return advise(fault.New(fault.FileMissing, "", fmt.Errorf("there is no station identity %s yet", path)),
					"The first run makes it, or provision keys init --station "+shellQuote(profile)+".")
			}
			if err != nil {
				return flow.AsFault(err, fault.KeySafety)
			}
			return a.sayIdentity(path, id)
		},
	}
	cmd.Flags().StringVar(&profile, "station", "", "station profile")
	return cmd
}

func identityPath(profile string) (string, error) {
	if profile == "" {
		return "", usagef("which station? name its profile with --station FILE")
	}
	p, err := loadProfile(profile)
	if err != nil {
		return "", err
	}
	return p.Keys.Identity, nil
}

func (a *app) sayIdentity(path string, id keys.Identity) error {
	if a.json {
		return a.emit(map[string]any{"kind": "keys.identity", "file": path, "recipient": id.Recipient().String()})
	}
	_, err := fmt.Fprintf(a.out, "%s\n%s\n", path, id.Recipient())
	return err
}

// keysRecover opens an escrowed copy with the owner's identity: on the owner's
// machine, never on a station.
func (a *app) keysRecover() *cobra.Command {
	var f dbFlags
	var identity, output string
	cmd := &cobra.Command{
		Use: "recover --identity FILE --output DIR SERIAL | MAC", Args: cobra.ExactArgs(1),
		Short: "Open a unit's escrowed keys with the owner's age identity",
		Long: "Open a unit's escrowed keys with the owner's age identity, and write them as key\nfiles (mode 0600) that espsecure and provision secure understand. The folder is\n" +
			"made (mode 0700) where it is not there.\n\n" + whichDatabase,
		RunE: func(cmd *cobra.Command, args []string) error {
			if identity == "" || output == "" {
				return usagef("name the owner's age identity with --identity and a folder with --output")
			}
			id, err := keys.LoadIdentity(identity)
			if err != nil {
				return ownersIdentity(identity, err)
			}
			store, err := f.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			serial, opened, err := openKept(cmd.Context(), store, id, strings.TrimSpace(args[0]))
			if errors.Is(err, keys.ErrNotForUs) {
				return usagef("%s: its keys were not sealed to the identity in %s", serial, identity)
			}
			if err != nil {
				return err
			}
			defer opened.Wipe()
			return a.writeKeys(output, serial, opened)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&identity, "identity", "", "the owner's age identity file")
	cmd.Flags().StringVarP(&output, "output", "o", "", "folder for the key files")
	return cmd
}

// openKept opens the copy of its keys that is kept of the unit called name.
func openKept(ctx context.Context, store *records.Store, id keys.Identity, name string) (serial string, opened keys.UnitKeys, err error) {
	unit, err := unitNamed(ctx, store, name)
	switch {
	case errors.Is(err, records.ErrNotFound):
		return "", opened, nothingAbout(store, name)
	case err != nil:
		return "", opened, databaseFault(store.Path(), err)
	}
	sealed, err := store.SealedKeys(ctx, unit.ID)
	if err != nil {
		return "", opened, databaseFault(store.Path(), err)
	}
	copied := sealed.Escrow
	if copied == nil {
		copied = sealed.Working // an unfinished unit's, sealed to the owner too
	}
	if copied == nil {
		return "", opened, usagef("%s: custody was discard, so no copy of its keys was kept", unit.Serial)
	}
	opened, err = keys.OpenUnit(id, copied, unit.ID, unit.MAC)
	if err != nil && !errors.Is(err, keys.ErrNotForUs) {
		err = fault.New(fault.KeySafety, "", err)
	}
	return unit.Serial, opened, err
}

// writeKeys writes a unit's keys into a folder, each to a file of its own.
func (a *app) writeKeys(dir, serial string, opened keys.UnitKeys) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unwritable(dir, err)
	}
	for _, k := range opened.Keys {
		path := filepath.Join(dir, serial+"-"+k.Purpose+".bin")
		if err := writeNew(path, k.Key.Reveal(), 0o600); err != nil {
			return err
		}
		var err error
		if a.json {
			err = a.emit(map[string]any{"kind": "key.recovered", "serial": serial, "purpose": k.Purpose, "file": path})
		} else {
			_, err = fmt.Fprintln(a.out, path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ownersIdentity is what is wrong with the file that should hold the owner's
// identity: input, not a fault of a station.
func ownersIdentity(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.FileMissing, "", fmt.Errorf("%s cannot be read: no such file", path))
	}
	return usageError{err}
}
