package integration_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// site is a world behind a server, with the endpoints for users at /api and those for administrators at /admin. What
// limits count by address is off, since all requests come from one; tests of limits turn it on.
type site struct {
	*world
	echo        *echo.Echo
	url         string
	client      *http.Client
	user, admin *routes.Mounted
	log         *serverLog // of the routes and the repo
	contracts   []contract
	spoils      spoils
	browsers    bool // it serves browsers, with cookies, over TLS
}

// onSites opens a site on SQLite and memory, and one on PostgreSQL and Redis.
func onSites(t *testing.T, test func(t *testing.T, s *site), settings ...func(*usersrepo.Config)) {
	t.Helper()
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) { test(t, openSite(t, db, routes.Config{}, settings...)) })
}

func openSite(t testing.TB, db *sqlx.DB, web routes.Config, settings ...func(*usersrepo.Config)) *site {
	t.Helper()
	log := &serverLog{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	unlimited := func(cfg *usersrepo.Config) {
		cfg.Protection.Source.Off, cfg.Protection.Registration.Off = true, true
		cfg.Cache = sharedCache(t, db)
		cfg.Logger = logger
	}
	s := &site{
		world: found(t, db, append([]func(*usersrepo.Config){unlimited}, settings...)...), echo: echo.New(), log: log,
	}
	if web.Limits == nil {
		web.Limits = map[string]int{"*": 0, "admin": 0, "admin_write": 0}
	}
	web.Logger, s.browsers = logger, web.Tokens != ""
	s.echo.GET("/nothing/here", func(c echo.Context) error { return c.String(http.StatusOK, "the host's own") })
	var err error
	if s.user, err = routes.User(s.echo.Group("/api"), s.UsersRepo, web); err != nil {
		t.Fatal(err)
	}
	if s.admin, err = routes.Admin(s.echo.Group("/admin"), s.UsersRepo, web); err != nil {
		t.Fatal(err)
	}
	s.serve(t, s.user, s.admin)
	t.Cleanup(func() { s.spoils.search(t, s) })
	return s
}

// serve starts the server, and takes what is mounted as the contract that answers are held to.
func (s *site) serve(t testing.TB, mounted ...*routes.Mounted) {
	t.Helper()
	for _, m := range mounted {
		c := contractOf(t, m)
		c.browsers = s.browsers
		s.contracts = append(s.contracts, c)
	}
	server := httptest.NewUnstartedServer(s.echo)
	if s.browsers {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	s.url, s.client = server.URL, server.Client()
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

// sharedCache is Redis beside PostgreSQL where there is one, else nil for the memory of the process.
func sharedCache(t testing.TB, db *sqlx.DB) cache.Cache {
	t.Helper()
	address := os.Getenv("ROSTER_TEST_REDIS")
	if db.DriverName() != "postgres" || address == "" {
		return nil
	}
	client, err := cache.OpenRedis("redis://" + address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return cache.NewRedis(client, cache.RedisConfig{Prefix: "http-" + rand.Text() + ":"})
}

// serverLog keeps what a server logs.
type serverLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *serverLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *serverLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// option changes a request before it is sent.
type option func(c *call)

// call is a request on its way.
type call struct {
	*http.Request
	rejects bool // a hook may answer with a code of its own
	client  *http.Client
}

func as(token roster.Secret) option { return header("Authorization", "Bearer "+token.Reveal()) }

func header(name string, values ...string) option {
	return func(c *call) { c.Header[http.CanonicalHeaderKey(name)] = values }
}

// rejected lets the answer have a status and a code that only a hook of the program gives.
func rejected(c *call) { c.rejects = true }

// do sends a request, "POST /api/login", and holds the answer to the contract. A body that is a string is sent as it is,
// any other as JSON; nil is none.
func (s *site) do(t testing.TB, what string, body any, options ...option) reply {
	t.Helper()
	method, path, _ := strings.Cut(what, " ")
	text := textOf(t, body)
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	c := &call{Request: r, client: s.client}
	for _, set := range options {
		set(c)
	}
	response, err := c.client.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	a := reply{what, response.StatusCode, response.Header, answer}
	s.spoils.take(what, text, a)
	for _, contract := range s.contracts {
		contract.hold(t, c, text, a)
	}
	return a
}

func textOf(t testing.TB, body any) []byte {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return []byte(b)
	case []byte:
		return b
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// reply is what the server answered.
type reply struct {
	what   string
	status int
	header http.Header
	body   []byte
}

func (a reply) String() string { return fmt.Sprintf("%s: %d %.2000s", a.what, a.status, a.body) }

// into reads the body.
func (a reply) into(t testing.TB, dest any) {
	t.Helper()
	if err := json.Unmarshal(a.body, dest); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
}

// member returns a member of the body, by its path: "tokens.access_token"; "" is the whole.
func (a reply) member(t testing.TB, path string) any {
	t.Helper()
	var v any
	a.into(t, &v)
	if path == "" {
		return v
	}
	for name := range strings.SplitSeq(path, ".") {
		switch inner := v.(type) {
		case map[string]any:
			v = inner[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(inner) {
				t.Fatalf("%s: no %s", a, path)
			}
			v = inner[i]
		default:
			t.Fatalf("%s: no %s", a, path)
		}
	}
	return v
}

// text returns a member that is a string.
func (a reply) text(t testing.TB, path string) string {
	t.Helper()
	s, ok := a.member(t, path).(string)
	if !ok {
		t.Fatalf("%s: %s is no string", a, path)
	}
	return s
}

// succeeds checks the status of an answer that is no problem.
func (a reply) succeeds(t testing.TB, status int) reply {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s, want %d", a, status)
	}
	return a
}

// problem is what of a problem document tests look at.
type problem struct {
	Type, Title, Code, Detail string
	Status                    int
	RequestID                 string `json:"request_id"`
	RetryAfter                int    `json:"retry_after"`
	Errors                    []roster.FieldError
	Details                   map[string]any
}

// fails checks status, code and faults, each as field:code, of an answer that is a problem.
func (a reply) fails(t testing.TB, status int, code roster.Code, faults ...string) problem {
	t.Helper()
	var p problem
	if a.status != status || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s, want %d %s", a, status, code)
		return p
	}
	a.into(t, &p)
	var got []string
	for _, f := range p.Errors {
		got = append(got, f.String())
	}
	if p.Code != string(code) || !slices.Equal(got, faults) {
		t.Errorf("%s, want %d %s %v", a, status, code, faults)
	}
	return p
}

// alike returns what of an answer must not tell accounts apart: its status, its body but for the request id, and the
// names and values of its headers but for the date and that id.
func (a reply) alike() string {
	id := a.header.Get("X-Request-Id")
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		if name != "Date" && name != "X-Request-Id" {
			lines = append(lines, name+": "+strings.Join(a.header[name], ", "))
		}
	}
	return fmt.Sprintf("%d\n%s\n\n%s", a.status, strings.Join(lines, "\n"), strings.ReplaceAll(string(a.body), id, "ID"))
}

// guest is somebody who is logged in.
type guest struct {
	*Person
	access, refresh roster.Secret
	sid             roster.ID
}

// token makes the requests of a guest.
func (g guest) token() option { return as(g.access) }

// login makes another session of a user, without a request.
func (s *site) login(t testing.TB, p *Person) guest {
	t.Helper()
	pair, err := s.IssueTokens(t.Context(), p.ID, roster.IssueOptions{AMR: []string{"pwd"}})
	if err != nil {
		t.Fatalf("issue tokens: %v", err)
	}
	return guest{s.read(t, p.ID), pair.AccessToken, pair.RefreshToken, pair.SessionID}
}

const passphrase = "correct horse battery"

// guest makes a user with a username, a proven e-mail address and a password, and logs them in.
func (s *site) guest(t testing.TB, name string, options ...roster.CreateOption) guest {
	t.Helper()
	options = append([]roster.CreateOption{roster.WithPassword(passphrase), roster.WithEmailVerified()}, options...)
	return s.login(t, s.add(t, person(name, name+"@example.com", ""), options...))
}

// administrator is a guest with permissions.
func (s *site) administrator(t testing.TB, name string, permissions ...string) guest {
	t.Helper()
	return s.guest(t, name, roster.WithPermissions(permissions...))
}

// mail delivers what waits and returns the token of the newest mail to an address.
func (s *site) mail(t testing.TB, to string) roster.Secret {
	t.Helper()
	if _, err := s.Deliver(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	m, ok := s.Mailbox.Last(to)
	if !ok || m.Token == "" {
		t.Fatalf("no token was mailed to %s", to)
	}
	return m.Token
}
