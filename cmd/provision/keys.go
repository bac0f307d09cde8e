package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

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
	var profile string
	cmd := &cobra.Command{
		Use: "init --station FILE", Short: "Make the station's identity (run does it the first time)", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			path, err := identityPath(profile)
			if err != nil {
				return err
			}
			id, err := keys.CreateIdentity(path)
			if errors.Is(err, fs.ErrExist) {
				return usagef("%s is there already; nothing was changed", path)
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
				return fault.New(fault.FileMissing, "", fmt.Errorf("there is no station identity %s yet; the first run makes it, or provision keys init", path))
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
		Use: "recover --identity FILE --output DIR SERIAL", Args: cobra.ExactArgs(1),
		Short: "Open a unit's escrowed keys with the owner's age identity",
		Long:  "Open a unit's escrowed keys with the owner's age identity, and write them as key\nfiles (mode 0600) that espsecure and provision secure understand.\n\n" + whichDatabase,
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
			unit, err := store.UnitBySerial(cmd.Context(), args[0])
			if errors.Is(err, records.ErrNotFound) {
				unit, err = store.UnitByMAC(cmd.Context(), args[0])
			}
			switch {
			case errors.Is(err, records.ErrNotFound), errors.Is(err, records.ErrInvalid):
				return usagef("nothing about %q in %s", args[0], store.Path())
			case err != nil:
				return databaseFault(store.Path(), err)
			}
			sealed, err := store.SealedKeys(cmd.Context(), unit.ID)
			if err != nil {
				return databaseFault(store.Path(), err)
			}
			copied := sealed.Escrow
			if copied == nil {
				copied = sealed.Working // an unfinished unit's, sealed to the owner too
			}
			if copied == nil {
				return usagef("%s: custody was discard, so no copy of its keys was kept", unit.Serial)
			}
			opened, err := keys.OpenUnit(id, copied, unit.ID, unit.MAC)
			switch {
			case errors.Is(err, keys.ErrNotForUs):
				return usagef("%s: its keys were not sealed to the identity in %s", unit.Serial, identity)
			case err != nil:
				return fault.New(fault.KeySafety, "", err)
			}
			defer opened.Wipe()
			for _, k := range opened.Keys {
				path := filepath.Join(output, unit.Serial+"-"+k.Purpose+".bin")
				if err := writeNew(path, k.Key.Reveal(), 0o600); err != nil {
					return err
				}
				fmt.Fprintln(a.out, path)
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&identity, "identity", "", "the owner's age identity file")
	cmd.Flags().StringVar(&output, "output", "", "folder for the key files")
	return cmd
}

// ownersIdentity is what is wrong with the file that should hold the owner's
// identity: input, not a fault of a station.
func ownersIdentity(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.FileMissing, "", fmt.Errorf("%s cannot be read: no such file", path))
	}
	return usageError{err}
}
