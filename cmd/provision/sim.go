package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/simulator"
)

func (a *app) sim() *cobra.Command {
	c := group("sim", "Virtual ESP32s", a.simCreate(), a.simServe(), a.simBoot(), a.simOTA(), a.simShow(), a.simFaults())
	c.Long = `Virtual ESP32s: mask ROM, eFuses, flash, and the verdict of chip and bootloader.
NAME is a folder in $PROVISION_SIM_DIR (default: ./sim), or a path with a slash.
It holds efuse.bin (124 bytes) and flash.bin (raw), as Espressif's QEMU has them.`
	return c
}

// blankChip is what a virtual chip is unless told otherwise: a blank v3.0 with
// 4 MiB of flash and a MAC of its own.
func blankChip(mac string) (simulator.Config, error) {
	cfg := simulator.DefaultConfig()
	copy(cfg.MAC[:], []byte{0x24, 0x0a, 0xc4})
	// crypto/rand never fails: it ends the program instead.
	_, _ = rand.Read(cfg.MAC[3:])
	if mac == "" {
		return cfg, nil
	}
	b, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "").Replace(mac))
	if err != nil || len(b) != len(cfg.MAC) {
		return cfg, usagef("--mac %q: it is six bytes, like 24:0a:c4:a1:b2:c3", mac)
	}
	copy(cfg.MAC[:], b)
	return cfg, nil
}

func (a *app) simCreate() *cobra.Command {
	var mac, revision, flashSize, coding string
	var crystal int
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make a blank one", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := blankChip(mac)
			if err != nil {
				return err
			}
			if _, err := fmt.Sscanf(strings.TrimPrefix(revision, "v"), "%d.%d", &cfg.RevMajor, &cfg.RevMinor); err != nil {
				return usagef("--revision %q: it is like v3.0", revision)
			}
			var mib uint32
			if _, err := fmt.Sscanf(flashSize, "%dMB", &mib); err != nil {
				return usagef("--flash-size %q: it is like 4MB", flashSize)
			}
			scheme, ok := map[string]simulator.CodingScheme{
				"none": simulator.CodingNone, "3/4": simulator.CodingThreeQuarters, "repeat": simulator.CodingRepeat,
			}[coding]
			if !ok {
				return usagef("--coding-scheme %q: it is none, 3/4 or repeat", coding)
			}
			cfg.FlashSize, cfg.CrystalMHz, cfg.CodingScheme = mib<<20, crystal, scheme
			err = createChip(args[0], cfg)
			if errors.Is(err, simulator.ErrExist) {
				return usagef("%s: there is a virtual chip already; nothing was changed", simDir(args[0]))
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(map[string]any{"kind": "sim.created", "name": args[0], "dir": absolute(simDir(args[0])), "mac": hexMAC(cfg.MAC)})
			}
			fmt.Fprintf(a.out, "%s  blank ESP32 v%d.%d, MAC %s, %d MiB flash; use it as --port sim:%s\n",
				simDir(args[0]), cfg.RevMajor, cfg.RevMinor, hexMAC(cfg.MAC), cfg.FlashSize>>20, shellQuote(args[0]))
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&mac, "mac", "", "factory MAC (default: one of its own)")
	fl.StringVar(&revision, "revision", "v3.0", "chip revision")
	fl.StringVar(&flashSize, "flash-size", "4MB", "size of the flash")
	fl.StringVar(&coding, "coding-scheme", "none", "none, 3/4 or repeat")
	fl.IntVar(&crystal, "crystal", 40, "MHz: 40 or 26")
	return cmd
}

func hexMAC(mac [6]byte) string {
	return net.HardwareAddr(mac[:]).String()
}

// createChip makes the virtual chip called name. ErrExist is for the caller to
// tell; anything else is input.
func createChip(name string, cfg simulator.Config) error {
	if err := simName(name); err != nil {
		return err
	}
	err := simulator.Create(simDir(name), cfg)
	switch {
	case err == nil, errors.Is(err, simulator.ErrExist):
		return err
	case errors.Is(err, simulator.ErrConfig):
		return usageError{cmp.Or(errors.Unwrap(err), err)}
	case errors.Is(err, simulator.ErrOther):
		return badChip(name, err)
	}
	return unwritable(simDir(name), err)
}

// openSim opens a virtual chip that must be there.
func openSim(name string, opts ...simulator.Option) (*simulator.Chip, error) {
	chip, err := openChip(name, opts...)
	switch {
	case errors.Is(err, simulator.ErrNotExist):
		return nil, usagef("%s: there is no virtual chip; make it with: provision sim create %s", simDir(name), shellQuote(name))
	case errors.Is(err, simulator.ErrBusy):
		return nil, fault.New(fault.PortBusy, "", err)
	}
	return chip, err
}

func (a *app) simServe() *cobra.Command {
	var listen string
	var pace bool
	cmd := &cobra.Command{
		Use: "serve NAME", Short: "Offer one in download mode on a TCP port, for any client", Args: cobra.ExactArgs(1),
		Long: `Offer a virtual chip in download mode on a TCP port: provision --port tcp://...,
or esptool --port socket://... --before no_reset --after no_reset --no-stub.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts := []simulator.Option{simulator.WithDownloadMode()}
			if pace {
				opts = append(opts, simulator.WithPacing(simulator.RealisticPacing()))
			}
			chip, err := openSim(args[0], opts...)
			if err != nil {
				return err
			}
			defer chip.Close()
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return usageError{err}
			}
			if a.json {
				err = a.emit(map[string]any{"kind": "sim.serving", "name": args[0], "address": l.Addr().String()})
			} else {
				_, err = fmt.Fprintf(a.out, "%s is in download mode at tcp://%s; Ctrl-C ends it\n", args[0], l.Addr())
			}
			if err != nil {
				return err
			}
			err = simulator.Serve(cmd.Context(), l, chip)
			if errors.Is(err, context.Canceled) || cmd.Context().Err() != nil {
				return nil // ending it is how it ends
			}
			return err
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address to listen at")
	cmd.Flags().BoolVar(&pace, "pace", false, "as slow as a real chip at the end of a real adapter")
	return cmd
}

func (a *app) simBoot() *cobra.Command {
	return &cobra.Command{
		Use: "boot NAME", Short: "Start one; say what it prints (exit 1 when no app starts)", Args: cobra.ExactArgs(1),
		Long: `Start a virtual chip and print its boot log: ROM, bootloader and app, in their own
words. What firmware burns by itself on a start is burnt.`,
		RunE: func(_ *cobra.Command, args []string) error {
			chip, err := openSim(args[0])
			if err != nil {
				return err
			}
			defer chip.Close()
			v := chip.Boot()
			if a.json {
				if err := a.emit(map[string]any{
					"kind": "sim.booted", "name": args[0], "started": v.Started, "cause": v.Cause, "log": v.Lines,
					"app": factsOfApp(v.App),
				}); err != nil {
					return err
				}
			} else {
				for _, line := range v.Lines {
					fmt.Fprintln(a.out, line)
				}
				fmt.Fprintf(a.err, "provision: %s: %s\n", args[0], v.Cause)
			}
			if !v.Started {
				return exitError{fault.ExitFail}
			}
			return nil
		},
	}
}

func (a *app) simShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "What one is, and its fuses", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			chip, err := openSim(args[0])
			if err != nil {
				return err
			}
			defer chip.Close()
			words, err := trueWords(chip)
			if err != nil {
				return err
			}
			major, minor := chip.Revision()
			if a.json {
				return a.emit(map[string]any{
					"kind": "sim.shown", "name": args[0], "dir": absolute(simDir(args[0])), "mac": hexMAC(chip.MAC()),
					"revision": fmt.Sprintf("v%d.%d", major, minor), "flash_size": chip.FlashSize(), "fuses": fuseRows(words),
				})
			}
			fmt.Fprintf(a.out, "%s\nESP32 v%d.%d, MAC %s, %d MiB flash\n\n", absolute(simDir(args[0])), major, minor, hexMAC(chip.MAC()), chip.FlashSize()>>20)
			printFuses(a.out, words)
			return nil
		},
	}
}

// trueWords are the fuses of a virtual chip as its own software would read them:
// hidden blocks stay hidden.
func trueWords(chip *simulator.Chip) (efuse.Words, error) {
	f := chip.Fuses()
	b := f.Bytes()
	return efuse.ParseWords(b[:])
}
