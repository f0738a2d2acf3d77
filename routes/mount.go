package routes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
)

// User mounts the endpoints for users on a group: registering, logging in, the own account. On an error nothing is
// mounted.
func User[U roster.Model](group *echo.Group, repo UserRepo[U], cfg Config) (*Mounted, error) {
	return mount(group, cfg, repo, func(v *view[U], m *Mounted) []endpoint {
		return append(userEndpoints(repo, v), documentEndpoint(m))
	})
}

// Admin mounts the endpoints for administrators on a group. Each needs a permission, which the repo is asked for. On an
// error nothing is mounted.
func Admin[U roster.Model](group *echo.Group, repo AdminRepo[U], cfg Config) (*Mounted, error) {
	return mount(group, cfg, repo, func(v *view[U], m *Mounted) []endpoint {
		return append(adminEndpoints(repo, v), adminDocumentEndpoint(m))
	})
}

// Auth is what an endpoint asks for.
type Auth string

// The kinds of proof.
const (
	AuthNone    Auth = "none"    // anyone; a valid access token is noted all the same
	AuthRefresh Auth = "refresh" // a refresh token, in the body or its cookie
	AuthSession Auth = "session" // a live access token, in the header or its cookie
	AuthService Auth = "service" // HTTP Basic, with the name and a secret of one of Config.Services
)

// Route is an endpoint as it was mounted.
type Route struct {
	Name       string // stable; the operationId of the OpenAPI document
	Method     string
	Path       string // with the group's
	Auth       Auth
	Permission string // that an administrator needs; "" for users' endpoints
	Fresh      bool   // the session must have begun shortly before; some take the password in the body instead
	Replaced   bool   // by a handler of the program's own
	// Limit is how often an address may ask in a minute, or for administrators' endpoints one of them; 0: no limit.
	Limit int
}

// Mounted is what a call of User or Admin has mounted.
type Mounted struct {
	routes  []Route
	openAPI func() ([]byte, error) // makes it when it is asked for
}

// Routes lists the endpoints.
func (m *Mounted) Routes() []Route { return slices.Clone(m.routes) }

// OpenAPI is the document (OpenAPI 3.1, JSON) of the endpoints and of the program's own fields; nil of a Mounted that is nobody's.
func (m *Mounted) OpenAPI() []byte {
	if m.openAPI == nil {
		return nil
	}
	document, _ := m.openAPI() // it fails where Roster's own files do not fit its tables, which tests would see
	return slices.Clone(document)
}

// endpoint is one line of the tables of endpoints.
type endpoint struct {
	name, method, path string

	auth       Auth
	permission string
	fresh      bool
	orPassword bool // or the right password in the body, which the handler asks for
	reasoned   bool // it asks for a reason where Config.RequireReason says so
	query      bool // it takes parameters in the URL
	neutral    bool // its answer, and when that comes, is not to tell whether an account exists
	// mailed says that the token in the body came by mail: a wrong one is a fault of the request, not of a session.
	mailed bool
	upload bool // its body is a file
	// onRequest says that it is not mounted unless the configuration asks for it.
	onRequest bool
	// What endpoints have to do with cookies: enters lets somebody in, renews spends a refresh token, leaves ends the session of
	// who asks, if there is one.
	enters, renews, leaves bool
	form                   bool // its body is a form (application/x-www-form-urlencoded)
	// wait is how much longer than other requests it may take, for something to happen.
	wait   time.Duration
	handle handler
}

// repoOf is what mounting itself asks of a repo.
type repoOf interface {
	Verifier
	limiter
	Fields() []roster.Field
}

// revoker ends the session of a refresh token.
type revoker interface {
	Revoke(ctx context.Context, refresh roster.Secret) (time.Time, error)
}

func mount[U roster.Model](group *echo.Group, cfg Config, repo repoOf, endpoints func(v *view[U], m *Mounted) []endpoint) (*Mounted, error) {
	if group == nil || repo == nil {
		return nil, errors.New("routes: a group and a repo are needed")
	}
	if _, err := repo.VerifyToken(context.Background(), ""); errors.Is(err, roster.ErrNotInitialized) {
		return nil, fmt.Errorf("routes: %w", err)
	}
	cfg = cfg.withDefaults()
	v, err := newView[U](cfg.View)
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	m := &Mounted{}
	table := endpoints(v, m)
	on := placeOf(group)
	b, browserErr := newBrowser(cfg, repo.Site())
	if err := errors.Join(check(table, cfg, on), browserErr); err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	table = slices.DeleteFunc(table, func(e endpoint) bool { return cfg.omits(e) })
	for i := range table {
		if table[i].name == usernameCheck && cfg.UsernameCheck == AuthSession {
			table[i].auth = AuthSession
		}
	}
	for _, e := range table {
		_, replaced := cfg.Replace[e.name]
		m.routes = append(m.routes, Route{e.name, e.method, on.prefix + e.path, e.auth, e.permission, e.fresh, replaced, cfg.limitOf(&e)})
	}
	m.openAPI = sync.OnceValues(func() ([]byte, error) {
		return openAPI(m.routes, table, on.prefix, repo.Fields(), v.schema(), b)
	})
	allowed, _ := parseNetworks(cfg.AllowIPs) // the check has told
	s := &server{cfg: cfg, repo: repo, limiter: repo, counters: cache.NewMemory(cache.MemoryConfig{}), allowed: allowed, services: newServices(cfg.Services)}
	s.browser, s.clearing = func() *browser { return b }, cfg.clearing()
	if x, ok := repo.(revoker); ok {
		s.revoke = x.Revoke
	}
	for _, e := range table {
		group.Add(e.method, e.path, s.handler(&e))
	}
	if len(cfg.CORSOrigins) > 0 {
		paths, methods := preflights(table)
		for _, path := range paths {
			group.OPTIONS(path, s.preflight(methods[path]))
		}
	}
	return m, nil
}

// asksFor reports whether an endpoint is wanted that is not mounted by itself.
func (c Config) asksFor(name string) bool {
	return name == usernameCheck && c.UsernameCheck != "" || c.Replace[name] != nil
}

// omits reports whether an endpoint is not mounted.
func (c Config) omits(e endpoint) bool {
	return slices.Contains(c.Without, e.name) || e.onRequest && !c.asksFor(e.name) || e.auth == AuthService && len(c.Services) == 0
}

// check tells all that is wrong with a configuration and the endpoints that it names.
func check(table []endpoint, cfg Config, on place) error {
	var errs []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	known := map[string]bool{}
	for _, e := range table {
		known[e.name] = true
		if path := on.prefix + e.path; !cfg.omits(e) {
			fault(on.has(e.method, path), "%s: %s %s is mounted already", e.name, e.method, path)
			fault(len(cfg.CORSOrigins) > 0 && on.has(http.MethodOptions, path), "%s: OPTIONS %s is mounted already, which config.CORSOrigins needs", e.name, path)
		}
	}
	fault(cfg.MaxBody < 0, "config.MaxBody is %d: want 0 or more bytes", cfg.MaxBody)
	fault(cfg.Timeout < 0, "config.Timeout is %s: want 0 or more", cfg.Timeout)
	fault(cfg.MinDuration < 0 || cfg.MinDuration >= cfg.Timeout, "config.MinDuration is %s: want 0 or more, and less than Timeout (%s)",
		cfg.MinDuration, cfg.Timeout)
	fault(strings.ContainsFunc(cfg.Realm, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }),
		"config.Realm is %q: want ASCII that can be quoted as it is", cfg.Realm)
	errs = append(errs, checkCORS(cfg)...)
	for _, kind := range cfg.ClearSiteData {
		fault(!slices.Contains(siteData, kind), "config.ClearSiteData: %q is none of %s", kind, strings.Join(siteData, ", "))
	}
	if _, err := parseNetworks(cfg.AllowIPs); err != nil {
		errs = append(errs, fmt.Errorf("config.AllowIPs: %w", err))
	}
	errs = append(errs, checkServices(cfg.Services)...)
	switch cfg.UsernameCheck {
	case "", AuthNone, AuthSession:
	default:
		fault(true, "config.UsernameCheck is %q: want %q or %q", cfg.UsernameCheck, AuthNone, AuthSession)
	}
	for name, n := range cfg.Limits {
		_, isEndpoint := limits[name]
		fault(!known[name] && !isEndpoint && name != otherLimits && name != adminLimit && name != adminWriteLimit && name != refusedLimit,
			"config.Limits: there is no endpoint %q", name)
		fault(n < 0, "config.Limits: that of %q is %d: want 0 or more", name, n)
	}
	for i, name := range cfg.Without {
		fault(!known[name], "config.Without: there is no endpoint %q", name)
		fault(slices.Contains(cfg.Without[:i], name), "config.Without: %q is there twice", name)
	}
	for name, h := range cfg.Replace {
		fault(!known[name], "config.Replace: there is no endpoint %q", name)
		fault(h == nil, "config.Replace: the handler of %q is nil", name)
	}
	for name, list := range cfg.Wrap {
		fault(!known[name], "config.Wrap: there is no endpoint %q", name)
		fault(slices.ContainsFunc(list, func(m echo.MiddlewareFunc) bool { return m == nil }),
			"config.Wrap: a middleware of %q is nil", name)
	}
	return errors.Join(errs...)
}
