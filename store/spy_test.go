package store_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/roster-go/roster/store"
)

// spy is a driver around another that notes each statement, and fails those that it is told to.
type spy struct {
	driver.Connector
	mu sync.Mutex
	// fail is asked before each statement; its error is the statement's.
	fail  func(text string) error
	notes []note
}

// note is a statement: prepared, or run with or without having been.
type note struct {
	kind string // prepare, prepared, plain, begin, commit, rollback
	text string
}

// openSpied opens an address by store.Open and puts a spy between.
func openSpied(t testing.TB, address string) (*sqlx.DB, *spy) {
	t.Helper()
	s := &spy{}
	plain := openAddress(t, address)
	if after, ok := strings.CutPrefix(address, "sqlite:"); ok {
		s.Connector = &dsnConnector{"file:" + after + "?" + store.SQLiteOptions +
			"&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)", plain.Driver()}
	} else {
		connector, err := pq.NewConnector(address)
		if err != nil {
			t.Fatal(err)
		}
		s.Connector = connector
	}
	db := sql.OpenDB(s)
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	t.Cleanup(func() { _ = db.Close() })
	return sqlx.NewDb(db, plain.DriverName()), s
}

type dsnConnector struct {
	dsn    string
	driver driver.Driver
}

func (c *dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c *dsnConnector) Driver() driver.Driver                        { return c.driver }

// during notes what is run during fn, and fails the nth of these statements; the 0th is none.
func (s *spy) during(n int, failure error, fn func()) []note {
	s.mu.Lock()
	s.notes, s.fail = nil, func(string) error {
		if n > 0 && len(s.notes) == n {
			return failure
		}
		return nil
	}
	s.mu.Unlock()
	fn()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = nil
	return s.notes
}

func (s *spy) note(kind, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, note{kind, text})
	if s.fail == nil || kind == "rollback" {
		return nil
	}
	return s.fail(text)
}

func (s *spy) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := s.Connector.Connect(ctx)
	return &spiedConn{conn, s}, err
}

// spiedConn has the methods that both drivers have.
type spiedConn struct {
	driver.Conn
	spy *spy
}

func (c *spiedConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if err := c.spy.note("prepare", text); err != nil {
		return nil, err
	}
	stmt, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return &spiedStmt{stmt, c.spy, text}, nil
}

func (c *spiedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.spy.note("begin", ""); err != nil {
		return nil, err
	}
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &spiedTx{tx, c.spy}, nil
}

func (c *spiedConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.spy.note("plain", text); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, text, args)
}

func (c *spiedConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.spy.note("plain", text); err != nil {
		return nil, err
	}
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, text, args)
}

func (c *spiedConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *spiedConn) ResetSession(ctx context.Context) error {
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

func (c *spiedConn) IsValid() bool {
	validator, ok := c.Conn.(driver.Validator)
	return !ok || validator.IsValid()
}

type spiedStmt struct {
	driver.Stmt
	spy  *spy
	text string
}

func (s *spiedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.spy.note("prepared", s.text); err != nil {
		return nil, err
	}
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s *spiedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.spy.note("prepared", s.text); err != nil {
		return nil, err
	}
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

type spiedTx struct {
	driver.Tx
	spy *spy
}

func (t *spiedTx) Commit() error {
	if err := t.spy.note("commit", ""); err != nil {
		return errors.Join(err, t.Tx.Rollback())
	}
	return t.Tx.Commit()
}

func (t *spiedTx) Rollback() error {
	_ = t.spy.note("rollback", "")
	return t.Tx.Rollback()
}
