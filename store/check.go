package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roster-go/roster"
)

// Finding is something about the users table that does not fit the program's struct.
type Finding struct {
	Column  string
	Problem string
	// SQL mends it; "" when only the program can.
	SQL string
}

// String says what is wrong and how to mend it.
func (f Finding) String() string {
	if f.SQL == "" {
		return f.Problem
	}
	return f.Problem + ":\n\t" + f.SQL
}

// SchemaError tells all findings at once.
type SchemaError []Finding

// Error implements error.
func (e SchemaError) Error() string {
	list := make([]string, len(e))
	for i, f := range e {
		list[i] = f.String()
	}
	return "the users table does not fit the struct:\n" + strings.Join(list, "\n")
}

type tableColumn struct {
	nullable, hasDefault bool
}

// Check compares the users table with the columns of the repo, and returns a SchemaError when they do not fit.
func (s *Store) Check(ctx context.Context) error {
	table, err := s.tableColumns(ctx)
	if err != nil {
		return err
	}
	name := s.names.fill("{users}")
	var findings SchemaError
	known := map[string]bool{"username_canonical": true, "email_canonical": true, "search": true}
	for _, c := range s.columns {
		known[c.Name] = true
		found, ok := table[c.Name]
		switch {
		case !ok:
			findings = append(findings, Finding{c.Name, fmt.Sprintf("column %s is missing", c.Name), s.addColumn(c)})
		case found.nullable && !c.Nullable && c.Custom:
			findings = append(findings, Finding{
				c.Name, fmt.Sprintf("column %s may be NULL, which the field %s cannot hold: make the field a pointer, or", c.Name, c.Field),
				fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", name, quote(c.Name)),
			})
		}
	}
	for column, c := range table {
		if !known[column] && !c.nullable && !c.hasDefault {
			findings = append(findings, Finding{
				column, fmt.Sprintf("column %s is NOT NULL without a default, and the struct lacks it: no user could be stored", column), "",
			})
		}
	}
	if len(findings) == 0 {
		return nil
	}
	slices.SortFunc(findings, func(a, b Finding) int { return strings.Compare(a.Column, b.Column) })
	return findings
}

// AddColumns adds the program's columns that the users table lacks. It is for demonstrations and tests: a program
// in earnest has migrations of its own.
func (s *Store) AddColumns(ctx context.Context) error {
	table, err := s.tableColumns(ctx)
	if err != nil {
		return err
	}
	for _, c := range s.columns {
		if _, ok := table[c.Name]; ok || !c.Custom {
			continue
		}
		if _, err := s.db.ExecContext(ctx, s.addColumn(c)); err != nil {
			return fmt.Errorf("add column %s: %w", c.Name, scrub(err))
		}
	}
	return nil
}

func (s *Store) addColumn(c Column) string {
	return s.names.fill("ALTER TABLE {users} ADD COLUMN ") + quote(c.Name) + " " + c.SQLType(s.dialect)
}

func (s *Store) tableColumns(ctx context.Context) (map[string]tableColumn, error) {
	template, name := `
		SELECT a.attname, NOT a.attnotnull, a.atthasdef OR a.attidentity <> '' FROM pg_attribute a
		WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`, s.names.fill("{users}")
	if s.dialect == SQLite {
		template, name = `SELECT name, "notnull" = 0, dflt_value IS NOT NULL FROM pragma_table_info($1)`, s.names.table["users"]
	}
	table := map[string]tableColumn{}
	err := s.rowsOf(ctx, adhoc, template, []any{name}, func(scan scanFunc) error {
		var column string
		var c tableColumn
		err := scan(&column, &c.nullable, &c.hasDefault)
		table[column] = c
		return err
	})
	if err == nil && len(table) == 0 {
		return nil, roster.ErrInternal.WithMessage("there is no table " + name + ": run \"roster migrate up\", or store.Migrator.Up")
	}
	return table, err
}
