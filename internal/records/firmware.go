package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Firmware is one image file, known by the SHA-256 of its plain bytes.
type Firmware struct {
	SHA256  string `json:"sha256"` // 64 hex digits
	Role    string `json:"role"`   // "bootloader", "partition-table", "app" ...
	Project string `json:"project,omitempty"`
	Version string `json:"version,omitempty"`
	IDF     string `json:"idf,omitempty"`
	Size    int64  `json:"size"` // bytes
}

// Region is a piece of flash that was written and read back.
type Region struct {
	RunID          string    `json:"run_id"`
	UnitID         int64     `json:"unit_id"`
	Name           string    `json:"name"`
	Offset         int64     `json:"offset"` // bytes from the start of flash
	Length         int64     `json:"length"` // bytes
	PlainSHA256    string    `json:"plain_sha256,omitempty"`
	FlashMD5       string    `json:"flash_md5"` // of what is in flash: ciphertext where Encrypted
	FlashSHA256    string    `json:"flash_sha256,omitempty"`
	Encrypted      bool      `json:"encrypted"`
	FirmwareSHA256 string    `json:"firmware_sha256,omitempty"` // "" where no file was written (otadata, a digest)
	VerifiedAt     time.Time `json:"verified_at"`
	Firmware       *Firmware `json:"firmware,omitempty"` // filled in by look-ups
}

// SaveFirmware records image files. One that is known already stays as it is.
func (s *Store) SaveFirmware(ctx context.Context, files []Firmware) error {
	err := s.write(ctx, func(t *txn) error {
		for _, f := range files {
			if err := t.saveFirmware(ctx, f); err != nil {
				return named(err, "%s %s", f.Role, f.SHA256)
			}
		}
		return nil
	})
	return named(err, "save firmware")
}

func (t *txn) saveFirmware(ctx context.Context, f Firmware) error {
	sum, err := parseHash("firmware", f.SHA256)
	if err != nil {
		return err
	}
	if _, err := t.firmwareID(ctx, sum); !errors.Is(err, ErrNotFound) {
		return err
	}
	_, err = t.insert(ctx, "firmware", "INSERT INTO firmware (sha256, role, project, version, idf, size) VALUES (?, ?, ?, ?, ?, ?)",
		sum, f.Role, f.Project, f.Version, f.IDF, f.Size)
	return err
}

func (t *txn) firmwareID(ctx context.Context, sum string) (id int64, err error) {
	err = t.QueryRowContext(ctx, "SELECT id FROM firmware WHERE sha256 = ?", sum).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("firmware %s: %w", sum, ErrNotFound)
	}
	return id, err
}

// SaveRegion records a region that was read back. FirmwareSHA256 must have been
// saved (ErrNotFound); the run is the last to have reserved the unit (ErrTakenOver).
// A region saved again at the same offset takes the older one's place in look-ups;
// the older row stays.
func (s *Store) SaveRegion(ctx context.Context, r Region, events ...Event) error {
	err := s.write(ctx, func(t *txn) error {
		if err := t.saveRegion(ctx, r); err != nil {
			return err
		}
		return t.append(ctx, events)
	})
	return named(err, "save region %s of unit %d", r.Name, r.UnitID)
}

func (t *txn) saveRegion(ctx context.Context, r Region) error {
	at, err := stamp(r.VerifiedAt)
	if err != nil {
		return err
	}
	run, err := unfinishedRun(ctx, t, r.RunID)
	if err != nil {
		return err
	}
	if _, err := unitOf(ctx, t, run, r.UnitID); err != nil {
		return err
	}
	var file int64
	if r.FirmwareSHA256 != "" {
		if file, err = t.firmwareID(ctx, strings.ToLower(r.FirmwareSHA256)); err != nil {
			return err
		}
	}
	_, err = t.insert(ctx, "regions", `INSERT INTO regions (run_id, unit_id, name, flash_offset, length, plain_sha256,
		flash_md5, flash_sha256, encrypted, firmware_id, verified_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		run, r.UnitID, r.Name, r.Offset, r.Length, strings.ToLower(r.PlainSHA256), strings.ToLower(r.FlashMD5),
		strings.ToLower(r.FlashSHA256), r.Encrypted, orNull(file), at)
	return err
}

// newest keeps, of the regions of one unit at one offset, the last one saved.
const newest = `NOT EXISTS (SELECT 1 FROM regions AS later WHERE later.unit_id = regions.unit_id
	AND later.flash_offset = regions.flash_offset AND later.id > regions.id)`

// Regions returns what a unit carries, by offset.
func (s *Store) Regions(ctx context.Context, unitID int64) ([]Region, error) {
	regions, err := regionsOf(ctx, s.r, unitID)
	return regions, named(classify(ctx, err), "regions of unit %d", unitID)
}

func regionsOf(ctx context.Context, q querier, unitID int64) ([]Region, error) {
	return list(ctx, q, scanRegion, `SELECT run, regions.unit_id, name, flash_offset, length, plain_sha256, flash_md5,
		flash_sha256, encrypted, verified_at, sha256, role, project, firmware.version, idf, size
		FROM regions JOIN runs ON runs.id = run_id LEFT JOIN firmware ON firmware.id = firmware_id
		WHERE regions.unit_id = ? AND `+newest+` ORDER BY flash_offset`, unitID)
}

func scanRegion(scan func(...any) error) (Region, error) {
	var r Region
	var f Firmware
	err := scan(&r.RunID, &r.UnitID, &r.Name, &r.Offset, &r.Length, &r.PlainSHA256, &r.FlashMD5, &r.FlashSHA256,
		&r.Encrypted, timestamp{&r.VerifiedAt}, orZero[string]{&f.SHA256}, orZero[string]{&f.Role}, orZero[string]{&f.Project},
		orZero[string]{&f.Version}, orZero[string]{&f.IDF}, orZero[int64]{&f.Size})
	if f.SHA256 != "" {
		r.FirmwareSHA256, r.Firmware = f.SHA256, &f
	}
	return r, err
}
