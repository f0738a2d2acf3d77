package integration_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// self is a context of a user who is signed in.
func self(ctx context.Context, id roster.ID) context.Context {
	return roster.WithActor(ctx, roster.Actor{Kind: roster.ActorUser, ID: id})
}

// clerk is a context of an administrator.
func clerk(ctx context.Context, id roster.ID) context.Context {
	return roster.WithActor(ctx, roster.Actor{Kind: roster.ActorAdmin, ID: id})
}

const nameTaken = roster.Code("identifier_taken username:taken")

// NAME-1 to NAME-4, NAME-12, NAME-13, NAME-18, HOOK-62, cases 1, 3 to 5 and 8.
func TestChangeUsername(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("alice", "alice@example.com", ""), roster.WithEmailVerified())
		w.add(t, person("taken", "", ""))
		change := func(name string, options ...roster.UsernameOption) roster.Code {
			t.Helper()
			_, err := w.ChangeUsername(ctx, u.ID, name, options...)
			return codeOf(err)
		}
		t.Run("NAME-1 changes it, with one event and a notice, case 1", func(t *testing.T) {
			var got []callbacks.UsernameChange[*Person]
			defer w.On.UsernameChange.On(func(_ context.Context, e *callbacks.UsernameChange[*Person]) error { got = append(got, *e); return nil })()
			w.fired()
			changed, err := w.ChangeUsername(ctx, u.ID, " Alicia ")
			same(t, nil, err)
			same(t, []any{"Alicia", u.Version + 1}, []any{*changed.Username, changed.Version})
			same(t, changed, w.read(t, u.ID))
			same(t, []string{ // NAME-12, HOOK-62: no Update
				"BeforeUsernameChange", "AfterUsernameChange", "BeforeMessage", "AfterMessage", "OnUsernameChange", "OnMessage",
			}, w.fired())
			if len(got) != 1 || got[0].Old != "alice" || got[0].New != "Alicia" {
				t.Errorf("events %+v", got)
			}
			_, err = w.GetByUsername(ctx, "alice")
			refused(t, err, roster.ErrNotFound)
			if _, err := w.GetByUsername(ctx, "ALICIA"); err != nil {
				t.Error(err)
			}
			same(t, []string{"username_changed to alice@example.com"}, w.posted(t)) // NAME-13
			same(t, 1, w.rows(t, "roster_holds"))
		})
		t.Run("NAME-1 does not know a stranger", func(t *testing.T) {
			_, err := w.ChangeUsername(ctx, w.NewID(), "stranger")
			refused(t, err, roster.ErrNotFound)
		})
		t.Run("NAME-2 refuses the same name and takes another spelling, case 4", func(t *testing.T) {
			before := w.tables(t)
			w.fired()
			same(t, "same_value", change("Alicia"))
			same(t, "same_value", change("  Ａlicia\n"))
			same(t, []string(nil), w.fired())
			same(t, before, w.tables(t))
			same(t, "", change("ALICIA"))
			same(t, "ALICIA", *w.read(t, u.ID).Username)
			same(t, 1, w.rows(t, "roster_holds")) // of "alice" still, and no other
			same(t, []string(nil), w.posted(t))
		})
		t.Run("NAME-3 refuses what another has, or is held for another, alike, case 3", func(t *testing.T) {
			other := w.add(t, person("former", "", ""))
			if _, err := w.ChangeUsername(ctx, other.ID, "later"); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"taken", "TAKEN", "ｔaken", "former", "Former"} {
				same(t, nameTaken, change(name))
			}
		})
		t.Run("NAME-4 gives a first name", func(t *testing.T) {
			x := w.add(t, person("", "x@example.com", ""))
			var old []string
			defer w.On.UsernameChange.On(func(_ context.Context, e *callbacks.UsernameChange[*Person]) error {
				old = append(old, e.Old)
				return nil
			})()
			held := w.rows(t, "roster_holds")
			if _, err := w.ChangeUsername(ctx, x.ID, "xavier"); err != nil {
				t.Fatal(err)
			}
			same(t, []string{""}, old)
			same(t, held, w.rows(t, "roster_holds"))
		})
		t.Run("NAME-18 refuses what is no name, case 5", func(t *testing.T) {
			for name, want := range map[string]roster.Code{
				"": "validation_failed username:invalid", "ab": "validation_failed username:too_short",
				"abcdefghijklmnopqrstuvwxyzabcdefg": "validation_failed username:too_long",
				"pаypal":                            "validation_failed username:mixed_scripts", "admin": "validation_failed username:reserved",
			} {
				same(t, want, change(name))
			}
		})
		t.Run("NAME-12 lets a Before hook alter the name and veto it, case 8", func(t *testing.T) {
			remove := w.On.UsernameChange.Before(func(_ context.Context, e *callbacks.UsernameChange[*Person]) error { e.New += "2"; return nil })
			same(t, "", change("hooked"))
			same(t, "hooked2", *w.read(t, u.ID).Username)
			remove()
			remove = w.On.UsernameChange.Before(func(_ context.Context, e *callbacks.UsernameChange[*Person]) error { e.New = ""; return nil })
			same(t, "validation_failed username:invalid", change("hooked"))
			remove()
			before := w.tables(t)
			remove = w.On.UsernameChange.Before(func(context.Context, *callbacks.UsernameChange[*Person]) error { return callbacks.Reject("no_renames") })
			for range 10 {
				same(t, "no_renames", change("vetoed"))
			}
			remove()
			remove = w.On.UsernameChange.After(func(context.Context, *callbacks.UsernameChange[*Person]) error { return errors.New("no") })
			for range 10 {
				same(t, true, change("failing") != "")
			}
			remove()
			same(t, before, w.tables(t))
			defer w.On.UsernameChange.On(func(context.Context, *callbacks.UsernameChange[*Person]) error { panic("late") })()
			ran := false
			defer w.On.UsernameChange.On(func(context.Context, *callbacks.UsernameChange[*Person]) error { ran = true; return nil })()
			same(t, "", change("committed")) // nothing was taken from the quota meanwhile
			same(t, true, ran)
		})
	}, func(cfg *usersrepo.Config) { cfg.Username.ChangeQuota.Max = 3 })
}

// NAME-5, NAME-6, NAME-8, SEC-84, cases 6 and 7: names that were given up.
func TestHeldUsernames(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		other := w.add(t, person("other", "", ""))
		rename := func(u *Person, name string, options ...roster.UsernameOption) roster.Code {
			t.Helper()
			_, err := w.ChangeUsername(ctx, u.ID, name, options...)
			return codeOf(err)
		}
		t.Run("NAME-5 keeps it for its owner 90 days, case 6", func(t *testing.T) {
			u := w.add(t, person("first", "", ""))
			same(t, "", rename(u, "second"))
			same(t, "", rename(u, "third"))
			w.Clock.Advance(24 * time.Hour)
			same(t, "", rename(u, "first"))
			same(t, "", rename(u, "second"))
			w.Clock.Advance(89 * 24 * time.Hour)
			same(t, nameTaken, rename(other, "first"))
			w.Clock.Advance(24*time.Hour + time.Second)
			same(t, "", rename(other, "first"))
		})
		t.Run("NAME-6 holds what is cleared, and what nobody has any more for nobody", func(t *testing.T) {
			cleared := w.add(t, person("cleared", "cleared@example.com", ""))
			w.edit(t, cleared.ID, func(p *Person) { p.Username = nil })
			same(t, nameTaken, rename(other, "cleared"))
			same(t, "", rename(cleared, "cleared"))
			for _, mode := range []roster.DeleteMode{roster.Anonymise, roster.Remove} {
				gone := w.add(t, person("gone-"+string(mode), "", ""))
				if err := w.Delete(ctx, gone.ID, mode); err != nil {
					t.Fatal(err)
				}
				same(t, nameTaken, rename(other, "gone-"+string(mode)))
			}
			same(t, 2, w.rows(t, "roster_holds WHERE user_id IS NULL"))
			for _, line := range w.table(t, "roster_holds") {
				same(t, false, strings.Contains(line, "gone") || strings.Contains(line, "cleared"))
			}
		})
		t.Run("NAME-8 gives away a held or a reserved name when told, never a taken one", func(t *testing.T) {
			u := w.add(t, person("wanted", "", ""))
			same(t, "", rename(u, "given-up"))
			same(t, nameTaken, rename(other, "wanted", roster.AllowReserved()))
			same(t, nameTaken, rename(other, "given-up", roster.IgnoreHold(), roster.AllowReserved()))
			same(t, "", rename(other, "wanted", roster.IgnoreHold()))
			same(t, "", rename(other, "admin", roster.AllowReserved()))
			for _, option := range []roster.UsernameOption{roster.IgnoreHold(), roster.AllowReserved()} {
				_, err := w.ChangeUsername(self(ctx, u.ID), u.ID, "anything", option)
				refused(t, err, roster.ErrForbidden)
			}
		})
	}, func(cfg *usersrepo.Config) { cfg.Username.ChangeQuota.Off = true })
	t.Run("HoldFor", func(t *testing.T) {
		inEach(t, func(t *testing.T, w *world) {
			u, other := w.add(t, person("first", "", "")), w.add(t, person("other", "", ""))
			_, err := w.ChangeUsername(t.Context(), u.ID, "second")
			same(t, nil, err)
			_, err = w.ChangeUsername(t.Context(), other.ID, "first") // case 7
			same(t, nil, err)
		}, withoutHolds)
	})
}

// NAME-9: of many who want one name one gets it; those who swap never end with one name.
func TestChangeUsernameRace(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := context.WithoutCancel(t.Context())
		people := make([]*Person, 32)
		for i := range people {
			people[i] = w.add(t, person(fmt.Sprintf("runner%d", i), "", ""))
		}
		t.Run("NAME-9 lets one win", func(t *testing.T) {
			codes := atOnce(len(people), func(i int) error {
				_, err := w.ChangeUsername(ctx, people[i].ID, []string{"winner", "WINNER", "Ｗinner"}[i%3])
				return err
			})
			same(t, map[roster.Code]int{"": 1, nameTaken: len(people) - 1}, codes)
			same(t, 1, w.rows(t, "users WHERE username_canonical = 'winner'"))
		})
		t.Run("NAME-9 swaps no names", func(t *testing.T) {
			for i := range 8 {
				a, b := w.add(t, person(fmt.Sprintf("left%d", i), "", "")), w.add(t, person(fmt.Sprintf("right%d", i), "", ""))
				codes := atOnce(2, func(j int) error {
					id, name := a.ID, *b.Username
					if j == 1 {
						id, name = b.ID, *a.Username
					}
					_, err := w.ChangeUsername(ctx, id, name)
					return err
				})
				for code := range codes {
					if code != "" && code != nameTaken && code != "conflict" {
						t.Errorf("got %q", code)
					}
				}
			}
			same(t, w.rows(t, "users"), w.rows(t, "(SELECT DISTINCT username_canonical FROM users) names"))
		})
	})
}

// NAME-11, NAME-14, case 11: how often, and who.
func TestChangeUsernameQuota(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("first", "", ""), roster.WithPermissions("users:read"))
		boss := w.add(t, person("boss1", "", ""), roster.WithPermissions("users:update"))
		own := func(name string) roster.Code {
			t.Helper()
			_, err := w.ChangeUsername(self(ctx, u.ID), u.ID, name)
			return codeOf(err)
		}
		t.Run("NAME-11 lets people change it five times in a day, case 11", func(t *testing.T) {
			for i := range 5 {
				same(t, "", own(fmt.Sprintf("name%d", i)))
				same(t, "", own(fmt.Sprintf("NAME%d", i))) // another spelling is not counted
				same(t, nameTaken, own("boss1"))
				same(t, "validation_failed username:reserved", own("admin"))
			}
			same(t, "quota_exhausted", own("name6"))
			_, err := w.ChangeUsername(clerk(ctx, boss.ID), u.ID, "name7")
			same(t, nil, err)
			same(t, "quota_exhausted", own("name8"))
			w.Clock.Advance(24 * time.Hour)
			same(t, "", own("name8"))
		})
		t.Run("NAME-11 counts nothing of a transaction that is undone", func(t *testing.T) {
			w.Clock.Advance(24 * time.Hour)
			for i := range 8 {
				err := w.InTx(self(ctx, u.ID), func(ctx context.Context) error {
					same(t, false, store.TxFrom(ctx) == nil)
					if _, err := w.ChangeUsername(ctx, u.ID, fmt.Sprintf("undone%d", i)); err != nil {
						t.Error(err)
					}
					return errors.New("undo")
				})
				same(t, true, err != nil)
			}
		})
		t.Run("NAME-14 is for oneself and those who hold the permission, case 2", func(t *testing.T) {
			before := w.tables(t)
			_, err := w.ChangeUsername(self(ctx, u.ID), boss.ID, "stolen")
			refused(t, err, roster.ErrForbidden)
			_, err = w.ChangeUsername(clerk(ctx, u.ID), boss.ID, "stolen")
			refused(t, err, roster.ErrForbidden)
			_, err = w.ChangeUsername(from(ctx, "203.0.113.1"), boss.ID, "stolen")
			refused(t, err, roster.ErrUnauthenticated)
			root, err := w.CreateSuperuser(ctx, person("root1", "", ""))
			same(t, nil, err)
			_, err = w.ChangeUsername(clerk(ctx, boss.ID), root.ID, "stolen")
			refused(t, err, roster.ErrForbidden)
			if err := w.Delete(ctx, root.ID, roster.Remove); err == nil {
				t.Error("the last superuser went")
			}
			w.exec(t, "DELETE FROM users WHERE id = $1", root.ID)
			same(t, before, w.tables(t))
			if err := w.Delete(ctx, u.ID, roster.Deactivate); err != nil {
				t.Fatal(err)
			}
			same(t, roster.Code("not_found"), own("anything"))
			_, err = w.ChangeUsername(clerk(ctx, boss.ID), u.ID, "anything")
			same(t, nil, err)
		})
	})
}

// NAME-15 to NAME-17, case 9: asking.
func TestCheckUsername(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("Alice", "", ""))
		if _, err := w.ChangeUsername(ctx, u.ID, "Alicia"); err != nil {
			t.Fatal(err)
		}
		staff := w.add(t, person("admin", "", ""), roster.AllowReserved())
		check := func(ctx context.Context, name string) roster.UsernameStatus {
			t.Helper()
			s, err := w.CheckUsername(ctx, name)
			if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			return s
		}
		before := w.tables(t)
		for name, want := range map[string]roster.UsernameStatus{ // NAME-15
			" Free ":  {Name: "Free", Canonical: "free", Available: true},
			"ALICIA":  {Name: "ALICIA", Canonical: "alicia", Reason: roster.UsernameTaken},
			"ａlice":   {Name: "alice", Canonical: "alice", Reason: roster.UsernameTaken}, // held
			"Support": {Name: "Support", Canonical: "support", Reason: roster.UsernameReserved},
			"admin":   {Name: "admin", Canonical: "admin", Reason: roster.UsernameReserved},
			"ab":      {Name: "ab", Reason: roster.UsernameInvalid, Problems: []roster.FieldCode{roster.TooShort}}, // NAME-17
			"":        {Reason: roster.UsernameInvalid, Problems: []roster.FieldCode{roster.Invalid}},
			"?а":      {Name: "?а", Reason: roster.UsernameInvalid, Problems: []roster.FieldCode{roster.Invalid, roster.TooShort}},
			"pаypal":  {Name: "pаypal", Reason: roster.UsernameInvalid, Problems: []roster.FieldCode{roster.MixedScripts}},
		} {
			same(t, want, check(ctx, name))
		}
		same(t, true, check(self(ctx, u.ID), "alicia").Available)
		same(t, true, check(self(ctx, u.ID), "alice").Available)
		same(t, false, check(self(ctx, staff.ID), "alice").Available)
		same(t, true, check(self(ctx, staff.ID), "ADMIN").Available)
		same(t, false, check(self(ctx, u.ID), "admin").Available)
		same(t, before, w.tables(t)) // NAME-16
		same(t, true, check(ctx, "racer").Available)
		w.add(t, person("racer", "", ""))
		_, err := w.Create(ctx, person("racer", "", ""))
		same(t, nameTaken, codeOf(err))
		t.Run("NAME-16 lets an address ask thirty times a minute", func(t *testing.T) {
			for i := range 30 {
				check(from(ctx, "203.0.113.7"), fmt.Sprintf("free%d", i))
			}
			_, err := w.CheckUsername(from(ctx, "203.0.113.7"), "free")
			refused(t, err, roster.ErrTooManyRequests)
			check(from(ctx, "203.0.113.8"), "free")
			w.Clock.Advance(time.Minute)
			check(from(ctx, "203.0.113.7"), "free")
		})
	})
}

// HTTP-112, HTTP-113, NAME-10, cases 2 and 10: the endpoints.
func TestHTTPUsername(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		g := s.guest(t, "alice")
		s.guest(t, "taken")
		put := func(body any) reply {
			t.Helper()
			return s.do(t, "PUT /api/me/username", body, g.token())
		}
		t.Run("HTTP-112 changes the own name, and the session goes on", func(t *testing.T) {
			a := put(fields{"username": "alicia"}).succeeds(t, 200)
			same(t, "alicia", a.text(t, "username"))
			same(t, `"2"`, a.header.Get("ETag"))
			same(t, "alicia", s.do(t, "GET /api/me", nil, g.token()).succeeds(t, 200).text(t, "username"))
			s.do(t, "POST /api/token/refresh", fields{"refresh_token": g.refresh.Reveal()}).succeeds(t, 200)
			s.do(t, "POST /api/login", fields{"login": "alice", "password": passphrase}).fails(t, 401, "invalid_credentials")
			s.do(t, "POST /api/login", fields{"login": "Alicia", "password": passphrase}).succeeds(t, 200)
		})
		t.Run("HTTP-112 refuses", func(t *testing.T) {
			put(fields{"username": "alicia"}).fails(t, 409, "same_value")
			put(fields{"username": "TAKEN"}).fails(t, 409, "identifier_taken", "username:taken")
			put(fields{"username": ""}).fails(t, 422, "validation_failed", "username:invalid")
			put(fields{"username": "admin"}).fails(t, 422, "validation_failed", "username:reserved")
			put(fields{}).fails(t, 422, "validation_failed", "username:required")
			put(fields{"username": nil}).fails(t, 422, "validation_failed", "username:required")
			put(fields{"username": 1}).fails(t, 422, "validation_failed", "username:wrong_type")
			put(fields{"username": "other", "ignore_hold": true}).fails(t, 422, "validation_failed", "ignore_hold:unknown_field")
			for i := range 4 {
				put(fields{"username": fmt.Sprint("name", i)}).succeeds(t, 200)
			}
			put(fields{"username": "name5"}).fails(t, 429, "quota_exhausted")
		})
		t.Run("HTTP-113 tells whether a name is free", func(t *testing.T) {
			check := func(name string, options ...option) reply {
				t.Helper()
				return s.do(t, "GET /api/username-check?name="+url.QueryEscape(name), nil, options...)
			}
			for name, want := range map[string]any{"free": nil, "taken": "taken", "alice": "taken", "admin": "reserved", "ab": "invalid"} {
				a := check(name).succeeds(t, 200)
				same(t, want, a.member(t, "reason"))
				same(t, any(want == nil), a.member(t, "available"))
			}
			same(t, any(true), check("alice", g.token()).succeeds(t, 200).member(t, "available"))
			same(t, any([]any{"too_short"}), check("ab").succeeds(t, 200).member(t, "problems"))
			for query, name := range map[string]string{
				"": "name", "?name=": "name", "?name=a&name=b": "name", "?name=abc&x=1": "x", "?name=" + fmt.Sprintf("%0129d", 0): "name", "?name=%zz": "",
			} {
				s.do(t, "GET /api/username-check"+query, nil).fails(t, 400, "invalid_parameter", name+":invalid")
			}
		})
	})
}

// HTTP-113: where registrations are concealed nobody is told who has a name, unless the program asks for it.
func TestHTTPUsernameConcealed(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		named := func(m *routes.Mounted) bool {
			return slices.ContainsFunc(m.Routes(), func(r routes.Route) bool { return r.Name == "username_check" })
		}
		same(t, false, named(s.user))
		same(t, false, strings.Contains(string(s.user.OpenAPI()), "username_check"))
		same(t, 404, s.do(t, "GET /api/username-check?name=free", nil).status)
		own := func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }
		for prefix, x := range map[string]struct {
			cfg    routes.Config
			status int
		}{
			"/anyone":  {routes.Config{UsernameCheck: routes.AuthNone}, 200},
			"/session": {routes.Config{UsernameCheck: routes.AuthSession}, 401},
			"/own":     {routes.Config{Replace: map[string]echo.HandlerFunc{"username_check": own}}, 204},
			"/nobody":  {routes.Config{Without: []string{"username_check"}, UsernameCheck: routes.AuthNone}, 404},
			"/default": {routes.Config{Without: []string{"username_check"}}, 404},
		} {
			m, err := routes.User(s.echo.Group(prefix), s.UsersRepo, x.cfg)
			if err != nil {
				t.Fatal(err)
			}
			same(t, x.status != 404, named(m))
			same(t, x.status, s.do(t, "GET "+prefix+"/username-check?name=free", nil).status)
		}
	}, conceal)
}
