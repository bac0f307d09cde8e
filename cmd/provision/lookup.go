package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"provision/internal/catalog"
	"provision/internal/fault"
	"provision/internal/records"
)

func (a *app) lookup() *cobra.Command {
	var f dbFlags
	cmd := &cobra.Command{
		Use:   "lookup SERIAL | MAC | FINGERPRINT | FIRMWARE",
		Short: "Everything that was ever done to a unit",
		Long: `Find units by serial number, MAC (any notation), eight or more digits of a key
fingerprint or of a firmware's SHA-256, or firmware project, version or
project/version; and show everything that was ever done to them.

` + whichDatabase,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			query := strings.TrimSpace(args[0])
			if query == "" {
				return usagef("look what up? a serial number, a MAC, a fingerprint or a firmware")
			}
			store, err := f.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			found, err := store.Lookup(cmd.Context(), query)
			switch {
			case errors.Is(err, records.ErrNotFound):
				fmt.Fprintf(a.err, "provision: nothing about %q in %s\n", args[0], store.Path())
				return exitError{fault.ExitFail}
			case errors.Is(err, records.ErrTooMany):
				fmt.Fprintf(a.err, "provision: more than %d units; the first are shown\n", records.LookupLimit)
			case err != nil:
				return databaseFault(store.Path(), err)
			}
			for i, r := range found {
				if a.json {
					if err := a.emit(struct {
						Kind     string `json:"kind"`
						Database string `json:"database"`
						records.Record
					}{"record", store.Path(), r}); err != nil {
						return err
					}
					continue
				}
				if i > 0 {
					fmt.Fprintln(a.out)
				}
				printRecord(a.out, r)
			}
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

const minutes = "2006-01-02 15:04"

// printRecord shows one unit for a person.
func printRecord(w io.Writer, r records.Record) {
	u := r.Unit
	fmt.Fprintf(w, "%s   %s   %s\n", cmp.Or(u.Serial, "(no serial number)"), u.MAC, strings.ToUpper(string(u.State)))
	var rows [][]string
	add := func(label, format string, args ...any) {
		rows = append(rows, []string{label, fmt.Sprintf(format, args...)})
	}
	for _, p := range r.Parkings {
		add(parkingLabel[p.Action], "%s  %s  %s", p.At.Local().Format(minutes), strings.Join(notEmpty(p.Code, p.Person), "  "), reasonText(p.Reason))
	}
	if u.ChipRevision != "" {
		add("chip", "%s %s, flash %s, %d MiB", u.ChipPackage, u.ChipRevision, u.FlashID, u.FlashSize>>20)
	}
	if !u.CreatedAt.IsZero() {
		add("begun", "%s at %s", u.CreatedAt.Local().Format(minutes), u.Station)
	}
	if !u.CompletedAt.IsZero() {
		add("complete", "%s", u.CompletedAt.Local().Format(minutes))
	}
	if text := policyText(u.Goal); text != "" {
		add("policy", "%s", text)
	}
	if u.Custody != "" {
		add("custody", "%s: %s", u.Custody, custodyText[u.Custody])
	}
	for _, k := range r.Keys {
		add("key", "%s, BLOCK%d, fingerprint %s, %s", k.Purpose, k.Block, k.Fingerprint, k.State)
	}
	for _, g := range r.Regions {
		what := ""
		if g.Firmware != nil {
			what = strings.TrimSpace(fmt.Sprintf("%s %s  sha256 %.16s", g.Firmware.Project, g.Firmware.Version, g.Firmware.SHA256))
		}
		how := "plain"
		if g.Encrypted {
			how = "encrypted"
		}
		add("flash", "%#-8x %8d bytes  %-9s  %-20s %s", g.Offset, g.Length, how, g.Name, what)
	}
	for _, b := range r.Burns {
		add("burn", "%s  %s  %s", b.IntendedAt.Local().Format(minutes), b.Step, burnOutcome(b))
	}
	for _, run := range r.Runs {
		add("run", "%s  %-5s  %s", run.StartedAt.Local().Format(minutes), cmp.Or(string(run.Verdict), "(cut)"),
			strings.Join(notEmpty(run.Code, run.Station, run.Operator, run.Port, run.ID), "  "))
	}
	for _, l := range r.Labels {
		add("label", "%s  copy %d %s  %s", l.At.Local().Format(minutes), l.Copy, l.Kind, strings.Join(notEmpty(l.Person, reasonText(l.Reason), l.Detail), "  "))
	}
	for _, act := range r.Acts {
		add("decision", "%s  %s  %s", act.At.Local().Format(minutes), act.Kind, strings.Join(notEmpty(act.Person, reasonText(act.Reason), act.Station), "  "))
	}
	add("events", "%d", r.Events)
	table(w, "  ", rows)
}

// reasonText is what a person reads for a reason that was chosen on the screen.
func reasonText(reason string) string {
	if words, err := catalog.Load("en"); err == nil && words.Has(reason) {
		return words.Text(reason)
	}
	return reason
}

// parkingLabel is what a person reads for the action of a parking.
var parkingLabel = map[string]string{"park": "parked", "release": "released"}

// custodyText says what custody means for a unit that is complete.
var custodyText = map[records.Custody]string{
	records.Discard: "nobody keeps its keys once it is complete",
	records.Escrow:  "the owner keeps a copy of its keys",
}

// policyText says what a unit was begun to become; empty where that is not known.
func policyText(goal json.RawMessage) string {
	var p struct {
		SecureBoot      int      `json:"secure_boot"`
		FlashEncryption bool     `json:"flash_encryption"`
		ByUnit          bool     `json:"encrypted_by_unit"`
		CryptCount      uint8    `json:"crypt_count"`
		Lock            []string `json:"lock"`
		UARTDownloadDis bool     `json:"uart_download_dis"`
	}
	if json.Unmarshal(goal, &p) != nil {
		return ""
	}
	var parts []string
	if p.SecureBoot > 0 {
		parts = append(parts, fmt.Sprintf("Secure Boot V%d", p.SecureBoot))
	}
	if p.FlashEncryption {
		by := ""
		if p.ByUnit {
			by = " by the unit itself"
		}
		parts = append(parts, fmt.Sprintf("flash encryption%s (FLASH_CRYPT_CNT %#x)", by, p.CryptCount))
	}
	if p.UARTDownloadDis {
		p.Lock = append(p.Lock, "UART_DOWNLOAD_DIS")
	}
	return strings.Join(append(parts, p.Lock...), ", ")
}

func burnOutcome(b records.Burn) string {
	switch {
	case b.ObservedAt.IsZero():
		return "never read back"
	case b.OK:
		return "read back equal"
	}
	return "read back different"
}

func (a *app) history() *cobra.Command {
	var f dbFlags
	var limit int
	var since time.Duration
	cmd := &cobra.Command{
		Use: "history", Short: "The runs of a station, the latest first", Long: "The runs of a station, the latest first.\n\n" + whichDatabase, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := f.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			filter := records.RunFilter{Limit: limit}
			if since > 0 {
				filter.Since = time.Now().Add(-since)
			}
			runs, err := store.Runs(cmd.Context(), filter)
			if err != nil {
				return databaseFault(store.Path(), err)
			}
			var rows [][]string
			for _, r := range runs {
				if a.json {
					if err := a.emit(struct {
						Kind string `json:"kind"`
						records.Run
					}{"run", r}); err != nil {
						return err
					}
					continue
				}
				reason, _, _ := strings.Cut(r.Reason, "\n") // the rest is in --json
				rows = append(rows, []string{r.StartedAt.Local().Format(minutes), cmp.Or(string(r.Verdict), "(cut)"), r.Code, r.Serial, r.MAC, r.Station, r.Operator, r.Port, reason})
			}
			table(a.out, "", rows)
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "how many at most (0: all)")
	cmd.Flags().DurationVar(&since, "since", 0, "only runs of the last ... (8h)")
	return cmd
}
