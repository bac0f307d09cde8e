package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"provision/internal/people"
	"provision/internal/records"
)

func (a *app) people() *cobra.Command {
	return group("people", "Who may work at the stations of a database", a.peopleAdd(), a.peopleList(), a.peopleRemove())
}

func (a *app) peopleAdd() *cobra.Command {
	var db dbFlags
	var role, badge, by string
	cmd := &cobra.Command{
		Use:   "add NAME --role ROLE --badge CODE",
		Short: "Add a person, or change role, badge and PIN of one",
		Long: `Add a person to the records, or change one. The badge is what the scanner reads
from it, without the prefix that marks badges (BADGE-). Leads and engineers
prove themselves with a PIN as well, which is asked for, or read from standard input
when that is no terminal. Of badge and PIN only digests are kept.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.newPerson(args[0], role, badge, by)
			if err != nil {
				return err
			}
			return a.savePerson(cmd.Context(), db, p, "added")
		},
	}
	db.add(cmd)
	fl := cmd.Flags()
	fl.StringVar(&role, "role", people.Operator.String(), "operator, lead or engineer")
	fl.StringVar(&badge, "badge", "", "what the scanner reads from the badge, without its prefix")
	fl.StringVar(&by, "person", systemUser(), "who adds them")
	return cmd
}

// newPerson checks what is known of a person, and asks for the PIN where one is
// needed.
func (a *app) newPerson(name, role, badge, by string) (records.Person, error) {
	r, err := people.ParseRole(role)
	if err != nil {
		return records.Person{}, usagef("--role %s: a person is an operator, a lead or an engineer", role)
	}
	p := records.Person{Name: strings.TrimSpace(name), Role: records.Role(r.String()), Active: true, At: time.Now(), By: by}
	if badge != "" {
		p.Badge = people.BadgeDigest(badge)
	} else if r == people.Operator {
		return p, usagef("an operator signs in with a badge: name it with --badge")
	}
	if r == people.Operator {
		return p, nil
	}
	pin, err := a.askPIN(name)
	if err != nil {
		return p, err
	}
	if err := people.WeakPIN(pin); err != nil {
		return p, usageError{err}
	}
	p.PIN, err = people.HashPIN(pin, rand.Reader)
	if err != nil {
		return p, usageError{err}
	}
	return p, nil
}

// askPIN reads a PIN: twice and unseen from a terminal, else one line.
func (a *app) askPIN(name string) (string, error) {
	file, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(a.in, 1024)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the PIN: %w", err)
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", usagef("no PIN: it is read from standard input, one line")
		}
		return line, nil
	}
	var pins [2]string
	for i, prompt := range []string{"PIN of " + name, "Once more"} {
		fmt.Fprintf(a.err, "%s: ", prompt)
		pin, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(a.err)
		if err != nil {
			return "", fmt.Errorf("read the PIN: %w", err)
		}
		pins[i] = string(pin)
	}
	if pins[0] != pins[1] {
		return "", usagef("the two are not the same; nothing was changed")
	}
	return pins[0], nil
}

func (a *app) savePerson(ctx context.Context, db dbFlags, p records.Person, done string) error {
	store, err := db.begin(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	switch err := store.SavePerson(ctx, p); {
	case errors.Is(err, records.ErrBadgeUsed), errors.Is(err, records.ErrInvalid):
		return usageError{err}
	case err != nil:
		return databaseFault(store.Path(), err)
	}
	if a.json {
		return a.emit(map[string]any{"kind": "person." + done, "name": p.Name, "role": p.Role})
	}
	_, err = fmt.Fprintf(a.out, "%s (%s) is %s.\n", p.Name, p.Role, done)
	return err
}

func (a *app) peopleList() *cobra.Command {
	var db dbFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Who may work here",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := db.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			list, err := store.People(cmd.Context())
			if err != nil {
				return databaseFault(store.Path(), err)
			}
			return a.showPeople(list)
		},
	}
	db.add(cmd)
	return cmd
}

func (a *app) showPeople(list []records.Person) error {
	var rows [][]string
	for _, p := range list {
		if !p.Active {
			continue
		}
		if a.json {
			err := a.emit(map[string]any{
				"kind": "person", "name": p.Name, "role": p.Role, "badge": p.Badge != "", "pin": p.PIN != "", "at": p.At, "by": p.By,
			})
			if err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{p.Name, string(p.Role), has(p.Badge, "badge"), has(p.PIN, "PIN"), "since " + p.At.Local().Format("2006-01-02"), "by " + p.By})
	}
	table(a.out, "", rows)
	if len(rows) == 0 && !a.json {
		_, err := fmt.Fprintln(a.out, "Nobody yet: provision people add NAME --role lead --badge CODE")
		return err
	}
	return nil
}

func has(secret, word string) string {
	if secret == "" {
		return "no " + word
	}
	return word
}

func (a *app) peopleRemove() *cobra.Command {
	var db dbFlags
	var by string
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Let a person sign in no longer; what they did stays on record",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := db.change(cmd.Context())
			if err != nil {
				return err
			}
			p, err := store.PersonByName(cmd.Context(), args[0])
			store.Close()
			if errors.Is(err, records.ErrNotFound) {
				return usagef("nobody here is called %s; provision people list shows who is", args[0])
			}
			if err != nil {
				return databaseFault(store.Path(), err)
			}
			p.Active, p.Badge, p.PIN, p.At, p.By = false, "", "", time.Now(), by
			return a.savePerson(cmd.Context(), db, p, "removed")
		},
	}
	db.add(cmd)
	cmd.Flags().StringVar(&by, "person", systemUser(), "who removes them")
	return cmd
}
