package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

// exported returns what is stored about a user, as they are given it.
func (w *world) exported(t testing.TB, ctx context.Context, id roster.ID) (document map[string]any, text string) {
	t.Helper()
	var file bytes.Buffer
	if err := w.ExportAccount(ctx, id, &file); err != nil {
		t.Fatalf("export: %v", err)
	}
	if err := json.Unmarshal(file.Bytes(), &document); err != nil {
		t.Fatalf("%v in %s", err, &file)
	}
	return document, file.String()
}

// ACCT-50, cases 23 and 25: what people are given of what is stored about them.
func TestExportAccount(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		p := person("anna", "anna@example.com", "+12025550101")
		p.Company, p.Note = "Acme", "never for clients"
		u := w.add(t, p, roster.WithPassword(secret), roster.WithEmailVerified())
		root := w.add(t, person("root1", "", ""), roster.WithSuperuser(true))
		byRoot := roster.WithActor(ctx, roster.Actor{
			Kind: roster.ActorAdmin, ID: root.ID, SID: w.issue(t, root.ID).SessionID, IP: "203.0.113.9", UserAgent: "admin console", RequestID: "req-root", Reason: "a quiet word",
		})
		w.link(t, u.ID, "google", "sub-1/2", map[string]any{"access_token": "of the provider"})
		// Each secret that there is at once, and what is stored of it.
		first, second := w.enter(t, "anna"), w.enter(t, "anna")
		secrets := []string{secret.Reveal()}
		for _, entered := range []roster.Login[*Person]{first, second} {
			secrets = append(secrets, entered.Tokens.AccessToken.Reveal(), entered.Tokens.RefreshToken.Reveal(), entered.DeviceToken.Reveal())
		}
		for _, ask := range []error{
			w.RequestPasswordReset(ctx, "anna"), w.SendPhoneCode(ctx, u.ID, roster.CodeVerify), w.RequestEmailChange(ctx, u.ID, new("other@example.com")),
		} {
			if ask != nil {
				t.Fatal(ask)
			}
		}
		for _, m := range w.post(t) {
			secrets = append(secrets, m.Token.Reveal(), m.Code.Reveal())
		}
		if _, err := w.Ban(byRoot, u.ID, roster.Ban{Reason: "spam", Note: "known to us", Until: new(w.Clock.Now().Add(time.Hour))}); err != nil {
			t.Fatal(err)
		}
		if err := w.Unban(byRoot, u.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Update(byRoot, u.ID, func(p *Person) error { p.Plan, p.Note = "pro", "watched"; return nil }); err != nil {
			t.Fatal(err)
		}
		stranger := roster.WithActor(ctx, roster.Actor{Kind: roster.ActorUser, IP: "198.51.100.66", UserAgent: "mistaken"})
		_, err := w.Login(stranger, roster.PasswordCredentials("anna", "wrong"))
		refused(t, err, roster.ErrInvalidCredentials)
		entered, err := w.Login(roster.WithActor(ctx, roster.Actor{Kind: roster.ActorUser, IP: "192.0.2.7", UserAgent: "my browser"}),
			roster.PasswordCredentials("anna", secret))
		if err != nil {
			t.Fatal(err)
		}
		document, text := w.exported(t, w.within(t, *entered.Tokens), u.ID)

		t.Run("ACCT-50 holds everything, case 23", func(t *testing.T) {
			same(t, []string{"audit", "contacts", "exported_at", "extra", "identities", "messages", "sessions", "user", "version"},
				slices.Sorted(maps.Keys(document)))
			user := document["user"].(map[string]any)
			same(t, []any{"anna", "Acme", "pro", u.ID.String()}, []any{user["username"], user["company"], user["plan"], user["id"]})
			same(t, true, user["password_changed_at"] != nil)
			same(t, "[google sub-1/2]", fmt.Sprint(valuesOf(document["identities"], "provider", "subject")))
			same(t, 1, len(document["sessions"].([]any))) // the ban has ended the others
			contacts := valuesOf(document["contacts"], "kind", "value")
			same(t, "[email anna@example.com phone +12025550101 email other@example.com]", fmt.Sprint(contacts))
			messages := valuesOf(document["messages"], "kind", "state")
			for _, kind := range []string{"password_reset", "phone_confirm", "email_change_new"} {
				if !slices.Contains(messages, any(kind)) {
					t.Errorf("no %s in %v", kind, messages)
				}
			}
			actions := valuesOf(document["audit"], "action")
			for _, action := range []string{"login.ok", "login.failed", "user.ban", "user.unban", "user.update", "user.export"} {
				if !slices.Contains(actions, any(action)) {
					t.Errorf("no %s in %v", action, actions)
				}
			}
			same(t, any(map[string]any{}), document["extra"])
		})
		t.Run("ACCT-50 SEC-46 holds no secret, nor what is stored of one, case 23", func(t *testing.T) {
			for _, table := range []string{"roster_passwords", "roster_links", "roster_devices", "roster_sessions", "roster_keys"} {
				for _, line := range w.table(t, table) {
					for value := range strings.SplitSeq(line, "|") {
						// Ids, times, contacts and purposes are told; hashes are longer, and in no such form.
						if len(value) >= 32 && !strings.ContainsAny(value, "- @") {
							secrets = append(secrets, value)
						}
					}
				}
			}
			if len(secrets) < 25 {
				t.Fatalf("%d secrets", len(secrets))
			}
			for _, secret := range secrets {
				if secret != "" && strings.Contains(text, secret) {
					t.Errorf("%q is in %s", secret, text)
				}
			}
		})
		t.Run("ACCT-50 says nothing of others, nor what administrators noted", func(t *testing.T) {
			for _, others := range []string{
				root.ID.String(), "203.0.113.9", "admin console", "req-root", "a quiet word", "known to us", "never for clients", "watched",
				"198.51.100.66", "mistaken", "of the provider",
			} {
				if strings.Contains(text, others) {
					t.Errorf("%q is in %s", others, text)
				}
			}
			for _, own := range []string{"192.0.2.7", "my browser", `"reason":"spam"`} {
				if !strings.Contains(text, own) {
					t.Errorf("%q is not in %s", own, text)
				}
			}
		})
		t.Run("ACCT-51 knows nobody by an unknown id, case 25", func(t *testing.T) {
			refused(t, w.ExportAccount(ctx, w.NewID(), &bytes.Buffer{}), roster.ErrNotFound)
			gone := w.add(t, person("gone", "", ""))
			if err := w.Delete(ctx, gone.ID, roster.Anonymise); err != nil {
				t.Fatal(err)
			}
			refused(t, w.ExportAccount(ctx, gone.ID, &bytes.Buffer{}), roster.ErrNotFound)
		})
		t.Run("SEC-33 is nobody else's to do", func(t *testing.T) {
			refused(t, w.ExportAccount(byRoot, u.ID, &bytes.Buffer{}), roster.ErrForbidden)
			anonymous := roster.WithActor(ctx, roster.Actor{Kind: roster.ActorUser})
			refused(t, w.ExportAccount(anonymous, u.ID, &bytes.Buffer{}), roster.ErrUnauthenticated)
		})
		t.Run("ACCT-50 has a quota", func(t *testing.T) {
			for range 4 {
				w.exported(t, ctx, u.ID)
			}
			refused(t, w.ExportAccount(ctx, u.ID, &bytes.Buffer{}), roster.ErrQuotaExhausted)
			w.exported(t, ctx, root.ID)
			w.Clock.Advance(day)
			w.exported(t, ctx, u.ID)
		})
	})
}

// valuesOf are the members with these names of the objects in a list.
func valuesOf(list any, names ...string) []any {
	var values []any
	for _, item := range list.([]any) {
		for _, name := range names {
			values = append(values, item.(map[string]any)[name])
		}
	}
	return values
}

// ACCT-50: what the program adds, and lists of more than a page.
func TestExportAccountExtra(t *testing.T) {
	fault := errors.New("the shop is closed")
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", ""))
		entry := `INSERT INTO roster_audit (id, happened_at, actor_kind, action, subject_id, result, code) VALUES ($1, $2, 'user', 'shop', $3, 'ok', '')`
		for i := range 450 {
			w.exec(t, entry, w.NewID(), w.Clock.Now().Add(-time.Duration(i/3)*time.Second), u.ID)
		}
		document, _ := w.exported(t, t.Context(), u.ID)
		same(t, 451, len(document["audit"].([]any))) // with the export itself
		same(t, any(map[string]any{"orders": []any{1.0, 2.0}}), document["extra"])
		u = w.add(t, person("", "closed@example.com", ""))
		if err := w.ExportAccount(t.Context(), u.ID, &bytes.Buffer{}); !errors.Is(err, fault) {
			t.Errorf("%v", err)
		}
	}, func(cfg *usersrepo.Config) {
		cfg.Account.Export = func(_ context.Context, user roster.Model) (map[string]any, error) {
			if user.Base().Email != nil {
				return nil, fault
			}
			user.Base().Username = nil // a copy
			return map[string]any{"orders": []int{1, 2}}, nil
		}
	})
}

// ACCT-50: each column of a session is in its owner's export, or here with the reason why not.
func TestExportAccountSessionColumns(t *testing.T) {
	exported := map[string]string{
		"id": "id", "created_at": "created_at", "last_used_at": "last_used_at", "idle_at": "expires_at", "auth_time": "auth_time",
		"amr": "amr", "ip": "ip", "user_agent": "user_agent", "profiles": "profiles",
	}
	withheld := map[string]string{
		"user_id":       "is the id of the user, at the top of the document",
		"ended_at":      "is null: sessions that have ended are in the audit trail",
		"ended_reason":  "is null, as ended_at",
		"remember":      "is told by expires_at",
		"expires_at":    "is the bound of expires_at, a setting",
		"access_ttl":    "is a setting of the profiles",
		"idle_ttl":      "is a setting of the profiles",
		"fresh_for":     "is a setting of the profiles",
		"global_epoch":  "is of all users",
		"generation":    "is of the refresh token",
		"secret_hash":   "is the hash of a secret",
		"previous_hash": "is the hash of a secret",
		"rotated_at":    "is last_used_at, once there was a refresh",
		"successor":     "is a sealed secret",
		"device":        "is the hash of a secret; the member of this name is user_agent in words",
	}
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", ""), roster.WithPassword(secret))
		ctx := roster.WithActor(t.Context(), roster.Actor{
			Kind: roster.ActorUser, IP: "192.0.2.7", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		})
		login := roster.PasswordCredentials("anna", secret)
		login.Client = "kiosk"
		must(w.Login(ctx, login))(t)

		row := map[string]any{}
		if err := w.DB.QueryRowxContext(t.Context(), "SELECT * FROM roster_sessions").MapScan(row); err != nil {
			t.Fatal(err)
		}
		columns := slices.Sorted(maps.Keys(row))
		document, _ := w.exported(t, t.Context(), u.ID)
		session := document["sessions"].([]any)[0].(map[string]any)
		for _, column := range columns {
			member, ok := exported[column]
			switch _, isWithheld := withheld[column]; {
			case ok == isWithheld:
				t.Errorf("roster_sessions.%s: is it in the export? Say so in mixins/account_export.go, and here", column)
			case ok && (session[member] == nil || fmt.Sprint(session[member]) == "" || fmt.Sprint(session[member]) == "[]"):
				t.Errorf("%s of %v is empty", member, session)
			}
		}
		same(t, len(columns), len(exported)+len(withheld))
		same(t, any("Firefox on Linux"), session["device"])
		same(t, any([]any{"kiosk"}), session["profiles"])
		plain := w.add(t, person("berta", "", ""), roster.WithPassword(secret))
		w.enter(t, "berta")
		document, _ = w.exported(t, t.Context(), plain.ID)
		same(t, any([]any{}), document["sessions"].([]any)[0].(map[string]any)["profiles"])
	}, withProfiles)
}
