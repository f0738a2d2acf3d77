package integration_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

// find returns what a query finds on its first page, by username, in its order.
func (w *world) find(t testing.TB, q roster.Query) []string {
	t.Helper()
	page, err := w.Search(t.Context(), q)
	if err != nil {
		t.Fatalf("search %+v: %v", q, err)
	}
	return usernames(page.Items)
}

func usernames(list []*Person) []string {
	var names []string
	for _, p := range list {
		names = append(names, *p.Username)
	}
	return names
}

// named finds by text, sorted by name.
func (w *world) named(t testing.TB, text string, filters ...roster.Filter) []string {
	t.Helper()
	return w.find(t, roster.Query{Text: text, Filters: filters, Sort: []roster.Sort{{Field: "username"}}})
}

// USER-58, SEC-100, case 25: words are literal, and each must be found.
func TestSearchText(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		for name, company := range map[string]string{
			"percent": "50% off", "underscore": "a_b", "paren": "f(x) [y]", "stars": "a.*b", "backslash": `c:\dir`, "quotes": `it's "so"; drop`,
			"umlaut": "MÜLLER & Söhne Straße", "full": "ＡＢＣ", "plain": "50 off ab fx abc", "two": "Alpha\nBeta",
		} {
			p := person(name, name+"@bücher.example", "")
			p.Company = company
			w.add(t, p)
		}
		u := w.add(t, person("phoned", "", "+12025550123"))
		for _, tt := range []struct {
			text string
			want []string
		}{
			{"50%", []string{"percent"}},
			{"%", []string{"percent"}},
			{"a_b", []string{"underscore"}},
			{"_", []string{"underscore"}},
			{"(", []string{"paren"}},
			{"[", []string{"paren"}},
			{".*", []string{"stars"}},
			{"*", []string{"stars"}},
			{`\`, []string{"backslash"}},
			{`:\D`, []string{"backslash"}},
			{"'", []string{"quotes"}},
			{"'; drop", nil},
			{`"; drop`, []string{"quotes"}},
			{"müller SÖHNE", []string{"umlaut"}},
			{"STRASSE", []string{"umlaut"}},
			{"müller alpha", nil},
			{"ａｂＣ", []string{"full", "plain"}},
			{"alpha beta", []string{"two"}},
			{"alpha\nbeta", []string{"two"}},
			{"phabet", nil}, // no word spans two values, or two lines
			{"percent@xn--BCHER", []string{"percent"}},
			{"2025550", []string{"phoned"}},
			{"+1202", []string{"phoned"}},
			{u.ID.String(), []string{"phoned"}},
			{strings.ToUpper(u.ID.String()) + " phone", []string{"phoned"}},
			{u.ID.String()[:35], nil},
			{"of\u00a0\u3000f", []string{"percent", "plain"}},
			{" \t\n", []string{"backslash", "full", "paren", "percent", "phoned", "plain", "quotes", "stars", "two", "umlaut", "underscore"}},
		} {
			same(t, fmt.Sprintf("%q %q", tt.text, tt.want), fmt.Sprintf("%q %q", tt.text, w.named(t, tt.text)))
		}
		t.Run("USER-58 bounds the text", func(t *testing.T) {
			same(t, []string(nil), w.named(t, strings.Repeat("é", 200)))
			same(t, []string{"plain"}, w.named(t, strings.Repeat("50 ", 9)+"ab"))
			for text, fault := range map[string]string{
				strings.Repeat("é", 201): "q:too_long", strings.Repeat("a ", 11): "q:too_long", "a\x00": "q:invalid", "a\xff": "q:invalid",
				strings.Repeat("a", 1<<20): "q:too_long",
			} {
				_, err := w.Search(t.Context(), roster.Query{Text: text})
				refused(t, err, roster.ErrValidationFailed, fault)
				_, err = w.Count(t.Context(), roster.Query{Text: text})
				refused(t, err, roster.ErrValidationFailed, fault)
			}
		})
		t.Run("USER-58 follows a change", func(t *testing.T) {
			w.edit(t, u.ID, func(p *Person) { p.Company, p.Phone = "Omega", nil })
			same(t, []string{"phoned"}, w.named(t, "omega"))
			same(t, []string(nil), w.named(t, "2025550"))
		})
	}, func(cfg *usersrepo.Config) { cfg.Email.AllowUTF8Local = true })
}

// USER-57, USER-59, case 28: facts about users, and what is combined.
func TestSearchFacts(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		now := w.Clock.Now()
		march := time.Date(now.Year(), time.March, 10, 0, 0, 0, 0, time.UTC)
		ids := map[string]*Person{}
		for name, options := range map[string][]roster.CreateOption{
			"plain": nil, "keyed": {roster.WithPassword("correct horse battery")}, "chief": {roster.WithSuperuser(true)},
			"allowed": {roster.WithPermissions("a:b", "c")}, "proven": {roster.WithEmailVerified()},
			"banned": nil, "unbanned": nil, "archived": nil, "deactivated": nil, "anonymised": nil, "social": nil,
			"joanna": {roster.WithCreatedAt(march)}, "hannah": {roster.WithCreatedAt(march)}, "ann": {roster.WithCreatedAt(march.AddDate(0, 1, 0))},
		} {
			p := person(name, name+"@example.com", "")
			if strings.Contains(name, "ann") {
				p.Plan = "pro"
			}
			ids[name] = w.add(t, p, options...)
		}
		w.exec(t, "UPDATE users SET banned_at = $1 WHERE username IN ('banned', 'joanna', 'ann')", now)
		w.exec(t, "UPDATE users SET banned_at = $1, banned_until = $1 WHERE username = 'unbanned'", now)
		w.exec(t, "UPDATE users SET archived_at = $1 WHERE username = 'archived'", now)
		w.link(t, ids["social"].ID, "google", "1", nil)
		for name, mode := range map[string]roster.DeleteMode{"deactivated": roster.Deactivate, "anonymised": roster.Anonymise} {
			if err := w.Delete(ctx, ids[name].ID, mode); err != nil {
				t.Fatal(err)
			}
		}
		live := []string{
			"allowed", "ann", "archived", "banned", "chief", "hannah", "joanna", "keyed", "plain", "proven", "social", "unbanned",
		}
		is := func(field string, value any) roster.Filter {
			return roster.Filter{Field: field, Op: roster.Eq, Value: value}
		}
		without := func(names ...string) []string {
			return slices.DeleteFunc(slices.Clone(live), func(name string) bool { return slices.Contains(names, name) })
		}
		for name, tt := range map[string]struct {
			filters []roster.Filter
			want    []string
		}{
			"USER-57 leaves out the deleted":   {nil, live},
			"finds by ban":                     {[]roster.Filter{is("banned", true)}, []string{"ann", "banned", "joanna"}},
			"finds by no ban":                  {[]roster.Filter{is("banned", false)}, without("ann", "banned", "joanna")},
			"finds by archive":                 {[]roster.Filter{is("archived", true)}, []string{"archived"}},
			"finds by no archive":              {[]roster.Filter{is("archived", false)}, without("archived")},
			"finds by proof":                   {[]roster.Filter{is("email_verified", true)}, []string{"proven"}},
			"finds by no proof of a phone":     {[]roster.Filter{is("phone_verified", false)}, live},
			"finds superusers":                 {[]roster.Filter{is("superuser", true)}, []string{"chief"}},
			"finds by a permission":            {[]roster.Filter{is("permission", "a:b")}, []string{"allowed"}},
			"finds by one of some permissions": {[]roster.Filter{{Field: "permission", Op: roster.In, Value: []string{"x", "c"}}}, []string{"allowed"}},
			"finds by no part of a permission": {[]roster.Filter{is("permission", "a")}, nil},
			"finds by a password":              {[]roster.Filter{is("has_password", true)}, []string{"keyed"}},
			"finds by a provider":              {[]roster.Filter{is("provider", "google")}, []string{"social"}},
			"finds by an id":                   {[]roster.Filter{is("id", ids["plain"].ID)}, []string{"plain"}},
			"finds by ids":                     {[]roster.Filter{{Field: "id", Op: roster.In, Value: []roster.ID{ids["plain"].ID, ids["ann"].ID}}}, []string{"ann", "plain"}},
			"finds by an address as typed":     {[]roster.Filter{is("email", " ANN@EXAMPLE.com")}, []string{"ann"}},
			"finds by a name as typed":         {[]roster.Filter{{Field: "username", Op: roster.In, Value: []string{"ＡＮＮ", "Plain"}}}, []string{"ann", "plain"}},
			"finds nobody by what is no name":  {[]roster.Filter{is("username", "a@b")}, nil},
			"finds by the beginning of a name": {[]roster.Filter{{Field: "username", Op: roster.StartsWith, Value: "AN"}}, []string{"ann"}},
			"finds by a part of an address":    {[]roster.Filter{{Field: "email", Op: roster.Contains, Value: "Lan"}}, nil},
			"finds by the absence of a log-in": {[]roster.Filter{{Field: "last_login_at", Op: roster.IsNull, Value: true}}, live},
			"combines all, case 28": {[]roster.Filter{
				is("banned", true), is("plan", "pro"),
				{Field: "created_at", Op: roster.Gte, Value: march.AddDate(0, 0, -9)},
				{Field: "created_at", Op: roster.Lt, Value: march.AddDate(0, 0, 22)},
			}, []string{"joanna"}},
		} {
			t.Run("USER-59 "+name, func(t *testing.T) {
				same(t, tt.want, w.named(t, "", tt.filters...))
				n, err := w.Count(ctx, roster.Query{Filters: tt.filters, Limit: 1, Cursor: "any", Sort: []roster.Sort{{Field: "any"}}}) // USER-64
				same(t, nil, err)
				same(t, int64(len(tt.want)), n)
			})
		}
		t.Run("USER-58 USER-59 combines filters and words, case 28", func(t *testing.T) {
			same(t, []string{"ann", "banned", "joanna"}, w.named(t, "ann", is("banned", true), is("plan", "pro")))
		})
		t.Run("USER-57 brings the deleted when asked", func(t *testing.T) {
			page, err := w.Search(ctx, roster.Query{Filters: []roster.Filter{is("deleted", true)}})
			same(t, nil, err)
			var got []roster.ID
			for _, p := range page.Items {
				got = append(got, p.ID)
			}
			want := []roster.ID{ids["deactivated"].ID, ids["anonymised"].ID}
			slices.SortFunc(want, func(a, b roster.ID) int { return strings.Compare(b.String(), a.String()) })
			same(t, want, got)
		})
	})
}

// USER-59, USER-60, USER-61, USER-64: queries that make no sense.
func TestSearchFaults(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.add(t, person("alice", "", ""))
		filter := func(field string, op roster.Op, value any) roster.Query {
			return roster.Query{Filters: []roster.Filter{{Field: field, Op: op, Value: value}}}
		}
		many := make([]string, 101)
		for _, tt := range []struct {
			query roster.Query
			fault string
		}{
			{filter("nothing", roster.Eq, 1), "nothing:unknown_field"},
			{filter("", roster.Eq, 1), ":unknown_field"},
			{filter("permissions", roster.Eq, "x"), "permissions:unknown_field"},
			{filter("badge", roster.Eq, "x"), "badge:unknown_field"}, // no filter in its tag
			{filter("note", roster.Eq, "x"), "note:unknown_field"},
			{filter("epoch", roster.Eq, 1), "epoch:unknown_field"},
			{filter("username_canonical", roster.Eq, "x"), "username_canonical:unknown_field"},
			{filter("username", "like", "x"), "username:invalid"},
			{filter("username", "", "x"), "username:invalid"},
			{filter("username", roster.Lt, "x"), "username:invalid"},
			{filter("superuser", roster.Ne, true), "superuser:invalid"},
			{filter("banned", roster.IsNull, true), "banned:invalid"},
			{filter("provider", roster.Contains, "x"), "provider:invalid"},
			{filter("id", roster.StartsWith, "x"), "id:invalid"},
			{filter("score", roster.Contains, "1"), "score:invalid"},
			{filter("username", roster.Eq, 1), "username:wrong_type"},
			{filter("username", roster.Eq, nil), "username:wrong_type"},
			{filter("username", roster.Eq, (*string)(nil)), "username:wrong_type"},
			{filter("score", roster.Eq, "1"), "score:wrong_type"},
			{filter("score", roster.Eq, 1.5), "score:wrong_type"},
			{filter("score", roster.Eq, roster.Literal("x")), "score:wrong_type"},
			{filter("score", roster.In, []any{1, "2"}), "score:wrong_type"},
			{filter("score", roster.In, 1), "score:wrong_type"},
			{filter("score", roster.In, []int{}), "score:required"},
			{filter("nick", roster.In, many), "nick:too_long"},
			{filter("nick", roster.IsNull, "yes"), "nick:wrong_type"},
			{filter("created_at", roster.Lt, "yesterday"), "created_at:wrong_type"},
			{filter("created_at", roster.Lt, 1), "created_at:wrong_type"},
			{filter("superuser", roster.Eq, "true"), "superuser:wrong_type"},
			{filter("id", roster.Eq, "x"), "id:wrong_type"},
			{filter("id", roster.Eq, ""), "id:wrong_type"},
			{filter("company", roster.Eq, "a\x00"), "company:invalid"},
			{filter("username", roster.Eq, "a\xff"), "username:invalid"},
			{filter("provider", roster.Eq, "\x00"), "provider:invalid"},
			{roster.Query{Filters: make([]roster.Filter, 21)}, "filter:too_long"},
			{roster.Query{Sort: []roster.Sort{{Field: "badge"}}}, "badge:unknown_field"},
			{roster.Query{Sort: []roster.Sort{{Field: "phone"}}}, "phone:unknown_field"},
			{roster.Query{Sort: []roster.Sort{{Field: "id; DROP TABLE users"}}}, "id; DROP TABLE users:unknown_field"},
			{roster.Query{Sort: []roster.Sort{{Field: "email"}, {Field: "email", Descending: true}}}, "sort:invalid"},
			{roster.Query{Sort: []roster.Sort{{Field: "email"}, {Field: "username"}, {Field: "score"}, {Field: "nick"}}}, "sort:too_long"},
			{roster.Query{Limit: 201}, "limit:invalid"},
			{roster.Query{Limit: -1}, "limit:invalid"},
			{roster.Query{Total: "roughly"}, "total:invalid"},
		} {
			_, err := w.Search(t.Context(), tt.query)
			refused(t, err, roster.ErrValidationFailed, tt.fault)
		}
		_, err := w.Search(t.Context(), roster.Query{Limit: -1, Text: "\x00", Total: "x", Sort: []roster.Sort{{Field: "x"}}, Filters: []roster.Filter{{Field: "y"}}})
		refused(t, err, roster.ErrValidationFailed, "limit:invalid", "q:invalid", "total:invalid", "x:unknown_field", "y:unknown_field")
		// Literals, as a query string has them.
		for _, q := range []roster.Query{
			filter("score", roster.In, roster.Literal("0,1")), filter("superuser", roster.Eq, roster.Literal("false")),
			filter("created_at", roster.Lte, roster.Literal(w.Clock.Now().Format(time.RFC3339))), filter("nick", roster.IsNull, roster.Literal("true")),
			filter("score", roster.Eq, float64(0)), filter("created_at", roster.Eq, w.Clock.Now().Format(time.RFC3339)),
			filter("score", roster.Eq, new(0)), filter("score", roster.Lt, uint8(1)),
		} {
			same(t, []string{"alice"}, w.find(t, q))
		}
	})
}

// USER-61, USER-64, USER-65, case 26: limits and totals.
func TestSearchPage(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		for i := range 100 {
			w.add(t, person(fmt.Sprintf("user%02d", i), "", ""))
		}
		for limit, want := range map[int]int{0: 20, 1: 1, 7: 7, 100: 100, 200: 100} {
			page, err := w.Search(t.Context(), roster.Query{Limit: limit})
			same(t, nil, err)
			same(t, want, len(page.Items))
			same(t, want < 100, page.Next != "")
			if page.Total != nil {
				t.Error("a total that nobody asked for")
			}
		}
		t.Run("USER-62 shows all of 100 with equal times once, in pages of 7, case 26", func(t *testing.T) {
			seen := map[string]int{}
			q := roster.Query{Limit: 7}
			for pages := 1; ; pages++ {
				page, err := w.Search(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range usernames(page.Items) {
					seen[name]++
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					same(t, 15, pages)
					break
				}
			}
			same(t, 100, len(seen))
			for name, n := range seen {
				if n != 1 {
					t.Errorf("%s: %d times", name, n)
				}
			}
		})
		t.Run("USER-64 counts", func(t *testing.T) {
			q := roster.Query{Limit: 5, Text: "user1", Total: roster.TotalExact}
			page, err := w.Search(t.Context(), q)
			same(t, nil, err)
			same(t, int64(10), *page.Total)
			q.Cursor = page.Next
			page, err = w.Search(t.Context(), q)
			same(t, nil, err)
			same(t, int64(10), *page.Total)
			page, err = w.Search(t.Context(), roster.Query{Total: roster.TotalEstimate})
			if err != nil || page.Total == nil || *page.Total < 0 {
				t.Errorf("estimate: %v, %v", page.Total, err)
			}
			n, err := w.Count(t.Context(), roster.Query{})
			same(t, nil, err)
			same(t, int64(100), n)
		})
		t.Run("gives an empty page for nothing found", func(t *testing.T) {
			page, err := w.Search(t.Context(), roster.Query{Text: "nobody"})
			same(t, nil, err)
			same(t, roster.Page[*Person]{Items: []*Person{}}, page)
		})
	})
}

// MGMT-6, SEC-79: who may search.
func TestSearchPermission(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		user, reader := w.add(t, person("user", "", "")), w.add(t, person("reader", "", ""), roster.WithPermissions("users:read"))
		for _, tt := range []struct {
			actor roster.Actor
			want  error
		}{
			{roster.Actor{Kind: roster.ActorUser}, roster.ErrUnauthenticated},
			{roster.Actor{Kind: roster.ActorUser, ID: user.ID}, roster.ErrForbidden},
			{roster.Actor{Kind: roster.ActorAdmin, ID: user.ID}, roster.ErrForbidden},
			{roster.Actor{Kind: roster.ActorAdmin, ID: reader.ID}, nil},
			{roster.Actor{Kind: roster.ActorCLI}, nil},
		} {
			ctx := roster.WithActor(t.Context(), tt.actor)
			_, err := w.Search(ctx, roster.Query{})
			_, countErr := w.Count(ctx, roster.Query{})
			for _, err := range []error{err, countErr} {
				if !errors.Is(err, tt.want) {
					t.Errorf("%+v: %v, want %v", tt.actor, err, tt.want)
				}
			}
		}
	})
}
