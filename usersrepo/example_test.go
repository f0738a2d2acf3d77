package usersrepo_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// Customer is the program's user.
type Customer struct {
	roster.User
	Plan string `db:"plan" json:"plan" roster:"admin,filter"`
}

// Customers is the program's repo.
type Customers struct{ usersrepo.UsersRepo[*Customer] }

// BeforeBan is a hook: those who pay are not banned, and every ban ends.
func (c *Customers) BeforeBan(_ context.Context, e *callbacks.Ban[*Customer]) error {
	if e.User.Plan == "pro" {
		return callbacks.Reject("paying_customer").Status(409).Message("Cancel the subscription first.")
	}
	if e.Ban.Until == nil {
		e.Ban.Until = new(e.At.AddDate(1, 0, 0))
	}
	return nil
}

// ChangeUsername overrides an operation: this is what runs, for the routes too.
func (c *Customers) ChangeUsername(ctx context.Context, id roster.ID, name string, options ...roster.UsernameOption) (*Customer, error) {
	if strings.HasSuffix(name, "_staff") {
		return nil, roster.FieldErrors{{Field: "username", Code: roster.Reserved}}.Err()
	}
	return c.UsersRepo.ChangeUsername(ctx, id, name, options...)
}

// A hook vetoes and changes bans, and an operation is overridden.
func Example() {
	ctx := context.Background()
	db, err := store.Open("sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	customers := &Customers{}
	if err := usersrepo.Init(customers, usersrepo.Config{DB: db, AutoMigrate: true, Development: true}); err != nil {
		fmt.Println(err)
		return
	}
	ann, err := customers.Create(ctx, &Customer{User: roster.User{Username: new("ann")}, Plan: "pro"})
	if err != nil {
		fmt.Println(err)
		return
	}
	bob, err := customers.Create(ctx, &Customer{User: roster.User{Username: new("bob")}, Plan: "free"})
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = customers.Ban(ctx, ann.ID, roster.Ban{Reason: "spam"})
	fmt.Println(err, errors.Is(err, &roster.Error{Code: "paying_customer"}))
	ban, err := customers.Ban(ctx, bob.ID, roster.Ban{Reason: "spam"})
	fmt.Println(ban.Until.Sub(ban.At) > 364*24*time.Hour, err)
	_, err = customers.ChangeUsername(ctx, ann.ID, "ann_staff")
	fmt.Println(err)
	// Output:
	// paying_customer: Cancel the subscription first. true
	// true <nil>
	// validation_failed: username:reserved
}

// A rule of the program's own for passwords, and a message that the program sends itself.
func ExampleConfig() {
	ctx := context.Background()
	db, err := store.Open("sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	cfg := usersrepo.Config{DB: db, AutoMigrate: true, Development: true, Logger: slog.New(slog.DiscardHandler)}
	cfg.Password.Check = func(_ context.Context, user roster.Model, password roster.Secret) error {
		if strings.Contains(password.Reveal(), user.(*Customer).Plan) {
			return roster.FieldErrors{{Field: "password", Code: roster.Similar}}.Err()
		}
		return nil
	}
	customers, err := usersrepo.New[*Customer](cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	customers.On.Message.Before(func(ctx context.Context, e *callbacks.Message[*Customer]) error {
		if e.Kind == notify.PasswordChanged {
			e.Skip = true
			name := e.Data.User.DisplayName()
			store.OnCommit(ctx, func(context.Context) { fmt.Println("told", name, "of the new password") })
		}
		return nil
	})

	ann := &Customer{User: roster.User{Username: new("ann"), Email: new("ann@example.com")}, Plan: "premium"}
	if ann, err = customers.Create(ctx, ann, roster.WithEmailVerified()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(customers.SetPassword(ctx, ann.ID, "my premium account"))
	fmt.Println(customers.SetPassword(ctx, ann.ID, "correct horse battery"))
	// Output:
	// validation_failed: password:similar
	// told ann of the new password
	// <nil>
}
