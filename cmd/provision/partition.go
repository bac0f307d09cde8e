package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/image"
)

func (a *app) partition() *cobra.Command {
	return group("partition", "Partition tables", a.partitionShow(), a.partitionBuild())
}

// tableFlags say what a table has to fit.
type tableFlags struct {
	offset, flashSize string
	secureBootV1      bool
}

func (f *tableFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.offset, "offset", "0x8000", "where the table lies in flash")
	cmd.Flags().StringVar(&f.flashSize, "flash-size", "", "size of the flash, like 4MB (default: not checked)")
	cmd.Flags().BoolVar(&f.secureBootV1, "secure-boot-v1", false, "hold app partitions to the rules of Secure Boot V1")
}

func (f tableFlags) layout() (image.Layout, error) {
	offset, err := parseNumber("--offset", f.offset)
	l := image.Layout{TableOffset: uint32(offset), SecureBootV1: f.secureBootV1}
	if err == nil && f.flashSize != "" {
		var mib uint32
		if _, scan := fmt.Sscanf(f.flashSize, "%dMB", &mib); scan != nil {
			return l, usagef("--flash-size %q: it is like 4MB", f.flashSize)
		}
		l.FlashSize = mib << 20
	}
	return l, err
}

// readTable reads a table from CSV or binary.
func readTable(path string, l image.Layout) (image.Table, error) {
	data, err := readInput(path)
	if err != nil {
		return image.Table{}, err
	}
	var t image.Table
	if strings.HasSuffix(strings.ToLower(path), ".csv") {
		t, err = image.ParseCSV(string(data), l)
	} else {
		t, err = image.ParseTable(data)
	}
	if err != nil {
		err = fault.New(fault.BadTable, "", fmt.Errorf("%s: %w", path, err))
	}
	return t, err
}

func (a *app) partitionShow() *cobra.Command {
	var f tableFlags
	cmd := &cobra.Command{
		Use: "show FILE", Short: "A table (.bin or .csv) as CSV, and what is wrong with it (exit 1)", Args: cobra.ExactArgs(1),
		Long: `Print a partition table as CSV, of which partition build makes the same table
again, and say what is wrong with it: exit 1 when a unit could not use it.`,
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := f.layout()
			if err != nil {
				return err
			}
			t, err := readTable(args[0], l)
			if fault.CodeOf(err) == fault.BadTable {
				report(a.err, err)
				return exitError{fault.ExitFail}
			}
			if err != nil {
				return err
			}
			if err := a.printTable(t); err != nil {
				return err
			}
			bad := false
			for _, finding := range t.Check(l) {
				fmt.Fprintf(a.err, "provision: %s: %v\n", args[0], finding)
				bad = bad || !finding.Advice || errors.Is(finding, image.ErrNoApp)
			}
			if bad {
				return exitError{fault.ExitFail}
			}
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

func (a *app) printTable(t image.Table) error {
	if !a.json {
		_, err := fmt.Fprint(a.out, t.CSV())
		return err
	}
	for _, p := range t.Partitions {
		if err := a.emit(map[string]any{
			"kind": "partition", "label": p.Label, "type": p.TypeName(), "subtype": p.SubtypeName(),
			"offset": p.Offset, "size": p.Size, "flags": p.FlagNames(), "encrypted": p.Encrypted(),
		}); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) partitionBuild() *cobra.Command {
	var f tableFlags
	var output string
	cmd := &cobra.Command{
		Use: "build --output FILE CSV", Short: "Make the binary table from CSV, as ESP-IDF's generator does", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := f.layout()
			if err != nil {
				return err
			}
			if output == "" {
				return usagef("where to? name the file with --output")
			}
			t, err := readTable(args[0], l)
			if err != nil {
				return err
			}
			bin, err := t.Binary()
			if err != nil {
				return fault.New(fault.BadTable, "", fmt.Errorf("%s: %w", args[0], err))
			}
			return a.output(output, bin, 0o644, args[0])
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write")
	return cmd
}
