package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/store"
)

// The databases. The first people of each are the workers', and may read users.
const (
	fewUsers  = 10_000
	manyUsers = 100_000
	people    = 200
	password  = "correct horse battery"
)

// fill makes a database with so many users, stored as the program would have.
func (b *bench) fill(ctx context.Context, users int) (database string, err error) {
	database = fmt.Sprintf("users_%d", users)
	if b.filled[database] {
		return database, nil
	}
	begin := time.Now()
	if _, err := b.postgres.admin.ExecContext(ctx, "CREATE DATABASE "+database); err != nil {
		return "", err
	}
	db, err := store.Open(b.postgres.Address(database))
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1) // what is set for the session is to hold
	if _, err := db.ExecContext(ctx, "CREATE EXTENSION pg_trgm"); err != nil {
		return "", fmt.Errorf("searching for parts of words needs pg_trgm: %w", err)
	}
	if text, err := command(b.roster(database, "migrate", "up")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("migrate: %w\n%s", err, text)
	}
	if err := insertUsers(ctx, db, users); err != nil {
		return "", fmt.Errorf("fill %s: %w", database, err)
	}
	b.filled[database] = true
	b.progress("made %d users in %s", users, time.Since(begin).Round(100*time.Millisecond))
	return database, nil
}

func insertUsers(ctx context.Context, db *sqlx.DB, users int) error {
	hash, err := passwords.Argon2id{}.Hash(ctx, password)
	if err != nil {
		return err
	}
	var indexes []struct {
		Name       string `db:"indexname"`
		Definition string `db:"indexdef"`
	}
	// All but the primary key, which is a constraint, are sooner made anew.
	err = db.SelectContext(ctx, &indexes, "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'users' AND indexname <> 'users_pkey'")
	if err != nil {
		return err
	}
	statements := []string{"SET session_replication_role = replica"} // foreign keys are not looked at
	for _, index := range indexes {
		statements = append(statements, `DROP INDEX "`+index.Name+`"`)
	}
	statements = append(statements, seedSQL(users, hash))
	for _, index := range indexes {
		statements = append(statements, index.Definition)
	}
	statements = append(statements, "VACUUM (ANALYZE) users", "VACUUM (ANALYZE) roster_passwords", "CHECKPOINT")
	for _, text := range statements {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}
