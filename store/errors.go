package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"reflect"
	"regexp"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/roster-go/roster"
)

// errTryAgain marks failures that the same transaction may not meet a second time.
var errTryAgain = errors.New("transaction was given up for another")

// identifierIndexes are the unique indexes behind the identifiers, by their name without the table's.
var identifierIndexes = map[string]string{
	"username_key": "username",
	"email_key":    "email",
	"phone_key":    "phone",
}

// failure turns an error of the database into one of Roster's. It never carries a value of the statement.
func (s *Store) failure(ctx context.Context, err error) error {
	var known *roster.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return roster.ErrNotFound
	case ctx.Err() != nil:
		return fmt.Errorf("store: %w", context.Cause(ctx))
	}
	if f := s.fault(err); f != nil {
		return f
	}
	if unreachable(err) {
		return roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(scrub(err))
	}
	return roster.ErrInternal.WithCause(scrub(err))
}

func unreachable(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) || errors.As(err, &network)
}

// fault judges the codes of PostgreSQL (Appendix A of its manual) and of SQLite (result codes).
func (s *Store) fault(err error) error {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return s.sqliteFault(e)
	}
	if e := (interface{ SQLState() string })(nil); errors.As(err, &e) {
		return s.postgresFault(err, e.SQLState())
	}
	return nil
}

func (s *Store) postgresFault(err error, state string) error {
	switch state {
	case "23505", "23503", "23514", "23502", "23P01":
		return s.violation(err, postgresViolations[state], postgresConstraint(err))
	case "40001", "40P01":
		return roster.ErrConflict.WithCause(fmt.Errorf("%w: SQLSTATE %s", errTryAgain, state))
	case "22001", "22003", "22P02", "22P05", "22021":
		return roster.ErrConflict.WithMessage("a value does not fit its column").WithCause(fmt.Errorf("SQLSTATE %s", state))
	}
	switch {
	case state == "25006", // read-only: a primary that became a standby
		strings.HasPrefix(state, "08"), strings.HasPrefix(state, "53"), // connection, resources
		strings.HasPrefix(state, "55"), strings.HasPrefix(state, "57"): // lock, intervention
		return roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(fmt.Errorf("SQLSTATE %s", state))
	}
	return nil
}

type violation int

const (
	unique violation = iota
	foreignKey
	check
	notNull
)

var postgresViolations = map[string]violation{
	"23505": unique, "23P01": unique, "23503": foreignKey, "23514": check, "23502": notNull,
}

var sqliteViolations = map[int]violation{2067: unique, 1555: unique, 787: foreignKey, 275: check, 1299: notNull}

func (s *Store) sqliteFault(e *sqlite.Error) error {
	if kind, ok := sqliteViolations[e.Code()]; ok {
		return s.violation(e, kind, sqliteConstraint(e.Error()))
	}
	switch e.Code() & 0xff {
	case 5, 6, 8, 9, 10, 13, 14: // busy, locked, read-only, interrupted, I/O, full, cannot open
		return roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(scrub(e))
	}
	return nil
}

// constraint is what a violation names.
type constraint struct {
	name    string
	table   string
	columns []string
}

// violation names the fault of a field where the database named a constraint that belongs to one.
func (s *Store) violation(err error, kind violation, c constraint) error {
	cause := fmt.Errorf("constraint %q of table %q", c.name, c.table)
	users := s.names.table["users"]
	for suffix, field := range identifierIndexes {
		if kind == unique && (c.name == users+"_"+suffix || c.is(users, field+"_canonical", field)) {
			return roster.ErrIdentifierTaken.WithFields(roster.FieldError{Field: field, Code: roster.Taken}).WithCause(cause)
		}
	}
	if kind == unique && c.is(users, "id") || c.name == users+"_pkey" {
		return roster.ErrConflict.WithFields(roster.FieldError{Field: "id", Code: roster.Taken}).WithCause(cause)
	}
	var fields []roster.FieldError
	for _, column := range s.columns {
		for _, name := range c.columns {
			if column.Custom && column.Name == name && (c.table == "" || c.table == users) {
				fields = append(fields, roster.FieldError{Field: column.Field, Code: violationCodes[kind]})
			}
		}
	}
	switch {
	case kind == unique:
		return roster.ErrConflict.WithFields(fields...).WithCause(cause)
	case len(fields) > 0:
		return roster.ErrValidationFailed.WithFields(fields...).WithCause(cause)
	}
	return roster.ErrConflict.WithMessage("a constraint of the database forbids it").WithCause(cause)
}

var violationCodes = map[violation]roster.FieldCode{
	unique: roster.Taken, foreignKey: roster.Invalid, check: roster.Invalid, notNull: roster.Required,
}

func (c constraint) is(table string, columns ...string) bool {
	return c.table == table && len(c.columns) == 1 && (c.columns[0] == columns[0] || len(columns) > 1 && c.columns[0] == columns[1])
}

// postgresConstraint reads the fields that lib/pq and pgx have on their errors under names of their own; reading
// them by reflection spares every program the driver that it does not use.
func postgresConstraint(err error) constraint {
	for e := err; e != nil; e = errors.Unwrap(e) {
		v := reflect.ValueOf(e)
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || !v.FieldByName("Detail").IsValid() {
			continue
		}
		c := constraint{name: text(v, "Constraint", "ConstraintName"), table: text(v, "Table", "TableName")}
		if column := text(v, "Column", "ColumnName"); column != "" {
			c.columns = []string{column}
		} else if key := keyColumns.FindStringSubmatch(text(v, "Detail")); key != nil {
			for name := range strings.SplitSeq(key[1], ",") {
				c.columns = append(c.columns, strings.Trim(name, ` "`))
			}
		}
		return c
	}
	return constraint{}
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
	c := constraint{name: what}
	for part := range strings.SplitSeq(what, ", ") {
		if table, column, ok := strings.Cut(part, "."); ok {
			c.table = table
			c.columns = append(c.columns, column)
		}
	}
	return c
}

// scrub keeps the kind of an error and its code, and drops texts in which a database may repeat values.
func scrub(err error) error {
	if e := (interface{ SQLState() string })(nil); errors.As(err, &e) {
		return fmt.Errorf("%T: SQLSTATE %s", e, e.SQLState())
	}
	return err
}
