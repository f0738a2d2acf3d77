package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/roster-go/roster"
)

// unreadable names the column whose value could not be scanned. An own type of the program's finds fault with the
// value; otherwise the field and its column do not fit.
func (s *Store) unreadable(err error, dest []any) error {
	var place int
	var column string
	if err == nil {
		return nil
	}
	if _, noScan := fmt.Sscanf(err.Error(), "sql: Scan error on column index %d, name %q:", &place, &column); noScan != nil {
		return err
	}
	cause := quiet{fmt.Sprintf("column %q does not fit its field", column), err}
	i := slices.IndexFunc(s.columns, func(c Column) bool { return c.Custom && c.Name == column })
	if i < 0 || !isOwn(reflect.TypeOf(dest[place])) {
		return roster.ErrInternal.WithCause(cause)
	}
	return roster.ErrValidationFailed.WithFields(roster.FieldError{Field: s.columns[i].Field, Code: roster.Invalid}).WithCause(cause)
}

// isOwn reports whether a type scans itself, or is a pointer to one that does.
func isOwn(t reflect.Type) bool {
	for ; t.Kind() == reflect.Pointer; t = t.Elem() {
		if t.Implements(reflect.TypeFor[sql.Scanner]()) {
			return true
		}
	}
	return false
}

// unwritable names the fields whose own types find fault with their values, if any do: then that is why a statement failed.
func (s *Store) unwritable(err error, columns []string, values []any) error {
	var fields []roster.FieldError
	var causes []error
	for i, value := range values {
		valuer, ok := value.(driver.Valuer)
		if v := reflect.ValueOf(value); !ok || v.Kind() == reflect.Pointer && v.IsNil() {
			continue
		}
		at := slices.IndexFunc(s.columns, func(c Column) bool { return c.Custom && c.Name == columns[i] })
		if _, fault := valuer.Value(); fault != nil && at >= 0 {
			fields = append(fields, roster.FieldError{Field: s.columns[at].Field, Code: roster.Invalid})
			causes = append(causes, fault)
		}
	}
	if len(fields) == 0 {
		return err
	}
	return roster.ErrValidationFailed.WithFields(fields...).WithCause(quiet{"a type of the program's refuses a value", errors.Join(causes...)})
}

// quiet is an error whose text is ours: that of its cause may tell values.
type quiet struct {
	text  string
	cause error
}

// Error implements error.
func (q quiet) Error() string { return q.text }

// Unwrap returns the cause.
func (q quiet) Unwrap() error { return q.cause }

// micros is a duration as a column has it, in microseconds; 0 is NULL.
type micros time.Duration

// Scan implements sql.Scanner.
func (m *micros) Scan(value any) error {
	var n sql.NullInt64
	err := n.Scan(value)
	*m = micros(time.Duration(n.Int64) * time.Microsecond)
	return err
}

// Value implements driver.Valuer.
func (m micros) Value() (driver.Value, error) {
	return sql.NullInt64{Int64: time.Duration(m).Microseconds(), Valid: m != 0}.Value()
}
