package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// ColumnKind is the kind of a column's values, which decides how it is compared.
type ColumnKind int

// The kinds of columns.
const (
	TextColumn ColumnKind = iota
	IntColumn
	FloatColumn
	BoolColumn
	TimeColumn
	IDColumn
)

// Operand is what a condition is on: a column of the users table, or one of the facts below.
type Operand struct {
	Name string
	Kind ColumnKind
	// Exact says that the column is compared byte by byte, as Roster's own are; others are the program's.
	Exact bool
}

// facts are conditions that are no columns: each is true or false. $now is the time of the query.
var facts = map[string]string{
	"email_verified": "email_verified_at IS NOT NULL",
	"phone_verified": "phone_verified_at IS NOT NULL",
	"banned":         "banned_at IS NOT NULL AND (banned_until IS NULL OR banned_until > $now)",
	"archived":       "archived_at IS NOT NULL",
	"deleted":        "deleted_at IS NOT NULL",
	"has_password":   "EXISTS (SELECT 1 FROM {passwords} p WHERE p.user_id = {users}.id)",
}

// memberships are conditions on sets that hang on a user: each is true of a value in the set.
var memberships = map[string]map[Dialect]string{
	"provider": {
		PostgreSQL: "EXISTS (SELECT 1 FROM {identities} i WHERE i.user_id = {users}.id AND i.provider = $value)",
		SQLite:     "EXISTS (SELECT 1 FROM {identities} i WHERE i.user_id = {users}.id AND i.provider = $value)",
	},
	"permission": {
		PostgreSQL: "permissions <> '[]' AND permissions @> jsonb_build_array(cast($value AS text))",
		SQLite:     "permissions <> '[]' AND EXISTS (SELECT 1 FROM json_each(permissions) WHERE value = $value)",
	},
}

// Condition compares an operand with values: one, several for In.
type Condition struct {
	Operand Operand
	Op      roster.Op
	Values  []any
}

// OrderKey is a column that users are sorted by. Users without a value come last.
type OrderKey struct {
	Operand    Operand
	Descending bool
	Nullable   bool
}

// Search is a query over users.
type Search struct {
	Words      []string // folded as the search column is; each must be found
	Conditions []Condition
	Order      []OrderKey // at least one; the id comes last
	After      []any      // the values of Order and the id of the last user before; nil starts
	Limit      int
	Now        time.Time
}

// SearchUsers scans up to q.Limit users, each into what dest returns, and returns the values of Order and the id of
// each; more tells that there are further ones.
func (s *Store) SearchUsers(ctx context.Context, q Search, dest func() []any) (keys [][]any, more bool, err error) {
	for _, part := range q.parts() {
		b := s.builder(q)
		b.where(q)
		b.text.WriteString(part.condition(b))
		b.text.WriteString(b.orderBy(part.order))
		limit := q.Limit - len(keys)
		fmt.Fprintf(&b.text, "\nLIMIT %d", limit+1)
		err = s.search(ctx, b, q, limit, func(scan scanFunc) error {
			if len(keys) == q.Limit {
				more = true
				return nil
			}
			values, into := keyDest(q.Order)
			if err := scan(append(dest(), into...)...); err != nil {
				return err
			}
			keys = append(keys, readKeys(values))
			return nil
		})
		if err != nil || more {
			break
		}
	}
	return keys, more, err
}

// CountUsers counts the users that q finds, whatever its order, limit and start.
func (s *Store) CountUsers(ctx context.Context, q Search) (int64, error) {
	b := &builder{dialect: s.dialect, now: q.Now}
	b.text.WriteString("SELECT count(*) FROM {users}")
	b.where(q)
	var n int64
	err := s.search(ctx, b, q, usualLimits[0], func(scan scanFunc) error { return scan(&n) })
	return n, err
}

// EstimateUsers is what the planner expects CountUsers to be; on SQLite it is CountUsers.
func (s *Store) EstimateUsers(ctx context.Context, q Search) (int64, error) {
	if s.dialect == SQLite {
		return s.CountUsers(ctx, q)
	}
	b := &builder{dialect: s.dialect, now: q.Now}
	b.text.WriteString("EXPLAIN (FORMAT JSON) SELECT 1 FROM {users}")
	b.where(q)
	var document []byte
	if err := s.rowsOf(ctx, adhoc, b.text.String(), b.args, func(scan scanFunc) error { return scan(&document) }); err != nil {
		return 0, err
	}
	var plans []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	if err := json.Unmarshal(document, &plans); err != nil || len(plans) != 1 {
		return 0, roster.ErrInternal.WithCause(fmt.Errorf("read the plan of a query: %w", err))
	}
	return int64(plans[0].Plan.Rows), nil
}

var usualLimits = []int{20, 50, 100, 200}

// search runs a query. One with conditions is planned with its values: a plan for any value would often read the
// whole table where an index finds the few that match. Nor are the plans of unusual limits kept.
func (s *Store) search(ctx context.Context, b *builder, q Search, limit int, each func(scan scanFunc) error) error {
	mode := prepare
	valued := func(c Condition) bool { return c.isColumn() || facts[c.Operand.Name] == "" }
	if len(q.Words) > 0 || slices.ContainsFunc(q.Conditions, valued) || !slices.Contains(usualLimits, limit) {
		mode = adhoc
	}
	return s.rowsOf(ctx, mode, b.text.String(), b.args, each)
}

// builder puts a query together: names come from the plan and from this file alone, values are bound.
type builder struct {
	dialect Dialect
	now     time.Time
	text    strings.Builder
	args    []any
}

func (s *Store) builder(q Search) *builder {
	b := &builder{dialect: s.dialect, now: q.Now}
	b.text.WriteString("SELECT {columns}")
	for _, key := range q.Order {
		b.text.WriteString(", " + column(s.dialect, key.Operand.Name))
	}
	b.text.WriteString(", id FROM {users}")
	return b
}

func (b *builder) bind(value any) string {
	b.args = append(b.args, value)
	return fmt.Sprintf("$%d", len(b.args))
}

func (b *builder) where(q Search) {
	b.text.WriteString("\nWHERE TRUE")
	for _, word := range q.Words {
		condition := "search LIKE " + b.bind("%"+escape(word)+"%") + ` ESCAPE '\'`
		if id, err := roster.ParseID(word); err == nil {
			condition = "(" + condition + " OR id = " + b.bind(id) + ")"
		}
		b.text.WriteString("\n\tAND " + condition)
	}
	for _, c := range q.Conditions {
		b.text.WriteString("\n\tAND (" + b.condition(c) + ")")
	}
}

func escape(word string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(word)
}

var comparisons = map[roster.Op]string{
	roster.Eq: "=", roster.Ne: "IS DISTINCT FROM", roster.Lt: "<", roster.Lte: "<=", roster.Gt: ">", roster.Gte: ">=",
}

// isColumn tells a column of the program's own from the fact or the set of that name: those are never inexact, but for
// a fact that is given without its kind.
func (c Condition) isColumn() bool {
	_, isBool := c.Values[0].(bool)
	return !c.Operand.Exact && (c.Operand.Kind != TextColumn || !isBool || c.Op == roster.IsNull)
}

func (b *builder) condition(c Condition) string {
	if fact, ok := facts[c.Operand.Name]; ok && !c.isColumn() {
		if strings.Contains(fact, "$now") {
			fact = strings.ReplaceAll(fact, "$now", b.bind(b.now))
		}
		if c.Values[0] == true {
			return fact
		}
		return "NOT (" + fact + ")"
	}
	if membership, ok := memberships[c.Operand.Name]; ok && !c.isColumn() {
		list := make([]string, len(c.Values))
		for i, value := range c.Values {
			list[i] = strings.ReplaceAll(membership[b.dialect], "$value", b.bind(value))
		}
		return strings.Join(list, " OR ")
	}
	// Equal texts are so in every order of texts: any index of the program's own column serves.
	column := column(b.dialect, c.Operand.Name)
	switch c.Op {
	case roster.In:
		list := make([]string, len(c.Values))
		for i, value := range c.Values {
			list[i] = b.bind(value)
		}
		return column + " IN (" + strings.Join(list, ", ") + ")"
	case roster.IsNull:
		if c.Values[0] == true {
			return column + " IS NULL"
		}
		return column + " IS NOT NULL"
	case roster.Contains:
		return b.like(c, "%", "%")
	case roster.StartsWith:
		if prefix, ok := c.Values[0].(string); ok && c.Operand.Exact {
			// A range uses the index of the column; LIKE with a bound value does not.
			return column + " >= " + b.bind(prefix) + " AND " + column + " < " + b.bind(prefix+"\U0010FFFF")
		}
		return b.like(c, "", "%")
	case roster.Eq, roster.Ne, roster.Lt, roster.Lte, roster.Gt, roster.Gte:
	}
	if c.Op == roster.Ne && b.dialect == SQLite {
		return column + " IS NOT " + b.bind(c.Values[0])
	}
	return column + " " + comparisons[c.Op] + " " + b.bind(c.Values[0])
}

// like looks for a part of a text; the letters A to Z are the same as a to z, on both databases.
func (b *builder) like(c Condition, before, after string) string {
	column, word := b.column(c.Operand), fmt.Sprint(c.Values[0])
	switch {
	case !c.Operand.Exact:
		column, word = "lower("+column+")", lowerASCII(word)
	case b.dialect == SQLite:
		return "instr(" + column + ", " + b.bind(word) + ") > 0" // its LIKE takes A for a
	}
	return column + " LIKE " + b.bind(before+escape(word)+after) + ` ESCAPE '\'`
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// column is an operand as it is compared and sorted by: the program's texts byte by byte, like Roster's own.
func (b *builder) column(o Operand) string {
	if o.Kind == TextColumn && !o.Exact && b.dialect == PostgreSQL {
		return quote(o.Name) + ` COLLATE "C"`
	}
	return column(b.dialect, o.Name)
}

// walkBatch bounds what one step of a walk reads.
const walkBatch = 500

// WalkUsers scans the columns of the users after an id, in the order of ids, each into what dest returns: a batch of
// them, none at the end.
func (s *Store) WalkUsers(ctx context.Context, after roster.ID, dest func() []any) error {
	return s.rows(ctx, "SELECT {columns} FROM {users} WHERE id > $1\nORDER BY id LIMIT $2", []any{after, walkBatch},
		func(scan scanFunc) error { return scan(dest()...) })
}

// SetSearch writes what text search looks into, unless the user was changed since that version, and returns 1 if it
// was something else.
func (s *Store) SetSearch(ctx context.Context, id roster.ID, version int64, search string) (int64, error) {
	return s.exec(ctx, "UPDATE {users} SET search = $3\nWHERE id = $1 AND version = $2 AND search <> $3", id, version, search)
}
