package integration_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roster-go/roster"
)

// texts have what sorting and comparing texts can get wrong: case, letters beyond ASCII, wildcards, nothing.
var texts = []string{"", "a", "A", "ab", "b", "B_", "%", "é", "É", "z", "ß", "Acme"}

// populate stores people with few values of each field, so that many are equal.
func (w *world) populate(t testing.TB, n int) []*Person {
	t.Helper()
	var people []*Person
	for i := range n {
		p := person(fmt.Sprintf("user%d", i), "", "")
		if i%4 != 0 {
			p.Email = new(fmt.Sprintf("%cser%d@example.com", "Uu"[i%2], i))
		}
		if i%5 == 0 {
			p.Username = nil
			p.Phone = new(fmt.Sprintf("+1202555%04d", 100+i))
		}
		p.Company, p.Score = texts[i*7%len(texts)], int64(i*5%4)-1
		if i%3 != 0 {
			p.Nick = &texts[i*11%len(texts)]
		}
		if i%2 == 0 {
			p.JoinedAt = new(w.Clock.Now().Add(time.Duration(i%5) * time.Hour))
		}
		people = append(people, w.add(t, p, roster.WithCreatedAt(w.Clock.Now().Add(time.Duration(i*3%7)*time.Minute))))
	}
	return people
}

// value is what a person is sorted and filtered by; nil is none.
func value(p *Person, field string) any {
	text := func(s *string) any {
		if s == nil {
			return nil
		}
		return *s
	}
	switch field {
	case "username":
		return text(p.Username)
	case "email":
		if p.Email == nil {
			return nil
		}
		return strings.ToLower(*p.Email)
	case "company":
		return p.Company
	case "nick":
		return text(p.Nick)
	case "score":
		return p.Score
	case "created_at":
		return p.CreatedAt
	case "joined_at":
		if p.JoinedAt == nil {
			return nil
		}
		return *p.JoinedAt
	}
	panic(field)
}

func compareValues(a, b any) int {
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case int64:
		return cmp.Compare(a, b.(int64))
	case time.Time:
		return a.Compare(b.(time.Time))
	}
	panic(a)
}

// ordered compares as a query sorts: those without a value last in both directions, the id last of all.
func ordered(keys []roster.Sort) func(a, b *Person) int {
	return func(a, b *Person) int {
		descending := true
		if len(keys) == 0 {
			keys = []roster.Sort{{Field: "created_at", Descending: true}}
		}
		for _, key := range keys {
			descending = key.Descending
			x, y := value(a, key.Field), value(b, key.Field)
			switch {
			case x == nil && y == nil:
				continue
			case x == nil:
				return 1
			case y == nil:
				return -1
			}
			if c := compareValues(x, y); c != 0 {
				return direct(c, descending)
			}
		}
		return direct(bytes.Compare(a.ID[:], b.ID[:]), descending)
	}
}

func direct(c int, descending bool) int {
	if descending {
		return -c
	}
	return c
}

// matches judges a person as a filter does.
func matches(p *Person, f roster.Filter) bool {
	v := value(p, f.Field)
	compares := func(ok func(c int) bool) bool { return v != nil && ok(compareValues(v, f.Value)) }
	switch f.Op {
	case roster.Eq:
		return compares(func(c int) bool { return c == 0 })
	case roster.Lt:
		return compares(func(c int) bool { return c < 0 })
	case roster.Lte:
		return compares(func(c int) bool { return c <= 0 })
	case roster.Gt:
		return compares(func(c int) bool { return c > 0 })
	case roster.Gte:
		return compares(func(c int) bool { return c >= 0 })
	case roster.IsNull:
		return (v == nil) == f.Value.(bool)
	case roster.Ne:
		return v == nil || compareValues(v, f.Value) != 0
	case roster.In:
		return v != nil && slices.ContainsFunc(f.Value.([]any), func(one any) bool { return compareValues(v, one) == 0 })
	case roster.Contains, roster.StartsWith:
		if v == nil {
			return false
		}
		in, part := lower(v.(string)), lower(f.Value.(string))
		return f.Op == roster.Contains && strings.Contains(in, part) || strings.HasPrefix(in, part)
	}
	panic("no such operator")
}

// lower folds the letters A to Z, which is what the program's own fields are searched by.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func drawFilter(t *rapid.T, people []*Person) roster.Filter {
	field := rapid.SampledFrom([]string{"company", "nick", "score", "joined_at", "created_at"}).Draw(t, "field")
	ops := []roster.Op{roster.Eq, roster.Ne, roster.In, roster.IsNull, roster.Lt, roster.Lte, roster.Gt, roster.Gte}
	if field == "company" || field == "nick" {
		ops = []roster.Op{roster.Eq, roster.Ne, roster.In, roster.IsNull, roster.Contains, roster.StartsWith}
	}
	f := roster.Filter{Field: field, Op: rapid.SampledFrom(ops).Draw(t, "op")}
	var values []any
	for range 3 {
		v := value(people[rapid.IntRange(0, len(people)-1).Draw(t, "of")], field)
		if v != nil {
			values = append(values, v)
		}
	}
	switch {
	case f.Op == roster.IsNull:
		f.Value = rapid.Bool().Draw(t, "null")
	case len(values) == 0:
		f.Op, f.Value = roster.IsNull, true
	case f.Op == roster.In:
		f.Value = values
	default:
		f.Value = values[0]
	}
	return f
}

// USER-59, USER-60, USER-62: any query gives what the same query over a slice gives, page by page.
func TestSearchModel(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		people := w.populate(t, 60)
		rapid.Check(t, func(t *rapid.T) {
			q := roster.Query{Limit: rapid.SampledFrom([]int{1, 3, 7, 20, 59, 60, 200}).Draw(t, "limit"), Total: roster.TotalExact}
			for range rapid.IntRange(0, 2).Draw(t, "filters") {
				q.Filters = append(q.Filters, drawFilter(t, people))
			}
			for _, field := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
				"username", "email", "company", "nick", "score", "created_at", "joined_at",
			}), 0, 3, rapid.ID).Draw(t, "sort") {
				q.Sort = append(q.Sort, roster.Sort{Field: field, Descending: rapid.Bool().Draw(t, "descending")})
			}
			var want []roster.ID
			for _, p := range slices.SortedFunc(slices.Values(people), ordered(q.Sort)) {
				if !slices.ContainsFunc(q.Filters, func(f roster.Filter) bool { return !matches(p, f) }) {
					want = append(want, p.ID)
				}
			}
			var got []roster.ID
			for {
				page, err := w.Search(context.Background(), q)
				if err != nil {
					t.Fatalf("%+v: %v", q, err)
				}
				for _, p := range page.Items {
					got = append(got, p.ID)
				}
				if int(*page.Total) != len(want) || page.Next != "" && len(page.Items) != q.Limit || len(got) > len(people) {
					t.Fatalf("%+v: %d of %d, total %d, want %d", q, len(page.Items), q.Limit, *page.Total, len(want))
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if !slices.Equal(want, got) {
				t.Fatalf("%+v:\n got %v\nwant %v", q, got, want)
			}
		})
	})
}

// USER-62: rows that come, go and change beside the keys make no row appear twice or not at all.
func TestSearchWhileRowsChange(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		people := w.populate(t, 60)
		for _, sort := range [][]roster.Sort{nil, {{Field: "company"}}, {{Field: "nick", Descending: true}}, {{Field: "joined_at"}, {Field: "email"}}} {
			seen := map[roster.ID]int{}
			q := roster.Query{Limit: 7, Sort: sort}
			var passing []roster.ID
			for round := 0; ; round++ {
				page, err := w.Search(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range page.Items {
					seen[p.ID]++
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
				for i := range 4 {
					p := person(fmt.Sprintf("passing%d-%d", round, i), "", "")
					p.Company, p.Nick = texts[(round+i)%len(texts)], &texts[i]
					passing = append(passing, w.add(t, p, roster.WithCreatedAt(people[i*9].CreatedAt)).ID)
				}
				w.edit(t, people[round].ID, func(p *Person) { p.Score++ })
				if err := w.Delete(t.Context(), passing[0], roster.Remove); err != nil {
					t.Fatal(err)
				}
				passing = passing[1:]
			}
			for _, p := range people {
				if seen[p.ID] != 1 {
					t.Errorf("sorted by %v, a user came %d times", sort, seen[p.ID])
				}
			}
			for id, n := range seen {
				if n != 1 {
					t.Errorf("sorted by %v, %s came %d times", sort, id, n)
				}
			}
			for _, id := range passing {
				if err := w.Delete(t.Context(), id, roster.Remove); err != nil {
					t.Fatal(err)
				}
			}
		}
	}, withoutHolds)
}
