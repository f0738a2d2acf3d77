package usersrepo_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"strings"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

func TestHOOK_5_Init(t *testing.T) {
	t.Parallel()

	t.Run("infers the type of users and makes the repo ready", func(t *testing.T) {
		t.Parallel()
		app, _ := started(t, &accounts{})
		created, err := app.Create(t.Context(), ann())
		if err != nil {
			t.Fatal(err)
		}
		if found, err := app.GetByEmail(t.Context(), "ANN@example.com"); err != nil || found.ID != created.ID {
			t.Errorf("got %v, %v", found, err)
		}
	})

	t.Run("takes a program that embeds a pointer to a repo", func(t *testing.T) {
		t.Parallel()
		app, _ := started(t, &pointing{UsersRepo: &usersrepo.UsersRepo[*account]{}})
		if _, err := app.Create(t.Context(), ann()); err != nil {
			t.Fatal(err)
		}
		if app.created != 1 {
			t.Errorf("its hook ran %d times, want 1", app.created)
		}
	})

	for name, init := range map[string]func(usersrepo.Config) error{
		"refuses a nil program":             func(cfg usersrepo.Config) error { return usersrepo.Init((*accounts)(nil), cfg) },
		"refuses a nil pointer to a repo":   func(cfg usersrepo.Config) error { return usersrepo.Init(&pointing{}, cfg) },
		"refuses a program that is nil all": func(cfg usersrepo.Config) error { return usersrepo.Init((*pointing)(nil), cfg) },
		"refuses a nil repo": func(cfg usersrepo.Config) error {
			return usersrepo.Init((*usersrepo.UsersRepo[*account])(nil), cfg)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, _ := config(t)
			if err := init(cfg); err == nil || !strings.Contains(err.Error(), "nil") {
				t.Errorf("got %v, want an error that says so", err)
			}
		})
	}
}

// pointing embeds its repo by a pointer.
type pointing struct {
	*usersrepo.UsersRepo[*account]
	created int
}

func (p *pointing) AfterCreate(context.Context, *callbacks.Create[*account]) error {
	p.created++
	return nil
}

type (
	byPointer struct{ *roster.User }
	named     struct{ User roster.User }
	number    int
)

func (n *named) Base() *roster.User  { return &n.User }
func (n *number) Base() *roster.User { return nil }

// HOOK-6, case 6. A struct itself, where its pointer belongs, does not even compile: see testdata/uservalue.
func TestHOOK_6_TypeOfUsers(t *testing.T) {
	t.Parallel()
	cfg, _ := config(t)
	refuses := func(name, want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "embeds roster.User") {
			t.Errorf("%s: got %v, want an error that names %s", name, err, want)
		}
	}
	_, err := usersrepo.New[byPointer](cfg)
	refuses("a struct that embeds a pointer", "usersrepo_test.byPointer", err)
	_, err = usersrepo.New[*byPointer](cfg)
	refuses("a pointer to a struct that embeds a pointer", "usersrepo_test.byPointer", err)
	_, err = usersrepo.New[*named](cfg)
	refuses("a pointer to a struct that does not embed", "usersrepo_test.named", err)
	_, err = usersrepo.New[*number](cfg)
	refuses("a pointer to what is no struct", "*usersrepo_test.number", err)
	_, err = usersrepo.New[roster.Model](cfg)
	refuses("an interface", "roster.Model", err)

	app := &struct{ usersrepo.UsersRepo[byPointer] }{}
	refuses("by Init", "usersrepo_test.byPointer", usersrepo.Init(app, cfg))
}

func TestHOOK_7_InitOnce(t *testing.T) {
	t.Parallel()

	t.Run("refuses a second Init", func(t *testing.T) {
		t.Parallel()
		app, kit := started(t, &accounts{})
		cfg, _ := rostertest.Config(t, kit.DB)
		if err := usersrepo.Init(app, cfg); !errors.Is(err, roster.ErrAlreadyInitialized) {
			t.Errorf("got %v, want already_initialized", err)
		}
		if _, err := app.Create(t.Context(), ann()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})

	t.Run("refuses a copy of what was initialised", func(t *testing.T) {
		t.Parallel()
		app, kit := started(t, &accounts{})
		cfg, _ := rostertest.Config(t, kit.DB)
		second := reflect.New(reflect.TypeFor[accounts]()) // go vet would tell of the plain statement
		second.Elem().Set(reflect.ValueOf(app).Elem())
		if err := usersrepo.Init(second.Interface().(*accounts), cfg); !errors.Is(err, roster.ErrAlreadyInitialized) {
			t.Errorf("got %v, want already_initialized", err)
		}
	})

	t.Run("refuses what New has made", func(t *testing.T) {
		t.Parallel()
		cfg, _ := config(t)
		repo, err := usersrepo.New[*account](cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := usersrepo.Init(repo, cfg); !errors.Is(err, roster.ErrAlreadyInitialized) {
			t.Errorf("got %v, want already_initialized", err)
		}
	})

	t.Run("can be tried again after a failure", func(t *testing.T) {
		t.Parallel()
		cfg, _ := config(t)
		wrong := cfg
		wrong.Secrets = nil
		app := &accounts{}
		if err := usersrepo.Init(app, wrong); err == nil {
			t.Fatal("got no error")
		}
		if _, err := app.Get(t.Context(), roster.ID{1}); !errors.Is(err, roster.ErrNotInitialized) {
			t.Errorf("after the failure: got %v, want not_initialized", err)
		}
		if err := usersrepo.Init(app, cfg); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

func TestHOOK_7_NotInitialized(t *testing.T) {
	t.Parallel()
	lifecycle := reflect.TypeFor[callbacks.Lifecycle[*account]]()
	operations := reflect.TypeFor[mixins.Self[*account]]()
	answersNothing := map[string]bool{"Fields": true, "NewID": true, "Stats": true, "Site": true}

	for name, app := range map[string]any{"a program's value": &accounts{}, "a repo": &usersrepo.UsersRepo[*account]{}} {
		v := reflect.ValueOf(app)
		call := func(method string) {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s: %s panics: %v", name, method, p)
				}
			}()
			fn := v.MethodByName(method)
			args := make([]reflect.Value, fn.Type().NumIn())
			for i := range args {
				args[i] = reflect.Zero(fn.Type().In(i))
				if fn.Type().In(i) == reflect.TypeFor[context.Context]() {
					args[i] = reflect.ValueOf(t.Context())
				}
			}
			var results []reflect.Value
			if fn.Type().IsVariadic() {
				results = fn.CallSlice(args)
			} else {
				results = fn.Call(args)
			}
			err, hasError := reflect.TypeAssert[error](results[len(results)-1])
			if entries, ok := reflect.TypeAssert[iter.Seq2[roster.AuditEntry, error]](results[0]); ok {
				for _, err = range entries {
					hasError = true
				}
			}
			if rows, ok := reflect.TypeAssert[iter.Seq2[roster.UserRow, error]](results[0]); ok {
				for _, err = range rows {
					hasError = true
				}
			}
			switch {
			case answersNothing[method]:
			case !hasError || !errors.Is(err, roster.ErrNotInitialized):
				t.Errorf("%s: %s returns %v, want not_initialized", name, method, err)
			}
		}
		for m := range operations.Methods() {
			if _, isHook := lifecycle.MethodByName(m.Name); !isHook {
				call(m.Name)
			}
		}
		for _, method := range []string{"InTx", "Run", "Check"} {
			call(method)
		}
	}
}

// HOOK-10
func TestHOOK_10_Names(t *testing.T) {
	t.Parallel()
	repo := reflect.TypeFor[usersrepo.UsersRepo[*account]]()
	self := reflect.TypeFor[mixins.Self[*account]]()
	owner := map[string]string{}
	for field := range repo.Fields() {
		if !field.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(field.Name, "[")
		if _, clash := self.MethodByName(name); clash {
			t.Errorf("the component %s hides the operation of this name", name)
		}
		for m := range reflect.PointerTo(field.Type).Methods() {
			if other, doubled := owner[m.Name]; doubled {
				t.Errorf("%s is a method of %s and of %s: embedded together both vanish", m.Name, other, name)
			}
			owner[m.Name] = name
		}
	}
	for m := range self.Methods() {
		if _, ok := owner[m.Name]; !ok {
			t.Errorf("%s is a method of no component", m.Name)
		}
		delete(owner, m.Name)
	}
	for name, component := range owner {
		t.Errorf("%s of %s is not in mixins.Self: components would not reach an override", name, component)
	}
	for _, name := range []string{"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "String", "Scan", "Value", "Format", "LogValue", "Error"} {
		if _, ok := reflect.TypeFor[*roster.User]().MethodByName(name); ok {
			t.Errorf("roster.User defines %s: embedded it would swallow the program's fields", name)
		}
	}
}

// A component that Init forgets compiles, and panics at its first call.
func TestInitMakesEachComponent(t *testing.T) {
	t.Parallel()
	app, _ := started(t, &accounts{})
	repo, count := reflect.ValueOf(&app.UsersRepo).Elem(), 0
	for _, field := range reflect.VisibleFields(repo.Type()) {
		if !field.Anonymous || len(field.Index) > 1 || field.Type.PkgPath() != reflect.TypeFor[mixins.Settings]().PkgPath() {
			continue
		}
		count++
		if repo.FieldByIndex(field.Index).IsZero() {
			t.Errorf("Init does not make %s", field.Name)
		}
	}
	if count < 11 {
		t.Errorf("%d components", count)
	}
}
