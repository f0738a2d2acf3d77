package integration_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
)

// SEC-93, HTTP-2, ADMIN-1, SEC-25: what each endpoint says of itself, as programs mount them.
func TestHTTPDeclared(t *testing.T) {
	t.Parallel()
	s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{Limits: map[string]int{}})
	kinds := []routes.Auth{routes.AuthNone, routes.AuthRefresh, routes.AuthSession}
	// Their operations count by address themselves.
	own := []string{"login", "username_check"}
	open := map[routes.Auth][]string{}
	for _, r := range append(s.user.Routes(), s.admin.Routes()...) {
		if !slices.Contains(kinds, r.Auth) {
			t.Errorf("%s says nothing of who may: %q", r.Name, r.Auth)
		}
		if (r.Limit < 1) != slices.Contains(own, r.Name) {
			t.Errorf("%s has a limit of %d", r.Name, r.Limit)
		}
		if strings.HasPrefix(r.Path, "/admin") != (r.Permission != "") {
			t.Errorf("%s needs the permission %q", r.Name, r.Permission)
		}
		if r.Permission != "" && r.Permission != roster.PermissionSuperuser && !slices.Contains(roster.OwnPermissions(), r.Permission) {
			t.Errorf("%s needs the permission %q, which there is not", r.Name, r.Permission)
		}
		open[r.Auth] = append(open[r.Auth], r.Name)
	}
	// Who adds an endpoint for anybody adds it here too.
	slices.Sort(open[routes.AuthNone])
	same(t, []string{
		"codes_check", "codes_find", "codes_send", "confirm_resend", "contact_change_cancel", "email_change_confirm", "email_confirm", "jwks", "login", "logout", "openapi",
		"password_first", "password_forgot", "password_reset", "register", "token_verify", "username_check",
	}, open[routes.AuthNone])
}

// SEC-91, SEC-43: whoever is named beside the session, it is the session's account that is meant.
func TestHTTPSubject(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		anna, bert := s.guest(t, "anna"), s.guest(t, "bert")
		id := bert.ID.String()
		ofBert := func() []string {
			return slices.DeleteFunc(s.tables(t), func(line string) bool { return !strings.Contains(line, id) })
		}
		before := ofBert()
		for _, r := range s.user.Routes() {
			path := strings.ReplaceAll(r.Path, ":sid", bert.sid.String())
			for _, query := range []string{"", "?id=" + id, "?user_id=" + id + "&sub=" + id} {
				for _, body := range []any{nil, fields{"id": id, "user_id": id, "sub": id, "subject": id}, fields{"user": fields{"id": id}}} {
					me := s.login(t, anna.Person) // some end it
					a := s.do(t, r.Method+" "+path+query, body, me.token(), header("X-User-Id", id), header("X-Forwarded-User", "bert"), header("X-Roster-Sub", id))
					if a.status >= 500 || strings.Contains(string(a.body), id) || strings.Contains(string(a.body), "bert") {
						t.Errorf("SEC-91: %s%s with %v", a, query, body)
					}
					if body != nil && r.Method != "GET" && (a.status < 400 || a.status >= 500) {
						t.Errorf("SEC-91: %s took %v", a, body)
					}
				}
			}
		}
		same(t, before, ofBert())
		s.do(t, "GET /api/me", nil, bert.token()).succeeds(t, 200)
	})
}
