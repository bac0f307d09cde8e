package judge

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"provision/internal/campaign/memory"
	"provision/internal/keys"
)

// OpenMemory reads records that are kept in memory, as Open does those in a database:
// the plain rows, and everything that is to be known of them found out here.
func OpenMemory(disk *memory.Disk, station, owner keys.Identity) *Judge {
	return newJudge(inMemory{disk}, station, owner)
}

type inMemory struct{ disk *memory.Disk }

func (inMemory) close() error { return nil }

func (m inMemory) read(_ context.Context, mac string) (r Rows, err error) {
	m.disk.Look(func(all *memory.Rows) {
		if err = r.takeUnits(all, mac); err != nil {
			return
		}
		r.takeRuns(all, mac)
		if r.unit != nil {
			r.takeKeys(all)
			r.takeBurns(all)
			r.takeRegions(all)
		}
	})
	return r, err
}

func (m inMemory) serialTaken(_ context.Context, serial, mac string) (taken bool, err error) {
	m.disk.Look(func(all *memory.Rows) {
		taken = slices.ContainsFunc(all.Units, func(u *memory.Unit) bool { return strings.EqualFold(u.Serial, serial) && u.MAC != mac })
	})
	return taken, nil
}

func (r *Rows) takeUnits(all *memory.Rows, mac string) error {
	for _, u := range all.Units {
		if u.MAC != mac {
			continue
		}
		row := unitRow{id: u.ID, serial: u.Serial, state: string(u.State), complete: !u.CompletedAt.IsZero()}
		if len(u.FinalWords) > 0 {
			row.final = new([4]words)
		}
		for _, b := range u.FinalWords {
			if b.Block < 0 || b.Block >= len(row.final) {
				return fmt.Errorf("%w: final words of BLOCK%d", errRow, b.Block)
			}
			row.final[b.Block] = words(b.Words)
		}
		r.units = append(r.units, row)
		r.sameSerial = 0
		for _, same := range all.Units {
			if strings.EqualFold(same.Serial, u.Serial) {
				r.sameSerial++
			}
		}
	}
	if len(r.units) > 0 {
		r.unit = &r.units[0]
	}
	return nil
}

func (r *Rows) takeRuns(all *memory.Rows, mac string) {
	for _, run := range all.Runs {
		if run.MAC == mac {
			r.runs = append(r.runs, runRow{run.ID, string(run.Verdict), run.Code})
		}
	}
	for _, p := range all.Parkings {
		if p.MAC == mac { // the last one counts
			r.parked = nil
			if p.Action == "park" {
				r.parked = &parkingRow{p.RunID, p.Code}
			}
		}
	}
}

func (r *Rows) takeKeys(all *memory.Rows) {
	for _, k := range all.Keys {
		if k.UnitID != r.unit.id {
			continue
		}
		row := keyRow{block: k.Block, purpose: k.Purpose, fingerprint: k.Fingerprint}
		if !k.VerifiedAt.IsZero() {
			row.compared = k.Place
		}
		for _, same := range all.Keys {
			if same.Fingerprint == k.Fingerprint {
				row.shared++
			}
		}
		r.keys = append(r.keys, row)
	}
	for _, s := range all.Sealed {
		if s.UnitID == r.unit.id {
			r.sealed = &sealedRow{working: slices.Clone(s.Working), escrow: slices.Clone(s.Escrow), place: s.Place}
		}
	}
}

func (r *Rows) takeBurns(all *memory.Rows) {
	for _, b := range all.Burns {
		if b.UnitID != r.unit.id {
			continue
		}
		row := burnRow{step: b.Step, block: b.Block, fingerprint: b.KeyFingerprint, observed: !b.ObservedAt.IsZero(), place: b.Place}
		if b.Before != nil {
			row.before = words(*b.Before)
		}
		if b.Bits != nil {
			row.bits = words(*b.Bits)
		}
		r.burns = append(r.burns, row)
	}
}

// takeRegions keeps the newest row of each offset, and when the first one was written.
func (r *Rows) takeRegions(all *memory.Rows) {
	for _, g := range all.Regions {
		if g.UnitID != r.unit.id {
			continue
		}
		row := regionRow{offset: g.Offset, length: g.Length, md5: g.FlashMD5, sha256: g.FlashSHA256, place: g.Place}
		if i := slices.IndexFunc(r.regions, func(known regionRow) bool { return known.offset == g.Offset }); i >= 0 {
			row.place = r.regions[i].place
			r.regions[i] = row
			continue
		}
		r.regions = append(r.regions, row)
	}
	slices.SortFunc(r.regions, func(a, b regionRow) int { return cmp.Compare(a.offset, b.offset) })
}
