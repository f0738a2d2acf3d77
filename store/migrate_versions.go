package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pressly/goose/v3/database"
)

// versions is the table of applied migrations, as the migration library wants it: with their sums beside, so that a
// file that was changed afterwards is noticed. The library counts on a row of version 0.
type versions struct {
	dialect Dialect
	names   names
	files   []migration
	now     func() time.Time
}

var versionsTable = map[Dialect]string{
	PostgreSQL: `CREATE TABLE {migrations} (
	version    bigint NOT NULL,
	sum        text NOT NULL,
	applied_at timestamptz NOT NULL,
	CONSTRAINT {migrations.pkey} PRIMARY KEY (version)
)`,
	SQLite: `CREATE TABLE {migrations} (
	version    integer NOT NULL,
	sum        text NOT NULL,
	applied_at TIMESTAMP NOT NULL,
	CONSTRAINT {migrations.pkey} PRIMARY KEY (version)
)`,
}

var _ database.StoreExtender = (*versions)(nil)

// Tablename implements database.Store.
func (v *versions) Tablename() string { return v.names.table["migrations"] }

// TableExists implements database.StoreExtender.
func (v *versions) TableExists(ctx context.Context, db database.DBTxConn) (exists bool, err error) {
	text, name := "SELECT to_regclass($1) IS NOT NULL", v.names.fill("{migrations}")
	if v.dialect == SQLite {
		text, name = "SELECT count(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = $1", v.names.table["migrations"]
	}
	err = db.QueryRowContext(ctx, text, name).Scan(&exists)
	return exists, err
}

// CreateVersionTable implements database.Store.
func (v *versions) CreateVersionTable(ctx context.Context, db database.DBTxConn) error {
	_, err := db.ExecContext(ctx, v.names.fill(versionsTable[v.dialect]))
	return err
}

// Insert implements database.Store.
func (v *versions) Insert(ctx context.Context, db database.DBTxConn, req database.InsertRequest) error {
	sum := ""
	if i := slices.IndexFunc(v.files, func(m migration) bool { return m.version == req.Version }); i >= 0 {
		sum = v.files[i].sum
	}
	_, err := db.ExecContext(ctx, v.names.fill("INSERT INTO {migrations} (version, sum, applied_at) VALUES ($1, $2, $3)"),
		req.Version, sum, v.now().UTC().Truncate(time.Microsecond))
	return err
}

// literalInsert is Insert as plain SQL, for a script.
func (v *versions) literalInsert(version int64, sum string) string {
	now := "now()"
	if v.dialect == SQLite {
		now = "unixepoch() * 1000000"
	}
	return v.names.fill(fmt.Sprintf("INSERT INTO {migrations} (version, sum, applied_at) VALUES (%d, '%s', %s);", version, sum, now))
}

// Delete implements database.Store.
func (v *versions) Delete(ctx context.Context, db database.DBTxConn, version int64) error {
	_, err := db.ExecContext(ctx, v.names.fill("DELETE FROM {migrations} WHERE version = $1"), version)
	return err
}

// GetMigration implements database.Store.
func (v *versions) GetMigration(ctx context.Context, db database.DBTxConn, version int64) (*database.GetMigrationResult, error) {
	result := database.GetMigrationResult{IsApplied: true}
	err := db.QueryRowContext(ctx, v.names.fill("SELECT applied_at FROM {migrations} WHERE version = $1"), version).Scan(&result.Timestamp)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, database.ErrVersionNotFound
	}
	return &result, err
}

// GetLatestVersion implements database.Store.
func (v *versions) GetLatestVersion(ctx context.Context, db database.DBTxConn) (int64, error) {
	var latest sql.NullInt64
	if err := db.QueryRowContext(ctx, v.names.fill("SELECT max(version) FROM {migrations}")).Scan(&latest); err != nil {
		return 0, err
	}
	if !latest.Valid {
		return 0, database.ErrVersionNotFound
	}
	return latest.Int64, nil
}

// ListMigrations implements database.Store.
func (v *versions) ListMigrations(ctx context.Context, db database.DBTxConn) ([]*database.ListMigrationsResult, error) {
	applied, err := v.read(ctx, db)
	if err != nil {
		return nil, err
	}
	list := make([]*database.ListMigrationsResult, 0, len(applied))
	for version := range applied {
		list = append(list, &database.ListMigrationsResult{Version: version, IsApplied: true})
	}
	slices.SortFunc(list, func(a, b *database.ListMigrationsResult) int { return int(b.Version - a.Version) })
	return list, nil
}

type appliedMigration struct {
	at  time.Time
	sum string
}

// applied returns the migrations that were applied: none when the table is not there yet.
func (v *versions) applied(ctx context.Context, db database.DBTxConn) (map[int64]appliedMigration, error) {
	exists, err := v.TableExists(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", scrub(err))
	}
	if !exists {
		return map[int64]appliedMigration{}, nil
	}
	applied, err := v.read(ctx, db)
	delete(applied, 0)
	return applied, err
}

func (v *versions) read(ctx context.Context, db database.DBTxConn) (map[int64]appliedMigration, error) {
	rows, err := db.QueryContext(ctx, v.names.fill("SELECT version, sum, applied_at FROM {migrations}"))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", scrub(err))
	}
	defer func() { _ = rows.Close() }()
	applied := map[int64]appliedMigration{}
	for rows.Next() {
		var version int64
		var a appliedMigration
		if err := rows.Scan(&version, &a.sum, &a.at); err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		a.at = a.at.UTC()
		applied[version] = a
	}
	return applied, rows.Err()
}
