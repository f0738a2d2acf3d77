package integration_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// SEC-4, SEC-6, SEC-83, MAIL-43, MAIL-44: links lead where the program says, whatever a request claims, with the secret in
// the fragment, and go to the address that is stored.
func TestSEC_4_Links(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		anna := s.guest(t, "anna")
		evil := []option{
			func(c *call) { c.Host = "evil.example" },
			header("X-Forwarded-Host", "evil.example"), header("X-Forwarded-Proto", "http"), header("Forwarded", "host=evil.example;proto=http"),
			header("Origin", "https://evil.example"), header("Referer", "https://evil.example/"), header("X-Original-Url", "https://evil.example/"),
		}
		s.post(t)
		for _, x := range []struct {
			what string
			body any
			to   string
		}{
			{"POST /api/register", fields{"username": "berta", "email": "Berta@example.com", "password": passphrase}, "Berta@example.com"},
			{"POST /api/confirm/resend", fields{"email": "BERTA@EXAMPLE.COM"}, "Berta@example.com"},
			{"POST /api/password/forgot", fields{"login": "ANNA@example.com"}, "anna@example.com"},
			{"PUT /api/me/email", fields{"email": "anna2@example.com"}, "anna2@example.com"},
		} {
			a := s.do(t, x.what, x.body, append(evil, anna.token())...)
			if a.status >= 300 {
				t.Fatal(a)
			}
			found := false
			for _, m := range s.post(t) {
				if m.Link == "" {
					continue
				}
				found = found || m.To == x.to
				link, err := url.Parse(m.Link.Reveal())
				if err != nil || !strings.HasPrefix(m.Link.Reveal(), "https://app.example/") || link.RawQuery != "" || strings.Contains(link.Path, m.Token.Reveal()) {
					t.Errorf("%s: link %s", x.what, m.Link.Reveal())
				}
				if strings.Contains(m.Text+m.HTML+m.Subject, "evil.example") {
					t.Errorf("%s: the mail names the host of the request:\n%s", x.what, m.Text)
				}
			}
			if !found {
				t.Errorf("%s: nothing went to %s", x.what, x.to)
			}
		}
	}, func(cfg *usersrepo.Config) { cfg.Protection.Mails.Off = true })
}

// SEC-5, SEC-6, SEC-70: by what the documents say, no request names an address to go to, no URL carries a secret, and no
// answer has a member for one, but for the tokens that it is asked for.
func TestSEC_70_Documents(t *testing.T) {
	t.Parallel()
	s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{})
	address := regexp.MustCompile(`(?i)ur[il]|redirect|callback|return_?to|^next$|host|origin`)
	secret := regexp.MustCompile(`(?i)password|hash|secret|token|code|salt|^key$`)
	open := []string{
		"access_token", "refresh_token", "token_type", "device_token", "has_password", "tokens", "reset_token",
		"code", "key", // of a problem or an entry of the audit trail; of a lock-out
	}
	for _, m := range []*routes.Mounted{s.user, s.admin} {
		var document map[string]any
		if err := json.Unmarshal(m.OpenAPI(), &document); err != nil {
			t.Fatal(err)
		}
		for _, r := range m.Routes() {
			template := regexp.MustCompile(`:(\w+)`).ReplaceAllString(r.Path, "{$1}")
			o := document["paths"].(map[string]any)[template].(map[string]any)[strings.ToLower(r.Method)].(map[string]any)
			for _, member := range namesIn(document, o["requestBody"]) {
				if address.MatchString(member) {
					t.Errorf("%s takes %s", r.Name, member)
				}
			}
			if secret.MatchString(strings.NewReplacer("/password", "", "/codes", "").Replace(r.Path)) && r.Name != "token_refresh" && r.Name != "token_verify" && r.Name != "token_revoke" {
				t.Errorf("the path of %s names a secret: %s", r.Name, r.Path)
			}
			parameters, _ := o["parameters"].([]any)
			for _, p := range parameters {
				// whether hashes are wanted is none
				if name := fmt.Sprint(p.(map[string]any)["name"]); name != "hashes" && (secret.MatchString(name) || address.MatchString(name)) {
					t.Errorf("%s takes %s outside of its body", r.Name, name)
				}
			}
			if r.Name == "openapi" || r.Name == "admin_openapi" || r.Name == "jwks" {
				continue
			}
			for _, member := range namesIn(document, o["responses"]) {
				if secret.MatchString(member) && !slices.Contains(open, member) {
					t.Errorf("%s answers with %s", r.Name, member)
				}
			}
		}
	}
}

// namesIn are the names of the members that a part of a document describes.
func namesIn(document map[string]any, part any) []string {
	names := map[string]bool{}
	seen := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && !seen[ref] {
				seen[ref] = true
				var target any = document
				for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
					target = target.(map[string]any)[name]
				}
				walk(target)
			}
			if properties, ok := v["properties"].(map[string]any); ok {
				for name := range properties {
					names[name] = true
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(part)
	return slices.Sorted(maps.Keys(names))
}

// SEC-27: what was used, replaced, or is too old stays dead, of every kind.
func TestSEC_27_DeadSecrets(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		n := 0
		for _, x := range w.ways(t) {
			if slices.Contains([]string{"password", "refresh", "access", "app-issued", "administrator", "social"}, x.name) {
				continue
			}
			fresh := func(t *testing.T) *Person {
				n++
				return w.add(t, person(fmt.Sprintf("user%d", n), fmt.Sprintf("user%d@example.com", n), fmt.Sprintf("+1202555%04d", 2000+n)),
					roster.WithPassword(passphrase), roster.WithEmailVerified())
			}
			t.Run(x.name+" is used once", func(t *testing.T) {
				try := x.prepare(t, fresh(t))
				same(t, nil, try())
				if err := try(); err == nil && x.name != "confirmation" && x.name != "change of e-mail" { // they say again that it is done
					t.Error("it worked twice")
				}
			})
			t.Run(x.name+" is replaced by the next", func(t *testing.T) {
				u := fresh(t)
				first := x.prepare(t, u)
				w.Clock.Advance(time.Minute) // codes are not sent as fast as one asks
				second := x.prepare(t, u)
				if first() == nil {
					t.Error("the first still works")
				}
				w.Clock.Advance(time.Minute) // what was wrong makes the next wait
				same(t, nil, second())
			})
			t.Run(x.name+" ends by itself", func(t *testing.T) {
				try := x.prepare(t, fresh(t))
				w.Clock.Advance(8 * 24 * time.Hour)
				if try() == nil {
					t.Error("it works after eight days")
				}
			})
		}
	}, func(cfg *usersrepo.Config) {
		cfg.Protection.Mails.Off, cfg.Protection.Codes.Off, cfg.Protection.CodePause.Off = true, true, true
	})
}

// SEC-28, PASS-1, CONF-30: what a change of password or of a contact leaves alive of the secrets that are out.
func TestSEC_28_Voided(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		n := 0
		for _, e := range []struct {
			name string
			do   func(u *Person) error
			dead []string
		}{
			{"nothing", func(*Person) error { return nil }, nil},
			{"a password that is set", func(u *Person) error {
				return w.SetPassword(ctx, u.ID, "another horse battery", roster.ReplacePassword())
			}, []string{"reset", "first password", "code to reset", "change of e-mail", "change of phone", "e-mail code", "SMS code", "step-up"}},
			{"another address", func(u *Person) error {
				w.edit(t, u.ID, func(p *Person) { p.Email = new("other-" + *p.Email) })
				return nil
			}, []string{"reset", "first password", "confirmation", "code to reset", "change of e-mail", "e-mail code", "step-up"}},
			{"another number", func(u *Person) error {
				w.edit(t, u.ID, func(p *Person) { p.Phone = new(strings.Replace(*p.Phone, "+1202", "+1312", 1)) })
				return nil
			}, []string{"code to confirm", "change of phone", "SMS code"}},
		} {
			for _, x := range w.ways(t) {
				if slices.Contains([]string{"password", "refresh", "access", "app-issued", "administrator", "social"}, x.name) {
					continue
				}
				t.Run(e.name+", "+x.name, func(t *testing.T) {
					n++
					u := w.add(t, person(fmt.Sprintf("user%d", n), fmt.Sprintf("user%d@example.com", n), fmt.Sprintf("+1202555%04d", 3000+n)),
						roster.WithPassword(passphrase), roster.WithEmailVerified())
					try := x.prepare(t, u)
					same(t, nil, e.do(u))
					if err := try(); (err == nil) == slices.Contains(e.dead, x.name) {
						t.Errorf("%v", err)
					}
				})
			}
		}
	}, func(cfg *usersrepo.Config) {
		cfg.Protection.Mails.Off, cfg.Protection.Codes.Off, cfg.Protection.CodePause.Off = true, true, true
	})
}

// SEC-38, SEC-56, SEC-58: sessions and tokens are the server's own.
func TestSEC_38_Sessions(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		anna, bert := s.guest(t, "anna", roster.WithPermissions("a", "b")), s.guest(t, "bert")
		t.Run("SEC-38 adopts no id of a client's", func(t *testing.T) {
			a := s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}, bert.token(),
				header("Cookie", "sid="+bert.sid.String()+"; session="+bert.sid.String()), header("X-Session-Id", bert.sid.String())).succeeds(t, 200)
			sid := claimsOf(t, a.text(t, "tokens.access_token"))["sid"]
			if sid == bert.sid.String() || sid == anna.sid.String() || sid == "" {
				t.Errorf("the new session is %v", sid)
			}
		})
		t.Run("SEC-56 keeps personal data out of tokens", func(t *testing.T) {
			for name, v := range claimsOf(t, anna.access.Reveal()) {
				if text := strings.ToLower(fmt.Sprint(name, v)); strings.Contains(text, "anna") || strings.Contains(text, "@") || strings.Contains(text, "phone") {
					t.Errorf("claim %s: %v", name, v)
				}
			}
		})
		t.Run("SEC-58 reads permissions anew at each refresh", func(t *testing.T) {
			must(s.RemovePermissions(t.Context(), anna.ID, []string{"b"}))(t)
			a := s.do(t, "POST /api/token/refresh", fields{"refresh_token": anna.refresh.Reveal()}).succeeds(t, 200)
			same(t, any([]any{"a"}), claimsOf(t, a.text(t, "access_token"))["permissions"])
		})
	})
}

// claimsOf reads the claims of a token, without looking at its signature.
func claimsOf(t testing.TB, token string) map[string]any {
	t.Helper()
	var claims map[string]any
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// SEC-44: tokens and links are somebody's by id: who takes over a name gets nothing with it.
func TestSEC_44_TakenNames(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a := w.add(t, person("name", "a@example.com", ""), roster.WithPassword(passphrase), roster.WithEmailVerified())
		pair := w.issue(t, a.ID)
		same(t, nil, w.RequestPasswordReset(ctx, "name"))
		reset := w.token(t)
		w.edit(t, a.ID, func(p *Person) { p.Username = new("former") })
		w.exec(t, "DELETE FROM roster_holds")
		b := w.add(t, person("name", "b@example.com", ""), roster.WithPassword(passphrase))
		before := w.read(t, b.ID)
		claims, err := w.VerifyToken(ctx, pair.AccessToken)
		if err != nil || claims.Subject != a.ID {
			t.Errorf("%v, %v", claims.Subject, err)
		}
		got, err := w.ResetPassword(ctx, reset, "another horse battery")
		if err != nil || got.ID != a.ID {
			t.Errorf("%v, %v", got, err)
		}
		same(t, before, w.read(t, b.ID))
		same(t, nil, w.enters("name"))
	})
}

// SEC-109, HTTP-36: what fails inside is told without a word of how.
func TestSEC_109_InternalErrors(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		const marker = "marker-4711"
		anna := s.guest(t, "anna")
		fault := errors.New("dial tcp 10.0.0.7:5432: " + marker)
		defer s.On.Update.Before(func(context.Context, *callbacks.Update[*Person]) error { return fault })()
		a := s.do(t, "PATCH /api/me", fields{"company": "x"}, anna.token())
		a.fails(t, 500, "internal")
		if strings.Contains(string(a.body)+fmt.Sprint(a.header), marker) {
			t.Errorf("%s", a)
		}
		same(t, true, strings.Contains(s.log.String(), marker))
	})
}

// SEC-90, MAIL-35: owners are told of what changes about their account, once, and where the change was not made from.
func TestSEC_90_Notices(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		n := 0
		for name, x := range map[string]struct {
			do   func(ctx context.Context, u *Person) error
			want []string // kinds, and to whom: old is the address that the user had
		}{
			"password": {func(ctx context.Context, u *Person) error {
				return w.SetPassword(ctx, u.ID, "another horse battery", roster.ReplacePassword())
			}, []string{"password_changed to old"}},
			"username": {func(ctx context.Context, u *Person) error {
				_, err := w.ChangeUsername(ctx, u.ID, "other-"+*u.Username)
				return err
			}, []string{"username_changed to old"}},
			"address, by an administrator": {func(ctx context.Context, u *Person) error {
				_, err := w.Update(ctx, u.ID, func(p *Person) error { p.Email = new("new-" + *u.Email); return nil })
				return err
			}, []string{"email_changed to old"}},
			"address, asked for": {func(ctx context.Context, u *Person) error {
				return w.RequestEmailChange(ctx, u.ID, new("new-"+*u.Email))
			}, []string{"email_change_new to new-old", "email_change_old to old"}},
			"address removed": {func(ctx context.Context, u *Person) error {
				return w.RequestEmailChange(ctx, u.ID, nil)
			}, []string{"contact_removed to old", "email_change_old to old"}},
			"stolen refresh token": {func(ctx context.Context, u *Person) error {
				pair, err := w.IssueTokens(ctx, u.ID, roster.IssueOptions{})
				if err != nil {
					return err
				}
				for range 2 {
					if _, err := w.Refresh(ctx, pair.RefreshToken); err != nil {
						break
					}
					w.Clock.Advance(time.Minute)
				}
				return nil
			}, []string{"token_reuse to old"}},
			"another device": {func(ctx context.Context, u *Person) error {
				return errors.Join(w.enters(*u.Username), w.enters(*u.Username))
			}, []string{"new_device to old"}},
			"archived": {func(ctx context.Context, u *Person) error {
				_, err := w.ArchiveUser(ctx, u.ID, "")
				return err
			}, []string{"archived to old"}},
		} {
			t.Run(name, func(t *testing.T) {
				n++
				address := fmt.Sprintf("user%d@example.com", n)
				u := w.add(t, person(fmt.Sprintf("user%d", n), address, ""), roster.WithPassword(passphrase), roster.WithEmailVerified())
				w.post(t)
				if err := x.do(t.Context(), u); err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, line := range w.posted(t) {
					got = append(got, strings.ReplaceAll(line, address, "old"))
				}
				same(t, x.want, got)
			})
		}
	}, func(cfg *usersrepo.Config) { cfg.Protection.Mails.Off = true })
}
