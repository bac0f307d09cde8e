package judge

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// rows is what the records hold of one MAC.
type rows struct {
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

// query calls scan for each row.
func (j *Judge) query(ctx context.Context, text string, args []any, scan func(*sql.Rows) error) error {
	prepared := j.prepared[text]
	if prepared == nil { // the same few questions are asked of every unit
		var err error
		if prepared, err = j.db.PrepareContext(ctx, text); err != nil {
			return err
		}
		j.prepared[text] = prepared
	}
	found, err := prepared.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		if err := scan(found); err != nil {
			return err
		}
	}
	return found.Err()
}

// read takes everything that is on record of a MAC.
func (j *Judge) read(ctx context.Context, mac string) (rows, error) {
	var r rows
	if err := j.readUnits(ctx, mac, &r); err != nil {
		return r, err
	}
	if err := j.readRuns(ctx, mac, &r); err != nil || r.unit == nil {
		return r, err
	}
	for _, read := range []func(context.Context, *rows) error{j.readKeys, j.readBurns, j.readRegions} {
		if err := read(ctx, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (j *Judge) readUnits(ctx context.Context, mac string, r *rows) error {
	err := j.query(ctx, `SELECT id, serial, state, completed_at IS NOT NULL, final_words,
		(SELECT count(*) FROM units AS same WHERE same.serial = units.serial) FROM units WHERE mac = ? ORDER BY id`, []any{mac},
		func(rows *sql.Rows) error {
			var u unitRow
			var final sql.NullString
			if err := rows.Scan(&u.id, &u.serial, &u.state, &u.complete, &final, &r.sameSerial); err != nil {
				return err
			}
			var err error
			u.final, err = parseFinal(final.String)
			r.units = append(r.units, u)
			return err
		})
	if len(r.units) > 0 {
		r.unit = &r.units[0]
	}
	return err
}

func (j *Judge) readRuns(ctx context.Context, mac string, r *rows) error {
	err := j.query(ctx, "SELECT run, coalesce(verdict, ''), code FROM runs WHERE mac = ? ORDER BY id", []any{mac},
		func(rows *sql.Rows) error {
			var run runRow
			err := rows.Scan(&run.run, &run.verdict, &run.code)
			r.runs = append(r.runs, run)
			return err
		})
	if err != nil {
		return err
	}
	return j.query(ctx, `SELECT action = 'park', coalesce(run, ''), parkings.code FROM parkings LEFT JOIN runs ON runs.id = run_id
		WHERE parkings.mac = ? ORDER BY parkings.id DESC LIMIT 1`, []any{mac},
		func(rows *sql.Rows) error {
			var p parkingRow
			var parked bool
			err := rows.Scan(&parked, &p.run, &p.code)
			if parked {
				r.parked = &p
			}
			return err
		})
}

func (j *Judge) readKeys(ctx context.Context, r *rows) error {
	err := j.query(ctx, `SELECT block, purpose, fingerprint, iif(verified_at IS NULL, 0, (SELECT max(n) FROM ledger WHERE tbl = 'keys' AND row = keys.id)),
		(SELECT count(*) FROM keys AS same WHERE same.fingerprint = keys.fingerprint) FROM keys WHERE unit_id = ? ORDER BY id`, []any{r.unit.id},
		func(rows *sql.Rows) error {
			var k keyRow
			err := rows.Scan(&k.block, &k.purpose, &k.fingerprint, &k.compared, &k.shared)
			r.keys = append(r.keys, k)
			return err
		})
	if err != nil {
		return err
	}
	return j.query(ctx, `SELECT working, escrow, (SELECT min(n) FROM ledger WHERE tbl = 'sealed_keys' AND row = id) FROM sealed_keys WHERE id = ?`,
		[]any{r.unit.id}, func(rows *sql.Rows) error {
			var s sealedRow
			err := rows.Scan(&s.working, &s.escrow, &s.place)
			r.sealed = &s
			return err
		})
}

func (j *Judge) readBurns(ctx context.Context, r *rows) error {
	return j.query(ctx, `SELECT step, block, coalesce(words_before, ''), coalesce(words_bits, ''), coalesce(key_fingerprint, ''),
		observed_at IS NOT NULL, (SELECT min(n) FROM ledger WHERE tbl = 'burns' AND row = burns.id) FROM burns WHERE unit_id = ? ORDER BY id`,
		[]any{r.unit.id}, func(rows *sql.Rows) error {
			var b burnRow
			var before, bits string
			err := rows.Scan(&b.step, &b.block, &before, &bits, &b.fingerprint, &b.observed, &b.place)
			if err == nil {
				b.before, err = parseWords(before)
			}
			if err == nil {
				b.bits, err = parseWords(bits)
			}
			r.burns = append(r.burns, b)
			return err
		})
}

// readRegions keeps the newest row of each offset, which is what the unit carries, and
// when the first one was written.
func (j *Judge) readRegions(ctx context.Context, r *rows) error {
	return j.query(ctx, `SELECT flash_offset, length, flash_md5, flash_sha256, max(id),
		(SELECT min(n) FROM ledger WHERE tbl = 'regions' AND row = (SELECT min(id) FROM regions AS first
			WHERE first.unit_id = regions.unit_id AND first.flash_offset = regions.flash_offset))
		FROM regions WHERE unit_id = ? GROUP BY flash_offset`,
		[]any{r.unit.id}, func(rows *sql.Rows) error {
			var g regionRow
			var id int64
			err := rows.Scan(&g.offset, &g.length, &g.md5, &g.sha256, &id, &g.place)
			r.regions = append(r.regions, g)
			return err
		})
}

// key is the row of a block's key; nil without one.
func (r *rows) key(block int) *keyRow {
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
