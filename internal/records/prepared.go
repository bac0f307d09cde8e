package records

import (
	"context"
	"database/sql/driver"
	"errors"
)

// keptStatements is how many statements one connection keeps prepared. A station has
// fewer; the questions of people, whose text follows what is asked, must not pile up.
const keptStatements = 256

// conn is a connection on which each statement is prepared once. A run writes the
// same few dozen statements some hundred times, and to parse one takes SQLite longer
// than to carry it out. database/sql uses a connection from one goroutine at a time.
type conn struct {
	sqliteConn
	kept map[string]*statement // by their text
}

// sqliteConn is all that database/sql may want of a connection to SQLite.
type sqliteConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// statement is a prepared statement and where it belongs.
type statement struct {
	sqliteStmt
	kept bool // for the next time; else it is closed after use
	busy bool // its rows are being read
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// statement returns the prepared form of a text. One whose rows are still being read
// is not disturbed: the text is prepared once more.
func (c *conn) statement(ctx context.Context, text string) (*statement, error) {
	if s := c.kept[text]; s != nil && !s.busy {
		return s, nil
	}
	prepared, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	s := &statement{sqliteStmt: prepared.(sqliteStmt)}
	if c.kept[text] == nil && len(c.kept) < keptStatements {
		s.kept, c.kept[text] = true, s
	}
	return s, nil
}

// release ends one use of the statement.
func (s *statement) release() error {
	s.busy = false
	if s.kept {
		return nil
	}
	return s.Close()
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	res, err := s.ExecContext(ctx, args)
	if err := errors.Join(err, s.release()); err != nil {
		return nil, err
	}
	return res, nil
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	found, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, s.release())
	}
	s.busy = true
	return keptRows{found, s}, nil
}

// keptRows are those of a prepared statement, which is free again when they are closed.
type keptRows struct {
	driver.Rows
	of *statement
}

// Close implements driver.Rows.
func (r keptRows) Close() error { return errors.Join(r.Rows.Close(), r.of.release()) }

// Close closes the connection and all that was prepared on it.
func (c *conn) Close() error {
	var errs []error
	for _, s := range c.kept {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}
