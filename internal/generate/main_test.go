package main_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	main "github.com/roster-go/roster/internal/generate"
)

// HOOK-3, HOOK-12: an operation that the recorder or the list lacks fails here, and where CI runs go generate.
func TestHOOK_12_GeneratedFilesAreCurrent(t *testing.T) {
	root, err := os.OpenRoot("../..")
	if err != nil {
		t.Fatal(err)
	}
	files, err := main.Generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := root.ReadFile(name)
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is stale, run \"make docs\" (-want +got):\n%s", name, diff)
		}
	}
}

const mixins = `package mixins

import (
	"context"

	"example.com/cups"
)

type Core[U cups.Model] struct{ Self Self[U] }

type Self[U cups.Model] interface {
	TeaOps[U]
	CupOps
	cups.Lifecycle[U]
}

// Tea is the component of
// tea.
type Tea[U cups.Model] struct{ core *Core[U] }

type TeaOps[U cups.Model] interface {
	// Brew makes tea. It is hot.
	Brew(ctx context.Context, u U, options ...cups.Option) (U, error)

	// Drink ends it.
	Drink(ctx context.Context) error
}

type Cup struct{ core *Core[*int] }

type CupOps interface {
	// Wash washes.
	Wash(name, with string) error

	FillOps
}

type FillOps interface {
	// Fill fills.
	Fill() error
}

func (m Tea[U]) Brew(ctx context.Context, u U, options ...cups.Option) (U, error) {
	return u, m.core.transact(m.core.pour)
}

func (c *Core[U]) transact(fn func() error) error { return fn() }

func (c *Core[U]) pour() error { return func() error { return c.Self.Fill() }() }

func (m Tea[U]) Drink(ctx context.Context) error {
	if _, err := cups.Unknown(m.core).Wash(); err != nil {
		return err
	}
	return m.core.Self.Wash("a", "b")
}

func (m Cup) Wash(name, with string) error { return nil }

func (m Cup) Fill() error { return nil }
`

const repo = `package usersrepo

import (
	"context"

	"github.com/roster-go/roster/mixins"
)

type UsersRepo[U any] struct{ core *mixins.Core[U] }

// Run runs.
func (r *UsersRepo[U]) Run(ctx context.Context) error { return r.core.Self.Drink(ctx) }

func (r *UsersRepo[U]) base() *UsersRepo[U] { return r }
`

const callbacks = `package callbacks

type Lifecycle[U any] interface {
	BeforeBrew(ctx context.Context, e *Brew[U]) error
}
`

func module(mixins string) fstest.MapFS {
	return fstest.MapFS{
		"callbacks/lifecycle.go": {Data: []byte(callbacks)},
		"mixins/mixins.go":       {Data: []byte(mixins)},
		"mixins/some_test.go":    {Data: []byte("not Go")},
		"usersrepo/repo.go":      {Data: []byte(repo)},
	}
}

func TestOperations(t *testing.T) {
	t.Run("lists each with its contract, what it calls and what calls it", func(t *testing.T) {
		got, err := main.Operations(module(mixins))
		if err != nil {
			t.Fatal(err)
		}
		_, got, _ = strings.Cut(got, "\n## ")
		want := `Tea

Tea is the component of tea.

### Brew

~~~go
Brew(ctx context.Context, u U, options ...cups.Option) (U, error)
~~~

Brew makes tea. It is hot.

*calls* [Fill](#fill)

### Drink

~~~go
Drink(ctx context.Context) error
~~~

Drink ends it.

*calls* [Wash](#wash) · *called by* [Run](#run)

## Cup



### Wash

~~~go
Wash(name, with string) error
~~~

Wash washes.

*called by* [Drink](#drink)

### Fill

~~~go
Fill() error
~~~

Fill fills.

*called by* [Brew](#brew)

## The repo itself

These are no operations: overriding them changes nothing for others.

### Run

~~~go
Run(ctx context.Context) error
~~~

Run runs.

*calls* [Drink](#drink)
`
		if diff := cmp.Diff(strings.ReplaceAll(want, "~~~", "```"), got); diff != "" {
			t.Errorf("operations (-want +got):\n%s", diff)
		}
	})

	// HOOK-2
	t.Run("refuses a component that calls an operation past Self", func(t *testing.T) {
		past := strings.Replace(mixins, `m.core.Self.Wash("a", "b")`, `Cup{}.Wash("a", "b")`, 1)
		if _, err := main.Operations(module(past)); err == nil || err.Error() != "Drink calls Wash past Self" {
			t.Errorf("got %v", err)
		}
	})

	t.Run("refuses a call through Self that it cannot resolve", func(t *testing.T) {
		unknown := strings.Replace(mixins, `m.core.Self.Wash(`, `m.core.Self.Rinse(`, 1)
		if _, err := main.Operations(module(unknown)); err == nil || !strings.Contains(err.Error(), "Rinse") {
			t.Errorf("got %v", err)
		}
	})

	t.Run("refuses a component without the operation that its interface has", func(t *testing.T) {
		lacking := strings.Replace(mixins, `func (m Cup) Fill()`, `func (m Cup) Full()`, 1)
		if _, err := main.Operations(module(lacking)); err == nil || err.Error() != "Cup has no method Fill" {
			t.Errorf("got %v", err)
		}
	})
}
