// Command provision turns a blank ESP32 into a secured, recorded device.
//
// This package holds flags, wiring and exit codes. What happens to a unit is in
// internal/flow.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"provision/internal/fault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// stopSignals are those that end the work in order, as Ctrl-C does: a terminal that
// is closed too, unless the program was told to outlive it (nohup), and Ctrl-\, which
// would leave a burn that nobody looked at and print what the stack holds.
func stopSignals() []os.Signal {
	list := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) {
		list = append(list, syscall.SIGHUP)
	}
	return list
}

// app is what every command gets from outside.
type app struct {
	in       io.Reader
	out, err io.Writer
	json     bool
	judged   bool // a unit has its verdict, which is on record: the exit code is about that
}

// run is the whole program but for the process. It returns the exit code; the
// table of codes is in docs/cli.md.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := &witness{Writer: stdout}
	a := &app{in: stdin, out: out, err: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if out.err != nil && !a.judged {
		err = fmt.Errorf("the output cannot be written: %w", systemCause(out.err))
	}
	var done exitError
	switch {
	case err == nil, errors.As(err, &done): // a done command has said everything itself
	default:
		report(stderr, err)
	}
	return exitCode(err)
}

// exitCode is the exit code for err: a fault's own, 2 for wrong usage, else 3.
func exitCode(err error) int {
	var done exitError
	switch {
	case err == nil:
		return fault.ExitOK
	case errors.As(err, &done):
		return done.code
	case isFault(err):
		return fault.ExitCode(err)
	case isUsage(err):
		return fault.ExitInput
	}
	return fault.ExitError
}

// exitError ends the program with a code when the command has already reported.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// usageError marks wrong flags, arguments or input: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

func isUsage(err error) bool {
	var usage usageError
	return errors.As(err, &usage)
}

func isFault(err error) bool {
	var f *fault.Fault
	return errors.As(err, &f)
}

func (a *app) root() *cobra.Command {
	var screen screenFlags
	root := &cobra.Command{
		Use:   "provision",
		Short: "Turn a blank ESP32 into a secured, recorded device",
		Long: `provision turns a blank ESP32 into a secured, recorded device: it makes the
unit's own keys, writes the signed firmware encrypted for it, burns and locks
the eFuses in the one safe order, watches it boot, and keeps the record.

Start here:
  provision demo                     the whole job on a virtual ESP32; needs nothing
  provision station check FILE       what a profile would do, in plain words
  provision run --station FILE --port PORT --serial SERIAL

` + screenHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return a.screen(cmd, screen) },
	}
	screen.add(root)
	root.PersistentFlags().BoolVar(&a.json, "json", false, "report as JSON on stdout, one object per line")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.Version = version()
	root.SetVersionTemplate("provision {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%s; see %s --help", flagMistake(err), cmd.CommandPath())
	})
	root.SetHelpCommand(a.help())
	root.AddCommand(
		a.demo(), a.run(), a.batch(), a.status(), a.lookup(), a.history(), a.unfinished(), a.records(),
		a.station(), a.ports(), a.secure(), a.image(), a.partition(),
		a.park(), a.release(), a.vouch(), a.efuse(), a.ota(), a.sim(), a.keys(), a.people(), a.version(),
	)
	wrongArgsAreUsage(root)
	return root
}

// flagMistake is what is wrong with a flag, without the words of the parser.
func flagMistake(err error) string {
	text, why, found := strings.Cut(err.Error(), ": ")
	if found && strings.HasPrefix(text, "invalid argument") {
		text = strings.Replace(text, "invalid argument", "", 1)
		text = strings.TrimSpace(strings.Replace(text, " for ", " is no value for ", 1))
		if strings.Contains(why, "duration") {
			text += `, which is like 8h or 30m`
		}
		return text
	}
	return err.Error()
}

// wrongArgsAreUsage makes every command's complaint about its arguments a usage
// error: cobra has its own type for flags only.
func wrongArgsAreUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			switch {
			case err == nil:
				return nil
			case cmd.HasSubCommands():
				return usageError{err}
			}
			return usagef("wrong number of arguments; usage: %s", strings.TrimSuffix(cmd.UseLine(), " [flags]"))
		}
	}
	for _, sub := range c.Commands() {
		wrongArgsAreUsage(sub)
	}
}

// unknownCommand is the Args of commands that only hold others.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2 // as cobra's own errors have it
	msg := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	if ours := calledHere(args[0]); ours != "" {
		return fmt.Errorf("%s; here it is: %s", msg, ours)
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		msg += fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return errors.New(msg)
}

// group is a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(subs...)
	return c
}
