package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/store"
)

type migrateCommand struct {
	Up       migrateUp       `cmd:"" help:"Apply what is pending."`
	Down     migrateDown     `cmd:"" help:"Take back the last migrations."`
	Status   migrateStatus   `cmd:"" help:"List the migrations."`
	Validate migrateValidate `cmd:"" help:"Compare the tables with this program."`
	SQL      migrateSQL      `cmd:"" help:"Print the migrations as plain SQL." name:"sql"`
}

// tables are the tables of a database, as this program wants them.
type tables struct {
	db       *sqlx.DB
	migrator *store.Migrator
	store    *store.Store
}

// tables opens the database, and nothing else of a repo: it may not be migrated yet.
func (o *Options) tables(ctx context.Context) (*tables, error) {
	file, err := readFile(o.Config)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(o.Database)
	if err != nil {
		return nil, err
	}
	x, err := newTables(ctx, db, file.Store)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return x, nil
}

func newTables(ctx context.Context, db *sqlx.DB, cfg store.Config) (*tables, error) {
	dialect, err := store.Probe(ctx, db)
	if err != nil {
		return nil, err
	}
	migrator, err := store.NewMigrator(db, dialect, cfg, time.Now)
	if err != nil {
		return nil, err
	}
	plan, err := mixins.NewPlan[*Account]()
	if err != nil {
		return nil, err
	}
	s, err := store.New(db, dialect, cfg, plan.Columns(), store.CommitHooks{})
	if err != nil {
		return nil, err
	}
	return &tables{db, migrator, s}, nil
}

func (x *tables) close() error { return errors.Join(x.store.Close(), x.db.Close()) }

// ownColumns are those of Account; a table of another program's users wants none of them.
type ownColumns struct {
	Columns bool `default:"true" help:"With the columns of this command's own users; without in the database of another program." negatable:""`
}

type migrateUp struct{ ownColumns }

// Run applies what is pending, and adds this program's own columns.
func (c migrateUp) Run(ctx context.Context, o *Options, t terminal) error {
	return o.migrate(ctx, func(x *tables) error {
		done, err := x.migrator.Up(ctx)
		for _, version := range done {
			fmt.Fprintf(t.out, "applied %d\n", version)
		}
		if err != nil || !c.Columns {
			return err
		}
		return x.store.AddColumns(ctx)
	})
}

type migrateDown struct {
	Steps     int  `arg:"" default:"1" help:"How many; 1 if left out."`
	DropUsers bool `help:"Drop the table of users too, when the first migration is taken back."`
}

// Run takes migrations back.
func (c migrateDown) Run(ctx context.Context, o *Options, t terminal) error {
	return o.migrate(ctx, func(x *tables) error {
		done, err := x.migrator.Down(ctx, c.Steps, c.DropUsers)
		for _, version := range done {
			fmt.Fprintf(t.out, "took back %d\n", version)
		}
		return err
	})
}

type migrateStatus struct{}

// Run lists the migrations.
func (migrateStatus) Run(ctx context.Context, o *Options, t terminal) error {
	return o.migrate(ctx, func(x *tables) error {
		list, err := x.migrator.Status(ctx)
		for _, m := range list {
			state := "pending"
			if !m.AppliedAt.IsZero() {
				state = "applied " + m.AppliedAt.Format(time.RFC3339)
			}
			fmt.Fprintf(t.out, "%5d  %-40s  %s\n", m.Version, m.Name, state)
		}
		return err
	})
}

type migrateValidate struct{}

// Run tells all in which the tables differ from what this program wants.
func (migrateValidate) Run(ctx context.Context, o *Options, t terminal) error {
	return o.migrate(ctx, func(x *tables) error {
		if err := x.migrator.Validate(ctx); err != nil {
			return err
		}
		if err := x.store.Check(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintln(t.out, "valid")
		return err
	})
}

type migrateSQL struct {
	ownColumns

	From int64 `help:"The version that the database has." placeholder:"VERSION"`
	To   int64 `help:"The version that it is to have; the last if left out." placeholder:"VERSION"`
}

// Run prints migrations for a team's own tool, with the statements that add this program's columns.
func (c migrateSQL) Run(ctx context.Context, o *Options, t terminal) error {
	return o.migrate(ctx, func(x *tables) error {
		var text strings.Builder
		text.WriteString(x.migrator.SQL(c.From, c.To))
		if c.From == 0 && c.Columns {
			for _, statement := range x.store.ColumnsSQL() {
				text.WriteString(statement + ";\n")
			}
		}
		_, err := fmt.Fprint(t.out, text.String())
		return err
	})
}

func (o *Options) migrate(ctx context.Context, fn func(x *tables) error) error {
	x, err := o.tables(ctx)
	if err != nil {
		return err
	}
	return errors.Join(fn(x), x.close())
}
