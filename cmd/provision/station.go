package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"provision/internal/fault"
	"provision/internal/job"
	"provision/internal/keys"
	"provision/internal/station"
)

func (a *app) station() *cobra.Command {
	return group("station", "Station profiles", a.stationCheck(), a.stationTeach(), a.selfTestOnly())
}

func (a *app) stationCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "What a profile would do, in plain words, and what is wrong with it",
		Long: `Read a profile and every file it names, say what it would do to a unit
(permanent consequences first), and find what is wrong. No unit is touched.
Exit 0: it can be used. 1: a file is not fit for it. 2: the profile itself is wrong.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := loadProfile(args[0])
			if err != nil {
				if a.json {
					_ = a.emit(profileChecked{Kind: "profile.checked", Profile: args[0], Problems: loadProblems(args[0], err)})
				}
				return err
			}
			j, problems, err := checkedJob(p)
			if err != nil {
				return err
			}
			if a.json {
				if err := a.checkedJSON(p, j, problems); err != nil {
					return err
				}
			} else {
				a.checkedText(p, j, problems)
			}
			switch {
			case len(problems) == 0:
				return nil
			case slices.ContainsFunc(problems, func(x *job.Problem) bool { return x.File == p.Path }):
				return exitError{fault.ExitInput}
			}
			return exitError{fault.ExitFail}
		},
	}
}

// checkedJob is job.New, whether labels can be printed as the template says, and
// whether the station itself is among those whom the profile would seal the units'
// keys to. That is known only on the station, after its first run.
func checkedJob(p *station.Profile) (*job.Job, job.Problems, error) {
	j, err := newJob(p)
	var problems job.Problems
	if err != nil && !errors.As(err, &problems) {
		return nil, nil, err
	}
	// What is wrong with the identity's file is for the station to tell: a profile
	// can be checked anywhere, by anybody.
	if id, err := keys.LoadIdentity(p.Keys.Identity); err == nil {
		if err := ownRecipient(p, id); err != nil {
			problems = append(problems, &job.Problem{Code: fault.BadProfile, File: p.Path, Text: err.Error()})
		}
	}
	if _, err := labelTemplate(p); err != nil {
		problems = append(problems, &job.Problem{Code: fault.CodeOf(err), File: p.Label.Template, Text: oneLine(errors.Unwrap(err))})
	}
	return j, problems, nil
}

// ownRecipient refuses a profile that names the station itself as an owner: a copy
// of the keys that the station can open is no escrow.
func ownRecipient(p *station.Profile, id keys.Identity) error {
	if slices.Contains(p.Keys.Recipients, id.Recipient().String()) {
		return fmt.Errorf("keys.recipients: %w: take out %v, and name the owner's recipient, made on the owner's machine", keys.ErrOwnKey, id.Recipient())
	}
	return nil
}

// profileChecked is what station check finds. A profile that cannot be loaded has
// problems and nothing else.
type profileChecked struct {
	Kind         string           `json:"kind"`
	Profile      string           `json:"profile"`
	OK           bool             `json:"ok"`
	Consequences []consequence    `json:"consequences,omitempty"`
	Warnings     []string         `json:"warnings,omitempty"`
	Problems     []profileProblem `json:"problems,omitempty"`
}

type consequence struct {
	Permanent bool   `json:"permanent"`
	Key       string `json:"key"`
	Text      string `json:"text"`
}

type profileProblem struct {
	Code fault.Code `json:"code"`
	File string     `json:"file,omitempty"`
	Text string     `json:"text"`
}

// loadProblems are what is wrong with a profile that cannot be loaded.
func loadProblems(path string, err error) []profileProblem {
	code := fault.CodeOf(err)
	var invalid station.Invalid
	if !errors.As(err, &invalid) {
		var f *fault.Fault
		if errors.As(err, &f) && f.Cause != nil {
			err = f.Cause
		}
		return []profileProblem{{code, path, oneLine(err)}}
	}
	var out []profileProblem
	for _, p := range invalid {
		out = append(out, profileProblem{code, p.File, p.Error()})
	}
	return out
}

func (a *app) checkedJSON(p *station.Profile, j *job.Job, problems job.Problems) error {
	out := profileChecked{Kind: "profile.checked", Profile: p.Path, OK: len(problems) == 0}
	for _, c := range p.Explain() {
		out.Consequences = append(out.Consequences, consequence(c))
	}
	for _, x := range problems {
		out.Problems = append(out.Problems, profileProblem{x.Code, x.File, x.Text})
	}
	if j != nil {
		out.Warnings = j.Warnings
	}
	return a.emit(out)
}

// flashRows is what goes into flash, by offset. The digest that Secure Boot V1 checks
// the bootloader by is made with the unit's own key, so a job does not have it yet.
func flashRows(j *job.Job) [][]string {
	row := func(offset uint32, size int, encrypt bool, name string) []string {
		how := "plain"
		if encrypt {
			how = "encrypted"
		}
		return []string{fmt.Sprintf("%#x", offset), fmt.Sprintf("%d bytes", size), how, name}
	}
	var rows [][]string
	if p := j.Profile; p.SecureBoot.Version == 1 {
		rows = append(rows, row(0, job.SectorSize, p.FlashEncryption.Enabled, "secure boot digest, each unit's own"))
	}
	for _, r := range j.Regions {
		rows = append(rows, row(r.Offset, len(r.Data), r.Encrypt, r.Name))
	}
	return rows
}

func (a *app) checkedText(p *station.Profile, j *job.Job, problems job.Problems) {
	fmt.Fprintf(a.out, "%s (%s)\n", p.Station.Name, p.Path)
	heading := ""
	for _, c := range p.Explain() {
		h := "\nAlso:"
		if c.Permanent {
			h = "\nPermanent, in every unit:"
		}
		if h != heading {
			fmt.Fprintln(a.out, h)
			heading = h
		}
		fmt.Fprintf(a.out, "  %s\n      (%s)\n", c.Text, c.Key)
	}
	if j != nil {
		fmt.Fprintln(a.out, "\nInto flash:")
		table(a.out, "  ", flashRows(j))
		for _, w := range j.Warnings {
			fmt.Fprintf(a.out, "\nNote: %s\n", w)
		}
	}
	if len(problems) == 0 {
		fmt.Fprintln(a.out, "\nNothing is wrong: this profile can be used.")
		return
	}
	report(a.err, problems)
}
