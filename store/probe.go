package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"modernc.org/sqlite"
)

// Probe tells which database a handle is of, and refuses one that was opened in a way that loses or mixes up data.
// It writes nothing.
func Probe(ctx context.Context, db *sqlx.DB) (Dialect, error) {
	if db == nil || db.DB == nil {
		return "", errors.New("no database: set Config.DB")
	}
	if err := reach(ctx, db); err != nil {
		return "", fmt.Errorf("reach the database: %w", scrub(err))
	}
	var version string
	if db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version) == nil {
		return SQLite, probeSQLite(ctx, db)
	}
	return PostgreSQL, probePostgres(ctx, db)
}

// reach makes a first connection. SQLite waits for nobody when two processes turn a new file to WAL at once: one of them
// is told that it is busy, and finds it done the next time.
func reach(ctx context.Context, db *sqlx.DB) error {
	wait, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		if e := (*sqlite.Error)(nil); !errors.As(err, &e) || e.Code()&0xff != sqliteBusy {
			return err
		}
		select {
		case <-time.After(retryPause):
		case <-wait.Done():
			return err
		}
	}
}

const reachTimeout = 10 * time.Second

// probePostgres refuses a lib/pq handle without binary_parameters=yes: it sends a query and its values in two round
// trips on the unnamed statement, and a pooler in transaction mode may run another client's query in between.
func probePostgres(ctx context.Context, db *sqlx.DB) error {
	var version int
	if err := db.QueryRowContext(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return fmt.Errorf("neither PostgreSQL nor SQLite: %w", scrub(err))
	}
	if version < 140000 {
		return fmt.Errorf("PostgreSQL 14 or newer is needed, this is %d", version/10000)
	}
	// A driver may be wrapped, by one that traces above all: its errors tell it.
	_, err := db.ExecContext(ctx, "SELECT 1/0")
	if sqlState(err) == "" {
		return fmt.Errorf("probe the database: %w", err)
	}
	if e := (*pq.Error)(nil); !errors.As(err, &e) {
		return nil // pgx, which has no such mode
	}
	// Bytes sent in the binary format are no jsonb; sent as text they are. So the right mode fails here.
	var document string
	err = db.QueryRowContext(ctx, "SELECT $1::jsonb", []byte("{}")).Scan(&document)
	if err == nil {
		return errors.New("the PostgreSQL handle lacks binary_parameters=yes: open it by store.Open or add it to the address")
	}
	if sqlState(err) == "" {
		return fmt.Errorf("probe the database: %w", err)
	}
	return nil
}

// probeSQLite names every option that the handle lacks.
func probeSQLite(ctx context.Context, db *sqlx.DB) error {
	var file string
	if err := db.QueryRowContext(ctx, "SELECT coalesce(max(file), '') FROM pragma_database_list WHERE name = 'main'").Scan(&file); err != nil {
		return fmt.Errorf("probe the database: %w", err)
	}
	if file == "" && db.Stats().MaxOpenConnections != 1 {
		return errors.New("every connection to :memory: is a database of its own: call SetMaxOpenConns(1), or open it by store.Open")
	}
	missing, err := missingPragmas(ctx, db, file != "")
	if err != nil {
		return fmt.Errorf("probe the database: %w", err)
	}
	if !keepsTimes(ctx, db) {
		missing = append(missing, "_time_integer_format=unix_micro", "_inttotime=1")
	}
	if file != "" {
		immediate, err := beginsImmediate(ctx, db)
		if err != nil {
			return err
		}
		if !immediate {
			missing = append(missing, "_txlock=immediate")
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the SQLite handle lacks %s: add them to the address or open it by store.Open", strings.Join(missing, "&"))
	}
	return nil
}

// missingPragmas looks at two connections, where there may be so many: what a program has set by a statement, and not by
// the address, holds on one of them.
func missingPragmas(ctx context.Context, db *sqlx.DB, inFile bool) (missing []string, err error) {
	want := func(option string, found bool) {
		if !found && !slices.Contains(missing, option) {
			missing = append(missing, option)
		}
	}
	connections := 2
	if db.Stats().MaxOpenConnections == 1 {
		connections = 1
	}
	for range connections {
		conn, err := db.Connx(ctx)
		if err != nil {
			return nil, err
		}
		defer func() { _ = conn.Close() }() // all are held until both were seen
		var foreignKeys, busyTimeout int
		var journal string
		for pragma, dest := range map[string]any{"foreign_keys": &foreignKeys, "busy_timeout": &busyTimeout, "journal_mode": &journal} {
			if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(dest); err != nil {
				return nil, err
			}
		}
		want("_pragma=foreign_keys(1)", foreignKeys == 1)
		want("_pragma=busy_timeout(5000)", busyTimeout >= 1000)
		want("_pragma=journal_mode(WAL)", !inFile || journal == "wal")
	}
	return missing, nil
}

// keepsTimes reports whether times are stored as integer microseconds and come back as times.
func keepsTimes(ctx context.Context, db *sqlx.DB) bool {
	conn, err := db.Connx(ctx)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	want := time.Unix(1, 1000).UTC()
	if _, err := conn.ExecContext(ctx, "CREATE TEMP TABLE roster_probe (at TIMESTAMP)"); err != nil {
		return false
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "DROP TABLE temp.roster_probe") }()
	if _, err := conn.ExecContext(ctx, "INSERT INTO temp.roster_probe VALUES ($1)", want); err != nil {
		return false
	}
	var kind string
	var got time.Time
	row := conn.QueryRowContext(ctx, "SELECT typeof(at), at FROM temp.roster_probe")
	return row.Scan(&kind, &got) == nil && kind == "integer" && got.Equal(want)
}

// beginsImmediate reports whether a transaction takes the write lock when it begins: one that takes it later can fail
// half-way. It holds one connection's transaction open and looks whether another can write.
func beginsImmediate(ctx context.Context, db *sqlx.DB) (bool, error) {
	if db.Stats().MaxOpenConnections == 1 {
		return true, nil // nobody to wait for in this process
	}
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("probe the database: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	conn, err := db.Connx(ctx)
	if err != nil {
		return false, fmt.Errorf("probe the database: %w", err)
	}
	defer func() { _ = conn.Close() }()
	var patience int
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&patience); err != nil {
		return false, fmt.Errorf("probe the database: %w", err)
	}
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		return false, fmt.Errorf("probe the database: %w", err)
	}
	defer func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("PRAGMA busy_timeout = %d", patience))
	}()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return true, nil
	}
	_, err = conn.ExecContext(ctx, "ROLLBACK")
	return false, err
}
