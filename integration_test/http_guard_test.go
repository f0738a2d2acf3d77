package integration_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// asking sends a request for an endpoint that would get through if it were not for who asks.
func (s *site) asking(t testing.TB, x target, options ...option) reply {
	t.Helper()
	return s.do(t, x.what, nil, append([]option{header("If-Match", "*")}, options...)...)
}

// HTTP-40 to HTTP-42, §8: how a session is proven.
func TestHTTPBearer(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		g := s.guest(t, "anna")
		live := g.access.Reveal()
		t.Run("HTTP-40 takes one header, one scheme in any case, one space", func(t *testing.T) {
			for _, value := range []string{"Bearer " + live, "bearer " + live, "BEARER " + live} {
				s.do(t, "GET /api/me", nil, header("Authorization", value)).succeeds(t, 200)
			}
			for _, value := range []string{
				live, "Token " + live, "Bearer", "Bearer ", `Bearer "` + live + `"`, "Bearer " + g.refresh.Reveal(), "Bearer  " + live,
				"Bearer\t" + live, "Bearer " + live + " x", "Bearer " + live + ",", "Bearer " + live + "x", "Bearer x" + live, "Basic " + live, "",
				"Bearer " + live[:len(live)-1], "Bearer " + live + "=", "Bearer " + strings.Repeat("x", 9000), "Bearer \x80", "Bearer null",
			} {
				s.do(t, "GET /api/me", nil, header("Authorization", value)).fails(t, 401, "invalid_token")
			}
			s.do(t, "GET /api/me", nil, header("Authorization", "Bearer "+live, "Bearer "+live)).fails(t, 401, "invalid_token")
			s.do(t, "GET /api/me", nil, header("Authorization", "Bearer "+live, "Basic x")).fails(t, 401, "invalid_token")
			s.do(t, "GET /api/me", nil).fails(t, 401, "unauthenticated")
		})
		t.Run("HTTP-40 looks at no cookie", func(t *testing.T) {
			for _, name := range []string{"__Host-roster_access", "roster_access", "access_token"} {
				s.do(t, "GET /api/me", nil, header("Cookie", name+"="+live)).fails(t, 401, "unauthenticated")
				s.do(t, "GET /api/me", nil, header("Cookie", name+"="+live), as("x")).fails(t, 401, "invalid_token") // case 18
			}
		})
		t.Run("HTTP-42 ignores a bad token where none is needed", func(t *testing.T) {
			for _, value := range []string{"Bearer x", "x", "Bearer " + g.refresh.Reveal()} {
				s.do(t, "POST /api/token/verify", fields{"token": live}, header("Authorization", value)).succeeds(t, 200)
				s.do(t, "GET /api/openapi.json", nil, header("Authorization", value)).succeeds(t, 200)
				s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}, header("Authorization", value)).succeeds(t, 200)
			}
		})
		t.Run("ACCT-15 lets those register who are logged in, HTTP-42", func(t *testing.T) {
			s.do(t, "POST /api/register", fields{"username": "second", "password": passphrase}, g.token()).succeeds(t, 201)
			s.do(t, "GET /api/me", nil, g.token()).succeeds(t, 200)
		})
	})
}

// HTTP-41, ADMIN-2, SEC-98, case 17, case 1 of admin: who gets through to no endpoint that needs a session.
func TestHTTPWalk(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		s := openSite(t, db, routes.Config{})
		other := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{})
		root := s.superuser(t, "root1")
		plain := s.guest(t, "plain")
		late := s.guest(t, "late")
		s.Clock.Advance(10*time.Minute + 5*time.Second)
		root, plain = s.login(t, root.Person), s.login(t, plain.Person)
		stranger := other.superuser(t, "root1")
		ended := s.login(t, plain.Person)
		if err := s.Logout(t.Context(), ended.refresh); err != nil {
			t.Fatal(err)
		}
		states := map[string]guest{}
		for name, statement := range map[string]string{
			"banned": "banned_at = created_at", "archived": "archived_at = created_at, archived_by = 'self'",
			"deactivated": "deleted_at = created_at, delete_mode = 'deactivate'",
		} {
			g := s.guest(t, name)
			s.exec(t, "UPDATE users SET "+statement+" WHERE id = $1", g.ID)
			states[name] = g
		}
		removed := s.guest(t, "removed")
		if err := s.Delete(t.Context(), removed.ID, roster.Remove); err != nil {
			t.Fatal(err)
		}
		clicker := s.add(t, person("clicker", "clicker@example.com", "")).ID
		if err := s.RequestEmailConfirmation(t.Context(), clicker); err != nil {
			t.Fatal(err)
		}
		raised := s.guest(t, "raised")
		s.exec(t, "UPDATE users SET epoch = epoch + 1 WHERE id = $1", raised.ID)
		s.Clock.Advance(learns)

		for name, x := range map[string]struct {
			token option
			code  roster.Code
		}{
			"no token":                   {func(*call) {}, "unauthenticated"},
			"garbage":                    {as("garbage"), "invalid_token"},
			"a late token":               {late.token(), "token_expired"},
			"a refresh token":            {as(root.refresh), "invalid_token"},
			"a mailed token":             {as(s.mail(t, "clicker@example.com")), "invalid_token"},
			"another repo's token":       {stranger.token(), "invalid_token"},
			"a token of a session ended": {ended.token(), "session_revoked"},
			"a banned user's":            {states["banned"].token(), "session_revoked"},
			"an archived user's":         {states["archived"].token(), "session_revoked"},
			"a deactivated user's":       {states["deactivated"].token(), "session_revoked"},
			"a removed user's":           {removed.token(), "session_revoked"},
			"one of another epoch":       {raised.token(), "token_expired"},
		} {
			t.Run("HTTP-41 refuses "+name+", case 17", func(t *testing.T) {
				for _, e := range s.targets() {
					if e.Auth == routes.AuthSession {
						s.asking(t, e, x.token).fails(t, 401, x.code)
					}
				}
			})
		}
		t.Run("ADMIN-2 refuses those without the permission before anything else is looked at, case 1 of admin", func(t *testing.T) {
			all := permissionsOf(s.admin)
			for _, e := range s.targets() {
				if e.Permission == "" {
					continue
				}
				want := s.asking(t, e, plain.token())
				want.fails(t, 403, "forbidden")
				method, _, _ := strings.Cut(e.what, " ")
				for _, id := range []string{root.ID.String(), plain.ID.String(), s.NewID().String(), "x"} { // case 4 of admin
					path := strings.NewReplacer(":id", id, ":sid", root.sid.String()).Replace(e.Path)
					for _, body := range []any{nil, `{}`, `{"mode":"remove"}`, `{"unknown":1}`, `{"plan":"pro"}`, `malformed`} {
						got := s.do(t, method+" "+path, body, plain.token(), header("If-Match", `"1"`))
						same(t, want.alike(), got.alike())
					}
				}
				rest := slices.DeleteFunc(slices.Clone(all), func(p string) bool { return p == e.Permission })
				clerk := s.administrator(t, "clerk"+strings.ReplaceAll(e.Name, "_", "-"), append(rest, "other", e.Permission+":more")...)
				s.asking(t, e, clerk.token()).fails(t, 403, "forbidden")
			}
		})
		t.Run("ADMIN-4 lets those through who hold the permission, and superusers", func(t *testing.T) {
			for _, e := range s.targets() {
				if e.Permission == "" || e.Permission == roster.PermissionSuperuser {
					continue
				}
				area, _, _ := strings.Cut(e.Permission, ":")
				for i, permission := range []string{e.Permission, area + ":*", "*"} {
					g := s.administrator(t, "holder"+strings.ReplaceAll(e.Name, "_", "-")+string(rune('a'+i)), permission)
					if got := s.asking(t, e, g.token()); got.status == 401 || got.status == 403 {
						t.Errorf("with %s: %s", permission, got)
					}
				}
				if got := s.asking(t, e, root.token()); got.status == 401 || got.status == 403 {
					t.Errorf("a superuser: %s", got)
				}
			}
		})
		t.Run("MGMT-34, MGMT-36 keep from all but superusers what no permission grants", func(t *testing.T) {
			everything := s.administrator(t, "everything", "*", roster.PermissionSuperuser, "superuser:*")
			for _, e := range s.targets() {
				if e.Permission != roster.PermissionSuperuser {
					continue
				}
				everything = s.login(t, everything.Person)
				s.asking(t, e, everything.token()).fails(t, 403, "forbidden")
				root = s.login(t, root.Person) // the blackout has ended the last session
				if got := s.asking(t, e, root.token()); got.status == 401 || got.status == 403 {
					t.Errorf("a superuser: %s", got)
				}
			}
			root = s.login(t, root.Person)
		})
		t.Run("ADMIN-1 has one permission for each endpoint of administrators", func(t *testing.T) {
			for _, r := range s.admin.Routes() {
				if r.Permission == "" || r.Auth != routes.AuthSession {
					t.Errorf("%s needs permission %q and %s", r.Name, r.Permission, r.Auth)
				}
			}
			for _, r := range s.user.Routes() {
				if r.Permission != "" {
					t.Errorf("%s needs permission %q", r.Name, r.Permission)
				}
			}
		})
		t.Run("MGMT-6 asks the database what somebody may, case 3 of admin", func(t *testing.T) {
			g := s.administrator(t, "demoted", "users:*")
			s.do(t, "GET /admin/users", nil, g.token()).succeeds(t, 200)
			s.exec(t, "UPDATE users SET permissions = '[]' WHERE id = $1", g.ID)
			s.do(t, "GET /admin/users", nil, g.token()).fails(t, 403, "forbidden")
			s.do(t, "GET /admin/users/"+g.ID.String(), nil, g.token()).fails(t, 403, "forbidden")
		})
		t.Run("ADMIN-5 SEC-89 needs a log-in shortly before", func(t *testing.T) {
			s.Clock.Advance(8 * time.Minute)
			pair, err := s.Refresh(t.Context(), root.refresh)
			if err != nil {
				t.Fatal(err)
			}
			s.Clock.Advance(8 * time.Minute)
			for _, e := range s.targets() {
				if e.Permission == "" {
					continue
				}
				got := s.asking(t, e, as(pair.AccessToken))
				if e.Fresh {
					got.fails(t, 403, "reauthentication_required")
				} else if got.status == 403 {
					t.Errorf("%s", got)
				}
			}
			clerk := s.administrator(t, "clerk.later", "users:read")
			s.do(t, "DELETE /admin/users/"+plain.ID.String(), nil, clerk.token()).fails(t, 403, "forbidden")
		})
	})
}

func permissionsOf(m *routes.Mounted) []string {
	set := map[string]bool{}
	for _, r := range m.Routes() {
		set[r.Permission] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// HTTP-23, SEC-32, case 47: what changes nothing.
func TestHTTPSafeMethods(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		root := s.superuser(t, "root1")
		s.guest(t, "bert")
		before := s.tables(t)
		s.fired()
		t.Run("HTTP-23 changes nothing by GET, HEAD and OPTIONS, case 47", func(t *testing.T) {
			for _, x := range s.targets() {
				_, path, _ := strings.Cut(x.what, " ")
				for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE"} {
					for _, body := range []any{nil, `{}`, fields{"mode": "remove", "refresh_token": root.refresh.Reveal(), "login": "bert", "password": passphrase}} {
						a := s.do(t, method+" "+path, body, root.token())
						if a.status >= 500 {
							t.Errorf("%s", a)
						}
						if method != "GET" && a.status < 400 && a.status != 204 {
							t.Errorf("%s: %d %v", a.what, a.status, a.header)
						}
					}
				}
			}
			same(t, before, s.tables(t))
			same(t, []string(nil), s.fired())
		})
		t.Run("SEC-32 leaves a mailed token good that a scanner opens", func(t *testing.T) {
			u := s.add(t, person("", "scanned@example.com", ""))
			if err := s.RequestEmailConfirmation(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
			token := s.mail(t, "scanned@example.com").Reveal()
			for _, x := range s.user.Routes() {
				for _, method := range []string{"GET", "HEAD"} {
					s.do(t, method+" "+strings.ReplaceAll(x.Path, ":sid", token)+"?token="+token, nil)
				}
			}
			s.do(t, "POST /api/confirm/email", fields{"token": token}).succeeds(t, 200)
		})
	})
}

// RequireUser and RequirePermission guard the program's own routes.
func TestHTTPRequire(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		show := func(c echo.Context) error {
			a := roster.ActorFrom(c.Request().Context())
			if _, err := s.Get(c.Request().Context(), a.ID); err != nil { // one's own account
				return err
			}
			_, others := s.Search(c.Request().Context(), roster.Query{})
			_, system := s.Search(roster.AsSystem(c.Request().Context()), roster.Query{})
			if system != nil {
				return system
			}
			return c.JSON(200, map[string]any{
				"id": a.ID, "kind": a.Kind, "sid": a.SID, "request_id": a.RequestID, "ip": a.IP, "agent": a.UserAgent, "may_search": others == nil,
			})
		}
		s.echo.GET("/own", show, routes.RequireUser(s.UsersRepo, routes.Config{}))
		s.echo.GET("/report", show, routes.RequirePermission(s.UsersRepo, "reports:read", routes.Config{Realm: "staff"}))
		s.echo.GET("/all", show, routes.RequirePermission(s.UsersRepo, "", routes.Config{}))
		s.echo.GET("/open/:id", func(c echo.Context) error {
			id, err := roster.ParseID(c.Param("id"))
			if err == nil {
				_, err = s.Get(c.Request().Context(), id)
			}
			if err != nil {
				return err
			}
			return c.NoContent(200)
		}, routes.AllowAnyone(s.UsersRepo, routes.Config{}))
		anna := s.guest(t, "anna")
		clerk := s.administrator(t, "clerk", "reports:read", "users:read")
		root := s.superuser(t, "root1")
		t.Run("RequireUser tells the handler who it is", func(t *testing.T) {
			a := s.do(t, "GET /own", nil, anna.token(), header("X-Request-Id", "r-1"), header("User-Agent", "test/1")).succeeds(t, 200)
			same(t, any(map[string]any{
				"id": anna.ID.String(), "kind": "user", "sid": anna.sid.String(), "request_id": "r-1", "ip": "127.0.0.1", "agent": "test/1",
				"may_search": false,
			}), a.member(t, ""))
			same(t, "", a.header.Get("Cache-Control")) // the answer is the program's own
		})
		t.Run("RequireUser refuses with a problem", func(t *testing.T) {
			for name, x := range map[string]struct {
				option
				code roster.Code
			}{"none": {func(*call) {}, "unauthenticated"}, "bad": {as("x"), "invalid_token"}} {
				a := s.do(t, "GET /own", nil, x.option, header("X-Request-Id", "bad id"))
				p := a.fails(t, 401, x.code)
				if p.RequestID == "bad id" || p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") || a.header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: %s %v", name, a, a.header)
				}
			}
		})
		t.Run("AllowAnyone lets strangers in as strangers", func(t *testing.T) {
			s.do(t, "GET /open/"+anna.ID.String(), nil).fails(t, 401, "unauthenticated")
			s.do(t, "GET /open/"+anna.ID.String(), nil, as("x")).fails(t, 401, "unauthenticated")
			s.do(t, "GET /open/"+clerk.ID.String(), nil, anna.token()).fails(t, 403, "forbidden")
			s.do(t, "GET /open/"+anna.ID.String(), nil, anna.token()).succeeds(t, 200)
		})
		t.Run("RequirePermission asks the database", func(t *testing.T) {
			same(t, any("admin"), s.do(t, "GET /report", nil, clerk.token()).succeeds(t, 200).member(t, "kind"))
			s.do(t, "GET /report", nil, root.token()).succeeds(t, 200)
			s.do(t, "GET /report", nil, anna.token()).fails(t, 403, "forbidden")
			a := s.do(t, "GET /report", nil)
			a.fails(t, 401, "unauthenticated")
			same(t, `Bearer realm="staff"`, a.header.Get("WWW-Authenticate"))
			s.exec(t, "UPDATE users SET permissions = '[]' WHERE id = $1", clerk.ID)
			s.do(t, "GET /report", nil, clerk.token()).fails(t, 403, "forbidden")
		})
		t.Run("RequirePermission of nothing wants all", func(t *testing.T) {
			s.do(t, "GET /all", nil, root.token()).succeeds(t, 200)
			s.do(t, "GET /all", nil, anna.token()).fails(t, 403, "forbidden")
			s.do(t, "GET /all", nil, s.administrator(t, "almost", "users:*", "reports:*").token()).fails(t, 403, "forbidden")
			s.do(t, "GET /all", nil, s.administrator(t, "everything", "*").token()).succeeds(t, 200)
		})
	})
}

// HTTP-8: two repos in one Echo.
func TestHTTPTwoRepos(t *testing.T) {
	t.Parallel()
	staff := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{})
	cfg, _ := rostertest.Config(t, rostertest.Open(t, rostertest.SQLite))
	customers, err := usersrepo.New[*roster.User](cfg)
	if err != nil {
		t.Fatal(err)
	}
	m, err := routes.User(staff.echo.Group("/shop"), customers, routes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	staff.contracts = append(staff.contracts, contractOf(t, m))
	t.Run("HTTP-8 keeps the tokens of two repos apart", func(t *testing.T) {
		body := fields{"username": "anna", "password": passphrase}
		a := staff.do(t, "POST /api/register", body).succeeds(t, 201)
		b := staff.do(t, "POST /shop/register", body).succeeds(t, 201)
		for _, x := range []struct {
			reply
			own, foreign string
		}{{a, "/api", "/shop"}, {b, "/shop", "/api"}} {
			access, refresh := as(roster.Secret(x.text(t, "tokens.access_token"))), fields{"refresh_token": x.text(t, "tokens.refresh_token")}
			staff.do(t, "GET "+x.own+"/me", nil, access).succeeds(t, 200)
			staff.do(t, "GET "+x.foreign+"/me", nil, access).fails(t, 401, "invalid_token")
			staff.do(t, "POST "+x.foreign+"/token/refresh", refresh).fails(t, 401, "invalid_refresh_token")
			staff.do(t, "POST "+x.foreign+"/token/revoke", refresh).fails(t, 401, "invalid_refresh_token")
			staff.do(t, "POST "+x.foreign+"/token/verify", fields{"token": x.text(t, "tokens.access_token")}).fails(t, 401, "invalid_token")
			staff.do(t, "POST "+x.foreign+"/logout", refresh, access).succeeds(t, 204)
			staff.do(t, "GET "+x.own+"/me", nil, access).succeeds(t, 200)
		}
	})
	t.Run("HTTP-31 shows users without fields of their own", func(t *testing.T) {
		a := staff.do(t, "POST /shop/register", fields{"username": "bert", "password": passphrase}).succeeds(t, 201)
		same(t, 14, len(membersOf(t, a.member(t, "user"))))
		staff.do(t, "POST /shop/register", fields{"username": "carl", "password": passphrase, "company": "x"}).
			fails(t, 422, "validation_failed", "company:unknown_field")
	})
}

// HTTP-9: each endpoint calls the program's own operation.
func TestHTTPOverrides(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		app, _ := newRecorder(t, db)
		e := echo.New()
		user, err := routes.User(e.Group("/api"), app, routes.Config{Services: map[string][]roster.Secret{"orders": {serviceSecret}}})
		if err != nil {
			t.Fatal(err)
		}
		admin, err := routes.Admin(e.Group("/admin"), app, routes.Config{})
		if err != nil {
			t.Fatal(err)
		}
		s := &site{echo: e, user: user, admin: admin, world: &world{UsersRepo: &app.UsersRepo}}
		s.serve(t, user, admin)
		root, err := app.CreateSuperuser(t.Context(), person("root1", "root1@example.com", ""), roster.WithPassword(passphrase), roster.WithEmailVerified())
		if err != nil {
			t.Fatal(err)
		}
		pair, err := app.IssueTokens(context.Background(), root.ID, roster.IssueOptions{})
		if err != nil {
			t.Fatal(err)
		}
		verify := []string{"VerifyToken"}
		guarded := []string{"VerifyToken", "Authorize"}
		wanted := map[string]struct {
			body  string
			calls []string // of the endpoint itself, in order
		}{
			"register":                 {`{"username":"anna","password":"correct horse battery"}`, []string{"Decode", "Register"}},
			"login":                    {`{"login":"x","password":"x"}`, []string{"Login"}},
			"logout":                   {`{"refresh_token":"x"}`, []string{"Logout"}},
			"me":                       {``, []string{"Get"}},
			"me_update":                {`{}`, []string{"UpdateAccount"}},
			"me_close":                 {`{"password":"x"}`, []string{"Close"}},
			"me_archive":               {`{"password":"x"}`, []string{"Archive"}},
			"me_export":                {``, []string{"CheckFresh", "ExportAccount"}},
			"identities":               {``, []string{"ListSocial"}},
			"identity_unlink":          {``, []string{"CheckFresh", "UnlinkSocial"}},
			"token_verify":             {`{"token":"x"}`, verify},
			"token_refresh":            {`{"refresh_token":"x"}`, []string{"Refresh"}},
			"token_revoke":             {`{"refresh_token":"x"}`, []string{"Revoke"}},
			"sessions":                 {``, []string{"ListSessions"}},
			"sessions_revoke_others":   {``, []string{"RevokeOtherSessions"}},
			"session_revoke":           {``, []string{"RevokeSession"}},
			"jwks":                     {``, []string{"JWKS"}},
			"token_introspect":         {`token=x`, verify},
			"revocations":              {``, []string{"ListRevocations"}},
			"openapi":                  {``, nil},
			"email_confirm_request":    {``, []string{"RequestEmailConfirmation"}},
			"email_confirm":            {`{"token":"x"}`, []string{"ConfirmEmail"}},
			"password_first":           {`{"token":"x","password":"x"}`, []string{"SetFirstPassword"}},
			"password_status":          {``, []string{"GetPasswordStatus"}},
			"password_set":             {`{"password":"x"}`, []string{"CheckFresh", "SetPassword"}},
			"password_change":          {`{"old_password":"x","password":"x"}`, []string{"ChangePassword"}},
			"password_forgot":          {`{"login":"x"}`, []string{"RequestPasswordReset"}},
			"codes_find":               {`{"login":"x"}`, []string{"FindContacts"}},
			"codes_send":               {`{"login":"x","purpose":"login"}`, []string{"SendCode"}},
			"codes_check":              {`{"login":"x","purpose":"reset","code":"1"}`, []string{"CheckCode"}},
			"password_reset":           {`{"token":"x","password":"x"}`, []string{"ResetPassword"}},
			"password_reset_send":      {``, []string{"SendPasswordReset"}},
			"users_list":               {``, []string{"Search"}},
			"users_search":             {`{}`, []string{"Search"}},
			"user_create":              {`{"username":"bert"}`, []string{"Decode", "Create"}},
			"user_lookup":              {`{"login":"anna"}`, []string{"GetByLogin"}},
			"user_get":                 {``, []string{"Get"}},
			"user_update":              {`{}`, []string{"Update"}},
			"user_delete":              {``, []string{"CheckFresh", "Delete"}},
			"user_restore":             {``, []string{"Restore"}},
			"user_sessions":            {``, []string{"ListSessions"}},
			"user_sessions_revoke_all": {``, []string{"RevokeSessions"}},
			"user_sessions_revoke":     {``, []string{"RevokeSession"}},
			"messages":                 {``, []string{"ListMessages"}},
			"message_retry":            {``, []string{"RetryMessage"}},
			"blacklist":                {``, []string{"GetBlacklist"}},
			"blacklist_toggle":         {``, []string{"ToggleBlacklist"}},
			"ban":                      {``, []string{"Ban"}},
			"unban":                    {``, []string{"Unban"}},
			"kick":                     {``, []string{"Kick"}},
			"archive":                  {``, []string{"ArchiveUser"}},
			"unarchive":                {``, []string{"UnarchiveUser"}},
			"blackout_get":             {``, []string{"GetBlackout"}},
			"blackout_delete":          {``, []string{"CheckFresh", "DeleteBlackout"}},
			"permissions_get":          {``, []string{"GetPermissions"}},
			"permissions_set":          {`{"permissions":[]}`, []string{"CheckFresh", "SetPermissions"}},
			"permissions_patch":        {`{"add":["a"]}`, []string{"CheckFresh", "RemovePermissions"}},
			"superuser_set":            {`{"superuser":true}`, []string{"CheckFresh", "SetSuperuser"}},
			"audit":                    {``, []string{"ListAudit"}},
			"export":                   {``, []string{"CheckFresh", "ExportUsers"}},
			"export_search":            {`{}`, []string{"CheckFresh", "ExportUsers"}},
			"import":                   {`{"username":"imported"}`, []string{"CheckFresh", "ImportUsers"}},
			"lockouts":                 {``, []string{"ListLockouts"}},
			"lockout_clear":            {``, []string{"ClearLockout"}},
			"confirm":                  {`{"contact":"email"}`, []string{"RequestEmailConfirmation"}},
			"username_change":          {`{"username":"anna2"}`, []string{"ChangeUsername"}},
			"confirmations":            {``, []string{"Get"}},
			"phone_confirm_request":    {``, []string{"RequestPhoneConfirmation"}},
			"confirm_resend":           {`{"email":"x@example.com"}`, []string{"ResendEmailConfirmation"}},
			"phone_confirm":            {`{"code":"1"}`, []string{"ConfirmPhone"}},
			"email_change":             {`{"email":"x@example.com"}`, []string{"CheckFresh", "RequestEmailChange"}},
			"email_change_confirm":     {`{"token":"x"}`, []string{"ConfirmEmailChange"}},
			"contact_change_cancel":    {`{"token":"x"}`, []string{"CancelContactChange"}},
			"phone_change":             {`{"phone":"+12025550101"}`, []string{"CheckFresh", "RequestPhoneChange"}},
			"phone_change_confirm":     {`{"code":"1"}`, []string{"ConfirmPhoneChange"}},
			"admin_openapi":            {``, nil},
		}
		for name, want := range wanted {
			t.Run("HTTP-9 calls the program's own operation for "+name+", case 5", func(t *testing.T) {
				i := slices.IndexFunc(s.targets(), func(x target) bool { return x.Name == name })
				if i < 0 {
					t.Fatal("there is no such endpoint")
				}
				x := s.targets()[i]
				calls := want.calls
				switch {
				case x.Permission != "":
					calls = append(slices.Clone(guarded), calls...)
				case x.Auth == routes.AuthSession:
					calls = append(slices.Clone(verify), calls...)
				}
				app.calls.take()
				options := []option{header("If-Match", "*")}
				if x.Auth == routes.AuthSession {
					options = append(options, as(pair.AccessToken))
				}
				if name == "import" {
					options = append(options, lines)
				}
				if x.Auth == routes.AuthService {
					options = append(options, asService)
				}
				if name == "token_introspect" {
					options = append(options, header("Content-Type", "application/x-www-form-urlencoded"))
				}
				s.do(t, x.what, want.body, options...)
				// What limits count comes before and between.
				got := slices.DeleteFunc(app.calls.take(), func(call string) bool { return call == "CheckTimeoutAndIncr" })
				if len(got) < len(calls) || !slices.Equal(got[:len(calls)], calls) {
					t.Errorf("called %v, want %v first", got, calls)
				}
			})
		}
		t.Run("HTTP-9 calls the program's own operation for blackout_set, which ends the session too, case 5", func(t *testing.T) {
			app.calls.take()
			s.do(t, "PUT /admin/blackout", nil, as(pair.AccessToken)).succeeds(t, 200)
			same(t, append(slices.Clone(guarded), "CheckFresh", "SetBlackout"), app.calls.take()[:4])
		})
		t.Run("HTTP-9 leaves no endpoint out", func(t *testing.T) {
			for _, x := range s.targets() {
				if _, known := wanted[x.Name]; !known && x.Name != "blackout_set" && x.Name != "username_check" {
					t.Errorf("this test does not know %s", x.Name)
				}
			}
		})
		t.Run("HTTP-10 gives the code that the operation gives", func(t *testing.T) {
			ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, IP: "192.0.2.1"})
			_, _, err := app.Register(ctx, person("x", "nobody", ""), "short")
			refused(t, err, roster.ErrValidationFailed, "email:invalid", "password:too_short", "username:too_short")
			s.do(t, "POST /api/register", fields{"username": "x", "email": "nobody", "password": "short"}).
				fails(t, http.StatusUnprocessableEntity, "validation_failed", "email:invalid", "password:too_short", "username:too_short")
		})
	})
}
