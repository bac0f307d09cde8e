package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/fault"
)

// help explains a command, or a fault code: provision help E301.
func (a *app) help() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | CODE]",
		Short: "Explain a command or a fault code (help E301; help faults lists them)",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && strings.EqualFold(args[0], "faults") {
				return a.listFaults()
			}
			if len(args) == 1 && isFaultCode(args[0]) {
				return a.explainFault(strings.ToUpper(args[0]))
			}
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("nothing is known about %q; see provision help", strings.Join(args, " "))
			}
			return target.Help()
		},
	}
}

func isFaultCode(s string) bool {
	if len(s) != 4 || (s[0] != 'E' && s[0] != 'e') {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
}

func (a *app) explainFault(code string) error {
	page, ok := fault.Lookup(fault.Code(code))
	if !ok {
		return usagef("no fault %s was ever published; provision help faults lists them", code)
	}
	kind := "permanent: the same attempt will end the same way"
	if page.Transient {
		kind = "transient: the same attempt may succeed when repeated"
	}
	if a.json {
		return a.emit(map[string]any{
			"kind": "fault", "code": page.Code, "name": page.Name, "class": page.Class, "says": page.Says,
			"do": page.Do, "transient": page.Transient, "verdict": page.Verdict, "exit": page.Verdict.ExitCode(), "more": moreAbout(page.Code),
		})
	}
	fmt.Fprintf(a.out, "%s  %s  (%s)\n\n  %s\n  %s\n\n  %s\n  verdict %s, exit code %d\n",
		page.Code, page.Name, page.Class, page.Says, page.Do, kind, page.Verdict, page.Verdict.ExitCode())
	if more := moreAbout(page.Code); len(more) > 0 {
		fmt.Fprintf(a.out, "\n  of updates over the air: %s\n", strings.Join(more, "\n                           "))
	}
	return nil
}

// moreAbout are the sections of the manual about the reasons for which an update is
// refused with that code.
func moreAbout(code fault.Code) []string {
	more := []string{}
	for reason, published := range updateCodes {
		if published == code {
			more = append(more, "docs/ota.md#"+string(reason))
		}
	}
	slices.Sort(more)
	return more
}

func (a *app) listFaults() error {
	for _, page := range fault.All() {
		if a.json {
			if err := a.explainFault(string(page.Code)); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.out, "%s  %-24s  %-5s  %s\n", page.Code, page.Name, page.Verdict, page.Says)
	}
	return nil
}
