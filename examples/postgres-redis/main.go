// Postgres-redis is a program as it runs in earnest: on PostgreSQL and Redis, behind a proxy, on as many nodes as it
// takes, with a table of its own that is written in the transaction of Roster.
//
//	DATABASE_URL=postgres://… REDIS_URL=redis://… BASE_URL=https://… SECRETS=k1:… SMTP_URL=smtp://… PROXY=10.0.0.0/8
//
// The tables are made before: "roster migrate up --no-columns", and the program's own migrations (here: schema.sql).
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// schema is the program's own migration.
//
//go:embed schema.sql
var schema string

// Member is the program's user.
type Member struct {
	roster.User
	Team string `db:"team" json:"team" roster:"create,filter,sort"`
}

// Members is the program's repo.
type Members struct{ usersrepo.UsersRepo[*Member] }

// AfterCreate gives each new member a wallet. It runs in the transaction of the registration: both are there, or neither.
func (m *Members) AfterCreate(ctx context.Context, e *callbacks.Create[*Member]) error {
	_, err := store.TxFrom(ctx).ExecContext(ctx, "INSERT INTO wallets (member_id, cents) VALUES ($1, 500)", e.User.ID)
	return err
}

// settings is what the environment says.
type settings struct {
	baseURL, secrets, proxy string
	mail                    notify.Sender
	logger                  *slog.Logger
}

func newServer(db *sqlx.DB, shared cache.Cache, s settings) (*echo.Echo, *Members, error) {
	keys, err := secrets.ParseSecrets(s.secrets)
	if err != nil {
		return nil, nil, err
	}
	cfg := usersrepo.Config{DB: db, Cache: shared, BaseURL: s.baseURL, Product: "Wallets", Secrets: keys, Logger: s.logger}
	cfg.Notify.Mail = s.mail
	members := &Members{}
	if err := usersrepo.Init(members, cfg); err != nil {
		return nil, nil, err
	}
	extract, err := routes.TrustProxies(s.proxy)
	if err != nil {
		return nil, nil, err
	}
	web := routes.Config{Logger: s.logger, IPExtractor: extract}
	e := echo.New()
	_, users := routes.User(e.Group("/api"), members, web)
	_, admins := routes.Admin(e.Group("/api/admin"), members, web)
	e.GET("/wallet", func(c echo.Context) error {
		var cents int64
		ctx := c.Request().Context()
		err := db.GetContext(ctx, &cents, "SELECT cents FROM wallets WHERE member_id = $1", roster.ActorFrom(ctx).ID)
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, map[string]int64{"cents": cents})
	}, routes.RequireUser(members, web))
	return e, members, errors.Join(users, admins)
}

func run(ctx context.Context) error {
	db, err := store.Open(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	client, err := cache.OpenRedis(os.Getenv("REDIS_URL"))
	if err != nil {
		return err
	}
	smtp, err := notify.ParseSMTP(os.Getenv("SMTP_URL"))
	if err != nil {
		return err
	}
	mail, err := notify.NewSMTP(smtp)
	if err != nil {
		return err
	}
	e, members, err := newServer(db, cache.NewRedis(client, cache.RedisConfig{Prefix: "wallets:"}), settings{
		baseURL: os.Getenv("BASE_URL"), secrets: os.Getenv("SECRETS"), proxy: os.Getenv("PROXY"), mail: mail, logger: slog.Default(),
	})
	if err != nil {
		return err
	}
	// Without a WriteTimeout: routes.Config.Timeout bounds the work, the proxy how long a slow client may take, and one that is
	// shorter than a long poll (GET /token/revocations waits for 30 s) would cut its answer.
	server := &http.Server{Addr: ":8080", Handler: e, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ending)
	}()
	loops := make(chan error, 1)
	go func() { loops <- members.Run(ctx) }() // sends mails, cleans up
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-loops
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
