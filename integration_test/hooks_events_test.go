package integration_test

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// A life is a program's users doing everything that fires an event, on behalf of one actor.
type life struct {
	w      *witness[*Person]
	kit    *rostertest.Kit
	actor  roster.Actor
	events []string // "OnCreate {…}", without the actor and the time
	raw    strings.Builder
	secret []string // what must be in no event
}

var idForm = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// hear renders an event as it is now: a later hook may get another.
func (l *life) hear(t testing.TB) func(name string, e any) {
	began := l.kit.Clock.Now()
	ids := map[string]string{}
	return func(name string, e any) {
		event := reflect.ValueOf(e).Elem().FieldByName("Event").Interface().(callbacks.Event)
		if diff := cmp.Diff(l.actor, event.Actor); diff != "" {
			t.Errorf("HOOK-37: the actor of %s (-want +got):\n%s", name, diff)
		}
		if !event.At.Equal(l.kit.Clock.Now()) {
			t.Errorf("%s is of %s, want the time of the clock", name, event.At)
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		fmt.Fprintf(&l.raw, "%s %+v %#v %s\n", name, e, e, text)

		var members map[string]any
		if err := json.Unmarshal(text, &members); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		delete(members, "Actor")
		delete(members, "At")
		switch members["Via"] {
		case "app", "admin", "cli", "import": // HOOK-41: it tells what kind the actor is
			members["Via"] = "(of the actor)"
		}
		if blackout, ok := members["Blackout"].(map[string]any); ok && blackout["By"] == l.actor.ID.String() {
			delete(blackout, "By")
		}
		clean, _ := json.Marshal(present(members))
		text = idForm.ReplaceAllFunc(clean, func(id []byte) []byte {
			if _, known := ids[string(id)]; !known {
				ids[string(id)] = fmt.Sprintf("#%d", len(ids)+1)
			}
			return []byte(ids[string(id)])
		})
		text = regexp.MustCompile(`"20\d\d-[^"]*Z"`).ReplaceAllFunc(text, func(stamp []byte) []byte {
			at, err := time.Parse(time.RFC3339Nano, strings.Trim(string(stamp), `"`))
			if err != nil {
				return stamp
			}
			return fmt.Appendf(nil, `"+%s"`, at.Sub(began))
		})
		l.events = append(l.events, name+" "+string(text))
	}
}

// present is a JSON value without what says nothing in it.
func present(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if v[name] = present(member); v[name] == nil {
				delete(v, name)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
	case nil, bool, float64, string:
		if slices.Contains([]any{false, 0.0, "", roster.ID{}.String(), "0001-01-01T00:00:00Z"}, value) {
			return nil
		}
	}
	return value
}

func (l *life) hide(secrets ...roster.Secret) {
	for _, s := range secrets {
		l.secret = append(l.secret, s.Reveal())
	}
}

func (l *life) mail(t testing.TB, to string) roster.Secret {
	t.Helper()
	mail := lastMail(t, l.w, l.kit, to)
	l.hide(mail.Token, mail.Link)
	return mail.Token
}

// live does everything.
func (l *life) live(t testing.TB) {
	t.Helper()
	w, ctx := l.w, roster.WithActor(t.Context(), l.actor)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	passwords := []roster.Secret{"the first passphrase", "the second passphrase", "a wrong passphrase"}
	l.hide(passwords...)

	p := person("annie", "ann@example.com", "+12025550123")
	p.Company, p.Plan = "Acme", "free"
	ann := must(w.Create(ctx, p, roster.WithPassword(passwords[0]), roster.WithConfirmation(), roster.WithCaptcha("captcha")))(t)
	must(w.Update(ctx, ann.ID, func(p *Person) error {
		name, email := "anna", "anna@example.com"
		p.Username, p.Email, p.Phone, p.Company = &name, &email, nil, "Other"
		return nil
	}))(t)
	check(w.RequestEmailConfirmation(ctx, ann.ID))
	must(w.ConfirmEmail(ctx, l.mail(t, "anna@example.com")))(t)
	must(w.Update(ctx, ann.ID, func(p *Person) error {
		name := "anya"
		p.Username = &name
		return nil
	}))(t)
	check(w.LinkSocial(ctx, ann.ID, roster.SocialAccount{Provider: "github", Subject: "77", Data: map[string]any{"login": "anya"}}))
	check(w.UnlinkSocial(ctx, ann.ID, "github", "77"))

	if _, err := w.Login(ctx, roster.PasswordCredentials("nobody@example.com", passwords[2])); !errors.Is(err, roster.ErrInvalidCredentials) {
		t.Fatal(err)
	}
	if _, err := w.Login(ctx, roster.PasswordCredentials("anya", passwords[2])); !errors.Is(err, roster.ErrInvalidCredentials) {
		t.Fatal(err)
	}
	credentials := roster.PasswordCredentials("anya", passwords[0])
	credentials.Captcha = "captcha"
	first := must(w.Login(ctx, credentials))(t).Tokens
	l.hide(first.AccessToken, first.RefreshToken)
	check(w.Logout(ctx, first.RefreshToken))

	second := must(w.Login(ctx, credentials))(t).Tokens
	l.hide(second.AccessToken, second.RefreshToken)
	pair := must(w.Refresh(ctx, second.RefreshToken))(t)
	l.hide(pair.AccessToken, pair.RefreshToken)
	pair = must(w.Refresh(ctx, pair.RefreshToken))(t)
	l.hide(pair.AccessToken, pair.RefreshToken)
	if _, err := w.Refresh(ctx, second.RefreshToken); !errors.Is(err, roster.ErrTokenReused) {
		t.Fatal(err)
	}

	bob := must(w.Create(ctx, person("", "bob@example.com", ""), roster.WithInvitation()))(t)
	must(w.SetFirstPassword(ctx, l.mail(t, "bob@example.com"), passwords[1]))(t)
	third := must(w.Login(ctx, roster.PasswordCredentials("bob@example.com", passwords[1])))(t).Tokens
	l.hide(third.AccessToken, third.RefreshToken)
	check(w.Delete(ctx, bob.ID, roster.Deactivate))
	must(w.Restore(ctx, bob.ID))(t)
	check(w.Delete(ctx, bob.ID, roster.Anonymise))

	_, fourth, err := w.Register(ctx, person("", "cat@example.com", ""), passwords[0], roster.WithCaptcha("captcha"))
	check(err)
	l.hide(fourth.AccessToken, fourth.RefreshToken)
	l.mail(t, "cat@example.com")

	dan := must(w.Create(ctx, person("danny", "", "+12025550177")))(t)
	check(w.RequestPhoneConfirmation(ctx, dan.ID))
	code := lastMail(t, w, l.kit, "+12025550177").Code
	l.hide(code)
	must(w.ConfirmPhone(ctx, dan.ID, code))(t)
	must(w.SetPermissions(ctx, dan.ID, []string{"a:b"}))(t)
	check(w.Kick(ctx, dan.ID))
	must(w.Ban(ctx, dan.ID, roster.Ban{Reason: "spam", Note: "of mails"}))(t)
	check(w.Unban(ctx, dan.ID))
	must(w.ArchiveUser(ctx, dan.ID, "asked for it"))(t)
	must(w.UnarchiveUser(ctx, dan.ID))(t)
	must(w.SetBlackout(ctx, roster.Blackout{Message: "soon"}))(t)
	check(w.DeleteBlackout(ctx))
	for range 10 {
		if _, err := w.Login(ctx, roster.PasswordCredentials("danny", passwords[2])); !errors.Is(err, roster.ErrInvalidCredentials) {
			t.Fatal(err)
		}
	}

	var hashes []string
	check(l.kit.DB.SelectContext(t.Context(), &hashes, "SELECT hash FROM roster_passwords"))
	l.secret = append(l.secret, hashes...)
}

// newLife begins a life on an empty database. An actor who is a person is a superuser there.
func newLife(t testing.TB, db *sqlx.DB, kind roster.ActorKind) *life {
	t.Helper()
	w, kit := newWitness(t, db)
	l := &life{w: w, kit: kit, actor: roster.Actor{
		Kind: kind, IP: "192.0.2.1", UserAgent: "Browser/1", RequestID: "r-1", Reason: "because", OnBehalfOf: roster.ID{7},
	}}
	if !l.actor.Trusted() {
		boss := must(w.CreateSuperuser(t.Context(), person("boss", "", "")))(t)
		pair := must(w.IssueTokens(t.Context(), boss.ID, roster.IssueOptions{}))(t)
		l.actor.ID, l.actor.SID, l.actor.AMR, l.actor.AuthTime = boss.ID, pair.SessionID, []string{"pwd"}, kit.Clock.Now()
	}
	w.calls.take()
	w.heard = l.hear(t)
	return l
}

// HOOK-22, HOOK-37, HOOK-38, HOOK-66, case 21: the payload of every event, whoever acts. Whole are HOOK-40, HOOK-41, HOOK-42,
// HOOK-43, HOOK-44, HOOK-46, HOOK-47, HOOK-53, HOOK-54, HOOK-55, HOOK-56, HOOK-57, HOOK-58, HOOK-59, HOOK-60 and HOOK-61; as far as their operations are built HOOK-45, HOOK-48,
// HOOK-49, HOOK-50, HOOK-51 and HOOK-52. ROSTER_WRITE_GOLDEN=1 writes testdata/events.golden anew.
func TestHOOK_22_Payloads(t *testing.T) {
	t.Parallel()
	const golden = "testdata/events.golden"
	for _, tt := range []struct {
		database rostertest.Kind
		actor    roster.ActorKind
	}{
		{rostertest.SQLite, roster.ActorSystem},
		{rostertest.PostgreSQL, roster.ActorSystem},
		{rostertest.PostgreSQL, roster.ActorUser},
		{rostertest.PostgreSQL, roster.ActorAdmin},
		{rostertest.PostgreSQL, roster.ActorCLI},
		{rostertest.SQLite, roster.ActorImport},
	} {
		t.Run(fmt.Sprintf("are the same on %s for an actor of kind %s", tt.database, tt.actor), func(t *testing.T) {
			t.Parallel()
			l := newLife(t, rostertest.Open(t, tt.database), tt.actor)
			l.live(t)
			got := strings.Join(l.events, "\n") + "\n"
			if os.Getenv("ROSTER_WRITE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			for _, secret := range l.secret {
				if secret != "" && strings.Contains(l.raw.String(), secret) {
					t.Errorf("HOOK-38: %q is in an event", secret)
				}
			}
			same(t, int64(0), l.w.Stats().HookErrors)

			var missing []string
			for m := range reflect.TypeFor[callbacks.Lifecycle[*Person]]().Methods() {
				if !strings.Contains(got, m.Name+" {") {
					missing = append(missing, m.Name)
				}
			}
			same(t, []string(nil), missing)
		})
	}
}

// HOOK-41: how a user came to be.
func TestHOOK_41_Via(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], _ *rostertest.Kit) {
		boss := must(w.CreateSuperuser(t.Context(), person("boss", "", "")))(t)
		var via []roster.Via
		during(w, "OnCreate", func(_ context.Context, e *callbacks.Create[*Person]) error {
			via = append(via, e.Via)
			return nil
		})
		var ended []roster.Via
		during(w, "OnDelete", func(_ context.Context, e *callbacks.Delete[*Person]) error {
			ended = append(ended, e.Via)
			return nil
		})
		for i, kind := range []roster.ActorKind{roster.ActorSystem, roster.ActorAdmin, roster.ActorCLI, roster.ActorImport} {
			ctx := roster.WithActor(t.Context(), roster.Actor{Kind: kind, ID: boss.ID})
			u := must(w.Create(ctx, person(fmt.Sprintf("name%d", i), "", "")))(t)
			if err := w.Delete(ctx, u.ID, roster.Remove); err != nil {
				t.Error(err)
			}
		}
		must(w.CreateSuperuser(t.Context(), person("chief", "", "")))(t)
		must(w.Create(t.Context(), person("social", "", ""), roster.WithVia(roster.ViaSocial)))(t)
		if _, _, err := w.Register(t.Context(), person("signup", "", ""), "a long passphrase"); err != nil {
			t.Fatal(err)
		}
		same(t, []roster.Via{
			roster.ViaApp, roster.ViaAdmin, roster.ViaCLI, roster.ViaImport, roster.ViaApp, roster.ViaSocial, roster.ViaSignup,
		}, via)
		same(t, []roster.Via{roster.ViaApp, roster.ViaAdmin, roster.ViaCLI, roster.ViaImport}, ended)
	})
}

// HOOK-43, case 26: hooks of a deletion see the user as before.
func TestHOOK_43_Delete(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		for _, mode := range []roster.DeleteMode{roster.Deactivate, roster.Anonymise, roster.Remove} {
			t.Run(string(mode), func(t *testing.T) {
				address := string(mode) + "@example.com"
				p := person("", address, "")
				p.Company = "Acme"
				ann := must(w.Create(t.Context(), p))(t)
				for _, phase := range []string{"Before", "After", "On"} {
					during(w, phase+"Delete", func(_ context.Context, e *callbacks.Delete[*Person]) error {
						if diff := cmp.Diff(ann, e.User); diff != "" || e.Mode != mode {
							t.Errorf("%s: mode %s, user (-want +got):\n%s", phase, e.Mode, diff)
						}
						return nil
					})
				}
				if err := w.Delete(t.Context(), ann.ID, mode); err != nil {
					t.Fatal(err)
				}
				same(t, mode == roster.Deactivate, count(t, kit.DB, "users WHERE email = $1", address) == 1)
			})
		}
	})
}

// HOOK-62: an operation that does several things fires the events of all, phase by phase.
func TestHOOK_62_Composite(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		ann := must(w.Create(t.Context(), person("annie", "ann@example.com", ""), roster.WithEmailVerified()))(t)
		w.calls.take()
		must(w.Update(t.Context(), ann.ID, func(p *Person) error {
			name, email := "anna", "anna@example.com"
			p.Username, p.Email, p.Company = &name, &email, "Acme"
			return nil
		}))(t)
		same(t, []string{
			"BeforeUpdate", "BeforeUsernameChange", "BeforeContactChange",
			"AfterUpdate", "AfterUsernameChange", "AfterContactChange",
			"BeforeMessage", "AfterMessage", "BeforeMessage", "AfterMessage", // of the name, of the address
			"OnUpdate", "OnUsernameChange", "OnContactChange", "OnMessage", "OnMessage",
		}, w.calls.take())

		t.Run("a deletion ends sessions", func(t *testing.T) {
			must(w.IssueTokens(t.Context(), ann.ID, roster.IssueOptions{}))(t)
			must(w.IssueTokens(t.Context(), ann.ID, roster.IssueOptions{}))(t)
			var ended *callbacks.SessionRevoke
			during(w, "OnSessionRevoke", func(_ context.Context, e *callbacks.SessionRevoke) error {
				ended = e
				return nil
			})
			w.calls.take()
			if err := w.Delete(t.Context(), ann.ID, roster.Deactivate); err != nil {
				t.Fatal(err)
			}
			same(t, []string{"BeforeDelete", "AfterSessionRevoke", "AfterDelete", "OnSessionRevoke", "OnDelete"}, w.calls.take())
			if ended == nil || ended.UserID != ann.ID || len(ended.SIDs) != 2 || ended.Reason != roster.RevokedByDelete {
				t.Errorf("got %+v, want both sessions in one event", ended)
			}
		})

		t.Run("a first password proves the address", func(t *testing.T) {
			bob := must(w.Create(t.Context(), person("", "bob@example.com", ""), roster.WithInvitation()))(t)
			must(w.IssueTokens(t.Context(), bob.ID, roster.IssueOptions{}))(t)
			token := lastMail(t, w, kit, "bob@example.com").Token
			w.calls.take()
			must(w.SetFirstPassword(t.Context(), token, "a long passphrase"))(t)
			same(t, []string{
				"BeforePasswordChange", "BeforeEmailConfirm", "AfterEmailConfirm", "AfterSessionRevoke", "BeforeMessage", "AfterMessage",
				"AfterPasswordChange", "OnEmailConfirm", "OnSessionRevoke", "OnMessage", "OnPasswordChange",
			}, w.calls.take())
		})
	})
}

// HOOK-4, HOOK-51: an inner operation fires no event of its own, and the outermost says what it is.
func TestHOOK_51_PasswordChangeFiresOnce(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		var kinds []roster.PasswordKind
		during(w, "OnPasswordChange", func(_ context.Context, e *callbacks.PasswordChange[*Person]) error {
			kinds = append(kinds, e.Kind)
			return nil
		})
		must(w.Create(t.Context(), person("annie", "", ""), roster.WithPassword("secret")))(t) // USER-19: none
		must(w.Create(t.Context(), person("", "bob@example.com", ""), roster.WithInvitation()))(t)
		must(w.SetFirstPassword(t.Context(), lastMail(t, w, kit, "bob@example.com").Token, "a long passphrase"))(t)
		same(t, []roster.PasswordKind{roster.PasswordFirst}, kinds)
	})
}

// HOOK-61, HOOK-65, case 19.
func TestHOOK_65_Message(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		t.Run("is altered by Before, but for its addressee", func(t *testing.T) {
			during(w, "BeforeMessage", func(_ context.Context, e *callbacks.Message[*Person]) error {
				if e.ID != (roster.ID{}) {
					t.Errorf("id %s, want none yet", e.ID)
				}
				e.Subject, e.To = "Welcome aboard", "mallory@example.com"
				e.Headers = map[string]string{"X-Campaign": "spring"}
				e.Data.User.Username = new("Captain")
				return nil
			})
			var queued roster.ID
			during(w, "AfterMessage", func(ctx context.Context, e *callbacks.Message[*Person]) error {
				queued = e.ID
				same(t, "Welcome aboard", e.Subject)
				same(t, "ann@example.com", e.To)
				same(t, "Captain", *e.Data.User.Username)
				return nil
			})
			u := must(w.Create(t.Context(), person("", "ann@example.com", ""), roster.WithConfirmation()))(t)
			same(t, 1, count(t, kit.DB, "roster_messages WHERE id = $1 AND user_id = $2", queued, u.ID))
			if u.Username != nil {
				t.Error("the user was changed by the hook of the message")
			}
			mail := lastMail(t, w, kit, "ann@example.com")
			same(t, "Welcome aboard", mail.Subject)
			same(t, "spring", mail.Headers["X-Campaign"])
			same(t, queued, mail.ID)
			if _, ok := kit.Mailbox.Last("mallory@example.com"); ok {
				t.Error("the hook has turned the mail aside")
			}
			during[callbacks.Message[*Person]](w, "AfterMessage", nil)
		})

		t.Run("is left out by Skip, and the operation goes on", func(t *testing.T) {
			before := count(t, kit.DB, "roster_messages")
			during(w, "BeforeMessage", func(_ context.Context, e *callbacks.Message[*Person]) error {
				e.Skip = true
				return nil
			})
			w.calls.take()
			must(w.Create(t.Context(), person("", "bob@example.com", ""), roster.WithConfirmation()))(t)
			same(t, []string{"BeforeCreate", "AfterCreate", "BeforeMessage", "OnCreate"}, w.calls.take())
			same(t, before, count(t, kit.DB, "roster_messages"))
		})

		t.Run("is refused, and the operation with it", func(t *testing.T) {
			before := count(t, kit.DB, "roster_messages")
			during(w, "BeforeMessage", rejecting[callbacks.Message[*Person]]("no_mail"))
			_, err := w.Create(t.Context(), person("", "cat@example.com", ""), roster.WithConfirmation())
			wantCode(t, err, "no_mail")
			same(t, before, count(t, kit.DB, "roster_messages"))
			same(t, 0, count(t, kit.DB, "users WHERE email = 'cat@example.com'"))
		})
	})
}

// HOOK-67
func TestHOOK_67_Registration(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		during(w, "BeforeLogin", func(ctx context.Context, e *callbacks.Login[*Person]) error {
			same(t, 1, count(t, kit.DB, "users")) // by another connection: it is committed
			same(t, roster.ViaSignup, e.Via)
			return nil
		})
		if _, _, err := w.Register(t.Context(), person("", "ann@example.com", ""), "a long passphrase"); err != nil {
			t.Fatal(err)
		}
		same(t, []string{
			"BeforeCreate", "AfterCreate", "BeforeMessage", "AfterMessage", "OnCreate", "OnMessage",
			"BeforeLogin", "AfterLogin", "OnLogin",
		}, w.calls.take())
	})
}

// What an operation tells those that it calls is not meant for those that a hook calls.
func TestHooksDoNotInherit(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], _ *rostertest.Kit) {
		ann := must(w.Create(t.Context(), person("annie", "", ""), roster.WithPassword("secret")))(t)
		bob := must(w.Create(t.Context(), person("bobby", "", "")))(t)

		t.Run("the user of a log-in", func(t *testing.T) {
			for _, phase := range []string{"Before", "After", "On"} {
				during(w, phase+"Login", func(ctx context.Context, e *callbacks.Login[*Person]) error {
					if e.User.ID == bob.ID {
						return nil
					}
					_, err := w.IssueTokens(ctx, bob.ID, roster.IssueOptions{})
					return err
				})
				login := must(w.Login(t.Context(), roster.PasswordCredentials("annie", "secret")))(t)
				if login.User.ID != ann.ID {
					t.Errorf("%s: annie logged in, and was told to be %s", phase, *login.User.Username)
				}
				during[callbacks.Login[*Person]](w, phase+"Login", nil)
			}
		})

		t.Run("the reason of a revocation", func(t *testing.T) {
			must(w.IssueTokens(t.Context(), ann.ID, roster.IssueOptions{}))(t)
			must(w.IssueTokens(t.Context(), bob.ID, roster.IssueOptions{}))(t)
			reasons := map[roster.ID]roster.RevokeReason{}
			during(w, "AfterSessionRevoke", func(ctx context.Context, e *callbacks.SessionRevoke) error {
				reasons[e.UserID] = e.Reason
				if e.UserID == bob.ID {
					return nil
				}
				_, err := w.RevokeSessions(ctx, bob.ID)
				return err
			})
			if err := w.Delete(t.Context(), ann.ID, roster.Deactivate); err != nil {
				t.Fatal(err)
			}
			same(t, map[roster.ID]roster.RevokeReason{ann.ID: roster.RevokedByDelete, bob.ID: roster.RevokedAll}, reasons)
		})

		t.Run("the freshness of a new user", func(t *testing.T) {
			// By then another request may have changed the address.
			during(w, "OnCreate", func(ctx context.Context, e *callbacks.Create[*Person]) error {
				must(w.Update(t.Context(), e.User.ID, func(p *Person) error {
					p.Email = new("new@example.com")
					return nil
				}))(t)
				return w.RequestEmailConfirmation(ctx, e.User.ID)
			})
			var to string
			during(w, "OnMessage", func(_ context.Context, e *callbacks.Message[*Person]) error {
				to = e.To
				return nil
			})
			must(w.Create(t.Context(), person("", "old@example.com", "")))(t)
			same(t, "new@example.com", to)
		})
	})
}

// labelled is a user with a field that is no column, and one that Go alone sees.
type labelled struct {
	roster.User
	Labels labels `db:"labels" json:"labels"`
	Cache  map[string]string
	seen   bool
}

type labels []string

func (t *labels) Scan(src any) error {
	text, _ := src.(string)
	return json.Unmarshal([]byte(text), t)
}

func (t labels) Value() (driver.Value, error) {
	text, err := json.Marshal(t)
	return string(text), err
}

var _ = labelled{}.seen

// HOOK-68: a copy shares nothing, in a message neither, and with users that only their plan can copy.
func TestHOOK_68_Copies(t *testing.T) {
	t.Parallel()
	cfg, _ := rostertest.Config(t, rostertest.Open(t, rostertest.SQLite))
	repo, err := usersrepo.New[*labelled](cfg)
	if err != nil {
		t.Fatal(err)
	}
	spoil := func(_ context.Context, e *callbacks.Message[*labelled]) error {
		if slices.Contains(e.Data.User.Labels, "spoilt") || slices.Contains(e.Data.User.Permissions, "spoilt") || e.Headers["a"] != "b" {
			t.Errorf("a hook sees %+v of another one", e.Data.User)
		}
		e.Data.User.Labels[0], e.Data.User.Permissions[0], e.Headers["a"] = "spoilt", "spoilt", "spoilt"
		return nil
	}
	repo.On.Message.Before(func(_ context.Context, e *callbacks.Message[*labelled]) error {
		e.Headers = map[string]string{"a": "b"}
		return nil
	})
	for range 2 {
		repo.On.Message.After(spoil)
		repo.On.Message.On(spoil)
	}
	address := "ann@example.com"
	u := &labelled{User: roster.User{Email: &address}, Labels: labels{"a"}}
	stored, err := repo.Create(t.Context(), u, roster.WithConfirmation(), roster.WithPermissions("b"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, labels{"a"}, stored.Labels)
	same(t, roster.Permissions{"b"}, stored.Permissions)
	same(t, labels{"a"}, u.Labels)
}

// HOOK-1, HOOK-3: every hook of a program is bound to its own event, wherever Self has it.
func TestHOOK_1_SelfHasEveryHook(t *testing.T) {
	t.Parallel()
	self := reflect.TypeFor[mixins.Self[*Person]]()
	for m := range reflect.TypeFor[callbacks.Lifecycle[*Person]]().Methods() {
		if _, ok := self.MethodByName(m.Name); !ok {
			t.Errorf("mixins.Self lacks %s", m.Name)
		}
	}
}
