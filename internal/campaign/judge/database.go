package judge

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite" // reads the records beside the station

	"provision/internal/keys"
)

// Open reads the database at path, beside the station that writes it. station opens
// the keys of unfinished units, owner what is kept of finished ones.
func Open(path string, station, owner keys.Identity) (*Judge, error) {
	db, err := openDatabase(path)
	if err != nil {
		return nil, err
	}
	return newJudge(db, station, owner), nil
}

// Moved is the judge at another place of the same records. It closes the first.
func (j *Judge) Moved(path string) (*Judge, error) {
	db, err := openDatabase(path)
	if err != nil {
		return nil, err
	}
	to := newJudge(db, j.station, j.owner)
	to.inChips = j.inChips
	return to, j.Close()
}

// database is the records in SQLite.
type database struct {
	db       *sql.DB
	prepared map[string]*sql.Stmt // by their text; closed with db
}

func openDatabase(path string) (*database, error) {
	db, err := sql.Open("sqlite", "file://"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, fmt.Errorf("open %s to judge it: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return &database{db: db, prepared: map[string]*sql.Stmt{}}, nil
}

func (s *database) close() error { return s.db.Close() }

// query calls scan for each row.
func (s *database) query(ctx context.Context, text string, args []any, scan func(*sql.Rows) error) error {
	prepared := s.prepared[text]
	if prepared == nil { // the same few questions are asked of every unit
		var err error
		if prepared, err = s.db.PrepareContext(ctx, text); err != nil {
			return err
		}
		s.prepared[text] = prepared
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
func (s *database) read(ctx context.Context, mac string) (Rows, error) {
	var r Rows
	if err := s.readUnits(ctx, mac, &r); err != nil {
		return r, err
	}
	if err := s.readRuns(ctx, mac, &r); err != nil || r.unit == nil {
		return r, err
	}
	for _, read := range []func(context.Context, *Rows) error{s.readKeys, s.readBurns, s.readRegions} {
		if err := read(ctx, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (s *database) readUnits(ctx context.Context, mac string, r *Rows) error {
	err := s.query(ctx, `SELECT id, serial, state, completed_at IS NOT NULL, final_words,
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

func (s *database) readRuns(ctx context.Context, mac string, r *Rows) error {
	err := s.query(ctx, "SELECT run, coalesce(verdict, ''), code FROM runs WHERE mac = ? ORDER BY id", []any{mac},
		func(rows *sql.Rows) error {
			var run runRow
			err := rows.Scan(&run.run, &run.verdict, &run.code)
			r.runs = append(r.runs, run)
			return err
		})
	if err != nil {
		return err
	}
	return s.query(ctx, `SELECT action = 'park', coalesce(run, ''), parkings.code FROM parkings LEFT JOIN runs ON runs.id = run_id
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

func (s *database) readKeys(ctx context.Context, r *Rows) error {
	err := s.query(ctx, `SELECT block, purpose, fingerprint, iif(verified_at IS NULL, 0, (SELECT max(n) FROM ledger WHERE tbl = 'keys' AND row = keys.id)),
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
	return s.query(ctx, `SELECT working, escrow, (SELECT min(n) FROM ledger WHERE tbl = 'sealed_keys' AND row = id) FROM sealed_keys WHERE id = ?`,
		[]any{r.unit.id}, func(rows *sql.Rows) error {
			var k sealedRow
			err := rows.Scan(&k.working, &k.escrow, &k.place)
			r.sealed = &k
			return err
		})
}

func (s *database) readBurns(ctx context.Context, r *Rows) error {
	return s.query(ctx, `SELECT step, block, coalesce(words_before, ''), coalesce(words_bits, ''), coalesce(key_fingerprint, ''),
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
func (s *database) readRegions(ctx context.Context, r *Rows) error {
	return s.query(ctx, `SELECT flash_offset, length, flash_md5, flash_sha256, max(id),
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

func (s *database) serialTaken(ctx context.Context, serial, mac string) (taken bool, err error) {
	err = s.query(ctx, "SELECT EXISTS (SELECT 1 FROM units WHERE serial = ? AND mac <> ?)", []any{serial, mac},
		func(rows *sql.Rows) error { return rows.Scan(&taken) })
	return taken, err
}
