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
	findings, err := s.checkIndexes(ctx, table)
	if err != nil {
		return err
	}
	findings = append(findings, s.checkColumns(table)...)
	if len(findings) == 0 {
		return nil
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return strings.Compare(a.Column, b.Column) })
	return findings
}

func (s *Store) checkColumns(table map[string]tableColumn) SchemaError {
	var findings SchemaError
	known := map[string]bool{}
	for _, c := range append(slices.Clone(derivedColumns), s.columns...) {
		known[c.Name] = true
		found, ok := table[c.Name]
		switch {
		case !ok:
			findings = append(findings, Finding{c.Name, fmt.Sprintf("column %s is missing", c.Name), s.addColumn(c)})
		case found.nullable && !c.Nullable:
			findings = append(findings, s.nullable(c))
		}
	}
	for column, c := range table {
		if !known[column] && !c.nullable && !c.hasDefault {
			findings = append(findings, Finding{
				column, fmt.Sprintf("column %s is NOT NULL without a default, and the struct lacks it: no user could be stored", column), "",
			})
		}
	}
	return findings
}

func (s *Store) nullable(c Column) Finding {
	f := Finding{Column: c.Name, Problem: fmt.Sprintf("column %s may be NULL, which the field %s cannot hold", c.Name, c.Field)}
	if c.Custom {
		f.Problem += ": make the field a pointer"
	}
	if s.dialect == PostgreSQL { // SQLite cannot change a column
		f.Problem += ", or"
		f.SQL = s.names.fill("ALTER TABLE {users} ALTER COLUMN ") + quote(c.Name) + " SET NOT NULL"
	}
	return f
}

// derivedColumns are those of Derived, which no field of the struct is in.
var derivedColumns = []Column{
	{Name: string(ByUsername), Nullable: true, SQLType: derivedType("")},
	{Name: string(ByEmail), Nullable: true, SQLType: derivedType("")},
	{Name: "search", SQLType: derivedType(" NOT NULL DEFAULT ''")},
}

func derivedType(rest string) func(Dialect) string {
	return func(d Dialect) string {
		if d == SQLite {
			return "text" + rest
		}
		return `text COLLATE "C"` + rest
	}
}

// checkIndexes finds the identifiers that two users could have, and the users who do.
func (s *Store) checkIndexes(ctx context.Context, table map[string]tableColumn) (SchemaError, error) {
	unique := map[string]bool{}
	template, name := uniqueColumns[s.dialect], s.catalogName()
	if err := s.rowsOf(ctx, adhoc, template, []any{name}, func(scan scanFunc) error {
		var column string
		err := scan(&column)
		unique[column] = true
		return err
	}); err != nil {
		return nil, err
	}
	var findings SchemaError
	for _, key := range []struct {
		column UserKey
		index  string
	}{{ByUsername, "username_key"}, {ByEmail, "email_key"}, {ByPhone, "phone_key"}} {
		column := string(key.column)
		if _, exists := table[column]; unique[column] || !exists {
			continue
		}
		doubles, err := s.doubles(ctx, column, identifierIndexes[key.index])
		if err != nil {
			return nil, err
		}
		findings = append(findings, doubles...)
		findings = append(findings, Finding{
			column, fmt.Sprintf("column %s has no unique index", column),
			s.names.fill("CREATE UNIQUE INDEX {users."+key.index+"} ON {users} (") + quote(column) + ")",
		})
	}
	return findings, nil
}

var uniqueColumns = map[Dialect]string{
	PostgreSQL: `
		SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
			AND coalesce(pg_get_expr(i.indpred, i.indrelid) = '(' || quote_ident(a.attname) || ' IS NOT NULL)', TRUE)`,
	SQLite: `
		SELECT max(c.name) FROM pragma_index_list($1) i JOIN pragma_index_info(i.name) c
		WHERE i."unique" AND (NOT i.partial
			OR (SELECT sql FROM sqlite_master m WHERE m.type = 'index' AND m.name = i.name) LIKE '% WHERE "' || c.name || '" IS NOT NULL')
		GROUP BY i.name HAVING count(*) = 1 AND max(c.name) IS NOT NULL`,
}

// maxDoubles bounds how many doubled identifiers are told.
const maxDoubles = 100

// doubles names the users who share an identifier, by their ids.
func (s *Store) doubles(ctx context.Context, column, field string) (SchemaError, error) {
	var findings SchemaError
	shared := ""
	err := s.rowsOf(ctx, adhoc, strings.ReplaceAll(`
		SELECT $column, id FROM {users}
		WHERE $column IN (
			SELECT $column FROM {users} WHERE $column IS NOT NULL
			GROUP BY $column HAVING count(*) > 1
			ORDER BY $column LIMIT $1
		)
		ORDER BY $column, id`, "$column", quote(column)), []any{maxDoubles}, func(scan scanFunc) error {
		var value string
		var id roster.ID
		if err := scan(&value, &id); err != nil {
			return err
		}
		if len(findings) == 0 || value != shared {
			shared = value
			findings = append(findings, Finding{Column: column, Problem: "users have the same " + field + ":"})
		}
		findings[len(findings)-1].Problem += " " + id.String()
		return nil
	})
	return findings, err
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
			// Nodes that start together add it together; one of them is first.
			if now, lookup := s.tableColumns(ctx); lookup == nil {
				if _, added := now[c.Name]; added {
					continue
				}
			}
			return fmt.Errorf("add column %s: %w", c.Name, scrub(err))
		}
	}
	return nil
}

func (s *Store) addColumn(c Column) string {
	return s.names.fill("ALTER TABLE {users} ADD COLUMN ") + quote(c.Name) + " " + c.SQLType(s.dialect)
}

// catalogName is the users table as the catalog of the database is asked for it.
func (s *Store) catalogName() string {
	if s.dialect == SQLite {
		return s.names.table["users"]
	}
	return s.names.fill("{users}")
}

func (s *Store) tableColumns(ctx context.Context) (map[string]tableColumn, error) {
	template := `
		SELECT a.attname, NOT a.attnotnull, a.atthasdef OR a.attidentity <> '' FROM pg_attribute a
		WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`
	if s.dialect == SQLite {
		template = `SELECT name, "notnull" = 0, dflt_value IS NOT NULL FROM pragma_table_info($1)`
	}
	table, name := map[string]tableColumn{}, s.catalogName()
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
