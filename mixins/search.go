package mixins

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/store"
)

// The bounds of a query.
const (
	defaultLimit  = 20
	maxLimit      = 200
	maxText       = 200 // characters
	maxWords      = 10
	maxConditions = 20
	maxSortKeys   = 3
)

// Search implements CRUDOps.
func (m CRUD[U]) Search(ctx context.Context, query roster.Query) (roster.Page[U], error) {
	c := m.core
	ctx, err := c.enter(ctx, "Search")
	if err != nil {
		return roster.Page[U]{}, err
	}
	if _, err := c.judge(ctx, roster.PermissionReadUsers, roster.ID{}); err != nil {
		return roster.Page[U]{}, err
	}
	q, err := c.translate(query)
	if err != nil {
		return roster.Page[U]{}, err
	}
	if query.Cursor != "" {
		if q.After, err = c.openCursor(query.Cursor, q); err != nil {
			return roster.Page[U]{}, err
		}
	}
	if query.Text != "" && !nested(ctx) && !roster.ActorFrom(ctx).Trusted() {
		if err := c.recordRead(ctx, nil, map[string]any{"q": query.Text}, nil); err != nil {
			return roster.Page[U]{}, err
		}
	}
	page := roster.Page[U]{Items: []U{}}
	keys, more, err := c.Store.SearchUsers(ctx, q, func() []any {
		u := c.Plan.New()
		page.Items = append(page.Items, u)
		return c.Plan.dest(u)
	})
	if err != nil {
		return roster.Page[U]{}, err
	}
	for _, u := range page.Items {
		c.Plan.settle(u)
	}
	if more {
		if page.Next, err = c.sealCursor(keys[len(keys)-1], q); err != nil {
			return roster.Page[U]{}, err
		}
	}
	switch query.Total {
	case roster.TotalExact:
		page.Total = new(int64)
		*page.Total, err = c.Store.CountUsers(ctx, q)
	case roster.TotalEstimate:
		page.Total = new(int64)
		*page.Total, err = c.Store.EstimateUsers(ctx, q)
	case roster.TotalNone:
	}
	return page, err
}

// Count implements CRUDOps.
func (m CRUD[U]) Count(ctx context.Context, query roster.Query) (int64, error) {
	c := m.core
	ctx, err := c.enter(ctx, "Count")
	if err != nil {
		return 0, err
	}
	if _, err := c.judge(ctx, roster.PermissionReadUsers, roster.ID{}); err != nil {
		return 0, err
	}
	query.Cursor, query.Limit, query.Sort = "", 0, nil
	q, err := c.translate(query)
	if err != nil {
		return 0, err
	}
	return c.Store.CountUsers(ctx, q)
}

// translate judges a query and puts it into columns.
func (c *Core[U]) translate(query roster.Query) (store.Search, error) {
	var faults roster.FieldErrors
	q := store.Search{Limit: pageLimit(query.Limit, &faults), Now: c.now()}
	q.Words = words(query.Text, &faults)
	switch query.Total {
	case roster.TotalNone, roster.TotalExact, roster.TotalEstimate:
	default:
		faults.Add("total", roster.Invalid)
	}
	if len(query.Filters) > maxConditions {
		faults.Add("filter", roster.TooLong)
	} else {
		for _, f := range query.Filters {
			if condition, ok := c.condition(f, &faults); ok {
				q.Conditions = append(q.Conditions, condition)
			}
		}
	}
	if !slices.ContainsFunc(query.Filters, func(f roster.Filter) bool { return f.Field == "deleted" }) {
		q.Conditions = append(q.Conditions, store.Condition{Operand: store.Operand{Name: "deleted"}, Op: roster.Eq, Values: []any{false}})
	}
	q.Order = c.order(query.Sort, &faults)
	return q, faults.Err()
}

// words splits and folds the text of a query.
func words(text string, faults *roster.FieldErrors) []string {
	switch {
	case !storable(text):
		faults.Add("q", roster.Invalid)
		return nil
	case utf8.RuneCountInString(text) > maxText:
		faults.Add("q", roster.TooLong)
		return nil
	}
	list := strings.Fields(text)
	if len(list) > maxWords {
		faults.Add("q", roster.TooLong)
		return nil
	}
	for i, word := range list {
		list[i] = identifiers.Fold(word)
	}
	return list
}

var newestFirst = []store.OrderKey{{
	Operand: store.Operand{Name: "created_at", Kind: store.TimeColumn, Exact: true}, Descending: true,
}}

func (c *Core[U]) order(sort []roster.Sort, faults *roster.FieldErrors) []store.OrderKey {
	if len(sort) == 0 {
		return newestFirst
	}
	if len(sort) > maxSortKeys {
		faults.Add("sort", roster.TooLong)
		return newestFirst
	}
	var keys []store.OrderKey
	seen := map[string]bool{}
	for _, key := range sort {
		f, ok := c.Plan.byName[key.Field]
		switch {
		case !ok || !f.Sort:
			*faults = append(*faults, lacking(ok, key.Field, "sort"))
			continue
		case seen[key.Field]:
			faults.Add("sort", roster.Invalid)
			continue
		}
		seen[key.Field] = true
		keys = append(keys, store.OrderKey{Operand: operand(f), Descending: key.Descending, Nullable: f.nullable})
	}
	return keys
}

// operand is the column that a field is compared by.
func operand(f *field) store.Operand {
	o := store.Operand{Name: f.Column, Kind: f.kind, Exact: !f.Custom}
	switch {
	case f.Custom:
	case f.Name == "username":
		o.Name = string(store.ByUsername)
	case f.Name == "email":
		o.Name = string(store.ByEmail)
	}
	return o
}
