package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/simulator"
)

func (a *app) simOTA() *cobra.Command {
	var build simulator.OTABuild
	cmd := &cobra.Command{
		Use: "ota NAME IMAGE", Short: "Update one over the air; say what it prints (exit 1 unless the new app runs)", Args: cobra.ExactArgs(2),
		Long: `Start a virtual chip and let the app it runs update itself with IMAGE, as esp_ota
does: erase the slot after the running one, write through the flash encryption,
verify, select the slot in otadata, restart. The verdict on the restart is the
bootloader's, roll-back and anti-rollback included. The chip keeps what that
leaves: copy its folder before, to try again.`,
		RunE: func(_ *cobra.Command, args []string) error {
			img, err := readInput(args[1])
			if err != nil {
				return err
			}
			chip, err := openSim(args[0])
			if err != nil {
				return err
			}
			defer chip.Close()
			return a.sayUpdated(args[0], args[1], chip.OTA(img, build))
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&build.Rollback, "rollback", false, "its firmware was built with CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE")
	fl.BoolVar(&build.Unconfirmed, "unconfirmed", false, "the new app never says that it works")
	fl.BoolVar(&build.AppSkipsSignature, "app-skips-signature", false, "the app it runs does not verify signatures, only its bootloader does")
	return cmd
}

// sayUpdated reports an update of a virtual chip.
func (a *app) sayUpdated(name, file string, r simulator.OTAResult) error {
	lines := r.Lines
	if r.Outcome == simulator.OTANoApp && len(lines) == 0 {
		lines = r.Boot.Lines // it never came to an update
	}
	if a.json {
		if err := a.emit(simUpdated{"sim.updated", factsOfUpdate(name, file, r, lines)}); err != nil {
			return err
		}
	} else {
		for _, line := range lines {
			fmt.Fprintln(a.out, line)
		}
		fmt.Fprintf(a.err, "provision: %s: %s\n", name, updateOutcome(r))
	}
	if r.Outcome != simulator.OTAAccepted {
		return exitError{fault.ExitFail}
	}
	return nil
}

// simUpdated is how an update of a virtual chip ended, for a program.
type simUpdated struct {
	Kind string `json:"kind"`
	updateFacts
}

type updateFacts struct {
	Name    string               `json:"name"`
	File    string               `json:"file"`
	Outcome simulator.OTAOutcome `json:"outcome"`
	Error   string               `json:"error"` // what the call returned
	Slot    string               `json:"slot"`
	Says    string               `json:"says"`
	Log     []string             `json:"log"`
	App     appFacts             `json:"app"`
}

// appFacts is the app that a virtual chip runs.
type appFacts struct {
	Partition string `json:"partition"`
	Offset    uint32 `json:"offset"`
	Project   string `json:"project"`
	Version   string `json:"version"`
}

func factsOfUpdate(name, file string, r simulator.OTAResult, lines []string) updateFacts {
	return updateFacts{
		Name: name, File: file, Outcome: r.Outcome, Error: r.Error, Slot: r.Slot.Label, Says: updateOutcome(r), Log: lines, App: factsOfApp(r.Boot.App),
	}
}

func factsOfApp(app simulator.App) appFacts {
	return appFacts{app.Label, app.Offset, app.Project, app.Version}
}

// updateOutcome is how an update ended, in one line.
func updateOutcome(r simulator.OTAResult) string {
	app := strings.Join(notEmpty(r.Boot.App.Project, r.Boot.App.Version), " ")
	if app == "" {
		app = "an app without a name"
	}
	from := app + " from " + r.Boot.App.Label
	switch r.Outcome {
	case simulator.OTAAccepted:
		return "accepted: it runs " + from
	case simulator.OTARefused:
		return fmt.Sprintf("refused: its esp_ota gave up (%s), and it goes on with %s", r.Error, from)
	case simulator.OTAFellBack:
		return "fell back: its bootloader did not start the new app, and it runs " + from
	case simulator.OTARolledBack:
		return "rolled back: the new app did not say that it works, and it runs " + from
	case simulator.OTAPowerLost:
		return "it lost its power"
	case simulator.OTANoApp:
		if r.Slot.Label == "" {
			return "no update: it runs no app that could update it: " + string(r.Boot.Cause)
		}
	}
	return "no app starts any more: " + string(r.Boot.Cause)
}
