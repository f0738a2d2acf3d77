package store_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// The reads of hot paths, on both databases: without what a repo does around them.
func BenchmarkReads(b *testing.B) {
	for _, kind := range []rostertest.Kind{rostertest.SQLite, rostertest.PostgreSQL} {
		b.Run(string(kind), func(b *testing.B) { benchmarkReads(b, kind) })
	}
}

func benchmarkReads(b *testing.B, kind rostertest.Kind) {
	cfg, kit := rostertest.Config(b, rostertest.Open(b, kind))
	repo, err := usersrepo.New[*roster.User](cfg)
	if err != nil {
		b.Fatal(err)
	}
	var one *roster.User
	for i := range 200 {
		one, err = repo.Create(b.Context(), &roster.User{Username: new(fmt.Sprintf("bench%d", i)), Email: new(fmt.Sprintf("bench%d@example.org", i))})
		if err != nil {
			b.Fatal(err)
		}
	}
	plan, err := mixins.NewPlan[*roster.User]()
	if err != nil {
		b.Fatal(err)
	}
	dialect, err := store.Probe(b.Context(), kit.DB)
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.New(kit.DB, dialect, store.Config{}, plan.Columns(), store.CommitHooks{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })

	dest := userDest(plan.Columns())
	page := store.Search{
		Order: []store.OrderKey{{Operand: store.Operand{Name: "created_at", Kind: store.TimeColumn, Exact: true}, Descending: true}},
		Limit: 50, Now: kit.Clock.Now(),
	}
	for _, x := range []struct {
		name string
		read func() error
	}{
		{"GetUser", func() error {
			return s.GetUser(b.Context(), store.ByID, one.ID, dest())
		}},
		{"GetUser by e-mail", func() error {
			return s.GetUser(b.Context(), store.ByEmail, *one.Email, dest())
		}},
		{"SearchUsers", func() error {
			keys, _, err := s.SearchUsers(b.Context(), page, dest)
			if err == nil && len(keys) != page.Limit {
				err = fmt.Errorf("%d users", len(keys))
			}
			return err
		}},
	} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := x.read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// userDest returns a function that makes a base user and tells where its columns are scanned to.
func userDest(columns []store.Column) func() []any {
	t := reflect.TypeFor[roster.User]()
	index := make([]int, len(columns))
	for i, c := range columns {
		for f := range t.NumField() {
			if t.Field(f).Tag.Get("db") == c.Name {
				index[i] = f
			}
		}
	}
	return func() []any {
		u := reflect.New(t).Elem()
		list := make([]any, len(index), len(index)+4)
		for i, f := range index {
			list[i] = u.Field(f).Addr().Interface()
		}
		return list
	}
}
