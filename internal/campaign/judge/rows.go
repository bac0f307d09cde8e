package judge

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Rows is what the records hold of one MAC.
type Rows struct {
	units      []unitRow
	unit       *unitRow // the first of them; nil: the MAC is not in the records
	sameSerial int      // units that have its serial number, itself included
	keys       []keyRow
	sealed     *sealedRow
	burns      []burnRow
	regions    []regionRow
	runs       []runRow
	parked     *parkingRow // the parking it is under; nil: none
}

// A row's place in the ledger says when it was written: the ledger is one line.
type (
	unitRow struct {
		id            int64
		serial, state string
		complete      bool
		final         *[4]words
	}
	keyRow struct {
		block                int
		purpose, fingerprint string
		compared             int64 // place; 0: never
		shared               int   // rows with this fingerprint
	}
	sealedRow struct {
		working, escrow []byte
		place           int64
	}
	burnRow struct {
		step         string
		block        int
		before, bits words // zeros for a key block
		fingerprint  string
		observed     bool
		place        int64
	}
	regionRow struct {
		offset, length int64
		md5, sha256    string
		place          int64 // of the first row with this offset
	}
	runRow     struct{ run, verdict, code string }
	parkingRow struct{ run, code string }
)

// source is where the rows of the records are read.
type source interface {
	// read takes everything that is on record of a MAC.
	read(ctx context.Context, mac string) (Rows, error)
	// serialTaken reports whether a unit with another MAC has a serial number.
	serialTaken(ctx context.Context, serial, mac string) (bool, error)
	close() error
}

// Read takes everything that is on record of a MAC, as it is judged: for those who
// compare records with records.
func (j *Judge) Read(ctx context.Context, mac string) (Rows, error) { return j.source.read(ctx, mac) }

// key is the row of a block's key; nil without one.
func (r *Rows) key(block int) *keyRow {
	for i := range r.keys {
		if r.keys[i].block == block {
			return &r.keys[i]
		}
	}
	return nil
}

// parseWords reads eight groups of eight hex digits; nothing is zeros.
func parseWords(text string) (w words, err error) {
	groups := strings.Fields(text)
	if text != "" && len(groups) != len(w) {
		return w, fmt.Errorf("%w: %d words", errRow, len(groups))
	}
	for i, g := range groups {
		v, err := strconv.ParseUint(g, 16, 32)
		if err != nil {
			return w, fmt.Errorf("%w: %w", errRow, err)
		}
		w[i] = uint32(v)
	}
	return w, nil
}

// parseFinal reads the fuses a unit was finished with; nil for none.
func parseFinal(text string) (*[4]words, error) {
	if text == "" {
		return nil, nil
	}
	var blocks []struct {
		Block int
		Words string
	}
	if err := json.Unmarshal([]byte(text), &blocks); err != nil {
		return nil, fmt.Errorf("%w: final words: %w", errRow, err)
	}
	var final [4]words
	for _, b := range blocks {
		if b.Block < 0 || b.Block >= len(final) {
			return nil, fmt.Errorf("%w: final words of BLOCK%d", errRow, b.Block)
		}
		w, err := parseWords(b.Words)
		if err != nil {
			return nil, err
		}
		final[b.Block] = w
	}
	return &final, nil
}
