package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"provision/internal/fault"
	"provision/internal/floor"
	"provision/internal/records"
	"provision/internal/station"
)

// readOrders reads the work order, and finds what is wrong with it before a unit is
// touched.
func readOrders(p *station.Profile, f batchFlags) ([]floor.Order, error) {
	switch {
	case f.input != "" && f.count != 0:
		return nil, usagef("--input and --count: one or the other")
	case f.input != "":
		return readCSV(p, f.input)
	case f.count <= 0:
		return nil, usagef("how many? name the work order with --input CSV, or say --count N")
	case p.Unit.Serial.Source != station.SourceSequence && p.Unit.Serial.Source != station.SourceList:
		return nil, usagef("--count needs a profile that makes its own serial numbers (unit.serial.source = \"sequence\" or \"list\"); %s has %q",
			p.Path, p.Unit.Serial.Source)
	}
	return make([]floor.Order, f.count), nil
}

func readCSV(p *station.Profile, path string) ([]floor.Order, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	rows := csv.NewReader(bytes.NewReader(text))
	rows.FieldsPerRecord = -1 // who names no slot may leave its separator out
	rows.Comma = separator(text)
	rows.TrimLeadingSpace = rows.Comma != '\t'
	head, err := rows.Read()
	if err != nil {
		return nil, usagef("%s: it has no line of column names (serial, slot)", path)
	}
	serialAt, slotAt := column(head, "serial"), column(head, "slot")
	if serialAt < 0 {
		return nil, usagef("%s: it has no column named serial; the first line names the columns", path)
	}
	var orders []floor.Order
	seen := map[string]int{}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return orders, nil
		}
		if err != nil {
			return nil, usagef("%s: %w", path, err)
		}
		line, _ := rows.FieldPos(0)
		o := floor.Order{Serial: cellAt(row, serialAt)}
		if err := p.CheckSerial(o.Serial); err != nil {
			return nil, fault.New(fault.SerialForm, "", fmt.Errorf("%s, line %d: %q: %w", path, line, o.Serial, err))
		}
		if first, twice := seen[strings.ToUpper(o.Serial)]; twice {
			return nil, fault.New(fault.SerialUsed, "", fmt.Errorf("%s: %s stands in line %d and again in line %d", path, o.Serial, first, line))
		}
		seen[strings.ToUpper(o.Serial)] = line
		if slot := cellAt(row, slotAt); slot != "" {
			if o.Slot, err = slotNumber(p, slot); err != nil {
				return nil, usagef("%s, line %d: %w", path, line, err)
			}
		}
		orders = append(orders, o)
	}
}

// separator is what stands between the columns: the line of names tells. Spreadsheets
// of countries with a decimal comma write semicolons.
func separator(text []byte) rune {
	head, _, _ := bytes.Cut(text, []byte("\n"))
	for _, r := range ",;\t" {
		if bytes.ContainsRune(head, r) {
			return r
		}
	}
	return ','
}

// cellAt is a cell of a row; "" where there is none.
func cellAt(row []string, i int) string {
	if i < 0 || i >= len(row) {
		return ""
	}
	return strings.TrimSpace(row[i])
}

func column(head []string, name string) int {
	for i, h := range head {
		if strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(h, "\uFEFF")), name) {
			return i
		}
	}
	return -1
}

// slotNumber is the number of a slot the station has.
func slotNumber(p *station.Profile, text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("slot %q is no number", text)
	}
	for _, s := range p.Link.Slots {
		if s.Number == n {
			return n, nil
		}
	}
	if len(p.Link.Slots) == 0 && n == 1 {
		return n, nil
	}
	return 0, fmt.Errorf("the station has no slot %d", n)
}

// stillOpen leaves out the orders whose unit is complete or waits for a person, and
// ties those that were begun to the unit they were begun with. notes say what a
// person should know of the orders that are left out or tied.
func stillOpen(ctx context.Context, store *records.Store, orders []floor.Order) (out []floor.Order, notes []string, err error) {
	for _, o := range orders {
		if o.Serial != "" {
			u, err := store.UnitBySerial(ctx, o.Serial)
			switch {
			case err == nil && u.State == records.StateComplete:
				continue
			case err == nil && u.State == records.StateParked:
				notes = append(notes, fmt.Sprintf("%s is left out: its unit %s is set aside (%s) until a person releases it", o.Serial, u.MAC, u.ParkCode))
				continue
			case err == nil:
				o.MAC = u.MAC
				notes = append(notes, fmt.Sprintf("%s waits for the unit it was begun with, %s", o.Serial, u.MAC))
			case !errors.Is(err, records.ErrNotFound):
				return nil, nil, databaseFault(store.Path(), err)
			}
		}
		out = append(out, o)
	}
	return out, notes, nil
}
