package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// LookupLimit is how many full records one Lookup returns at most.
const LookupLimit = 200

// minPrefix is how many hex digits of a fingerprint or SHA-256 are enough.
const minPrefix = 8

// KeyState says what is left of a key besides its fingerprint.
type KeyState string

// A key is sealed while its unit is unfinished, then escrowed or discarded.
const (
	KeySealed    KeyState = "sealed"
	KeyEscrowed  KeyState = "escrowed"
	KeyDiscarded KeyState = "discarded"
)

// KeyRecord is a key's fingerprint and what is left of the key.
type KeyRecord struct {
	Key
	State KeyState `json:"state"`
}

// Record is everything that was ever done to a unit. A MAC that never became a
// unit (foreign, or parked at once) has a Record whose Unit.ID is 0.
type Record struct {
	Unit     Unit        `json:"unit"`
	Runs     []Run       `json:"runs"` // in the order they began
	Keys     []KeyRecord `json:"keys"`
	Burns    []Burn      `json:"burns"`
	Regions  []Region    `json:"regions"` // what it carries now, by offset
	Parkings []Parking   `json:"parkings"`
	Labels   []Label     `json:"labels"` // what became of its label, in the order it happened
	Acts     []Act       `json:"acts"`   // on its serial or MAC, in the order they were recorded
	Events   int         `json:"events"` // how many, over all runs
}

// Lookup finds units by what a person has at hand: a serial, a MAC in any
// notation, eight or more hex digits from the start of a key fingerprint or of a
// firmware's SHA-256, or a firmware's project, version, or project/version. It
// returns their full records in the order they were reserved, ErrNotFound
// without any, and ErrTooMany beside the first LookupLimit of more.
func (s *Store) Lookup(ctx context.Context, query string) ([]Record, error) {
	var out []Record
	err := s.read(ctx, func(tx *sql.Tx) (err error) {
		out, err = lookup(ctx, tx, strings.TrimSpace(query), LookupLimit)
		return err
	})
	return out, named(err, "look up %q", query)
}

func lookup(ctx context.Context, q querier, query string, limit int) ([]Record, error) {
	ids, err := matches(ctx, q, query, limit+1)
	if err != nil {
		return nil, err
	}
	many := len(ids) > limit
	var out []Record
	for _, id := range ids[:min(len(ids), limit)] {
		u, err := unitByID(ctx, q, id)
		if err != nil {
			return nil, err
		}
		r, err := recordOf(ctx, q, u)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	if mac, err := ParseMAC(query); err == nil && len(out) == 0 {
		return strangerByMAC(ctx, q, mac)
	}
	switch {
	case len(out) == 0:
		return nil, ErrNotFound
	case many:
		return out, fmt.Errorf("%w: these are the first %d", ErrTooMany, limit)
	}
	return out, nil
}

// matches returns the ids of the first units that a query means, ascending.
func matches(ctx context.Context, q querier, query string, limit int) ([]int64, error) {
	var ids []int64
	add := func(text string, args ...any) error {
		found, err := list(ctx, q, scanID, text+" LIMIT ?", append(args, limit)...)
		ids = append(ids, found...)
		return err
	}
	errs := []error{add("SELECT id FROM units WHERE serial = ?", query)}
	if mac, err := ParseMAC(query); err == nil {
		errs = append(errs, add("SELECT id FROM units WHERE mac = ?", mac))
	}
	if low, high, ok := hexRange(query); ok {
		errs = append(errs, add("SELECT unit_id FROM keys WHERE fingerprint >= ? AND fingerprint < ? ORDER BY unit_id", low, high))
	}
	files, err := firmwareIDs(ctx, q, query)
	errs = append(errs, err)
	for _, file := range files {
		// One file at a time, so that the index gives the units in order and a
		// fleet of millions is not sorted to show the first few.
		errs = append(errs, add("SELECT DISTINCT unit_id FROM regions WHERE firmware_id = ? AND "+newest+" ORDER BY unit_id", file))
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return ids[:min(len(ids), limit)], errors.Join(errs...)
}

func scanID(scan func(...any) error) (id int64, err error) {
	err = scan(&id)
	return id, err
}

// firmwareIDs returns the firmware that query means.
func firmwareIDs(ctx context.Context, q querier, query string) ([]int64, error) {
	terms, args := []string{"project = ?", "version = ?"}, []any{query, query}
	if project, version, ok := strings.Cut(query, "/"); ok {
		terms, args = append(terms, "project = ? AND version = ?"), append(args, project, version)
	}
	if low, high, ok := hexRange(query); ok {
		terms, args = append(terms, "sha256 >= ? AND sha256 < ?"), append(args, low, high)
	}
	return list(ctx, q, scanID, "SELECT id FROM firmware WHERE "+strings.Join(terms, " OR ")+" ORDER BY id", args...)
}

// hexRange returns the bounds between which lower-case hex texts that begin with
// s lie: s itself, and s followed by what sorts after every hex digit.
func hexRange(s string) (low, high string, ok bool) {
	low = strings.ToLower(s)
	ok = len(s) >= minPrefix && strings.Trim(low, "0123456789abcdef") == ""
	return low, low + "g", ok
}

// runsOf selects the runs of a unit, also those that ended before it had a
// serial. Two look-ups joined: for one with OR, SQLite may read the whole table.
const runsOf = "SELECT id FROM runs WHERE unit_id = ? UNION SELECT id FROM runs WHERE mac = ?"

// recordOf gathers what belongs to a unit.
func recordOf(ctx context.Context, q querier, u Unit) (Record, error) {
	r := Record{Unit: u}
	var errs [8]error
	r.Runs, errs[0] = list(ctx, q, scanRun, "SELECT "+runColumns+" FROM runs WHERE id IN ("+runsOf+") ORDER BY id", u.ID, u.MAC)
	r.Keys, errs[1] = keyRecords(ctx, q, u.ID)
	r.Burns, errs[2] = burnsOf(ctx, q, u.ID)
	r.Regions, errs[3] = regionsOf(ctx, q, u.ID)
	r.Parkings, errs[4] = parkingsOf(ctx, q, u.MAC)
	errs[5] = q.QueryRowContext(ctx, "SELECT count(*) FROM events WHERE run_id IN ("+runsOf+")", u.ID, u.MAC).Scan(&r.Events)
	r.Labels, errs[6] = labelsOf(ctx, q, u.ID)
	r.Acts, errs[7] = actsOn(ctx, q, u)
	return r, errors.Join(errs[:]...)
}

func keyRecords(ctx context.Context, q querier, unitID int64) ([]KeyRecord, error) {
	keys, err := keysOf(ctx, q, unitID)
	if err != nil || len(keys) == 0 {
		return []KeyRecord{}, err
	}
	var working, escrow bool
	err = q.QueryRowContext(ctx, "SELECT working IS NOT NULL, escrow IS NOT NULL FROM sealed_keys WHERE id = ?", unitID).Scan(&working, &escrow)
	if err != nil {
		return nil, err
	}
	state := KeyDiscarded
	switch {
	case working:
		state = KeySealed
	case escrow:
		state = KeyEscrowed
	}
	out := make([]KeyRecord, len(keys))
	for i, k := range keys {
		out[i] = KeyRecord{k, state}
	}
	return out, nil
}

// strangerByMAC returns the record of a MAC without a unit, if it was ever seen.
func strangerByMAC(ctx context.Context, q querier, mac string) ([]Record, error) {
	r, err := recordOf(ctx, q, Unit{MAC: mac})
	if err != nil {
		return nil, err
	}
	if len(r.Runs) == 0 && len(r.Parkings) == 0 && len(r.Acts) == 0 {
		return nil, ErrNotFound
	}
	if p, err := parkingOf(ctx, q, mac); err == nil {
		r.Unit.State, r.Unit.ParkCode, r.Unit.ParkReason = StateParked, p.Code, p.Reason
	}
	return []Record{r}, nil
}
