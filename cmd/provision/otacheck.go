package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/flashcrypt"
	"provision/internal/fleet"
	"provision/internal/image"
	"provision/internal/job"
	"provision/internal/keys"
	"provision/internal/ota"
	"provision/internal/records"
	"provision/internal/secureboot"
)

// otaCheckFlags are the flags of ota check: whose facts the image is held against.
type otaCheckFlags struct {
	dbFlags
	serial, keyfile, publicKey string
	fleet                      bool
}

func (a *app) otaCheck() *cobra.Command {
	var f otaCheckFlags
	cmd := &cobra.Command{
		Use: "check IMAGE [--serial SERIAL | --station FILE | --fleet | --public-key KEY]", Args: cobra.ExactArgs(1),
		Short: "Will this image be accepted as an update, and if not, why",
		Long: `Say whether a unit would accept IMAGE as an update over the air, and if not, every
reason that can be seen: who refuses, in which words, and what to do about it.

  --serial SERIAL   the unit with that serial number or MAC, as the records know it
  --station FILE    the units that a profile makes
  --fleet           every unit in the records, by reason (as ota fleet)
  --public-key KEY  units that trust this key, of which nothing else is known
  none of them      what the image is, and which facts of a unit would decide

ACCEPTED    the unit writes it, switches to it and starts it
REFUSED     esp_ota gives up, and the unit goes on with the app it has
FALLS BACK  the bootloader does not start it, and the unit comes back with the old app
UNKNOWN     nothing is seen against it, and facts are missing that could be

Exit 0: accepted. 1: anything else.

` + whichDatabase,
		RunE: func(cmd *cobra.Command, args []string) error { return a.checkUpdate(cmd.Context(), args[0], f) },
	}
	f.add(cmd)
	fl := cmd.Flags()
	fl.Lookup("station").Usage = "station profile: the units that it makes; with --serial or --fleet, their records"
	fl.StringVar(&f.serial, "serial", "", "serial number or MAC of the unit")
	fl.BoolVar(&f.fleet, "fleet", false, "all units in the records")
	fl.StringVar(&f.publicKey, "public-key", "", "the fleet's public key (ECDSA: Secure Boot V1, RSA: V2): units that trust it")
	fl.StringVarP(&f.keyfile, "keyfile", "k", "", "the unit's own flash key, where it is kept: recognises its ciphertext, foretells what it reads behind the image")
	return cmd
}

func (a *app) checkUpdate(ctx context.Context, path string, f otaCheckFlags) error {
	switch {
	case f.publicKey != "" && (f.fleet || f.serial != "" || f.station != "" || f.db != ""):
		return usagef("--public-key is for units that are in no records; leave it out, or name no unit")
	case f.fleet && (f.serial != "" || f.keyfile != ""):
		return usagef("one unit or all of them? say --serial or --fleet, not both")
	case f.fleet:
		return a.askFleet(ctx, path, otaFleetFlags{db: f.db, station: f.station})
	}
	data, err := readInput(path)
	if err != nil {
		return err
	}
	whom, err := f.facts(ctx)
	if err != nil {
		return err
	}
	update := newUpdate(path, data)
	update.report = whom.check(update.image)
	if a.json {
		err = a.emit(update.json(whom))
	} else {
		update.print(a.out, whom)
	}
	if err == nil && update.report.Verdict != ota.Accepted {
		err = exitError{fault.ExitFail}
	}
	return err
}

// whom is a unit that an update is held against, or what many have in common.
type whom struct {
	name   string // for people; empty: nothing is known of any unit
	serial string
	mac    string
	device ota.Device
	keys   []records.Key // what is known of its keys, in the clear
	made   *job.Job      // what they have in common is that they are made by it; nil: one unit
}

func (w whom) check(im *ota.Image) ota.Report {
	if w.made != nil {
		return fleet.CheckJob(w.made, im)
	}
	return im.Check(w.device)
}

// facts are those of the unit that the flags name.
func (f otaCheckFlags) facts(ctx context.Context) (w whom, err error) {
	switch {
	case f.publicKey != "":
		w, err = f.trusting()
	case f.serial != "":
		w, err = f.recorded(ctx)
	case f.station != "" && f.keyfile != "":
		return w, usagef("--keyfile is one unit's own: name the unit with --serial")
	case f.station != "":
		w, err = profileUnits(f.station)
	case f.db != "":
		return w, usagef("which unit in %s? name it with --serial, or say --fleet for all of them", f.db)
	}
	if err == nil && f.keyfile != "" {
		err = f.addFlashKey(&w)
	}
	return w, err
}

// trusting are units of which no more is known than whose apps they run. With it all
// that is said of signatures can be asked without records, and for Secure Boot V2.
func (f otaCheckFlags) trusting() (whom, error) {
	file, err := readFlag("--public-key", f.publicKey)
	if err != nil {
		return whom{}, err
	}
	scheme, signer := 1, ""
	if v1, err := secureboot.ParsePublicKeyV1(file); err == nil {
		signer = v1.Fingerprint()
	} else {
		v2, err := secureboot.ParsePublicKeyV2(file)
		if err != nil {
			return whom{}, usagef("%s is no public key of Secure Boot V1 (ECDSA P-256) or V2 (RSA-3072)", f.publicKey)
		}
		digest, err := secureboot.KeyDigestV2(v2)
		if err != nil {
			return whom{}, usagef("%s: %w", f.publicKey, err)
		}
		scheme, signer = 2, hex.EncodeToString(digest[:])
	}
	return whom{name: "units that trust " + f.publicKey, device: ota.Device{
		Chip: ota.Known(image.ESP32), SecureBoot: ota.Known(scheme), ChecksApps: ota.Known(true), Trusts: ota.Known([]string{signer}),
	}}, nil
}

// profileUnits are the units that a profile makes. The update that it plans itself is
// not asked about.
func profileUnits(path string) (whom, error) {
	p, err := loadProfile(path)
	if err != nil {
		return whom{}, err
	}
	j, err := job.New(p)
	if err != nil {
		return whom{}, err
	}
	return whom{name: "the units of " + filepath.Base(path), device: fleet.DeviceOfJob(j), made: j}, nil
}

// recorded is the unit that the records have under the name given with --serial.
func (f otaCheckFlags) recorded(ctx context.Context) (w whom, err error) {
	store, err := f.open(ctx)
	if err != nil {
		return w, err
	}
	defer store.Close()
	unit, err := unitNamed(ctx, store, strings.TrimSpace(f.serial))
	switch {
	case errors.Is(err, records.ErrNotFound):
		return w, nothingAbout(store, f.serial)
	case err != nil:
		return w, databaseFault(store.Path(), err)
	}
	if w.device, err = fleet.Load(ctx, store, unit); err != nil {
		return w, databaseFault(store.Path(), err)
	}
	sealed, err := store.SealedKeys(ctx, unit.ID)
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		return w, databaseFault(store.Path(), err)
	}
	w.keys, w.serial, w.mac = sealed.Keys, unit.Serial, unit.MAC
	w.name = fmt.Sprintf("unit %s, %s", unit.Serial, unit.MAC)
	if unit.State != records.StateComplete {
		w.name += fmt.Sprintf(", %s: not complete", unit.State)
	}
	return w, nil
}

// addFlashKey adds the unit's own flash key from a file. It is never printed.
func (f otaCheckFlags) addFlashKey(w *whom) error {
	key, err := readFlag("--keyfile", f.keyfile)
	if err != nil {
		return err
	}
	if w.device.FlashKey, err = flashcrypt.New(key, flashcrypt.ConfAll); err != nil {
		return usagef("%s: %w", f.keyfile, err)
	}
	if on, known := w.device.FlashEncryption.Get(); known && !on {
		return usagef("%s is not of this unit, which has no flash encryption", f.keyfile)
	}
	secret := keys.NewSecret(key)
	defer secret.Wipe()
	for _, k := range w.keys {
		if k.Purpose == keys.FlashEncryption && k.Fingerprint != keys.Fingerprint(k.Purpose, secret) {
			return usagef("%s is another unit's flash key than that of %s", f.keyfile, w.serial)
		}
	}
	w.device.FlashEncryption = ota.Known(true)
	return nil
}

// deviceFacts are what is known of a unit, as a person reads it.
func deviceFacts(d ota.Device) string {
	var parts []string
	add := func(known bool, format string, args ...any) {
		if known {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	chip, known := d.Chip.Get()
	revision, sure := d.Revision.Get()
	switch {
	case known && sure:
		add(true, "%v v%d.%d", chip, revision/100, revision%100)
	default:
		add(known, "%v", chip)
	}
	version, known := d.SecureBoot.Get()
	checks, told := d.ChecksApps.Get()
	switch {
	case known && version == 0 && checks:
		add(true, "no Secure Boot, but a bootloader that checks apps")
	case known && version == 0:
		add(true, "no Secure Boot")
	case known && told && !checks:
		add(true, "Secure Boot V%d, with a bootloader that does not check apps", version)
	default:
		add(known, "Secure Boot V%d", version)
	}
	trusts, known := d.Trusts.Get()
	add(known && len(trusts) > 0, "trusts key %s", strings.Join(shortKeys(trusts), " or "))
	on, known := d.FlashEncryption.Get()
	add(known && on, "flash encryption")
	add(known && !on, "no flash encryption")
	label, known := d.Running.Get()
	add(known, "runs from %s", label)
	secure, known := d.SecureVersion.Get()
	add(known && secure > 0, "secure version %d", secure)
	return strings.Join(parts, ", ")
}

// shortKeys are fingerprints cut to what people compare.
func shortKeys(fingerprints []string) (out []string) {
	for _, f := range fingerprints {
		out = append(out, fmt.Sprintf("%.16s", f))
	}
	return out
}
