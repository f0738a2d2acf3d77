// Quickstart is a program with users of its own: two columns, two hooks, an overridden operation, both groups of
// routes and a route behind them, on a file of SQLite.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// Account is the program's user: people give their company, administrators the plan.
type Account struct {
	roster.User
	Company string `db:"company" json:"company" roster:"create,update,search"`
	Plan    string `db:"plan" json:"plan" roster:"admin,filter"`
}

// Accounts is the program's repo. What it defines is what runs, whoever asks.
type Accounts struct{ usersrepo.UsersRepo[*Account] }

// BeforeCreate may veto, and fill in what is missing.
func (a *Accounts) BeforeCreate(_ context.Context, e *callbacks.Create[*Account]) error {
	if e.User.Company == "Evil Corp" {
		return callbacks.Reject("company_refused").Field("company").Status(http.StatusUnprocessableEntity)
	}
	e.User.Plan = "free"
	return nil
}

// OnLogin runs once the log-in is committed.
func (a *Accounts) OnLogin(_ context.Context, e *callbacks.Login[*Account]) error {
	log.Printf("%s logged in", e.User.ID)
	return nil
}

// TokenClaims overrides an operation: other services read the plan from the access token.
func (a *Accounts) TokenClaims(_ context.Context, u *Account) (map[string]any, error) {
	return map[string]any{"plan": u.Plan}, nil
}

func newServer(db *sqlx.DB) (*Accounts, *echo.Echo, error) {
	accounts := &Accounts{}
	if err := usersrepo.Init(accounts, usersrepo.Config{DB: db, AutoMigrate: true, Development: true}); err != nil {
		return nil, nil, err
	}
	e := echo.New()
	if _, err := routes.User(e.Group("/api"), accounts, routes.Config{}); err != nil {
		return nil, nil, err
	}
	if _, err := routes.Admin(e.Group("/api/admin"), accounts, routes.Config{}); err != nil {
		return nil, nil, err
	}
	e.GET("/hello", func(c echo.Context) error {
		user, err := accounts.Get(c.Request().Context(), roster.ActorFrom(c.Request().Context()).ID)
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, "Hello "+user.DisplayName()+" of "+user.Company+"\n")
	}, routes.RequireUser(accounts, routes.Config{}))
	return accounts, e, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends, and then lets running requests and mails come to their end.
func run(ctx context.Context) error {
	db, err := store.Open("sqlite:quickstart.db")
	if err != nil {
		return err
	}
	accounts, e, err := newServer(db)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		served <- e.Start("127.0.0.1:8080")
		stop()
	}()
	ran := accounts.Run(ctx) // sends mails, cleans up
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = errors.Join(ran, e.Shutdown(ending))
	if fault := <-served; !errors.Is(fault, http.ErrServerClosed) {
		err = errors.Join(err, fault)
	}
	return errors.Join(err, db.Close())
}
