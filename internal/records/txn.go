package records

import (
	"context"
	"database/sql"
)

// txn is a writing transaction that keeps the ledger. It is short, so the end of a
// context does not interrupt it. It is no sql.Tx, which starts a goroutine at its
// beginning and one more with each query, to wait for that end.
type txn struct {
	conn  *sql.Conn
	head  Head
	moved bool
}

// transact runs fn and moves the head of the ledger in one transaction.
func transact(ctx context.Context, c *sql.Conn, fn func(*txn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// Immediate: the lock is taken at the start, where waiting is safe. The wait is
	// bounded by busy_timeout and not by ctx: the driver may report a cancelled BEGIN
	// that has begun, and the connection, the only one that writes, would stay inside.
	if _, err := c.ExecContext(context.WithoutCancel(ctx), "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	t, committed := &txn{conn: c}, false
	defer func() {
		if !committed {
			// The cause is what is returned. After some errors there is nothing left to
			// roll back.
			_, _ = t.ExecContext(ctx, "ROLLBACK")
		}
	}()
	if err := t.loadHead(ctx); err != nil {
		return err
	}
	if err := fn(t); err != nil {
		return err
	}
	if err := t.saveHead(ctx); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, "COMMIT")
	committed = err == nil
	return err
}

// ExecContext carries out a statement.
func (t *txn) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	return t.conn.ExecContext(context.WithoutCancel(ctx), text, args...)
}

// QueryContext asks for rows.
func (t *txn) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return t.conn.QueryContext(context.WithoutCancel(ctx), text, args...)
}

// QueryRowContext asks for one row.
func (t *txn) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	return t.conn.QueryRowContext(context.WithoutCancel(ctx), text, args...)
}
