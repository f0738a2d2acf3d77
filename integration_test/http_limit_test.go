package integration_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// forged are the headers by which a client might pretend to be elsewhere.
func forged(i int) []option {
	ip := fmt.Sprintf("198.51.100.%d", i)
	return []option{
		header("X-Forwarded-For", ip), header("X-Real-IP", ip), header("Forwarded", "for="+ip), header("True-Client-IP", ip), header("CF-Connecting-IP", ip),
	}
}

// SEC-1, SEC-2, HTTP-25, PROT-10, case 39: whose address counts.
func TestHTTPSource(t *testing.T) {
	t.Parallel()
	counted := func(cfg *usersrepo.Config) { cfg.Protection.Source.Off = false }
	login := func(t *testing.T, s *site, i int, options ...option) reply {
		t.Helper()
		return s.do(t, "POST /api/login", fields{"login": fmt.Sprint("user", i), "password": "wrong"}, options...)
	}
	t.Run("SEC-1 believes no header", func(t *testing.T) {
		t.Parallel()
		s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{}, counted)
		g := s.guest(t, "anna")
		for i := range 30 {
			login(t, s, i, forged(i)...).fails(t, 401, "invalid_credentials")
		}
		login(t, s, 31, forged(31)...).fails(t, 429, "too_many_requests")
		same(t, 0, s.rows(t, "roster_lockouts WHERE subject <> '127.0.0.0/24'"))
		s.Clock.Advance(time.Minute)
		s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}, forged(1)...).succeeds(t, 200)
		same(t, 0, s.rows(t, "roster_sessions WHERE ip <> '127.0.0.1' AND user_id = $1", g.ID))
	})
	t.Run("SEC-2 takes the right-most address that is no proxy's", func(t *testing.T) {
		t.Parallel()
		extract, err := routes.TrustProxies("127.0.0.0/8", "10.0.0.0/8")
		same(t, nil, err)
		s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{IPExtractor: extract}, counted)
		for i := range 30 {
			chain := fmt.Sprintf("198.51.100.%d, 203.0.113.7, 10.0.0.%d", i, i)
			login(t, s, i, header("X-Forwarded-For", chain)).fails(t, 401, "invalid_credentials")
		}
		login(t, s, 31, header("X-Forwarded-For", "203.0.113.7")).fails(t, 429, "too_many_requests")
		login(t, s, 31, header("X-Forwarded-For", "203.0.113.7, 203.0.113.8")).fails(t, 401, "invalid_credentials")
		_, err = routes.TrustProxies("10.0.0.1")
		same(t, true, err != nil)
	})
}

// SEC-25, HTTP-65, HTTP-39: every endpoint for users has a limit that is applied.
func TestHTTPLimits(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		s := openSite(t, db, routes.Config{Limits: map[string]int{"me": 3, "openapi": 0, "admin": 5, "admin_write": 2}}, func(cfg *usersrepo.Config) {
			cfg.Protection.Source.Off = false
		})
		g := s.guest(t, "anna")
		t.Run("SEC-25 answers 429 over the limit of each, case 25", func(t *testing.T) {
			for _, e := range s.user.Routes() {
				if e.Limit == 0 {
					continue
				}
				if e.Limit > 60 {
					continue // the same code, many requests
				}
				path := strings.NewReplacer(":sid", s.NewID().String()).Replace(e.Path)
				for range e.Limit {
					if a := s.do(t, e.Method+" "+path, `{"x":1}`); a.status == 429 {
						t.Fatalf("%s: early %s", e.Name, a)
					}
				}
				s.do(t, e.Method+" "+path, `{"x":1}`).fails(t, 429, "too_many_requests")
				s.do(t, e.Method+" "+path, "x", header("Content-Type", "text/plain")).fails(t, 415, "unsupported_media_type") // HTTP-65
			}
			for i := range 31 {
				if a := s.do(t, "POST /api/login", fields{"login": fmt.Sprint("user", i), "password": "wrong"}); (a.status == 429) != (i == 30) {
					t.Errorf("log-in %d: %s", i, a)
				}
			}
			for range 100 {
				s.do(t, "GET /api/openapi.json", nil).succeeds(t, 200)
			}
		})
		t.Run("ADMIN-15 counts by administrator", func(t *testing.T) {
			root, other := s.superuser(t, "root1"), s.superuser(t, "root2")
			for range 3 {
				s.do(t, "GET /admin/users", nil, root.token()).succeeds(t, 200)
			}
			for range 2 {
				s.do(t, "POST /admin/users/"+g.ID.String()+"/restore", nil, root.token()).succeeds(t, 200)
			}
			s.do(t, "GET /admin/users", nil, root.token()).fails(t, 429, "too_many_requests")
			for range 2 {
				s.do(t, "POST /admin/users/"+g.ID.String()+"/restore", nil, other.token()).succeeds(t, 200)
			}
			s.do(t, "POST /admin/users/"+g.ID.String()+"/restore", nil, other.token()).fails(t, 429, "too_many_requests")
			s.do(t, "GET /admin/users", nil, other.token()).succeeds(t, 200)
		})
	})
}

// SEC-76, PROT-11, PROT-30: the same series of answers for a login that somebody has and one that nobody has.
func TestHTTPSameSeries(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		s.guest(t, "anna")
		series := map[string][]string{}
		for _, login := range []string{"anna", "nobody"} {
			for range 14 {
				series[login] = append(series[login], s.do(t, "POST /api/login", fields{"login": login, "password": "wrong"}).alike())
			}
		}
		same(t, series["nobody"], series["anna"])
	})
}

// ADMIN-6: from where administrators may come.
func TestHTTPAllowIPs(t *testing.T) {
	t.Parallel()
	for networks, want := range map[string]int{"127.0.0.0/8": 200, "10.0.0.0/8": 403} {
		s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{AllowIPs: []string{networks}})
		root := s.superuser(t, "root1")
		same(t, want, s.do(t, "GET /admin/users", nil, root.token()).status)
		same(t, http.StatusOK, s.do(t, "GET /api/me", nil, root.token()).status)
	}
	for networks, want := range map[string]int{"127.0.0.0/8": 200, "10.0.0.0/8": 403, "no network": 403} { // the program's own
		s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{})
		s.echo.GET("/reports", func(c echo.Context) error { return c.String(http.StatusOK, "all") },
			routes.RequirePermission(s.UsersRepo, "reports:read", routes.Config{AllowIPs: []string{networks}, Logger: slog.New(slog.DiscardHandler)}))
		same(t, want, s.do(t, "GET /reports", nil, s.superuser(t, "root1").token()).status)
	}
}

// HTTP-65, ADMIN-15: "*" is for what has no limit of its own, and lifts none of administrators.
func TestHTTPLimitOfOthers(t *testing.T) {
	t.Parallel()
	s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{Limits: map[string]int{"*": 7, "me": 5}})
	got := map[string]int{}
	for _, r := range append(s.user.Routes(), s.admin.Routes()...) {
		got[r.Name] = r.Limit
	}
	same(t, []int{5, 7, 7, 600, 60}, []int{got["me"], got["register"], got["sessions"], got["users_list"], got["ban"]})
}

// PROT-5, PROT-38, PROT-44: settings that make no sense are told at Init.
func TestProtectionSettings(t *testing.T) {
	t.Parallel()
	cfg, _ := rostertest.Config(t, rostertest.Open(t, rostertest.SQLite))
	p := &cfg.Protection
	p.Source.Max, p.Pair.Window, p.Device.Max, p.MaxWait, p.DevicesPerUser = -1, time.Millisecond, -1, 25*time.Hour, -1
	p.UsernameChecks.Max, cfg.Username.ChangeQuota.Window = -1, 25*time.Hour
	_, err := usersrepo.New[*Person](cfg)
	for _, name := range []string{
		"Protection.Source.Max", "Protection.Pair.Window", "Protection.Device.Max", "Protection.MaxWait", "Protection.DevicesPerUser",
		"Protection.UsernameChecks.Max", "Username.ChangeQuota.Window",
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: want %s", err, name)
		}
	}
	p.Source.Off, p.Pair.Off, p.Device.Off, p.MaxWait, p.DevicesPerUser, p.UsernameChecks.Off, cfg.Username.ChangeQuota.Off = true, true, true, 0, 0, true, true
	if _, err := usersrepo.New[*Person](cfg); err != nil {
		t.Error(err)
	}
}
