package store

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/pressly/goose/v3/lock"
)

// lock is what lets one node migrate at a time. Waiting ends with the context.
func (m *Migrator) lock() lock.SessionLocker {
	if m.dialect == SQLite {
		return &sqliteLock{m.names, m.versions.now}
	}
	return postgresLock(m.lockNumber())
}

// lockNumber stands for the tables of this repo among all advisory locks of the database.
func (m *Migrator) lockNumber() int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(m.names.fill("{migrations}")))
	return int64(h.Sum64()) //nolint:gosec // the number has no meaning, its wrapping no harm
}

// postgresLock is an advisory lock, which ends with its connection at the latest.
type postgresLock int64

// SessionLock implements lock.SessionLocker.
func (l postgresLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(l))
	return err
}

// SessionUnlock implements lock.SessionLocker.
func (l postgresLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", int64(l))
	return err
}

// sqliteLock is a lease on a row: what a process that died has left ends by itself. Should a migration outlast it, the
// database's own lock still lets one write at a time, and the second finds the first's tables in place and fails.
type sqliteLock struct {
	names names
	now   func() time.Time
}

const (
	lease    = time.Minute
	leaseTry = 50 * time.Millisecond
)

// SessionLock implements lock.SessionLocker.
func (l *sqliteLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, l.names.fill(`
		CREATE TABLE IF NOT EXISTS {migrations_lock} (id integer PRIMARY KEY, until integer NOT NULL)`)); err != nil {
		return err
	}
	for {
		now := l.now()
		result, err := conn.ExecContext(ctx, l.names.fill(`
			INSERT INTO {migrations_lock} (id, until) VALUES (1, $1)
			ON CONFLICT (id) DO UPDATE SET until = excluded.until WHERE until < $2`),
			now.Add(lease).UnixMicro(), now.UnixMicro())
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for another migration: %w", ctx.Err())
		case <-time.After(leaseTry):
		}
	}
}

// SessionUnlock implements lock.SessionLocker.
func (l *sqliteLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, l.names.fill("DELETE FROM {migrations_lock}"))
	return err
}
