package integration_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

func lines(c *call) { c.Header.Set("Content-Type", "application/x-ndjson") }
func table(c *call) { c.Header.Set("Content-Type", "text/csv") }

func exportsHashes(cfg *usersrepo.Config) { cfg.Management.ExportHashes = true }

// ADMIN-46, ADMIN-67 to ADMIN-69, ADMIN-74, cases 24 and 25 of admin: what was exported is imported as it was.
func TestHTTPRoundTrip(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		root := s.superuser(t, "root1")
		joined := time.Date(2020, 2, 3, 4, 5, 6, 789_012_000, time.UTC)
		odd := person("odd-one", "odd@example.com", "+12025550123")
		odd.Company, odd.Nick, odd.Plan, odd.JoinedAt, odd.Score = "=1+1", new("'=x\r\n\",;é\u202e"), "'t Hooft", &joined, -7
		s.add(t, odd, roster.WithPermissions("a:b", "c"), roster.WithPhoneVerified(), roster.WithCreatedAt(joined))
		empty := person("", "empty@example.com", "")
		empty.Nick = new("")
		s.add(t, empty)
		for i := range 300 {
			s.add(t, person(fmt.Sprintf("user%d", i), "", ""))
		}
		s.exec(t, "UPDATE roster_passwords SET hash = $1", bcrypt) // those of tests are none that others have
		want := s.table(t, "users")
		hashes := s.table(t, "roster_passwords")
		for _, x := range []struct {
			format string
			kind   option
		}{{"ndjson", lines}, {"csv", table}} {
			t.Run("comes back from "+x.format, func(t *testing.T) {
				a := s.do(t, "GET /admin/export?hashes=true&format="+x.format, nil, root.token()).succeeds(t, 200)
				same(t, `attachment; filename="users.`+x.format+`"`, a.header.Get("Content-Disposition"))
				again := s.do(t, "POST /admin/import?dry_run=false&on_conflict=update", a.body, root.token(), x.kind).succeeds(t, 200)
				same(t, any(303.), again.member(t, "unchanged"))
				other := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{}, exportsHashes)
				boss := other.superuser(t, "boss1")
				got := other.do(t, "POST /admin/import?dry_run=false", a.body, boss.token(), x.kind).succeeds(t, 200)
				same(t, any(303.), got.member(t, "created"))
				if err := other.Delete(t.Context(), boss.ID, roster.Remove); err != nil {
					t.Fatal(err)
				}
				back := string(other.do(t, "GET /admin/export?hashes=true&format="+x.format, nil, other.login(t, must(other.GetByUsername(t.Context(), "root1"))(t)).token()).succeeds(t, 200).body)
				blank := func(file string) []string { return strings.Split(stamps.ReplaceAllString(file, "T"), "\n") }
				same(t, blank(string(a.body)), blank(back))
			})
		}
		same(t, want, s.table(t, "users"))
		same(t, hashes, s.table(t, "roster_passwords"))
		t.Run("has no formula in it", func(t *testing.T) {
			a := s.do(t, "GET /admin/export?format=csv&username=odd-one", nil, root.token()).succeeds(t, 200)
			rows := must(csv.NewReader(strings.NewReader(string(a.body))).ReadAll())(t)
			same(t, "'=1+1", rows[1][slices.Index(rows[0], "company")])
			same(t, "'-7", rows[1][slices.Index(rows[0], "score")])
			same(t, "'t Hooft", rows[1][slices.Index(rows[0], "plan")])
			if a := s.do(t, "GET /admin/export?format=csv&username=nobody", nil, root.token()).succeeds(t, 200); strings.Count(string(a.body), "\r\n") != 1 {
				t.Errorf("without users: %s", a)
			}
		})
		t.Run("is ordered by id, and of whom the filters find", func(t *testing.T) {
			a := s.do(t, "POST /admin/export", fields{"q": "user1", "filter": fields{"superuser": fields{"eq": false}}, "reason": "asked"}, root.token()).succeeds(t, 200)
			var ids []string
			for line := range strings.Lines(string(a.body)) {
				var u struct{ ID, Username string }
				if err := json.Unmarshal([]byte(line), &u); err != nil || !strings.HasPrefix(u.Username, "user1") {
					t.Fatalf("%s: %v", line, err)
				}
				ids = append(ids, u.ID)
			}
			if len(ids) != 111 || !slices.IsSorted(ids) {
				t.Errorf("%d users, sorted: %t", len(ids), slices.IsSorted(ids))
			}
			same(t, 1, s.rows(t, `roster_audit WHERE action = 'users.export' AND changes = '{"q":"user1"}' AND reason = 'asked'`))
			s.do(t, "GET /admin/export?sort=id&limit=1&format=xml", nil, root.token()).fails(t, 422, "validation_failed", "format:invalid", "limit:invalid", "sort:invalid")
			s.do(t, "POST /admin/export", fields{"cursor": "x", "hashes": 1}, root.token()).fails(t, 422, "validation_failed", "cursor:invalid", "hashes:wrong_type")
			s.do(t, "GET /admin/export?colour=red", nil, root.token()).fails(t, 422, "validation_failed", "colour:unknown_field")
		})
	}, exportsHashes)
}

// ADMIN-68, case 25 of admin: who may have hashes, and that nobody is given other secrets.
func TestHTTPExportSecrets(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		root, clerk := s.superuser(t, "root1"), s.administrator(t, "clerk", roster.PermissionExport, "*")
		s.do(t, "GET /admin/export?hashes=true", nil, root.token()).fails(t, 403, "forbidden")
		s.do(t, "GET /admin/export?hashes=true", nil, clerk.token()).fails(t, 403, "forbidden")
		file := string(s.do(t, "GET /admin/export?hashes=false", nil, clerk.token()).succeeds(t, 200).body)
		for _, secret := range []string{s.hash(t, root.ID), "password_hash", root.access.Reveal(), "epoch", "session"} {
			if strings.Contains(file, secret) {
				t.Errorf("the export has %q", secret)
			}
		}
		same(t, 2, s.rows(t, "roster_audit WHERE action = 'users.export' AND result = 'refused'"))
		s.do(t, "GET /admin/export", nil, s.administrator(t, "reader", "users:read").token()).fails(t, 403, "forbidden")
	})
	t.Run("and where they may be exported", func(t *testing.T) {
		s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{}, exportsHashes)
		root, clerk := s.superuser(t, "root1"), s.administrator(t, "clerk", roster.PermissionExport, "*")
		s.do(t, "GET /admin/export?hashes=true", nil, clerk.token()).fails(t, 403, "forbidden")
		if a := s.do(t, "GET /admin/export?hashes=true", nil, root.token()).succeeds(t, 200); !strings.Contains(string(a.body), `"password_hash":"$`) {
			t.Errorf("no hash: %s", a)
		}
	})
}

// ADMIN-47, ADMIN-71: what is no file of users.
func TestHTTPImportFiles(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		root := s.superuser(t, "root1")
		const at = "POST /admin/import"
		before := s.tables(t)
		many := strings.Repeat("[]\n", 10_000)
		for body, fault := range map[string]string{
			"": ":required", "\n\n \n": ":required", "\uFEFF": ":required", many + "[]": ":too_long",
		} {
			s.do(t, at, body, root.token(), lines).fails(t, 422, "validation_failed", fault)
		}
		for body, fault := range map[string]string{
			"": ":required", "\r\n": ":required", "username\r\n": ":required", "username,username\nx,y": "username:invalid", "username,\nx,y": ":invalid",
			"\"username\nx": ":invalid", "\xff\nx": ":invalid", strings.Repeat("x", 65<<10) + "\n": ":too_long",
		} {
			s.do(t, at, body, root.token(), table).fails(t, 422, "validation_failed", fault)
		}
		s.do(t, at, `{}`, root.token()).fails(t, 415, "unsupported_media_type")
		s.do(t, at, `{}`, root.token(), header("Content-Type", "text/csv; charset=latin1")).fails(t, 415, "unsupported_media_type")
		s.do(t, at, strings.Repeat("x", 32<<20+1), root.token(), lines).fails(t, 413, "body_too_large")
		s.do(t, at+"?dry_run=maybe", `{}`, root.token(), lines).fails(t, 422, "validation_failed", "dry_run:invalid")
		s.do(t, at+"?on_conflict=x&send=y", `{}`, root.token(), lines).fails(t, 422, "validation_failed", "on_conflict:invalid", "send:invalid")
		s.do(t, at+"?sendto=y", `{}`, root.token(), lines).fails(t, 400, "invalid_parameter", "sendto:invalid")
		for body, want := range map[string][]string{
			many[:len(many)-1]: nil, // 10,000 lines without anybody
			"{\n" + `{"username":"` + strings.Repeat("x", 65<<10) + `"}`:      {"1::invalid", "2::too_long"},
			"\uFEFF{\"username\":\"bom-one\"}\r\n\r\n{\"username\":\"\xff\"}": {"3::invalid"},
			"{\"username\":\"a\x00b\"}\n{\"username\":\"a\\u0000b\"}":         {"1::invalid", "2::invalid"},
		} {
			a := s.do(t, at, body, root.token(), lines).succeeds(t, 200)
			var r roster.ImportReport
			a.into(t, &r)
			if _, failed := outcome(r); want != nil && !slices.Equal(want, failed) {
				t.Errorf("%.40q: %v, want %v", body, failed, want)
			} else if want == nil && (r.Lines != 10_000 || len(r.Failed) != 100 || r.FailedTotal != 10_000) {
				t.Errorf("%d lines, %d failed, %d told", r.Lines, r.FailedTotal, len(r.Failed))
			}
		}
		for body, want := range map[string][]string{
			"\uFEFF\"username\";\"x\"\nann":                                     {"1::invalid"},
			"username,nick\nann\nbob,b,b\ncarl,":                                {"2::invalid", "3::invalid"},
			"username,nick\n\"ann\"x,\nb\"b,c\n\"carl\",\"\nx\"\n\"x\ny\",z":    {"2::invalid", "3::invalid", "6:username:invalid"},
			"username,colour\nann,red":                                          {"2:colour:unknown_field"},
			"username,score\nann,many":                                          {"2:score:wrong_type"},
			"username,nick\nann,\xff\nb\x00b,c":                                 {"2:nick:invalid", "3:username:invalid"},
			"username,superuser,created_at,id\nann,t,2019-03-01 12:00:00+00,\n": {},
		} {
			a := s.do(t, at, body, root.token(), table)
			if a.status == 422 && body[0] == 0xEF {
				continue
			}
			var r roster.ImportReport
			a.succeeds(t, 200).into(t, &r)
			if _, failed := outcome(r); !slices.Equal(want, failed) {
				t.Errorf("%q: %v, want %v", body, failed, want)
			}
		}
		same(t, before, s.tables(t))
	})
}

// A body that comes slowly or breaks off is answered, and nothing of it is imported.
func TestHTTPImportSlowly(t *testing.T) {
	t.Parallel()
	s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{Timeout: 2 * time.Second})
	root := s.superuser(t, "root1")
	send := func(t *testing.T, length int, pieces ...string) string {
		t.Helper()
		conn := must((&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://")))(t)
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "POST /admin/import?dry_run=false HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n",
			root.access.Reveal(), length)
		for _, piece := range pieces {
			_, _ = io.WriteString(conn, piece)
			time.Sleep(500 * time.Millisecond)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body := must(io.ReadAll(response.Body))(t)
		return fmt.Sprintf("%d %s", response.StatusCode, body)
	}
	got := send(t, 60, `{"user`, `name":"`, `slow`, `ly"}`+"\n", strings.Repeat(" ", 60-22))
	if !strings.HasPrefix(got, "200 ") || !strings.Contains(got, `"created":1`) {
		t.Errorf("slowly: %s", got)
	}
	got = send(t, 60, `{"username":"half"}`+"\n")
	if !strings.HasPrefix(got, "400 ") || !strings.Contains(got, "malformed_body") {
		t.Errorf("never ending: %s", got)
	}
	same(t, 0, s.rows(t, "users WHERE username_canonical = 'half'"))
}

// stamps are the times that an import sets, and the version.
var stamps = regexp.MustCompile(`("updated_at":"|,")\d{4}-[^"]*"|"last_login_at":"[^"]*"`)
