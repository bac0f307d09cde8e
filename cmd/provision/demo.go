package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"provision/internal/demo"
	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/simulator"
	"provision/stations"
)

func (a *app) demo() *cobra.Command {
	var dir, encrypt string
	cmd := &cobra.Command{
		Use: "demo", Short: "The whole job on a virtual ESP32; needs nothing", Args: cobra.NoArgs,
		Long: `Make a blank virtual ESP32, demo firmware and demo keys; secure the chip (Secure
Boot V1 and flash encryption, release policy), boot it, and show its record.
Everything lies in one folder, which is kept and named at the end.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDemo(cmd.Context(), dir, encrypt) },
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder to make (default: a new one in the system's temporary folder)")
	cmd.Flags().StringVar(&encrypt, "encrypt", "host", "who encrypts the flash: host, or device (the virtual ESP32 itself, at its first start)")
	return cmd
}

// demoProfile is the demo's profile, with the flash encrypted by the host or the
// device.
func demoProfile(encrypt string) ([]byte, error) {
	switch encrypt {
	case "host":
		return stations.Demo, nil
	case "device":
		text := strings.NewReplacer(`"bootloader.bin"`, `"bootloader-encrypts.bin"`, `mode   = "host"`, `mode   = "device"`).Replace(string(stations.Demo))
		return []byte(text), nil
	}
	return nil, usagef("--encrypt %s is not known: write host or device", encrypt)
}

// makeDemo fills dir with everything a first unit needs.
func makeDemo(dir, encrypt string) (dirMade string, err error) {
	profile, err := demoProfile(encrypt)
	if err != nil {
		return "", err
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "provision-demo-"); err != nil {
			return "", err
		}
	} else if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return "", usagef("%s is there already; nothing was changed: name a new folder with --dir", dir)
	} else if err != nil {
		return "", unwritable(dir, err)
	}
	dir = absolute(dir)
	if err := demo.Write(dir); err != nil {
		return "", err
	}
	if err := writeNew(filepath.Join(dir, "demo.toml"), profile, 0o644); err != nil {
		return "", err
	}
	chip, err := blankChip("")
	if err != nil {
		return "", err
	}
	return dir, simulator.Create(filepath.Join(dir, "unit"), chip)
}

func (a *app) runDemo(ctx context.Context, where, encrypt string) error {
	dir, err := makeDemo(where, encrypt)
	if err != nil {
		return err
	}
	p, err := loadProfile(filepath.Join(dir, "demo.toml"))
	if err != nil {
		return err
	}
	j, err := job.New(p)
	if err != nil {
		return err
	}
	port := simPrefix + filepath.Join(dir, "unit")
	if a.json {
		err = a.emit(map[string]any{"kind": "demo.made", "dir": dir, "profile": p.Path, "port": port, "database": p.Records.Database})
	} else {
		_, err = fmt.Fprintf(a.out, "A blank virtual ESP32, demo firmware and demo keys are in\n  %s\n\n", dir)
	}
	if err != nil {
		return err
	}
	cfg := flow.Config{
		Job: j, Reset: esptool.ResetClassic, PortName: port, Operator: "demo",
		RunID: newRunID(), Version: version(), Now: time.Now, Rand: rand.Reader,
		Open: func(ctx context.Context) (esptool.Port, error) { return openPort(ctx, port) },
	}
	_, closeAll, err := a.openRecordsQuietly(ctx, p, &cfg)
	if err != nil {
		return err
	}
	show := a.newShow("Securing it: Secure Boot V1, flash encryption, release policy", false)
	cfg.Sink = show.sink
	res := a.work(ctx, cfg)
	show.stop()
	closeAll()
	if res.Exit == fault.ExitOK && !a.json {
		err = a.demoEpilogue(ctx, dir, res)
	}
	return errors.Join(err, a.conclude(res, show))
}

// demoEpilogue shows what a newcomer wants to see afterwards: what the unit said,
// what is on record, where it all lies, and what to try next.
func (a *app) demoEpilogue(ctx context.Context, dir string, res flow.Result) error {
	fmt.Fprintln(a.out, "\nWhat the unit printed when it started:")
	for _, line := range res.Boot {
		fmt.Fprintf(a.out, "  | %s\n", line)
	}
	database := filepath.Join(dir, "provision.db")
	store, err := dbFlags{db: database}.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	found, err := store.Lookup(ctx, res.Serial)
	if err != nil {
		return databaseFault(database, err)
	}
	fmt.Fprintln(a.out, "\nIts record:")
	for _, r := range found {
		printRecord(a.out, r)
	}
	unit := filepath.Join(dir, "unit")
	_, err = fmt.Fprintf(a.out, `
%s  %s is secured and recorded. It all lies in
  %s

Try:
  provision lookup --db %s %s
  provision sim boot %s
  provision run --station %s --port %s   # says DONE
`, res.Verdict, res.Serial, dir, shellQuote(database), res.Serial, shellQuote(unit), shellQuote(filepath.Join(dir, "demo.toml")), shellQuote(simPrefix+unit))
	return err
}
