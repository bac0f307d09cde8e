package memory

import (
	"time"

	"provision/internal/records"
)

// Rows are all that is on record, in the order in which the rows were made; the id of
// a row is its number in the order, from 1. They are to be read, and only until the
// next call that writes.
type Rows struct {
	Units    []*Unit
	Runs     []*Run
	Keys     []*Key
	Sealed   []*Sealed // one a unit, at most
	Burns    []*Burn
	Regions  []*Region
	Parkings []*Parking

	firmware []records.Firmware
	facts    []facts
}

// A place says when a row was written: 1, 2, 3 ... over all tables. What is not
// exported here is nothing that anybody has to judge.
type (
	// Unit is a row of units.
	Unit struct {
		records.Unit
		fold   string // the serial number without its case
		holder string // the run that reserved it last
	}
	// Run is a row of runs; Serial is not filled in.
	Run struct {
		records.Run
		events []records.Event
	}
	// Key is a row of keys.
	Key struct {
		records.Key
		UnitID int64
		Place  int64 // it was last written at
	}
	// Sealed is a row of sealed_keys; Keys is not filled in.
	Sealed struct {
		records.SealedKeys
		Place int64 // it was first written at
	}
	// Burn is a row of burns.
	Burn struct {
		records.Burn
		UnitID int64
		Place  int64 // it was first written at
	}
	// Region is a row of regions; Firmware is not filled in.
	Region struct {
		records.Region
		Place int64 // it was written at
	}
	// Parking is a row of parkings.
	Parking struct{ records.Parking }

	facts struct {
		file   string // SHA-256
		offset int64
	}
)

// unit returns the row of a unit, nil without one.
func (r *Rows) unit(id int64) *Unit { return numbered(r.Units, id) }

// numbered returns the row with an id, nil without one.
func numbered[R any](table []*R, id int64) *R {
	if id < 1 || id > int64(len(table)) {
		return nil
	}
	return table[id-1]
}

// first returns the first row that is meant, nil without one.
func first[R any](table []*R, is func(*R) bool) *R {
	for _, row := range table {
		if is(row) {
			return row
		}
	}
	return nil
}

// last returns the last row that is meant, nil without one.
func last[R any](table []*R, is func(*R) bool) *R {
	for i := len(table) - 1; i >= 0; i-- {
		if is(table[i]) {
			return table[i]
		}
	}
	return nil
}

// kept is a time as it is kept: in UTC, to the nanosecond, zero for none.
func kept(t time.Time) time.Time { return t.UTC().Round(0) }
