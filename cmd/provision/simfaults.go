package main

import (
	"github.com/spf13/cobra"
)

// simFaultForms are the ways to hurt a virtual chip that --sim-fault takes, with
// an example that parses.
var simFaultForms = []struct{ form, example, does string }{
	{"cut-wire:N", "cut-wire:12000", "the power goes when N bytes have crossed the wire, both ways together"},
	{"unplug:N", "unplug:12000", "the cable is pulled there; the chip stays powered"},
	{"hang:N", "hang:12000", "the chip stops answering there, until a reset"},
	{"cut-burn:K:MASK", "cut-burn:3:0x5", "the power goes inside burn K; bit i of MASK: the i-th changing fuse takes"},
	{"cut-burn:K:SEED", "cut-burn:3:42", "the same, and SEED decides which fuses take"},
	{"cut-erase:N", "cut-erase:2", "the power goes half-way through the N-th sector erase"},
	{"cut-program:N", "cut-program:40", "the power goes half-way through the N-th page program"},
	{"lose:RATE:SEED", "lose:0.001:1", "bytes are lost; RATE is 0 to 1 for each byte"},
	{"garble:RATE:SEED", "garble:0.001:1", "bytes are changed"},
	{"dup:RATE:SEED", "dup:0.001:1", "bytes come twice"},
	{"late:RATE:SEED[:MS]", "late:0.001:1:50", "bytes to the station come MS milliseconds late"},
	{"weak-bit:BLOCK:BIT[:N]", "weak-bit:1:17", "a fuse that needs N programs (default 2)"},
	{"marginal-bit:BLOCK:BIT[:N]", "marginal-bit:1:17", "the same, and until then it shows at every other load"},
	{"worn-sector:ADDRESS", "worn-sector:0x10000", "a place in flash that does not erase any more"},
	{"late-flash:N", "late-flash:1", "after power-on the ROM cannot read flash N times, as old chips may"},
}

func (a *app) simFaults() *cobra.Command {
	return &cobra.Command{
		Use: "faults", Short: "The ways to hurt one: run --sim-fault", Args: cobra.NoArgs,
		Long: `The ways to hurt a virtual chip with run --sim-fault. The same fault hurts in the
same place every time. Several may be given.`,
		RunE: func(*cobra.Command, []string) error {
			rows := [][]string{{"FAULT", "EXAMPLE", "WHAT HAPPENS"}}
			for _, f := range simFaultForms {
				if a.json {
					if err := a.emit(map[string]any{"kind": "sim.fault", "form": f.form, "example": f.example, "text": f.does}); err != nil {
						return err
					}
				}
				rows = append(rows, []string{f.form, f.example, f.does})
			}
			if !a.json {
				table(a.out, "", rows)
			}
			return nil
		},
	}
}
