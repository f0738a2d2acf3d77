package store

import (
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// part is one stretch of a sorted list. A list sorted by one column that can be empty has two: the users with a value,
// which an index walks in order from any place, and those without.
type part struct {
	order     []OrderKey
	condition func(b *builder) string
}

func (q Search) parts() []part {
	key := q.Order[0]
	if len(q.Order) > 1 || !key.Nullable {
		return []part{{q.Order, func(b *builder) string { return b.after(q.Order, q.After) }}}
	}
	value := key
	value.Nullable = false
	withValue := part{[]OrderKey{value}, func(b *builder) string {
		return "\n\tAND " + b.column(key.Operand) + " IS NOT NULL" + b.after([]OrderKey{value}, q.After)
	}}
	without := part{[]OrderKey{idKey(key.Descending)}, func(b *builder) string {
		condition := "\n\tAND " + b.column(key.Operand) + " IS NULL"
		if q.After != nil && q.After[0] == nil {
			condition += " AND id " + direction(key.Descending) + " " + b.bind(q.After[1])
		}
		return condition
	}}
	if q.After != nil && q.After[0] == nil {
		return []part{without}
	}
	return []part{withValue, without}
}

func idKey(descending bool) OrderKey {
	return OrderKey{Operand: Operand{Name: "id", Kind: IDColumn, Exact: true}, Descending: descending}
}

func direction(descending bool) string {
	if descending {
		return "<"
	}
	return ">"
}

// after is the condition of what comes behind the values of a user, in the order of keys and then of the id.
func (b *builder) after(order []OrderKey, values []any) string {
	if values == nil {
		return ""
	}
	if len(order) == 1 && !order[0].Nullable {
		// One comparison of both, which an index on both can start from.
		return "\n\tAND (" + b.column(order[0].Operand) + ", id) " + direction(order[0].Descending) +
			" (" + b.bind(values[0]) + ", " + b.bind(values[1]) + ")"
	}
	last := order[len(order)-1].Descending
	return "\n\tAND " + b.behind(append(slices.Clip(order), idKey(last)), values)
}

func (b *builder) behind(order []OrderKey, values []any) string {
	key, value := order[0], values[0]
	column := b.column(key.Operand)
	rest := ""
	if len(order) > 1 {
		rest = b.behind(order[1:], values[1:])
	}
	if value == nil {
		return "(" + column + " IS NULL AND " + rest + ")" // nothing is behind an empty value but another
	}
	text := column + " " + direction(key.Descending) + " " + b.bind(value)
	if key.Nullable {
		text += " OR " + column + " IS NULL"
	}
	if rest != "" {
		text += " OR (" + column + " = " + b.bind(value) + " AND " + rest + ")"
	}
	return "(" + text + ")"
}

func (b *builder) orderBy(order []OrderKey) string {
	var list []string
	for _, key := range order {
		text := b.column(key.Operand)
		if key.Descending {
			text += " DESC"
		}
		if key.Nullable {
			text += " NULLS LAST"
		}
		list = append(list, text)
	}
	if last := order[len(order)-1]; last.Operand.Name != "id" {
		text := "id"
		if last.Descending {
			text += " DESC"
		}
		list = append(list, text)
	}
	return "\nORDER BY " + strings.Join(list, ", ")
}

// keyDest returns where the values of the order and the id are scanned to.
func keyDest(order []OrderKey) (values, dest []any) {
	for _, key := range order {
		switch key.Operand.Kind {
		case IntColumn:
			values = append(values, new(sql.NullInt64))
		case FloatColumn:
			values = append(values, new(sql.NullFloat64))
		case BoolColumn:
			values = append(values, new(sql.NullBool))
		case TimeColumn:
			values = append(values, new(sql.NullTime))
		case TextColumn, IDColumn:
			values = append(values, new(sql.NullString))
		}
	}
	values = append(values, new(roster.ID))
	return values, values
}

func readKeys(values []any) []any {
	keys := make([]any, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case *sql.NullInt64:
			keys[i] = present(v.Valid, v.Int64)
		case *sql.NullFloat64:
			keys[i] = present(v.Valid, v.Float64)
		case *sql.NullBool:
			keys[i] = present(v.Valid, v.Bool)
		case *sql.NullTime:
			keys[i] = present(v.Valid, v.Time.UTC().Truncate(time.Microsecond))
		case *sql.NullString:
			keys[i] = present(v.Valid, v.String)
		case *roster.ID:
			keys[i] = *v
		}
	}
	return keys
}

func present(valid bool, value any) any {
	if !valid {
		return nil
	}
	return value
}
