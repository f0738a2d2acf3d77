package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
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
	return roster.ErrInternal.WithCause(s.named(err))
}

func unreachable(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network)
}

// fault judges the codes of PostgreSQL (Appendix A of its manual) and of SQLite (result codes).
func (s *Store) fault(err error) error {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return s.sqliteFault(e)
	}
	if state := sqlState(err); state != "" {
		return s.postgresFault(err, state)
	}
	if strings.HasPrefix(err.Error(), "failed to encode args[") { // by pgx, with the value
		return misfit
	}
	return nil
}

// sqlState is the code of an error of PostgreSQL's; "" for others.
func sqlState(err error) string {
	if e := (interface{ SQLState() string })(nil); errors.As(err, &e) {
		return e.SQLState()
	}
	return ""
}

// isUnsupported reports whether PostgreSQL refuses what it does not do (feature_not_supported): to run a prepared statement
// whose plan does not fit its tables any more ("cached plan must not change result type"), and on a standby to begin a
// transaction that writes.
func isUnsupported(err error) bool { return err != nil && sqlState(err) == "0A000" }

func (s *Store) postgresFault(err error, state string) error {
	switch state {
	case "23505", "23503", "23514", "23502", "23P01":
		kind := postgresViolations[state]
		return s.violation(kind, postgresConstraint(err, kind))
	case "40001", "40P01":
		return roster.ErrConflict.WithCause(fmt.Errorf("%w: SQLSTATE %s", errTryAgain, state))
	case "22001", "22003", "22007", "22008", "22P02", "22P05", "22021":
		return misfit.WithCause(fmt.Errorf("SQLSTATE %s", state))
	case "P0001": // raised by a trigger of the program's
		return forbidden.WithCause(fmt.Errorf("SQLSTATE %s", state))
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

const sqliteBusy = 5

func (s *Store) sqliteFault(e *sqlite.Error) error {
	if kind, ok := sqliteViolations[e.Code()]; ok {
		return s.violation(kind, sqliteConstraint(e.Error()))
	}
	switch e.Code() & 0xff {
	case sqliteBusy, 6, 8, 9, 10, 13, 14, 15: // busy, locked, read-only, interrupted, I/O, full, cannot open, lock protocol
		return roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(scrub(e))
	case 18, 20: // too big, mismatch
		return misfit.WithCause(scrub(e))
	case 19: // other constraints, triggers
		return forbidden.WithCause(scrub(e))
	}
	return nil
}

var (
	forbidden = roster.ErrConflict.WithMessage("a constraint of the database forbids it")
	misfit    = roster.ErrConflict.WithMessage("a value does not fit its column")
)

// violation names the fault of a field where the database named a constraint that belongs to one.
func (s *Store) violation(kind violation, c constraint) error {
	cause := errors.New(c.String())
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
	return forbidden.WithCause(cause)
}

var violationCodes = map[violation]roster.FieldCode{
	unique: roster.Taken, foreignKey: roster.Invalid, check: roster.Invalid, notNull: roster.Required,
}

// scrub keeps the kind of an error and its code, and drops texts in which a database may repeat values.
func scrub(err error) error {
	if code := code(err); code != "" {
		return errors.New(code)
	}
	return err
}

// code names an error of a database; others have none.
func code(err error) string {
	if state := sqlState(err); state != "" {
		return "PostgreSQL: SQLSTATE " + state
	}
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return fmt.Sprintf("SQLite: result code %d", e.Code())
	}
	return ""
}

// named is scrub, with the names of tables and columns that the database speaks of: what is missing, above all.
func (s *Store) named(err error) error {
	code, message := code(err), err.Error()
	if code == "" {
		return err
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if v, ok := postgresFields(e); ok {
			message = text(v, "Message")
		}
	}
	notName := func(r rune) bool { return !nameForm.MatchString("_" + string(r)) }
	var names []string
	for word := range strings.FieldsFuncSeq(message, notName) {
		if s.names.has(word) && !slices.Contains(names, word) {
			names = append(names, word)
		}
	}
	if len(names) == 0 {
		return errors.New(code)
	}
	return fmt.Errorf("%s, about %q", code, names)
}
