package store

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// constraint is what a violation names.
type constraint struct {
	name    string
	table   string
	columns []string
}

// String names the constraint, or else its columns.
func (c constraint) String() string {
	if c.name == "" {
		return fmt.Sprintf("a constraint on %q of table %q", c.columns, c.table)
	}
	return fmt.Sprintf("constraint %q of table %q", c.name, c.table)
}

func (c constraint) is(table string, columns ...string) bool {
	return c.table == table && len(c.columns) == 1 && (c.columns[0] == columns[0] || len(columns) > 1 && c.columns[0] == columns[1])
}

// postgresConstraint reads the fields that lib/pq and pgx have on their errors under names of their own; reading
// them by reflection spares every program the driver that it does not use.
func postgresConstraint(err error, kind violation) constraint {
	for e := err; e != nil; e = errors.Unwrap(e) {
		v, ok := postgresFields(e)
		if !ok {
			continue
		}
		c := constraint{name: text(v, "Constraint", "ConstraintName"), table: text(v, "Table", "TableName")}
		if column := text(v, "Column", "ColumnName"); column != "" {
			c.columns = []string{column}
		} else if key := keyColumns.FindStringSubmatch(text(v, "Detail")); key != nil && kind != check {
			for name := range strings.SplitSeq(key[1], ",") {
				c.columns = append(c.columns, strings.Trim(name, ` "`))
			}
		}
		return c
	}
	return constraint{}
}

// postgresFields are those of an error of one of the drivers.
func postgresFields(err error) (reflect.Value, bool) {
	v := reflect.Indirect(reflect.ValueOf(err))
	return v, v.Kind() == reflect.Struct && v.FieldByName("Detail").IsValid()
}

// keyColumns finds the columns in the detail of a violation: Key (a, b)=(…) …, in every language of the server.
var keyColumns = regexp.MustCompile(`\(([^()]+)\)=\(`)

func text(v reflect.Value, names ...string) string {
	for _, name := range names {
		if f := v.FieldByName(name); f.IsValid() && f.Kind() == reflect.String {
			return f.String()
		}
	}
	return ""
}

// sqliteConstraint reads "… constraint failed: users.company, users.plan (2067)" and "… index 'users_email_key' (2067)".
func sqliteConstraint(message string) constraint {
	_, what, _ := strings.Cut(message, "constraint failed: ")
	if at := strings.LastIndex(what, " ("); at >= 0 {
		what = what[:at]
	}
	// The driver repeats the kind: "constraint failed: UNIQUE constraint failed: users.company".
	if _, rest, again := strings.Cut(what, "constraint failed: "); again {
		what = rest
	}
	if name, isIndex := strings.CutPrefix(what, "index '"); isIndex {
		return constraint{name: strings.TrimSuffix(name, "'")}
	}
	c := constraint{}
	for part := range strings.SplitSeq(what, ", ") {
		if table, column, ok := strings.Cut(part, "."); ok {
			c.table = table
			c.columns = append(c.columns, column)
		}
	}
	if nameForm.MatchString(what) { // else it is the expression of a check, or nothing
		c.name = what
	}
	return c
}
