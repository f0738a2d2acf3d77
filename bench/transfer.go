package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/store"
)

// importedUsers is how many users one measurement of row 15 imports.
const importedUsers = 20_000

// imports compares ImportUsers with COPY of the rows that it has made, into tables with the same indexes.
func (b *bench) imports(ctx context.Context, _ *stage) ([]finding, error) {
	const database = "imports"
	if _, err := b.postgres.admin.ExecContext(ctx, "CREATE DATABASE "+database); err != nil {
		return nil, err
	}
	db, err := store.Open(b.postgres.Address(database))
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "CREATE EXTENSION pg_trgm"); err != nil {
		return nil, err
	}
	if text, err := command(b.roster(database, "migrate", "up")...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("migrate: %w\n%s", err, text)
	}
	repo, err := openRepo(db, "", passwords.Argon2id{}, false)
	if err != nil {
		return nil, err
	}
	hash, err := passwords.Argon2id{}.Hash(ctx, password)
	if err != nil {
		return nil, err
	}
	ctx = roster.WithActor(ctx, roster.Actor{Kind: roster.ActorImport})
	var ratios, rates []float64
	for range b.rounds {
		begin := time.Now()
		report, err := repo.ImportUsers(ctx, usersToImport(hash), roster.ImportOptions{})
		ours := time.Since(begin)
		if err != nil || report.Created != importedUsers {
			return nil, fmt.Errorf("import: %+v: %w", report, err)
		}
		copying, err := copyAgain(ctx, db)
		if err != nil {
			return nil, err
		}
		ratios = append(ratios, float64(copying)/float64(ours))
		rates = append(rates, importedUsers/ours.Seconds())
	}
	return []finding{
		{15, "import with hashes, rate against COPY", fmt.Sprintf("%.2f (%.2f–%.2f)", median(ratios), slices.Min(ratios), slices.Max(ratios)), "≥ 0.25", median(ratios) < 0.25},
		{15, "… users in a second", spread(rates), "–", false},
	}, nil
}

// usersToImport are lines as an export has them.
func usersToImport(hash string) iter.Seq2[roster.ImportLine, error] {
	return func(yield func(roster.ImportLine, error) bool) {
		for i := range importedUsers {
			document := fmt.Appendf(nil, `{"id":%q,"username":"imported-%d","email":"imported%d@example.org","email_verified":true,`+
				`"display_name":"Ann Bench","company":"Bench Ltd","created_at":"2019-03-01T12:00:00Z","password_hash":%q}`, roster.NewID(), i, i, hash)
			if !yield(roster.ImportLine{Number: i + 1, Document: document}, nil) {
				return
			}
		}
	}
}

// copyAgain puts what was imported back into the emptied tables by COPY, and empties them again.
func copyAgain(ctx context.Context, db *sqlx.DB) (took time.Duration, err error) {
	tables := []string{"users", "roster_passwords"}
	columns, rows := map[string][]string{}, map[string][][]any{}
	for _, table := range tables {
		if columns[table], rows[table], err = allOf(ctx, db, table); err != nil {
			return 0, err
		}
	}
	const empty = "TRUNCATE users, roster_passwords CASCADE"
	if _, err := db.ExecContext(ctx, empty); err != nil {
		return 0, err
	}
	begin := time.Now()
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	for _, table := range tables {
		if err := copyInto(ctx, tx, table, columns[table], rows[table]); err != nil {
			return 0, err
		}
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	took = time.Since(begin)
	_, err = db.ExecContext(ctx, empty)
	return took, err
}

func copyInto(ctx context.Context, tx *sqlx.Tx, table string, columns []string, rows [][]any) error {
	stmt, err := tx.PrepareContext(ctx, "COPY "+table+" ("+strings.Join(columns, ", ")+") FROM STDIN")
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }()
	for _, row := range rows {
		if _, err := stmt.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	_, err = stmt.ExecContext(ctx)
	return err
}

// allOf reads a table as texts, which COPY takes as they are.
func allOf(ctx context.Context, db *sqlx.DB, table string) (columns []string, list [][]any, err error) {
	rows, err := db.QueryxContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	if columns, err = rows.Columns(); err != nil {
		return nil, nil, err
	}
	for rows.Next() {
		row, err := rows.SliceScan()
		if err != nil {
			return nil, nil, err
		}
		for i, value := range row {
			if text, isBytes := value.([]byte); isBytes {
				row[i] = string(text)
			}
		}
		list = append(list, row)
	}
	return columns, list, rows.Err()
}
