package records

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
)

// pragma is one setting of a connection, and what it must read back as: SQLite
// ignores a setting it cannot apply and says nothing.
type pragma struct {
	name, set string
	want      any // int64 or string, as read back
}

// busyTimeout is how long a connection waits for another program's lock, in milliseconds.
var busyTimeout = pragma{"busy_timeout", "5000", int64(5000)}

// writePragmas make a commit outlive the power and a deletion real. The order
// matters: busy_timeout first, so that the others can wait.
var writePragmas = []pragma{
	busyTimeout,
	{"journal_mode", "WAL", "wal"},
	{"synchronous", "FULL", int64(2)}, // fsync the log at every commit
	{"fullfsync", "ON", int64(1)},     // macOS: through the drive's cache too
	{"checkpoint_fullfsync", "ON", int64(1)},
	{"foreign_keys", "ON", int64(1)},
	{"secure_delete", "ON", int64(1)},      // freed bytes are overwritten with zeros
	{"recursive_triggers", "ON", int64(1)}, // else REPLACE deletes past the append-only triggers
	{"temp_store", "MEMORY", int64(2)},     // no row in a temporary file
	{"cell_size_check", "ON", int64(1)},
	{"trusted_schema", "OFF", int64(0)},
}

// readPragmas are for connections that only read, also of a file they may not write.
var readPragmas = []pragma{
	busyTimeout,
	{"query_only", "ON", int64(1)},
	{"temp_store", "MEMORY", int64(2)},
	{"cell_size_check", "ON", int64(1)},
	{"trusted_schema", "OFF", int64(0)},
}

// connector opens connections that have all their pragmas, or none.
type connector struct {
	driver.Connector
	pragmas []pragma
}

// newConnector returns a connector for the file at path (absolute). options are
// SQLite URI parameters such as mode=ro.
func newConnector(path string, pragmas []pragma, options ...string) (driver.Connector, error) {
	// Immediate: a transaction that will write takes the lock at its start, where
	// waiting is safe, not half way.
	options = append(options, "_txlock=immediate")
	c, err := sqlite.NewConnector(fileURI(path) + "?" + strings.Join(options, "&"))
	if err != nil {
		return nil, err
	}
	return connector{c, pragmas}, nil
}

// fileURI returns the file: URI of an absolute path, on Windows too.
func fileURI(path string) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // C:/x becomes /C:/x
	}
	return "file://" + (&url.URL{Path: p}).EscapedPath()
}

// Connect opens one connection, applies the pragmas and reads each back.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	opened, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	plain := opened.(sqliteConn)
	for _, p := range c.pragmas {
		if err := p.apply(ctx, plain); err != nil {
			return nil, errors.Join(err, plain.Close())
		}
	}
	return &conn{plain, map[string]*statement{}}, nil
}

func (p pragma) apply(ctx context.Context, conn sqliteConn) error {
	if _, err := conn.ExecContext(ctx, "PRAGMA "+p.name+" = "+p.set, nil); err != nil {
		return fmt.Errorf("set %s: %w", p.name, err)
	}
	got, err := p.read(ctx, conn)
	if err != nil {
		return fmt.Errorf("read back %s: %w", p.name, err)
	}
	if got != p.want {
		return fmt.Errorf("%s is %v after setting it to %s", p.name, got, p.set)
	}
	return nil
}

// read returns the pragma's present value, nil if SQLite does not know it.
func (p pragma) read(ctx context.Context, conn sqliteConn) (any, error) {
	rows, err := conn.QueryContext(ctx, "PRAGMA "+p.name, nil)
	if err != nil {
		return nil, err
	}
	value := make([]driver.Value, max(1, len(rows.Columns())))
	if err := rows.Next(value); err != nil && err != io.EOF {
		return nil, errors.Join(err, rows.Close())
	}
	return value[0], rows.Close()
}

// set changes a pragma of a connection of a pool. SQLite obeys some when their text is
// prepared, and not when it is carried out: so not by a statement that is kept. A
// connection that cannot be set is given up, and the pool makes a new one.
func set(ctx context.Context, c *sql.Conn, p pragma) error {
	var err error
	raw := c.Raw(func(plain any) error {
		if err = p.apply(ctx, plain.(*conn).sqliteConn); err != nil {
			return driver.ErrBadConn
		}
		return nil
	})
	return cmp.Or(err, raw)
}

// openPool opens a pool of at most conns connections and proves that one works.
func openPool(ctx context.Context, conns int, path string, pragmas []pragma, options ...string) (*sql.DB, error) {
	c, err := newConnector(path, pragmas, options...)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	// A connection alone does not read the file; this does.
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA schema_version").Scan(&version); err != nil {
		return nil, errors.Join(classify(ctx, err), db.Close())
	}
	return db, nil
}
