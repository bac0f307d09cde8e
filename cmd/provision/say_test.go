package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/records"
	"provision/internal/simulator"
)

func TestSentence(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("plain"), "plain"},
		{fault.New(fault.WrongChip, "identify", nil), "E201 identify: This is not an ESP32."},
		{fault.New(fault.NoAnswer, "connect", errors.New("sim:a: connect: no answer")), "E101 connect: sim:a: no answer"},
		{fault.New(fault.NoAnswer, "", errors.New("connect: no answer")), "E101: connect: no answer"},
		{
			fault.New(fault.LinkLost, "burn", fmt.Errorf("write 31 registers: WRITE_REG: %w: cable pulled: %w", esptool.ErrLinkLost, io.EOF)),
			"E107 burn: the chip stopped answering: cable pulled",
		},
		{fault.New(fault.Database, "", errors.New("open x: locked: locked (5) (SQLITE_BUSY)")), "E601: open x: locked"},
		{
			fault.New(fault.Database, "", fmt.Errorf("open records x: %w: database is locked (5) (SQLITE_BUSY)", records.ErrBusy)),
			"E601: open records x: database is busy: another write has not ended",
		},
		{fault.New(fault.Internal, "a", errors.Join(errors.New("first"), errors.New("second"))), "E901 a: first"},
	} {
		if got := sentence(c.err); got != c.want {
			t.Errorf("sentence(%q) = %q, want %q", c.err, got, c.want)
		}
	}
}

// TestReportSaysWhatToDo: every fault that has a page ends with its action.
func TestReportSaysWhatToDo(t *testing.T) {
	for _, page := range fault.All() {
		var told strings.Builder
		report(&told, fault.New(page.Code, "step", errors.New("cause")))
		if want := fmt.Sprintf("provision: %s step: cause\n  %s\n", page.Code, page.Do); told.String() != want {
			t.Errorf("got %q, want %q", told.String(), want)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{
		"unit1": "unit1", "./a/b-c_d.toml": "./a/b-c_d.toml", "": "''", "two words": "'two words'", "it's": `'it'\''s'`, "$HOME": "'$HOME'",
	} {
		if got := shellQuote(word); got != want {
			t.Errorf("%q is quoted %s, want %s", word, got, want)
		}
	}
}

// TestSimFaultForms: what sim faults shows is what --sim-fault takes.
func TestSimFaultForms(t *testing.T) {
	for _, f := range simFaultForms {
		if _, err := simulator.ParseFaults(f.example); err != nil {
			t.Errorf("%s: %v", f.form, err)
		}
		kind, _, _ := strings.Cut(f.form, ":")
		if !strings.HasPrefix(f.example, kind+":") {
			t.Errorf("%s is no example of %s", f.example, f.form)
		}
	}
}
