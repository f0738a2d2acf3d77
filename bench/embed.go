package main

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// account has the columns of the command's.
type account struct {
	roster.User
	DisplayName string  `db:"display_name" json:"display_name" roster:"create,update,search,filter,sort"`
	Company     *string `db:"company" json:"company" roster:"create,update,search,filter"`
	Plan        string  `db:"plan" json:"plan" roster:"admin,filter,keep"`
}

// poolStats is what the rows about the pool ask for.
type poolStats struct {
	Waits        int64
	Waited       time.Duration
	WhileHashing int64 // connections in use while a password was hashed, at most
}

// serveEmbed is a program that embeds Roster, for what the command has no setting or route for.
func serveEmbed(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("embed", flag.ContinueOnError)
	addr := flags.String("addr", "", "")
	database := flags.String("database", "", "")
	redis := flags.String("redis", "", "")
	pool := flags.Int("pool", 0, "connections; 0: as store.Open has it")
	hash := flags.String("hash", "argon2id", "or none")
	conceal := flags.Bool("conceal", false, "whether registrations tell nobody what is taken")
	if err := flags.Parse(args); err != nil {
		return err
	}
	db, err := store.Open(*database)
	if err != nil {
		return err
	}
	if *pool > 0 {
		db.SetMaxOpenConns(*pool)
		db.SetMaxIdleConns(*pool)
	}
	hasher := &watched{db: db, Hasher: passwords.Argon2id{}}
	if *hash == "none" {
		hasher.Hasher = noHash{}
	}
	repo, err := openRepo(db, *redis, hasher, *conceal)
	if err != nil {
		return err
	}
	e := echo.New()
	if _, err := routes.User(e.Group("/api"), repo, routes.Config{Limits: unlimited}); err != nil {
		return err
	}
	if _, err := routes.Admin(e.Group("/api/admin"), repo, routes.Config{Limits: unlimited}); err != nil {
		return err
	}
	serveCounters(e, repo)
	e.GET("/guarded", func(c echo.Context) error { return c.String(http.StatusOK, guarded) }, routes.RequireUser(repo, routes.Config{}))
	e.GET("/ready", func(c echo.Context) error { return c.String(http.StatusOK, "ready\n") })
	e.GET("/stats", func(c echo.Context) error {
		x := db.Stats()
		return c.JSON(http.StatusOK, poolStats{x.WaitCount, x.WaitDuration, hasher.inUse.Load()})
	})
	e.GET("/profile/cpu", echo.WrapHandler(http.HandlerFunc(pprof.Profile)))
	e.GET("/profile/allocs", echo.WrapHandler(pprof.Handler("allocs")))
	return serve(ctx, *addr, e)
}

// serveCounters has the operations that no request asks for by themselves. Each worker has its own name.
func serveCounters(e *echo.Echo, repo *usersrepo.UsersRepo[*account]) {
	quota := roster.Limit{Max: 1_000_000_000, Window: time.Hour}
	for path, count := range map[string]func(ctx context.Context, name string) error{
		"attempt": func(ctx context.Context, name string) error {
			_, err := repo.IsBruteforce(ctx, "192.0.2."+name, "worker"+name)
			return err
		},
		"quota": func(ctx context.Context, name string) error {
			_, err := repo.CheckTimeoutAndIncr(ctx, quota, "bench:"+name)
			return err
		},
		"code": func(ctx context.Context, _ string) error {
			_, err := repo.CheckEmailCode(ctx, roster.NewID(), roster.CodeReset, "123456")
			if errors.Is(err, roster.ErrNotFound) {
				return nil
			}
			return err
		},
	} {
		e.GET("/count/"+path+"/:name", func(c echo.Context) error {
			if err := count(c.Request().Context(), c.Param("name")); err != nil {
				return err
			}
			return c.String(http.StatusOK, guarded)
		})
	}
}

func openRepo(db *sqlx.DB, redis string, hasher passwords.Hasher, conceal bool) (*usersrepo.UsersRepo[*account], error) {
	keys, err := secrets.ParseSecrets(secret)
	if err != nil {
		return nil, err
	}
	lane := mixins.LaneConfig{Max: 1_000_000_000}
	cfg := usersrepo.Config{
		DB: db, BaseURL: baseURL, Secrets: keys,
		Session:  mixins.SessionConfig{AccessTTL: time.Hour},
		Password: mixins.PasswordConfig{Config: passwords.Config{Hasher: hasher}},
		Confirm:  mixins.ConfirmConfig{NoneOnRegister: !conceal},
		Notify:   mixins.NotifyConfig{Mail: &notify.Memory{}, Poll: time.Hour},
		Protection: mixins.ProtectionConfig{
			Source: lane, Identifier: lane, Pair: lane, Registration: lane, Mails: lane, AskedMessages: lane,
		},
	}
	if conceal {
		cfg.Account.RequireConfirmed, cfg.Account.ConcealRegistration = true, true
	}
	if redis != "" {
		client, err := cache.OpenRedis("redis://" + redis)
		if err != nil {
			return nil, err
		}
		cfg.Cache = cache.NewRedis(client, cache.RedisConfig{Prefix: "roster:embed:"})
	}
	return usersrepo.New[*account](cfg)
}

// watched looks at the pool while a password is hashed.
type watched struct {
	passwords.Hasher
	db    *sqlx.DB
	inUse atomic.Int64
}

func (h *watched) Hash(ctx context.Context, password roster.Secret) (string, error) {
	h.look()
	return h.Hasher.Hash(ctx, password)
}

func (h *watched) Verify(ctx context.Context, encoded string, password roster.Secret) (passwords.Match, error) {
	h.look()
	return h.Hasher.Verify(ctx, encoded, password)
}

func (h *watched) look() {
	now := int64(h.db.Stats().InUse)
	for most := h.inUse.Load(); now > most && !h.inUse.CompareAndSwap(most, now); {
		most = h.inUse.Load()
	}
}

// noHash knows the password of everybody, at no cost.
type noHash struct{}

func (noHash) Hash(context.Context, roster.Secret) (string, error) { return "$none$", nil }

func (noHash) Verify(_ context.Context, _ string, given roster.Secret) (passwords.Match, error) {
	return passwords.Match{OK: given == password}, nil
}
