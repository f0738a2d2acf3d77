package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// The time limits of the server. A request's own work is bounded by the routes.
const (
	readTimeout  = 15 * time.Second
	writeTimeout = 45 * time.Second // and as much more as routes.timeout: revocations may wait for 30 s, and work for another 10 s
	idleTimeout  = 2 * time.Minute
	stopTimeout  = 15 * time.Second
	maxHeader    = 32 << 10
)

type serveCommand struct{}

// Run serves until ctx ends, and then lets running requests and mails come to their end.
func (serveCommand) Run(ctx context.Context, o *Options, t terminal) error {
	p, err := o.open(ctx, t, func(cfg *usersrepo.Config) { cfg.AutoMigrate, cfg.Password.TuneHeap = o.Dev, true })
	if err != nil {
		return err
	}
	defer p.close()
	handler, err := p.handler(t)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return err
	}
	if o.Dev {
		if err := p.firstSuperuser(ctx, t); err != nil {
			return err
		}
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout + p.file.Routes.Timeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(t.logger.Handler(), slog.LevelWarn),
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	loops := make(chan error, 1)
	go func() { loops <- p.repo.Run(running) }()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.logger.InfoContext(ctx, "serving", slog.Any("address", listener.Addr()), slog.Bool("development", o.Dev))
	select {
	case <-ctx.Done():
	case err := <-served:
		stop()
		return errors.Join(err, <-loops)
	}
	t.logger.InfoContext(ctx, "stopping")
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err = server.Shutdown(ending)
	stop()
	return errors.Join(err, ended(<-loops))
}

func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// handler is all that is served.
func (p *program) handler(t terminal) (http.Handler, error) {
	cfg, err := p.file.routes(t)
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Use(accessLog(t.logger))
	if _, err := routes.User(e.Group("/api"), p.repo, cfg); err != nil {
		return nil, err
	}
	cfg.Without = p.file.Routes.AdminWithout
	if _, err := routes.Admin(e.Group("/api/admin"), p.repo, cfg); err != nil {
		return nil, err
	}
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", p.ready)
	if p.mailbox != nil {
		e.GET("/dev/mailbox", p.showMailbox)
	}
	return e, nil
}

// ready answers whether requests can be: not without the database. Without the cache they can, slower.
func (p *program) ready(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), time.Second)
	defer cancel()
	if err := p.db.PingContext(ctx); err != nil {
		return c.String(http.StatusServiceUnavailable, "database unavailable\n")
	}
	if _, err := p.cache.Peek(ctx, cache.Limit{Key: "readyz", Max: 1, Window: time.Second}); err != nil {
		return c.String(http.StatusOK, "ready, without the cache\n")
	}
	return c.String(http.StatusOK, "ready\n")
}

// accessLog writes a line for each request: what was asked for and what came of it, and nothing of a person.
func accessLog(logger *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start := time.Now()
			err := next(c)
			if err != nil {
				c.Error(err)
			}
			logger.InfoContext(c.Request().Context(), "request", slog.String("method", c.Request().Method),
				slog.String("route", c.Path()), slog.Int("status", c.Response().Status), slog.Duration("duration", time.Since(start)),
				slog.String("request_id", c.Response().Header().Get(echo.HeaderXRequestID)))
			return nil
		}
	}
}

// firstSuperuser makes a superuser where there is none, and prints the password, this once.
func (p *program) firstSuperuser(ctx context.Context, t terminal) error {
	n, err := p.repo.Count(ctx, roster.Query{Filters: []roster.Filter{{Field: "superuser", Op: roster.Eq, Value: true}}})
	if err != nil || n > 0 {
		return err
	}
	password := roster.Secret(rand.Text())
	user := &Account{User: roster.User{Username: new("admin"), Email: new("admin@example.com")}, DisplayName: "Administrator"}
	if _, err := p.repo.CreateSuperuser(ctx, user, roster.WithPassword(password), roster.AllowReserved(), roster.WithEmailVerified()); err != nil {
		return fmt.Errorf("create the first superuser: %w", err)
	}
	fmt.Fprintf(t.out, "superuser: admin\npassword:  %s\n", password.Reveal())
	return nil
}

// localhost is an address as a browser on this machine reaches it.
func localhost(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return net.JoinHostPort("localhost", port)
}

// isLoopback reports whether an address, with or without a port, is this machine's alone.
func isLoopback(addr string) bool {
	host := addr
	if h, _, err := net.SplitHostPort(addr); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}
