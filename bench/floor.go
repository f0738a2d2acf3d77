package main

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"
	"golang.org/x/crypto/argon2"

	"github.com/roster-go/roster/store"
)

// floor is the least program that does the same work: Echo, a look at the token, one prepared statement, the same
// bytes. It takes nothing from Roster but the way to open a database, so that the pool is the same.
type floor struct {
	verify *ecdsa.PublicKey // Roster's, so that both see the same tokens
	sign   *ecdsa.PrivateKey
	kid    string
	slots  chan struct{} // of password hashes
	redis  *redis.Client

	me, list, prefix, part, refresh *sqlx.Stmt
}

func serveFloor(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("floor", flag.ContinueOnError)
	addr := flags.String("addr", "", "")
	database := flags.String("database", "", "")
	jwks := flags.String("jwks", "", "")
	cache := flags.String("redis", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	db, err := store.Open(*database)
	if err != nil {
		return err
	}
	f := &floor{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), redis: redis.NewClient(&redis.Options{Addr: *cache})}
	if err := f.keys(*jwks); err != nil {
		return err
	}
	if err := f.prepare(ctx, db); err != nil {
		return err
	}
	e := echo.New()
	e.GET("/ready", func(c echo.Context) error { return c.String(http.StatusOK, "ready\n") })
	e.GET("/guarded", func(c echo.Context) error { return c.String(http.StatusOK, guarded) })
	e.GET("/api/me", f.showMe)
	e.POST("/api/login", f.hash(http.StatusOK))
	e.GET("/count/*", f.count)
	e.POST("/api/register", f.hash(http.StatusCreated))
	e.POST("/api/token/refresh", f.rotate)
	e.GET("/api/admin/users", f.showList)
	return serve(ctx, *addr, e)
}

// guarded is what a handler behind the guard says.
const guarded = "ok\n"

func serve(ctx context.Context, addr string, handler http.Handler) error {
	s := &http.Server{Addr: addr, Handler: handler, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	return s.ListenAndServe()
}

// send writes the header lines that Roster writes, and a body of JSON.
func send(c echo.Context, status int, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Vary", "Authorization, Cookie, Accept-Language")
	h.Set("X-Request-Id", "01234567-89ab-4def-8123-456789abcdef")
	h.Set("Content-Type", "application/json; charset=utf-8")
	c.Response().WriteHeader(status)
	_, err = c.Response().Write(text)
	return err
}

// hash is the raw hash, with the parameters that Roster has by default, so many at once as there are cores.
func (f *floor) hash(status int) echo.HandlerFunc {
	return func(c echo.Context) error {
		text, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		f.slots <- struct{}{}
		key := argon2.IDKey(text, []byte("0123456789abcdef"), 2, 19_456, 1, 32)
		<-f.slots
		return send(c, status, map[string]any{"key": key})
	}
}

var counter = redis.NewScript(`
	local n = redis.call('INCR', KEYS[1])
	if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
	return n`)

// count is one call of a script.
func (f *floor) count(c echo.Context) error {
	key := "floor:" + c.Request().URL.Path
	if err := counter.Run(c.Request().Context(), f.redis, []string{key}, time.Hour.Milliseconds()).Err(); err != nil {
		return err
	}
	return c.String(http.StatusOK, guarded)
}
