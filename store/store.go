// Package store is the SQL of Roster: its tables on PostgreSQL and SQLite, transactions, migrations, and the mapping
// of the databases' errors to Roster's.
//
// One text serves both databases wherever it can. Times come from the caller, in UTC and whole microseconds; no
// statement asks the database for the time, but for the age of revocations, which triggers write.
package store

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"
)

// Config names the tables and bounds the statements.
type Config struct {
	// Schema is the PostgreSQL schema of all tables; "" leaves it to the search path.
	Schema string
	// Prefix begins the names of Roster's own tables; "" means "roster_".
	Prefix string
	// UsersTable is the table of users, which the program's own columns are in too; "" means "users".
	UsersTable string
	// Timeout bounds each statement; 0 means 10 s.
	Timeout time.Duration
	// LockTimeout bounds the wait for a locked row and for SQLite's write lock; 0 means 5 s.
	LockTimeout time.Duration
	// Pooled says that a pooler in transaction mode stands before the database: no statement is prepared.
	Pooled bool
}

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = "roster_"
	}
	if c.UsersTable == "" {
		c.UsersTable = "users"
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.LockTimeout == 0 {
		c.LockTimeout = 5 * time.Second
	}
	return c
}

// Column is a column of the users table that a repo reads and writes.
type Column struct {
	Name     string // in the table
	Field    string // in JSON, for the errors that clients see
	Custom   bool   // the program's own
	Nullable bool   // the Go field can hold NULL
	// SQLType is the type of the column on a dialect, with its default, for the line that adds it.
	SQLType func(Dialect) string
}

// CommitHooks is how the functions queued by OnCommit are run.
type CommitHooks struct {
	// Timeout bounds each function.
	Timeout time.Duration
	// Report is told of panics and of functions that ended late.
	Report func(ctx context.Context, err error)
	// Revoked is called once a transaction is committed that may have ended what access tokens stand on; nil: nobody asks.
	Revoked func(ctx context.Context)
}

// Store runs the statements of one repo. It is safe for concurrent use and owns no connection.
type Store struct {
	db         *sqlx.DB
	dialect    Dialect
	cfg        Config
	names      names
	columns    []Column
	commit     CommitHooks
	statements statements
	debts      debts
}

// New returns the store of a repo whose users have these columns, on a handle that Probe has judged.
func New(db *sqlx.DB, dialect Dialect, cfg Config, columns []Column, commit CommitHooks) (*Store, error) {
	cfg = cfg.withDefaults()
	n, err := newNames(dialect, cfg, columns)
	if err != nil {
		return nil, err
	}
	return &Store{
		db: db, dialect: dialect, cfg: cfg, names: n, columns: columns, commit: commit,
		statements: statements{db: db, names: n, pooled: cfg.Pooled, wanted: map[string]struct{}{}},
	}, nil
}

// Close gives up the prepared statements. The handle stays open: it is the program's.
func (s *Store) Close() error { return s.statements.close() }

// Dialect tells which database it is.
func (s *Store) Dialect() Dialect { return s.dialect }
