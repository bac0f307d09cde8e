package records

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// applicationID marks our files among SQLite databases: "PRVR", big-endian, in
// the header at byte 68.
const applicationID = 0x50525652

// migrations returns the steps in order: step i takes version i to i+1.
func migrations() ([]string, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	steps := make([]string, 0, len(names))
	for i, name := range names {
		var number int
		if _, err := fmt.Sscanf(name, "migrations/%04d_", &number); err != nil || number != i+1 {
			return nil, fmt.Errorf("migration %s is not number %04d", name, i+1)
		}
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, string(text))
	}
	return steps, nil
}

// migrate brings the database to the last version, one transaction a step.
func (s *Store) migrate(ctx context.Context) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	for {
		done, err := s.migrateOnce(ctx, steps)
		if err != nil {
			return classify(ctx, err)
		}
		if done {
			return nil
		}
	}
}

// migrateOnce applies the next missing step. The version is read inside the
// transaction, since another program may be opening the same file.
func (s *Store) migrateOnce(ctx context.Context, steps []string) (done bool, err error) {
	tx, err := s.w.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() // after Commit it does nothing
	version, err := versionOf(ctx, tx, len(steps))
	if err != nil || version == len(steps) {
		return true, err
	}
	if _, err := tx.ExecContext(ctx, steps[version]); err != nil {
		return false, fmt.Errorf("bring records to version %d: %w", version+1, err)
	}
	stamp := fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d", version+1, applicationID)
	if _, err := tx.ExecContext(ctx, stamp); err != nil {
		return false, fmt.Errorf("stamp records as version %d: %w", version+1, err)
	}
	return false, tx.Commit()
}

// checkVersion is for a database that cannot be migrated here: it must already
// have this version's schema.
func checkVersion(ctx context.Context, db *sql.DB) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	version, err := versionOf(ctx, db, len(steps))
	if err != nil {
		return classify(ctx, err)
	}
	if version == 0 {
		return fmt.Errorf("%w: it is empty", ErrNotDatabase)
	}
	if version < len(steps) {
		return fmt.Errorf("records are of version %d, this program reads %d: open them once for writing", version, len(steps))
	}
	return nil
}

// versionOf returns the schema version: 0 for a database with nothing in it.
// ErrNewer when it is above last, ErrNotDatabase when it is another program's.
func versionOf(ctx context.Context, q querier, last int) (int, error) {
	var id, version, objects int
	err := q.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`).Scan(&id, &version, &objects)
	switch {
	case err != nil:
		return 0, fmt.Errorf("read the version of the records: %w", err)
	case objects == 0 && id == 0:
		return 0, nil
	case id != applicationID || version < 1:
		return 0, fmt.Errorf("%w: it is an SQLite database of another program", ErrNotDatabase)
	case version > last:
		return 0, fmt.Errorf("%w: version %d, this program knows %d", ErrNewer, version, last)
	}
	return version, nil
}

// querier is what *sql.DB and *sql.Tx have in common for reading.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}
