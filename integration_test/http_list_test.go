package integration_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
)

// found are the usernames on a page.
func (a reply) usernames(t testing.TB) []string {
	t.Helper()
	names := []string{}
	for _, item := range a.succeeds(t, 200).member(t, "items").([]any) {
		name, _ := item.(map[string]any)["username"].(string)
		names = append(names, name)
	}
	return names
}

// ADMIN-21, ADMIN-22, ADMIN-51 to ADMIN-61: lists.
func TestHTTPList(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		clerk := s.login(t, s.add(t, person("clerk", "", ""), roster.WithPermissions("users:read")))
		s.Clock.Advance(time.Second)
		add := func(name string, change func(p *Person), options ...roster.CreateOption) *Person {
			p := person(name, name+"@example.com", "")
			change(p)
			u := s.add(t, p, options...)
			s.Clock.Advance(time.Second)
			return u
		}
		ann := add("ann", func(p *Person) { p.Company, p.Plan, p.Score, p.Nick = "Acme", "pro", 5, new("Annie") }, roster.WithEmailVerified())
		add("bob", func(p *Person) { p.Company, p.Score, p.Phone = "100% Acme", 7, new("+12025550140") }, roster.WithPermissions("shop:sell"))
		add("cyd", func(p *Person) { p.Company, p.Plan, p.Score, p.Language = "a_b", "pro", -3, new("de") }, roster.WithPassword(passphrase))
		joined := s.Clock.Now().Add(-time.Hour)
		add("dan", func(p *Person) { p.Company, p.Nick, p.JoinedAt = "(a+)+$ '; drop", new("Danny"), &joined }, roster.WithSuperuser(true))
		gone := add("eve", func(*Person) {})
		if err := s.Delete(t.Context(), gone.ID, roster.Deactivate); err != nil {
			t.Fatal(err)
		}
		s.exec(t, "UPDATE users SET banned_at = created_at WHERE username = 'bob'")
		list := func(t *testing.T, query ...string) reply {
			t.Helper()
			values := url.Values{}
			for i := 0; i < len(query); i += 2 {
				values.Add(query[i], query[i+1])
			}
			return s.do(t, "GET /admin/users?"+values.Encode(), nil, clerk.token())
		}
		search := func(t *testing.T, body any) reply {
			t.Helper()
			return s.do(t, "POST /admin/users/search", body, clerk.token())
		}
		t.Run("ADMIN-21 lists the newest first, without those who are deleted", func(t *testing.T) {
			for _, a := range []reply{s.do(t, "GET /admin/users", nil, clerk.token()), list(t, "limit", "0"), search(t, nil), search(t, `{}`), search(t, `{"limit":null,"q":null,"filter":null,"sort":null,"cursor":null,"total":null}`)} {
				same(t, []string{"dan", "cyd", "bob", "ann", "clerk"}, a.usernames(t))
				same(t, []string{"items", "next"}, membersOf(t, a.member(t, "")))
				same(t, any(nil), a.member(t, "next"))
				same(t, adminMembers, membersOf(t, a.member(t, "items.0")))
			}
		})
		t.Run("ADMIN-51 filters by field, operator and value, ADMIN-52, ADMIN-53, case 16", func(t *testing.T) {
			for _, x := range []struct {
				query []string
				body  string
				want  []string
			}{
				{[]string{"username", "ANN"}, `{"username":{"eq":"ANN"}}`, []string{"ann"}},
				{[]string{"username.ne", "ann"}, `{"username":{"ne":"ann"}}`, []string{"dan", "cyd", "bob", "clerk"}},
				{[]string{"username.in", "ann,bob,nobody"}, `{"username":{"in":["ann","bob","nobody"]}}`, []string{"bob", "ann"}},
				{[]string{"email.contains", "@EXAMPLE.com"}, `{"email":{"contains":"@EXAMPLE.com"}}`, []string{"dan", "cyd", "bob", "ann"}},
				{[]string{"email.starts_with", "a"}, `{"email":{"starts_with":"a"}}`, []string{"ann"}},
				{[]string{"email.is_null", "true"}, `{"email":{"is_null":true}}`, []string{"clerk"}},
				{[]string{"phone", "+1 202 555 0140"}, `{"phone":{"eq":"+1 202 555 0140"}}`, []string{"bob"}},
				{[]string{"id", ann.ID.String()}, `{"id":{"eq":"` + ann.ID.String() + `"}}`, []string{"ann"}},
				{[]string{"superuser", "true"}, `{"superuser":{"eq":true}}`, []string{"dan"}},
				{[]string{"permission", "shop:sell"}, `{"permission":{"eq":"shop:sell"}}`, []string{"bob"}},
				{[]string{"permission.in", "shop:sell,users:read"}, `{"permission":{"in":["shop:sell","users:read"]}}`, []string{"bob", "clerk"}},
				{[]string{"email_verified", "true"}, `{"email_verified":{"eq":true}}`, []string{"ann"}},
				{[]string{"banned", "true"}, `{"banned":{"eq":true}}`, []string{"bob"}},
				{[]string{"archived", "true"}, `{"archived":{"eq":true}}`, []string{}},
				{[]string{"deleted", "true"}, `{"deleted":{"eq":true}}`, []string{"eve"}},
				{[]string{"has_password", "true"}, `{"has_password":{"eq":true}}`, []string{"cyd"}},
				{[]string{"provider", "google"}, `{"provider":{"eq":"google"}}`, []string{}},
				{[]string{"language", "de"}, `{"language":{"eq":"de"}}`, []string{"cyd"}},
				{[]string{"plan", "pro"}, `{"plan":{"eq":"pro"}}`, []string{"cyd", "ann"}},
				{[]string{"score.gt", "-3", "score.lte", "7"}, `{"score":{"gt":-3,"lte":7}}`, []string{"dan", "bob", "ann", "clerk"}},
				{[]string{"score.in", "5,7"}, `{"score":{"in":[5,7]}}`, []string{"bob", "ann"}},
				{[]string{"nick.is_null", "false"}, `{"nick":{"is_null":false}}`, []string{"dan", "ann"}},
				{[]string{"joined_at.lt", s.Clock.Now().Format(time.RFC3339)}, `{"joined_at":{"lt":"` + s.Clock.Now().Format(time.RFC3339) + `"}}`, []string{"dan"}},
				{
					[]string{"created_at.gte", ann.CreatedAt.Format(time.RFC3339Nano), "plan", "pro", "email.contains", "example", "banned", "false"},
					`{"created_at":{"gte":"` + ann.CreatedAt.Format(time.RFC3339Nano) + `"},"plan":{"eq":"pro"},"email":{"contains":"example"},"banned":{"eq":false}}`,
					[]string{"cyd", "ann"},
				},
				{[]string{"company.contains", "%"}, `{"company":{"contains":"%"}}`, []string{"bob"}},
				{[]string{"company", "a_b"}, `{"company":{"eq":"a_b"}}`, []string{"cyd"}},
			} {
				if diff := list(t, x.query...).usernames(t); !slices.Equal(diff, x.want) {
					t.Errorf("%v: %v, want %v", x.query, diff, x.want)
				}
				if diff := search(t, `{"filter":`+x.body+`}`).usernames(t); !slices.Equal(diff, x.want) {
					t.Errorf("%s: %v, want %v", x.body, diff, x.want)
				}
			}
		})
		t.Run("ADMIN-54 looks for words as they are, case 15", func(t *testing.T) {
			for q, want := range map[string][]string{
				"100%": {"bob"}, "a_b": {"cyd"}, "(a+)+$": {"dan"}, "'; drop": {"dan"}, "acme": {"bob", "ann"}, "ACME 100": {"bob"}, "%": {"bob"},
				"_": {"cyd"}, "*": {}, `\`: {}, "ann@example.com": {"ann"}, ann.ID.String(): {"ann"}, "0140": {"bob"}, "": {"dan", "cyd", "bob", "ann", "clerk"},
			} {
				same(t, want, list(t, "q", q).usernames(t))
				same(t, want, search(t, fields{"q": q}).usernames(t))
			}
			same(t, []string{"bob"}, list(t, "q", "acme", "banned", "true").usernames(t))
			for _, q := range []string{strings.Repeat("x", 201), strings.Repeat("x ", 11)} {
				list(t, "q", q).fails(t, 422, "validation_failed", "q:too_long")
				search(t, fields{"q": q}).fails(t, 422, "validation_failed", "q:too_long")
			}
			list(t, "q", "\x00").fails(t, 422, "validation_failed", "q:invalid")
			list(t, "q", "\xff").fails(t, 422, "validation_failed", "q:invalid")
			search(t, `{"q":"\u0000"}`).fails(t, 422, "validation_failed", "q:invalid")
			search(t, `{"q":7}`).fails(t, 422, "validation_failed", "q:wrong_type")
		})
		t.Run("ADMIN-55 sorts by up to three keys, nulls last", func(t *testing.T) {
			for sort, want := range map[string][]string{
				"username": {"ann", "bob", "clerk", "cyd", "dan"}, "-username": {"dan", "cyd", "clerk", "bob", "ann"},
				"email": {"ann", "bob", "cyd", "dan", "clerk"}, "-email": {"dan", "cyd", "bob", "ann", "clerk"},
				"-score,username": {"bob", "ann", "clerk", "dan", "cyd"}, "created_at": {"clerk", "ann", "bob", "cyd", "dan"},
				"nick,-username": {"ann", "dan", "cyd", "clerk", "bob"}, " score , -username ": {"cyd", "dan", "clerk", "ann", "bob"},
			} {
				same(t, want, list(t, "sort", sort).usernames(t))
				same(t, want, search(t, fields{"sort": sort}).usernames(t))
			}
			for sort, fault := range map[string]string{
				"password_hash": "password_hash:unknown_field", "username;drop": "username;drop:unknown_field", "plan": "plan:unknown_field",
				"phone": "phone:unknown_field", "id": "id:unknown_field", "": ":unknown_field", "--username": "-username:unknown_field",
				"username,-username": "sort:invalid", "username,email,score,created_at": "sort:too_long", "Username": "Username:unknown_field",
				"note": "note:unknown_field", "1": "1:unknown_field", "username desc": "username desc:unknown_field",
			} {
				list(t, "sort", sort).fails(t, 422, "validation_failed", fault)
				search(t, fields{"sort": sort}).fails(t, 422, "validation_failed", fault)
			}
		})
		t.Run("ADMIN-53 knows no other field, and names it, case 16", func(t *testing.T) {
			for _, field := range []string{"page", "badge", "note", "joined", "password", "hash", "epoch", "search", "username_canonical", "time_zone", "version", "Plan", "", "x;y", "a.b.c"} {
				name, op, _ := strings.Cut(field, ".")
				fault := name + ":unknown_field"
				list(t, field, "x").fails(t, 422, "validation_failed", fault)
				if op == "" {
					search(t, fields{"filter": fields{field: fields{"eq": "x"}}}).fails(t, 422, "validation_failed", fault)
				}
			}
		})
		t.Run("ADMIN-52 takes operators and values that fit the field", func(t *testing.T) {
			for query, fault := range map[string]string{
				"username.lt=x": "username:invalid", "username.like=x": "username:invalid", "username.=x": "username:invalid", "superuser.in=true": "superuser:invalid",
				"id.contains=x": "id:invalid", "permission.ne=x": "permission:invalid", "banned.is_null=true": "banned:invalid", "created_at.contains=1": "created_at:invalid",
				"score=x": "score:wrong_type", "score=1.5": "score:wrong_type", "score=": "score:wrong_type", "score.in=1,,2": "score:wrong_type", "superuser=yes": "superuser:wrong_type",
				"superuser=1": "superuser:wrong_type", "id=x": "id:wrong_type", "created_at=yesterday": "created_at:wrong_type", "created_at=2026-01-02": "created_at:wrong_type",
				"email.is_null=null": "email:wrong_type", "score=99999999999999999999": "score:wrong_type", "username=%00": "username:invalid", "username=%ff": "username:invalid",
				"username.in=" + strings.Repeat("x,", 100) + "x": "username:too_long", "joined_at.lt=0000": "joined_at:wrong_type",
			} {
				s.do(t, "GET /admin/users?"+query, nil, clerk.token()).fails(t, 422, "validation_failed", fault)
			}
			for filter, fault := range map[string]string{
				`{"username":"x"}`: "filter:wrong_type", `[]`: "filter:wrong_type", `"x"`: "filter:wrong_type", `{"username":{"eq":7}}`: "username:wrong_type",
				`{"username":{"eq":null}}`: "username:wrong_type", `{"username":{"eq":["x"]}}`: "username:wrong_type", `{"username":{"eq":{"x":1}}}`: "username:wrong_type",
				`{"username":{"in":"x"}}`: "username:wrong_type", `{"username":{"in":[]}}`: "username:required", `{"username":{"in":["x",1]}}`: "username:wrong_type",
				`{"score":{"eq":"5"}}`: "score:wrong_type", `{"score":{"eq":1.5}}`: "score:wrong_type", `{"superuser":{"eq":"true"}}`: "superuser:wrong_type",
				`{"id":{"eq":"x"}}`: "id:wrong_type", `{"email":{"is_null":"true"}}`: "email:wrong_type", `{"username":{"eq":"a\u0000"}}`: "username:invalid",
				`{"username":{"eq":"\ud800"}}`: "username:invalid", `{"username":{"EQ":"x"}}`: "username:invalid", `{"username":{"":"x"}}`: "username:invalid",
			} {
				search(t, `{"filter":`+filter+`}`).fails(t, 422, "validation_failed", fault)
			}
		})
		t.Run("ADMIN-51 takes twenty conditions", func(t *testing.T) {
			many := func(n int) (query []string) {
				for i, op := range []string{"username.ne", "username.contains", "username.starts_with", "username", "username.in", "email.ne", "email.contains", "email.starts_with", "email", "email.in", "company.ne", "company.contains", "company.starts_with", "company", "company.in", "nick.ne", "nick.contains", "nick.starts_with", "nick", "nick.in", "plan.ne"} {
					if i < n {
						query = append(query, op, "x")
					}
				}
				return query
			}
			list(t, many(20)...).succeeds(t, 200)
			list(t, many(21)...).fails(t, 422, "validation_failed", "filter:too_long")
		})
		t.Run("ADMIN-56 takes 1 to 200 to a page, case 20", func(t *testing.T) {
			for _, limit := range []string{"201", "-1", "abc", "", "1.5", "1e2", "99999999999999999999", " 5"} {
				list(t, "limit", limit).fails(t, 422, "validation_failed", "limit:invalid")
			}
			for _, limit := range []any{201, -1} {
				search(t, fields{"limit": limit}).fails(t, 422, "validation_failed", "limit:invalid")
			}
			for _, limit := range []any{"5", 1.5, true} {
				search(t, fields{"limit": limit}).fails(t, 422, "validation_failed", "limit:wrong_type")
			}
			list(t, "limit", "200").succeeds(t, 200)
			same(t, 2, len(search(t, fields{"limit": 2}).usernames(t)))
		})
		t.Run("ADMIN-59 counts when it is asked to", func(t *testing.T) {
			same(t, any(5.0), list(t, "total", "exact", "limit", "2").succeeds(t, 200).member(t, "total"))
			same(t, any(2.0), search(t, fields{"total": "exact", "filter": fields{"plan": fields{"eq": "pro"}}}).succeeds(t, 200).member(t, "total"))
			list(t, "total", "estimate").succeeds(t, 200).member(t, "total")
			same(t, []string{"items", "next"}, membersOf(t, list(t, "total", "none").member(t, "")))
			list(t, "total", "all").fails(t, 422, "validation_failed", "total:invalid")
			search(t, fields{"total": true}).fails(t, 422, "validation_failed", "total:wrong_type")
		})
		t.Run("HTTP-21 takes no parameter twice", func(t *testing.T) {
			list(t, "q", "a", "q", "b").fails(t, 400, "invalid_parameter", "q:invalid")
			list(t, "username", "a", "username", "b").fails(t, 400, "invalid_parameter", "username:invalid")
			s.do(t, "GET /admin/users?q=%zz", nil, clerk.token()).fails(t, 400, "invalid_parameter", ":invalid")
			s.do(t, "GET /admin/users?&", nil, clerk.token()).fails(t, 400, "invalid_parameter", ":invalid")
			s.do(t, "GET /admin/users?a;b", nil, clerk.token()).fails(t, 400, "invalid_parameter", ":invalid")
		})
		t.Run("HTTP-16 tells all faults of a query at once", func(t *testing.T) {
			list(t, "limit", "x", "total", "x", "sort", "x", "score", "x", "y", "1").
				fails(t, 422, "validation_failed", "limit:invalid", "score:wrong_type", "total:invalid", "x:unknown_field", "y:unknown_field")
			search(t, fields{"limit": 999, "sort": "x", "extra": 1, "filter": fields{"y": fields{"eq": 1}}}).
				fails(t, 422, "validation_failed", "extra:unknown_field")
		})
	})
}

// ADMIN-57, ADMIN-58, cases 18 and 19: paging.
func TestHTTPPaging(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		clerk := s.login(t, s.add(t, person("clerk", "", ""), roster.WithPermissions("users:read")))
		const n = 60
		for i := range n {
			p := person(fmt.Sprintf("user%02d", i), "", "")
			p.Score = int64(i % 3)
			if i%4 > 0 {
				p.Nick = new(fmt.Sprint("nick", i%4))
			}
			s.add(t, p)
		}
		page := func(t *testing.T, query string) reply {
			t.Helper()
			return s.do(t, "GET /admin/users?"+query, nil, clerk.token())
		}
		t.Run("ADMIN-57 shows each user once, case 18", func(t *testing.T) {
			for _, query := range []string{"", "sort=nick", "sort=-nick,score", "sort=created_at", "sort=-score,-nick,username", "q=user", "score.lt=2&sort=score"} {
				seen := map[string]int{}
				for cursor, pages := "", 0; ; pages++ {
					a := page(t, query+"&limit=7"+cursor).succeeds(t, 200)
					for _, name := range a.usernames(t) {
						seen[name]++
					}
					if a.member(t, "next") == nil {
						break
					}
					if cursor = "&cursor=" + url.QueryEscape(a.text(t, "next")); pages > 20 {
						t.Fatal("there is no end")
					}
				}
				want := map[string]int{"": n + 1, "q=user": n, "score.lt=2&sort=score": n*2/3 + 1}[query]
				if strings.HasPrefix(query, "sort") {
					want = n + 1
				}
				same(t, want, len(seen))
				for name, times := range seen {
					if times != 1 {
						t.Errorf("%s: %s came %d times", query, name, times)
					}
				}
			}
		})
		t.Run("ADMIN-58 takes a cursor for the same query only, case 19", func(t *testing.T) {
			cursor := page(t, "limit=5&sort=nick&score=1").succeeds(t, 200).text(t, "next")
			good := "limit=9&score=1&sort=nick&cursor=" + url.QueryEscape(cursor)
			page(t, good).succeeds(t, 200) // the limit may change
			s.do(t, "POST /admin/users/search", fields{"sort": "nick", "filter": fields{"score": fields{"eq": 1}}, "cursor": cursor}, clerk.token()).succeeds(t, 200)
			for _, query := range []string{"score=1", "sort=nick", "sort=-nick&score=1", "sort=nick&score=2", "sort=nick&score=1&q=user", "sort=nick&score.ne=1", ""} {
				page(t, query+"&cursor="+url.QueryEscape(cursor)).fails(t, 400, "invalid_cursor")
			}
			raw, err := base64.RawURLEncoding.DecodeString(cursor)
			if err != nil {
				t.Fatal(err)
			}
			for i := range raw {
				changed := slices.Clone(raw)
				changed[i] ^= 1
				page(t, "sort=nick&score=1&cursor="+base64.RawURLEncoding.EncodeToString(changed)).fails(t, 400, "invalid_cursor")
			}
			other := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{})
			for range 3 {
				other.add(t, person(fmt.Sprint("user", other.rows(t, "users")), "", ""))
			}
			foreign, err := other.Search(t.Context(), roster.Query{Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, cursor := range []string{cursor[1:], cursor[:len(cursor)-1], cursor + "A", cursor + "=", "x", "null", "0", foreign.Next, strings.Repeat("A", 5000), "\x00", "é"} {
				page(t, "sort=nick&score=1&cursor="+url.QueryEscape(cursor)).fails(t, 400, "invalid_cursor")
				s.do(t, "POST /admin/users/search", fields{"cursor": cursor}, clerk.token())
			}
			page(t, "cursor=").succeeds(t, 200)
		})
	})
}
