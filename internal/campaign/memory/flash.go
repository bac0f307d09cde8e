package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"provision/internal/records"
)

// SaveFirmware records image files. One that is known already stays as it is.
func (s *Store) SaveFirmware(ctx context.Context, files []records.Firmware) error {
	err := s.write(ctx, func(t *txn) error {
		for _, f := range files {
			if err := t.saveFirmware(f); err != nil {
				return named(err, "%s %s", f.Role, f.SHA256)
			}
		}
		return nil
	})
	return named(err, "save firmware")
}

func (t *txn) saveFirmware(f records.Firmware) error {
	sum, err := parseHash("firmware", f.SHA256)
	if err != nil {
		return err
	}
	if _, err := t.file(sum); err == nil {
		return nil
	}
	if f.Size < 0 {
		return errSchema
	}
	f.SHA256 = sum
	t.next()
	insert(t, &t.firmware, f)
	return nil
}

// file returns the row of a firmware file, ErrNotFound without one.
func (r *Rows) file(sum string) (records.Firmware, error) {
	for _, f := range r.firmware {
		if f.SHA256 == sum {
			return f, nil
		}
	}
	return records.Firmware{}, fmt.Errorf("firmware %s: %w", sum, records.ErrNotFound)
}

// SaveFacts records facts of files that were saved. Those of a file at a place where
// some are known already stay as they are. What they say is not kept: no run asks.
func (s *Store) SaveFacts(ctx context.Context, all []records.Facts) error {
	err := s.write(ctx, func(t *txn) error {
		for _, f := range all {
			if err := t.saveFacts(f); err != nil {
				return named(err, "%s at %#x", f.SHA256, f.Offset)
			}
		}
		return nil
	})
	return named(err, "save facts of firmware")
}

func (t *txn) saveFacts(f records.Facts) error {
	sum, err := parseHash("firmware", f.SHA256)
	if err != nil {
		return err
	}
	if len(f.Facts) == 0 || !json.Valid(f.Facts) {
		return fmt.Errorf("%w: the facts are not JSON", records.ErrInvalid)
	}
	if _, err := t.file(sum); err != nil {
		return err
	}
	row := facts{sum, f.Offset}
	switch {
	case slices.Contains(t.facts, row):
		return nil
	case f.Offset < 0:
		return errSchema
	}
	t.next()
	insert(t, &t.facts, row)
	return nil
}

// SaveRegion records a region that was read back.
func (s *Store) SaveRegion(ctx context.Context, g records.Region, events ...records.Event) error {
	err := s.write(ctx, func(t *txn) error {
		if err := t.saveRegion(g); err != nil {
			return err
		}
		return t.append(events)
	})
	return named(err, "save region %s of unit %d", g.Name, g.UnitID)
}

func (t *txn) saveRegion(g records.Region) error {
	if err := given(g.VerifiedAt); err != nil {
		return err
	}
	run, err := t.unfinished(g.RunID)
	if err != nil {
		return err
	}
	if _, err := t.unitOf(run, g.UnitID); err != nil {
		return err
	}
	g.FirmwareSHA256 = strings.ToLower(g.FirmwareSHA256)
	if g.FirmwareSHA256 != "" {
		if _, err := t.file(g.FirmwareSHA256); err != nil {
			return err
		}
	}
	g.PlainSHA256, g.FlashMD5, g.FlashSHA256 = strings.ToLower(g.PlainSHA256), strings.ToLower(g.FlashMD5), strings.ToLower(g.FlashSHA256)
	if g.Name == "" || g.Offset < 0 || g.Length <= 0 || utf8.RuneCountInString(g.FlashMD5) != 32 ||
		!mayBeSHA256(g.PlainSHA256) || !mayBeSHA256(g.FlashSHA256) {
		return errSchema
	}
	g.VerifiedAt, g.Firmware = kept(g.VerifiedAt), nil
	insert(t, &t.Regions, &Region{Region: g, Place: t.next()})
	return nil
}

// mayBeSHA256 reports whether a text has the length of one, or is none.
func mayBeSHA256(s string) bool { return s == "" || utf8.RuneCountInString(s) == 64 }

// Regions returns what a unit carries, by offset: of each the last row.
func (s *Store) Regions(ctx context.Context, unitID int64) ([]records.Region, error) {
	var out []records.Region
	err := s.read(ctx, func(r *Rows) error {
		out = []records.Region{}
		for _, row := range slices.Backward(r.Regions) {
			later := func(g records.Region) bool { return g.Offset == row.Offset }
			if row.UnitID != unitID || slices.ContainsFunc(out, later) {
				continue
			}
			g := row.Region
			if f, err := r.file(g.FirmwareSHA256); err == nil {
				g.Firmware = &f
			}
			out = append(out, g)
		}
		slices.SortFunc(out, func(a, b records.Region) int { return int(a.Offset - b.Offset) })
		return nil
	})
	return out, named(err, "regions of unit %d", unitID)
}
