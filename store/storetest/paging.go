package storetest

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// sortable is a column that lists are sorted by, and how Go compares its values; nil comes last.
type sortable struct {
	key   store.OrderKey
	value func(*account) any
}

var sortables = []sortable{
	{sortKey("created_at", store.TimeColumn, false), func(a *account) any { return a.CreatedAt }},
	{sortKey("last_login_at", store.TimeColumn, true), func(a *account) any { return deref(a.LastLoginAt) }},
	{sortKey("username_canonical", store.TextColumn, true), func(a *account) any { return deref(lower(a.Username)) }},
	{sortKey("email_canonical", store.TextColumn, true), func(a *account) any { return deref(lower(a.Email)) }},
	{sortKey("company", store.TextColumn, false), func(a *account) any { return a.Company }},
	{sortKey("nickname", store.TextColumn, true), func(a *account) any { return deref(a.Nickname) }},
	{sortKey("seats", store.IntColumn, false), func(a *account) any { return a.Seats }},
	{sortKey("score", store.FloatColumn, false), func(a *account) any { return a.Score }},
	{sortKey("active", store.BoolColumn, false), func(a *account) any { return a.Active }},
	{sortKey("left_at", store.TimeColumn, true), func(a *account) any { return deref(a.LeftAt) }},
	{sortKey("tenant", store.IDColumn, false), func(a *account) any { return a.Tenant }},
}

func sortKey(name string, kind store.ColumnKind, nullable bool) store.OrderKey {
	return store.OrderKey{Operand: operand(name, kind), Nullable: nullable}
}

func deref[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// order compares users as a list is sorted.
func order(keys []sortable) func(a, b *account) int {
	return func(a, b *account) int {
		for _, k := range keys {
			x, y := k.value(a), k.value(b)
			switch {
			case x == nil && y == nil:
				continue
			case x == nil:
				return 1
			case y == nil:
				return -1
			}
			if c := compare(x, y); c != 0 {
				return turned(c, k.key.Descending)
			}
		}
		return turned(bytes.Compare(a.ID[:], b.ID[:]), keys[len(keys)-1].key.Descending)
	}
}

func turned(c int, descending bool) int {
	if descending {
		return -c
	}
	return c
}

func compare(x, y any) int {
	switch x := x.(type) {
	case time.Time:
		return x.Compare(y.(time.Time))
	case string:
		return cmp.Compare(x, y.(string))
	case int64:
		return cmp.Compare(x, y.(int64))
	case float64:
		return cmp.Compare(x, y.(float64))
	case bool:
		return cmp.Compare(map[bool]int{true: 1}[x], map[bool]int{true: 1}[y.(bool)])
	}
	a, b := x.(roster.ID), y.(roster.ID)
	return bytes.Compare(a[:], b[:])
}

// testPaging reads a list page by page while rows come and go.
func (s *suite) testPaging(t *testing.T) {
	drawn := func(t rapid.TB, draw func(n int) int) *account {
		a := s.account()
		pick := func(values ...string) string { return values[draw(len(values))] }
		hour := func() time.Time { return s.now.Add(time.Duration(draw(3)) * time.Hour) }
		a.CreatedAt, a.Company = hour(), pick("", "a", "B", "ä", "a b", "Z")
		a.Seats, a.Score, a.Active = int64(draw(3)), float64(draw(5))/3-0.5, draw(2) == 0
		if draw(3) > 0 {
			a.LastLoginAt, a.LeftAt = new(hour()), new(hour())
		}
		if draw(2) > 0 {
			a.Nickname = new(pick("", "n", "N", "ñ", "nn"))
		}
		if draw(3) > 0 {
			a.Username = new(pick("a", "B", "ü", "_") + a.ID.String()[30:])
		}
		if a.Username != nil && draw(2) > 0 {
			a.Email = nil
		}
		a.Tenant[15] = byte(draw(3))
		if err := s.insert(context.Background(), a); err != nil {
			t.Fatalf("insert: %v", err)
		}
		return a
	}
	var stable []*account
	for i := range 25 {
		seed := i
		stable = append(stable, drawn(t, func(n int) int {
			seed = (seed*1103515245 + 12345) & 0x7fffffff
			return (seed >> 8) % n
		}))
	}
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.SampledFrom(sortables), 1, 3, func(x sortable) string { return x.key.Operand.Name }).Draw(t, "keys")
		q := s.query(func(q *store.Search) { q.Order, q.Limit = nil, rapid.IntRange(1, 15).Draw(t, "limit") })
		for i := range keys {
			keys[i].key.Descending = rapid.Bool().Draw(t, "descending")
			q.Order = append(q.Order, keys[i].key)
		}
		var volatile []*account
		remove := func(a *account) {
			if err := s.RemoveUser(context.Background(), a.ID); err != nil {
				t.Fatalf("remove: %v", err)
			}
		}
		seen := map[roster.ID]bool{}
		var got []roster.ID
		for range 200 {
			ids, after, more := s.search(t, q)
			for _, id := range ids {
				if seen[id] {
					t.Fatalf("user %s came twice", id)
				}
				seen[id] = true
				got = append(got, id)
			}
			if !more {
				break
			}
			q.After = after[len(after)-1]
			if rapid.Bool().Draw(t, "insert") {
				volatile = append(volatile, drawn(t, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "value") }))
			}
			if len(volatile) > 0 && rapid.Bool().Draw(t, "remove") {
				remove(volatile[0])
				volatile = volatile[1:]
			}
			if other := rapid.SampledFrom(stable).Draw(t, "touch"); rapid.Bool().Draw(t, "touched") {
				set := []store.Assignment{{Column: "updated_at", Value: s.now.Add(time.Hour)}, {Column: "version", Value: 2}}
				if err := s.UpdateUser(context.Background(), other.ID, set, store.Holds{}); err != nil {
					t.Fatalf("update: %v", err)
				}
			}
		}
		for _, a := range volatile {
			remove(a)
		}
		want := slices.SortedFunc(slices.Values(stable), order(keys))
		got = slices.DeleteFunc(got, func(id roster.ID) bool {
			return !slices.ContainsFunc(stable, func(a *account) bool { return a.ID == id })
		})
		for i, a := range want {
			if i >= len(got) || got[i] != a.ID {
				t.Fatalf("place %d of %d: want %s (%v), got the list %v", i, len(want), a.ID, keys[0].value(a), got)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("got %d users, want %d", len(got), len(want))
		}
	})
}
