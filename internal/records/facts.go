package records

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"
)

// Facts are what was found out about a firmware file that goes to one place in flash.
// What the JSON says is the caller's.
type Facts struct {
	SHA256 string          `json:"sha256"` // of the file, 64 hex digits
	Offset int64           `json:"offset"` // bytes from the start of flash
	Facts  json.RawMessage `json:"facts"`
}

// SaveFacts records facts of files that were saved (ErrNotFound). Those of a file at
// a place where some are known already stay as they are.
func (s *Store) SaveFacts(ctx context.Context, all []Facts) error {
	err := s.write(ctx, func(t *txn) error {
		for _, f := range all {
			if err := t.saveFacts(ctx, f); err != nil {
				return named(err, "%s at %#x", f.SHA256, f.Offset)
			}
		}
		return nil
	})
	return named(err, "save facts of firmware")
}

func (t *txn) saveFacts(ctx context.Context, f Facts) error {
	sum, err := parseHash("firmware", f.SHA256)
	if err != nil {
		return err
	}
	if len(f.Facts) == 0 || !json.Valid(f.Facts) {
		return fmt.Errorf("%w: the facts are not JSON", ErrInvalid)
	}
	file, err := t.firmwareID(ctx, sum)
	if err != nil {
		return err
	}
	var known bool
	err = t.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM firmware_facts WHERE firmware_id = ? AND flash_offset = ?)", file, f.Offset).Scan(&known)
	if err != nil || known {
		return err
	}
	_, err = t.insert(ctx, "firmware_facts", "INSERT INTO firmware_facts (firmware_id, flash_offset, facts) VALUES (?, ?, ?)", file, f.Offset, string(f.Facts))
	return err
}

// Carried is a firmware file in a unit.
type Carried struct {
	SHA256 string          `json:"sha256"`
	Role   string          `json:"role"`
	Offset int64           `json:"offset"`          // bytes from the start of flash
	Facts  json.RawMessage `json:"facts,omitempty"` // nil: none are recorded
}

// FactsOf returns the firmware files that a unit carries, in the order in which they
// were last verified, each with what is known of it.
func (s *Store) FactsOf(ctx context.Context, unitID int64) ([]Carried, error) {
	files, err := factsOf(ctx, s.r, unitID)
	return files, named(classify(ctx, err), "facts of unit %d", unitID)
}

func factsOf(ctx context.Context, q querier, unitID int64) ([]Carried, error) {
	return list(ctx, q, scanCarried, `SELECT sha256, role, regions.flash_offset, facts FROM regions
		JOIN firmware ON firmware.id = regions.firmware_id
		LEFT JOIN firmware_facts ON firmware_facts.firmware_id = regions.firmware_id AND firmware_facts.flash_offset = regions.flash_offset
		WHERE unit_id = ? AND NOT EXISTS (SELECT 1 FROM regions AS later WHERE later.unit_id = regions.unit_id
			AND later.flash_offset = regions.flash_offset AND later.firmware_id IS NOT NULL AND later.id > regions.id)
		ORDER BY regions.id`, unitID)
}

func scanCarried(scan func(...any) error) (Carried, error) {
	var c Carried
	err := scan(&c.SHA256, &c.Role, &c.Offset, rawJSON{&c.Facts})
	return c, err
}

// Finished is what a question to a whole fleet needs of one complete unit.
type Finished struct {
	ID           int64
	MAC, Serial  string
	ChipRevision string
	FinalWords   []BlockWords // nil: none are recorded
	// Carries is the same text for units that carry the same files at the same places
	// of flash, verified in the same order: FactsOf one is FactsOf the other.
	Carries string
}

// FinishedFilter narrows a fleet; zero fields do not.
type FinishedFilter struct {
	Station string
	Since   time.Time // completed then or later
	LastID  int64     // no unit with a higher ID: none that was reserved later
}

// FinishedUnits yields the complete units that match, in the order they were
// reserved. A failed look-up ends it with an error. The view is that of the moment it
// began, as with Carriers.
func (s *Store) FinishedUnits(ctx context.Context, f FinishedFilter) iter.Seq2[Finished, error] {
	query, args := f.query()
	return func(yield func(Finished, error) bool) {
		rows, err := s.r.QueryContext(ctx, query, args...)
		if err != nil {
			yield(Finished{}, named(classify(ctx, err), "list finished units"))
			return
		}
		defer rows.Close()
		for rows.Next() {
			u, err := scanFinished(rows.Scan)
			if !yield(u, named(err, "list finished units")) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Finished{}, named(classify(ctx, err), "list finished units"))
		}
	}
}

func (f FinishedFilter) query() (text string, args []any) {
	var w where
	w.add(true, "state = 'complete'")
	w.add(f.Station != "", "station = ?", f.Station)
	w.add(!f.Since.IsZero(), "completed_at >= ?", f.Since.UTC().Format(timeLayout))
	w.add(f.LastID > 0, "id <= ?", f.LastID)
	return `SELECT id, mac, serial, chip_revision, final_words,
		(SELECT group_concat(firmware_id || '@' || flash_offset, ' ') FROM (SELECT firmware_id, flash_offset FROM regions
			WHERE unit_id = units.id AND firmware_id IS NOT NULL ORDER BY id)) FROM units` + w.text() + " ORDER BY id", w.args
}

func scanFinished(scan func(...any) error) (Finished, error) {
	var u Finished
	err := scan(&u.ID, &u.MAC, &u.Serial, &u.ChipRevision, finalWords{&u.FinalWords}, orZero[string]{&u.Carries})
	return u, err
}
