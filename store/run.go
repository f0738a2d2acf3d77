package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/roster-go/roster"
)

// exec runs a statement and returns how many rows it touched.
func (s *Store) exec(ctx context.Context, template string, args ...any) (int64, error) {
	inner, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	run, text, err := s.runner(inner, prepare, template)
	if err != nil {
		return 0, s.failure(ctx, err)
	}
	result, err := run.ExecContext(inner, text, args...)
	if err != nil {
		return 0, s.failure(ctx, err)
	}
	n, err := result.RowsAffected()
	return n, s.failure(ctx, err)
}

// row runs a statement and scans its first row; none is roster.ErrNotFound.
func (s *Store) row(ctx context.Context, template string, args []any, dest ...any) error {
	found := false
	err := s.rows(ctx, template, args, func(scan scanFunc) error {
		found = true
		return scan(dest...)
	})
	if err == nil && !found {
		return roster.ErrNotFound
	}
	return err
}

type scanFunc func(dest ...any) error

// rows runs a statement and calls each for every row; each must run no statement itself.
func (s *Store) rows(ctx context.Context, template string, args []any, each func(scan scanFunc) error) error {
	return s.rowsOf(ctx, prepare, template, args, each)
}

// mode says whether a statement is kept prepared, with a plan that serves all values.
type mode bool

const (
	prepare mode = true
	adhoc   mode = false
)

func (s *Store) rowsOf(ctx context.Context, m mode, template string, args []any, each func(scan scanFunc) error) (err error) {
	timeout := s.cfg.Timeout
	if strings.Contains(template, "{lock}") {
		timeout = min(timeout, s.cfg.LockTimeout)
	}
	inner, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	run, text, err := s.runner(inner, m, template)
	if err != nil {
		return s.failure(ctx, err)
	}
	rows, err := run.QueryContext(inner, text, args...)
	if isUnsupported(err) && s.statements.forget(template) {
		if s.unit(ctx) != nil {
			return roster.ErrConflict.WithCause(fmt.Errorf("%w: a table was altered", errTryAgain))
		}
		return s.rowsOf(ctx, adhoc, template, args, each)
	}
	if err != nil {
		return s.failure(ctx, err)
	}
	defer func() {
		if closing := rows.Close(); err == nil {
			err = s.failure(ctx, closing)
		}
	}()
	scan := func(dest ...any) error { return s.unreadable(rows.Scan(dest...), dest) }
	for rows.Next() {
		if err := each(scan); err != nil {
			return s.failure(ctx, err)
		}
	}
	return s.failure(ctx, rows.Err())
}

// runner is what a text is run on: a transaction, the pool, or a statement that was prepared from it.
type runner interface {
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

func (s *Store) runner(ctx context.Context, m mode, template string) (runner, string, error) {
	u := s.unit(ctx)
	stmt := &statement{}
	var err error
	if m == prepare {
		stmt, err = s.statements.get(ctx, template, u != nil)
	} else {
		stmt.text = s.names.fill(template)
	}
	switch {
	case err != nil:
		return nil, "", err
	case stmt.prepared == nil && u == nil:
		return s.db, stmt.text, nil
	case stmt.prepared == nil:
		return u.tx, stmt.text, nil
	case u == nil:
		return preparedRunner{stmt.prepared.Stmt}, stmt.text, nil
	default:
		return preparedRunner{u.tx.StmtContext(ctx, stmt.prepared.Stmt)}, stmt.text, nil
	}
}

type preparedRunner struct{ stmt *sql.Stmt }

func (p preparedRunner) ExecContext(ctx context.Context, _ string, args ...any) (sql.Result, error) {
	return p.stmt.ExecContext(ctx, args...)
}

func (p preparedRunner) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return p.stmt.QueryContext(ctx, args...)
}
