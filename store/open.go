package store

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Open opens a database rightly, by its address:
//
//	sqlite:roster.db           a file
//	sqlite::memory:            a database that ends with its handle
//	postgres://user@host/name  PostgreSQL by lib/pq, with its parameters
//
// A PostgreSQL handle gets binary_parameters=yes and, unless the address has them, sslmode=verify-full off loopback and
// connect_timeout=5; at most 4 connections a processor, 16 at least, each for 30 minutes at most. A statement ends at most a
// second after its context, also when the network swallows all; and none is sent twice because its answer was lost. Several
// servers are postgres://user@/name?host=a,b&port=5432,5432&target_session_attrs=read-write. The caller closes the handle.
func Open(address string) (*sqlx.DB, error) {
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		return openSQLite(path)
	}
	if strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") {
		return openPostgres(address)
	}
	return nil, fmt.Errorf("open database: want sqlite:PATH or postgres://…, not %q", scheme(address))
}

// scheme is what of an address may be shown: the rest can hold a password.
func scheme(address string) string {
	before, _, _ := strings.Cut(address, ":")
	return before
}

// sqliteOptions are what Probe asks of a handle: see there.
const sqliteOptions = "_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_txlock=immediate" +
	"&_time_integer_format=unix_micro&_inttotime=1"

func openSQLite(path string) (*sqlx.DB, error) {
	options := sqliteOptions
	memory := path == ":memory:"
	if !memory {
		options += "&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"
	}
	if path == "" || strings.Contains(path, "?") {
		return nil, fmt.Errorf("open database: want sqlite:PATH, without options")
	}
	if !memory {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if memory {
		db.SetMaxOpenConns(1) // every connection would be a database of its own
		db.SetMaxIdleConns(1)
	} else {
		db.SetMaxOpenConns(poolSize())
		db.SetMaxIdleConns(poolSize())
	}
	// sqlx knows the kind of placeholders by the name of another driver.
	return sqlx.NewDb(db, "sqlite3"), nil
}

// create makes the file of a database, if there is none, for its owner alone: SQLite would let everybody read it, and
// gives the files beside it the same mode.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the program names it
	if errors.Is(err, fs.ErrPermission) {
		return nil // one may be there that can be read alone
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func openPostgres(address string) (*sqlx.DB, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("open database: the address is no URL") // the error would repeat the password
	}
	q := u.Query()
	q.Set("binary_parameters", "yes")
	if !q.Has("sslmode") {
		q.Set("sslmode", "verify-full")
		if host := u.Hostname(); host == "localhost" || host == "127.0.0.1" || host == "::1" || strings.HasPrefix(q.Get("host"), "/") {
			q.Set("sslmode", "disable")
		}
	}
	if !q.Has("connect_timeout") {
		q.Set("connect_timeout", connectTime)
	}
	u.RawQuery = q.Encode()
	connector, err := pq.NewConnector(u.String())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := sql.OpenDB(&prompt{Connector: connector})
	db.SetMaxOpenConns(poolSize())
	db.SetMaxIdleConns(poolSize())
	db.SetConnMaxLifetime(30 * time.Minute)
	return sqlx.NewDb(db, "postgres"), nil
}

func poolSize() int { return max(16, 4*runtime.GOMAXPROCS(0)) }
