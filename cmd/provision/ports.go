package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/simulator"
)

const simPrefix = "sim:"

// initialBaud is the speed of the ROM's boot log and first contact.
const initialBaud = 115200

// simDir is where the virtual chip NAME is kept: NAME itself where it is a path,
// else a folder of that name in $PROVISION_SIM_DIR, else in ./sim.
func simDir(name string) string {
	if strings.ContainsAny(name, `/\`) {
		return name
	}
	base := os.Getenv("PROVISION_SIM_DIR")
	if base == "" {
		base = "sim"
	}
	return filepath.Join(base, name)
}

// isVirtual reports whether nothing real is behind a port: it needs no arming.
func isVirtual(port string) bool { return strings.HasPrefix(port, simPrefix) }

// isRemote reports whether a port is one of another machine, set up over the network.
func isRemote(port string) bool { return strings.HasPrefix(port, "rfc2217://") }

// checkPort reports a name that is of no kind of port.
func checkPort(name string) error {
	if isVirtual(name) {
		return nil
	}
	err := esptool.CheckName(name)
	if err != nil {
		err = fmt.Errorf("%w; %sNAME is a virtual ESP32", err, simPrefix)
	}
	return err
}

// openReal opens a port that may have a real unit at it.
var openReal = esptool.Open

// openPort opens any kind of port the way people name them.
func openPort(ctx context.Context, name string, opts ...simulator.Option) (esptool.Port, error) {
	sim, virtual := strings.CutPrefix(name, simPrefix)
	if !virtual {
		if err := checkPort(name); err != nil {
			return nil, err
		}
		return openReal(ctx, name, initialBaud)
	}
	chip, err := openChip(sim, opts...)
	switch {
	case errors.Is(err, simulator.ErrNotExist):
		return nil, fmt.Errorf("open port %s: %w; make it with: provision sim create %s", name, esptool.ErrPortMissing, shellQuote(sim))
	case errors.Is(err, simulator.ErrBusy):
		return nil, fmt.Errorf("open port %s: %w", name, esptool.ErrPortBusy)
	case err != nil:
		return nil, err
	}
	return chip, nil
}

// openChip opens the virtual chip called name. What is wrong with its name or its
// files is input; ErrNotExist and ErrBusy are for the caller to tell.
func openChip(name string, opts ...simulator.Option) (*simulator.Chip, error) {
	if err := simName(name); err != nil {
		return nil, err
	}
	chip, err := simulator.Open(simDir(name), opts...)
	switch {
	case err == nil, errors.Is(err, simulator.ErrNotExist), errors.Is(err, simulator.ErrBusy):
		return chip, err
	}
	return nil, badChip(name, err)
}

// simName refuses what would name the folder of all virtual chips, not one of them.
func simName(name string) error {
	switch name {
	case "":
		return usagef("which virtual chip? give it a name, like %sunit1", simPrefix)
	case ".", "..":
		return usagef("%s%s: give a virtual chip a name, like unit1, or a path, like ./%s", simPrefix, name, filepath.Join(name, "unit1"))
	}
	return nil
}

// badChip is what to say of a folder that holds no usable virtual chip.
func badChip(name string, err error) error {
	why := cmp.Or(errors.Unwrap(err), err) // without the call and the folder
	var file *fs.PathError
	if errors.As(why, &file) {
		why = fmt.Errorf("%s: %w", filepath.Base(file.Path), file.Err)
	}
	return usagef("%s cannot be used as a virtual chip: %s; use another name, or move that folder away and make the chip anew",
		simDir(name), firstLine(why))
}

// portFlags are the flags of commands that talk to one chip.
type portFlags struct {
	port  string
	reset string
	baud  int
}

func (f *portFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.port, "port", "p", "", "serial port: /dev/ttyUSB0, COM3, usb:1-1.4.2, tcp://HOST:PORT, rfc2217://HOST:PORT or sim:NAME")
	cmd.Flags().StringVar(&f.reset, "reset", "", "how the chip gets into download mode: classic, tight or none")
	cmd.Flags().IntVarP(&f.baud, "baud", "b", 0, "speed after first contact, bit/s (default: the profile's, else 460800)")
}

// resetMode is the reset strategy for a port: as given, else as the profile says.
// A raw socket carries no lines, so there is nothing to choose.
func resetMode(port, flag, profile string) (esptool.ResetMode, error) {
	mode := flag
	if mode == "" {
		mode = profile
	}
	if strings.HasPrefix(port, "tcp://") {
		mode = string(esptool.ResetNone)
	}
	switch m := esptool.ResetMode(mode); m {
	case "":
		return esptool.ResetClassic, nil
	case esptool.ResetClassic, esptool.ResetTight, esptool.ResetNone:
		return m, nil
	}
	return "", usagef("reset %q: it is classic, tight or none", mode)
}

// device connects to the chip at the port, for commands that only look.
func (f *portFlags) device(ctx context.Context, warn func(string)) (*esptool.Device, error) {
	if f.port == "" {
		return nil, usagef("which chip? name its port with --port (provision ports lists them)")
	}
	reset, err := resetMode(f.port, f.reset, "")
	if err != nil {
		return nil, err
	}
	port, err := openPort(ctx, f.port)
	if isUsage(err) {
		return nil, err
	}
	if err != nil {
		return nil, flow.AsFault(err, fault.NoAnswer)
	}
	bauds := []int{460800, 230400}
	if f.baud > 0 {
		bauds = []int{f.baud}
	}
	dev, err := esptool.Connect(ctx, port, esptool.Config{Reset: reset, Bauds: bauds, Warn: warn})
	if err != nil {
		return nil, flow.AsFault(errors.Join(fmt.Errorf("%s: %w", f.port, err), port.Close()), fault.NoAnswer)
	}
	return dev, nil
}

// warnTo prints warnings of the link on w.
func warnTo(w io.Writer) func(string) {
	return func(text string) { fmt.Fprintf(w, "provision: %s\n", text) }
}

func (a *app) ports() *cobra.Command {
	return &cobra.Command{
		Use: "ports", Short: "List serial ports", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list, err := esptool.List()
			if err != nil {
				return flow.AsFault(err, fault.Internal)
			}
			var rows [][]string
			for _, p := range list {
				if a.json {
					if err := a.emit(map[string]any{
						"kind": "port", "name": p.Name, "place": p.Place, "driver": p.Driver,
						"vid": p.VID, "pid": p.PID, "serial": p.Serial, "product": p.Product,
					}); err != nil {
						return err
					}
					continue
				}
				place := ""
				if p.Place != "" {
					place = "usb:" + p.Place
				}
				rows = append(rows, []string{p.Name, place, p.Driver, p.Product, p.Serial})
			}
			if len(list) == 0 && !a.json {
				fmt.Fprintln(a.err, "provision: no serial ports on this machine; sim:NAME is a virtual one")
			}
			table(a.out, "", rows)
			return nil
		},
	}
}
