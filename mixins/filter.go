package mixins

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/store"
)

const maxValues = 100 // of one In

// facts are what users can be filtered by that no field is.
var facts = map[string]store.ColumnKind{
	"email_verified": store.BoolColumn,
	"phone_verified": store.BoolColumn,
	"banned":         store.BoolColumn,
	"archived":       store.BoolColumn,
	"deleted":        store.BoolColumn,
	"has_password":   store.BoolColumn,
}

// memberships are sets that hang on a user; a filter asks whether a value is in one.
var memberships = []string{"permission", "provider"}

// operators are what the values of a kind can be compared by.
var operators = map[store.ColumnKind][]roster.Op{
	store.TextColumn:  {roster.Eq, roster.Ne, roster.In, roster.Contains, roster.StartsWith, roster.IsNull},
	store.IntColumn:   {roster.Eq, roster.Ne, roster.In, roster.Lt, roster.Lte, roster.Gt, roster.Gte, roster.IsNull},
	store.FloatColumn: {roster.Eq, roster.Ne, roster.In, roster.Lt, roster.Lte, roster.Gt, roster.Gte, roster.IsNull},
	store.TimeColumn:  {roster.Eq, roster.Ne, roster.In, roster.Lt, roster.Lte, roster.Gt, roster.Gte, roster.IsNull},
	store.BoolColumn:  {roster.Eq, roster.IsNull},
	store.IDColumn:    {roster.Eq, roster.In},
}

// condition judges one filter and puts it into columns.
func (c *Core[U]) condition(f roster.Filter, faults *roster.FieldErrors) (store.Condition, bool) {
	var o store.Operand
	allowed := []roster.Op{roster.Eq, roster.In}
	field, isField := c.Plan.byName[f.Field]
	kind, isFact := facts[f.Field]
	switch {
	case isFact:
		o = store.Operand{Name: f.Field, Kind: kind, Exact: true}
		allowed = []roster.Op{roster.Eq}
	case slices.Contains(memberships, f.Field):
		o = store.Operand{Name: f.Field, Kind: store.TextColumn, Exact: true}
	case isField && field.Filter:
		o = operand(field)
		allowed = operators[o.Kind]
	default:
		*faults = append(*faults, lacking(isField, f.Field, "filter"))
		return store.Condition{}, false
	}
	if !slices.Contains(allowed, f.Op) {
		faults.Add(f.Field, roster.Invalid)
		return store.Condition{}, false
	}
	values, code := readValues(f, o.Kind)
	if code != "" {
		faults.Add(f.Field, code)
		return store.Condition{}, false
	}
	if isField && !field.Custom && o.Kind == store.TextColumn && f.Op != roster.IsNull {
		for i, value := range values {
			values[i] = c.comparable(f, value.(string))
		}
	}
	return store.Condition{Operand: o, Op: f.Op, Values: values}, true
}

// comparable brings the value of a filter on an identifier to the form in which the identifier is compared: whole
// ones as at a log-in, parts folded. What is no identifier matches nobody.
func (c *Core[U]) comparable(f roster.Filter, value string) string {
	if i := slices.Index([]string{"username", "email", "phone"}, f.Field); i >= 0 && (f.Op == roster.Eq || f.Op == roster.Ne || f.Op == roster.In) {
		if canonical, ok := c.Identifiers.Canonical(slotKinds[i], value); ok {
			return canonical
		}
		return value
	}
	if f.Field == "language" {
		return value
	}
	return identifiers.Fold(value)
}

func readValues(f roster.Filter, kind store.ColumnKind) ([]any, roster.FieldCode) {
	if f.Op == roster.IsNull {
		kind = store.BoolColumn
	}
	list := []any{f.Value}
	if f.Op == roster.In {
		list = nil
		if literal, ok := f.Value.(roster.Literal); ok {
			for part := range strings.SplitSeq(string(literal), ",") {
				list = append(list, roster.Literal(part))
			}
		} else if v := reflect.ValueOf(f.Value); v.Kind() == reflect.Slice {
			for i := range v.Len() {
				list = append(list, v.Index(i).Interface())
			}
		} else {
			return nil, roster.WrongType
		}
		switch {
		case len(list) == 0:
			return nil, roster.Required
		case len(list) > maxValues:
			return nil, roster.TooLong
		}
	}
	for i, value := range list {
		read, ok := readValue(value, kind)
		if !ok {
			return nil, roster.WrongType
		}
		if s, isText := read.(string); isText && !storable(s) {
			return nil, roster.Invalid
		}
		list[i] = read
	}
	return list, ""
}

// readValue gives a value the Go type that the kind of a column is compared with.
func readValue(value any, kind store.ColumnKind) (any, bool) {
	if literal, ok := value.(roster.Literal); ok {
		return parseLiteral(string(literal), kind)
	}
	if t, ok := value.(time.Time); ok {
		return t.UTC().Truncate(time.Microsecond), kind == store.TimeColumn
	}
	if id, ok := value.(roster.ID); ok {
		return id, kind == store.IDColumn
	}
	v := reflect.ValueOf(value)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch kind {
	case store.TextColumn:
		if v.Kind() == reflect.String {
			return v.String(), true
		}
	case store.BoolColumn:
		if v.Kind() == reflect.Bool {
			return v.Bool(), true
		}
	case store.IntColumn:
		switch {
		case v.CanInt():
			return v.Int(), true
		case v.CanUint() && v.Uint() <= math.MaxInt64:
			return int64(v.Uint()), true //nolint:gosec // bounded in the line above
		case v.CanFloat() && v.Float() == math.Trunc(v.Float()) && math.Abs(v.Float()) < 1<<53:
			return int64(v.Float()), true
		}
	case store.FloatColumn:
		switch {
		case v.CanFloat():
			return v.Float(), true
		case v.CanInt():
			return float64(v.Int()), true
		}
	case store.TimeColumn, store.IDColumn:
		if v.Kind() == reflect.String { // as JSON has them
			return parseLiteral(v.String(), kind)
		}
	}
	return nil, false
}

func parseLiteral(text string, kind store.ColumnKind) (any, bool) {
	var value any
	var err error
	switch kind {
	case store.TextColumn:
		return text, true
	case store.BoolColumn:
		return text == "true", text == "true" || text == "false"
	case store.IntColumn:
		value, err = strconv.ParseInt(text, 10, 64)
	case store.FloatColumn:
		value, err = strconv.ParseFloat(text, 64)
		if f, ok := value.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return nil, false
		}
	case store.TimeColumn:
		var t time.Time
		t, err = time.Parse(time.RFC3339Nano, text)
		value = t.UTC().Truncate(time.Microsecond)
	case store.IDColumn:
		value, err = roster.ParseID(text)
	}
	return value, err == nil
}

// lacking is what a query is told that names no field of a kind; of a field that there is, what its tag lacks.
func lacking(there bool, name, word string) roster.FieldError {
	e := roster.FieldError{Field: name, Code: roster.UnknownField}
	if there {
		e.Params = map[string]any{"lacks": word}
	}
	return e
}
