package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/flow"
)

func (a *app) efuse() *cobra.Command {
	return group("efuse", "Read eFuses, as espefuse", a.efuseSummary(), a.efuseDump())
}

// fuseRow is one field for people and scripts.
type fuseRow struct {
	Name     string `json:"name"`
	Block    int    `json:"block"`
	Raw      string `json:"raw,omitempty"`
	Readable bool   `json:"readable"`
	Writable bool   `json:"writable"`
	Text     string `json:"text"`
}

func fuseRows(w efuse.Words) []fuseRow {
	var rows []fuseRow
	for _, s := range efuse.Summary(w) {
		rows = append(rows, fuseRow{s.Name, s.Block, s.Raw, s.Readable, s.Writable, s.Text})
	}
	return rows
}

func printFuses(w io.Writer, words efuse.Words) {
	rows := [][]string{{"FIELD", "BLOCK", "VALUE", "ACCESS", "MEANING"}}
	for _, r := range fuseRows(words) {
		access := []byte("--")
		if r.Readable {
			access[0] = 'R'
		}
		if r.Writable {
			access[1] = 'W'
		}
		rows = append(rows, []string{r.Name, fmt.Sprint(r.Block), r.Raw, string(access), r.Text})
	}
	table(w, "", rows)
}

// readFuses reads the fuses of the chip at the port.
func (a *app) readFuses(cmd *cobra.Command, f *portFlags) (efuse.Words, error) {
	dev, err := f.device(cmd.Context(), warnTo(a.err))
	if err != nil {
		return efuse.Words{}, err
	}
	defer dev.Close()
	words, err := efuse.Read(cmd.Context(), dev)
	return words, flow.AsFault(err, fault.LinkLost)
}

func (a *app) efuseSummary() *cobra.Command {
	var f portFlags
	cmd := &cobra.Command{
		Use: "summary --port PORT", Short: "What every field holds and means", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			words, err := a.readFuses(cmd, &f)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(map[string]any{"kind": "efuse.summary", "fuses": fuseRows(words)})
			}
			printFuses(a.out, words)
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

func (a *app) efuseDump() *cobra.Command {
	var f portFlags
	cmd := &cobra.Command{
		Use: "dump --port PORT", Short: "The raw words of BLOCK0 and BLOCK3; key blocks only as a state", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			words, err := a.readFuses(cmd, &f)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(map[string]any{"kind": "efuse.dump", "blocks": dumpBlocks(words)})
			}
			fmt.Fprintln(a.out, words)
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

// dumpBlock is one block for scripts. Words are those the chip shows; a key that
// is not hidden yet is not told either.
type dumpBlock struct {
	Block int      `json:"block"`
	State string   `json:"state"` // readable, hidden or secret
	Words []string `json:"words,omitempty"`
}

func dumpBlocks(w efuse.Words) []dumpBlock {
	shown := w.Public()
	var out []dumpBlock
	for block := range w {
		b := dumpBlock{Block: block, State: "readable"}
		switch {
		case w.Hidden(block):
			b.State = "hidden"
		case shown[block] != w[block]:
			b.State = "secret"
		default:
			n := len(w[block])
			if block == 0 {
				n-- // BLOCK0 has seven words
			}
			for _, word := range w[block][:n] {
				b.Words = append(b.Words, fmt.Sprintf("%08x", word))
			}
		}
		out = append(out, b)
	}
	return out
}
