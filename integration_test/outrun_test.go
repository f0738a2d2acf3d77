package integration_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// heldHasher verifies when it is told to go on.
type heldHasher struct {
	passwords.Hasher
	mu     sync.Mutex
	began  chan struct{} // nil: at once
	resume chan struct{}
}

func (h *heldHasher) Verify(ctx context.Context, encoded string, password roster.Secret) (passwords.Match, error) {
	match, err := h.Hasher.Verify(ctx, encoded, password)
	h.mu.Lock()
	began, goOn := h.began, h.resume
	h.began = nil
	h.mu.Unlock()
	if began != nil {
		close(began)
		<-goOn
	}
	return match, err
}

// hold makes the next Verify wait until the result is called.
func (h *heldHasher) hold() (began chan struct{}, goOn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.began, h.resume = make(chan struct{}), make(chan struct{})
	held := h.resume
	return h.began, func() { close(held) }
}

// ACCT-28, SEC-29, SEC-37: what ends all sessions ends those too that a password judged before it is about to make.
func TestOutrunLogin(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		ctx, hasher := t.Context(), &heldHasher{Hasher: rostertest.Hasher{}}
		w := found(t, db, func(cfg *usersrepo.Config) { cfg.Password.Hasher = hasher })
		for name, end := range map[string]func(id roster.ID) error{
			"reset": func(id roster.ID) error {
				token, err := w.SetPasswordResetToken(ctx, id)
				if err != nil {
					return err
				}
				_, err = w.ResetPassword(ctx, token, "another horse battery")
				return err
			},
			"kick": func(id roster.ID) error { return w.Kick(ctx, id) },
		} {
			u := w.add(t, person(name+"ed", name+"@example.com", ""), roster.WithPassword(passphrase), roster.WithEmailVerified())
			began, goOn := hasher.hold()
			result := make(chan error, 1)
			go func() { result <- w.enters(name + "ed") }()
			<-began
			same(t, nil, end(u.ID))
			goOn()
			refused(t, <-result, roster.ErrInvalidCredentials)
			same(t, 0, w.rows(t, "roster_sessions WHERE ended_at IS NULL"))
		}
	})
}

// ACCT-28: of what comes between the judgement of a password and the session, what forbids the log-in wins, and nothing else
// stands in its way.
func TestOutrunByOthers(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		ctx, hasher := t.Context(), &heldHasher{Hasher: rostertest.Hasher{}}
		w := found(t, db, func(cfg *usersrepo.Config) { cfg.Password.Hasher, cfg.Session.MaxPerUser = hasher, 2 })
		for _, tt := range []struct {
			name string
			act  func(u *Person) error
			want error
			live int
		}{
			{"nothing", func(*Person) error { return nil }, nil, 1},
			{"another-login", func(u *Person) error { return w.enters(*u.Username) }, nil, 2},
			{"two-others", func(u *Person) error { return errors.Join(w.enters(*u.Username), w.enters(*u.Username)) }, nil, 2},
			{"edit", func(u *Person) error {
				_, err := w.Update(ctx, u.ID, func(p *Person) error { p.Score++; return nil })
				return err
			}, nil, 1},
			{"ban", func(u *Person) error { _, err := w.Ban(ctx, u.ID, roster.Ban{Reason: "spam"}); return err }, roster.ErrBanned, 0},
			{"archive", func(u *Person) error { _, err := w.ArchiveUser(ctx, u.ID, ""); return err }, roster.ErrArchived, 0},
			{"delete", func(u *Person) error { return w.Delete(ctx, u.ID, roster.Deactivate) }, roster.ErrInvalidCredentials, 0},
			{"blackout", func(*Person) error {
				_, err := w.SetBlackout(ctx, roster.Blackout{Message: "closed", Closed: true})
				return err
			}, roster.ErrUnavailable, 0},
		} {
			u := w.add(t, person(tt.name+"er", "", ""), roster.WithPassword(passphrase))
			began, goOn := hasher.hold()
			result := make(chan error, 1)
			go func() { result <- w.enters(*u.Username) }()
			<-began
			same(t, nil, tt.act(u))
			goOn()
			if err := <-result; !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
			if got := w.rows(t, "roster_sessions WHERE user_id = '"+u.ID.String()+"' AND ended_at IS NULL"); got != tt.live {
				t.Errorf("%s: %d sessions, want %d", tt.name, got, tt.live)
			}
			entered := w.rows(t, "roster_audit WHERE action = 'login.ok' AND subject_id = '"+u.ID.String()+"'")
			all := w.rows(t, "roster_sessions WHERE user_id = '"+u.ID.String()+"'")
			if tt.want != nil && (entered != 0 || all != 0) {
				t.Errorf("%s: %d log-ins in the audit trail, %d sessions", tt.name, entered, all)
			}
		}
	})
}

// SESS-50: however many log in as one user at a time, all get in, and no more sessions live than may.
func TestLoginsAtOnce(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("crowd", "crowd@example.com", ""), roster.WithPassword(passphrase), roster.WithEmailVerified())
		errs := make(chan error, 64)
		for range 64 {
			go func() { errs <- w.enters("crowd") }()
		}
		for range 64 {
			same(t, nil, <-errs)
		}
		live, err := w.ListSessions(t.Context(), u.ID)
		same(t, nil, err)
		same(t, 5, len(live))
		same(t, 64, w.rows(t, "roster_sessions"))
		same(t, 59, w.rows(t, "roster_sessions WHERE ended_reason = 'evicted'"))
		same(t, 64, w.rows(t, "roster_audit WHERE action = 'login.ok'"))
		same(t, 63, w.rows(t, "roster_messages WHERE kind = 'new_device'")) // the first device is no news
	}, func(cfg *usersrepo.Config) {
		cfg.Session.MaxPerUser = 5
		cfg.Protection.Identifier.Off, cfg.Protection.Pair.Off, cfg.Protection.Source.Off = true, true, true
	})
}

// SEC-29, SEC-88: what a session asks for that has ended meanwhile is refused, where it would lead into the account.
func TestEndedSessionAsks(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(passphrase), roster.WithEmailVerified())
		pair := w.issue(t, u.ID)
		ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, ID: u.ID, SID: pair.SessionID, AuthTime: w.Clock.Now()})
		same(t, nil, w.RequestPhoneChange(ctx, u.ID, new(number)))
		code := w.code(t, number)
		same(t, nil, w.Kick(t.Context(), u.ID))
		refused(t, w.RequestEmailChange(ctx, u.ID, new("evil@example.com")), roster.ErrSessionRevoked)
		refused(t, w.RequestEmailChange(ctx, u.ID, nil), roster.ErrSessionRevoked)
		_, err := w.ConfirmPhoneChange(ctx, u.ID, code)
		refused(t, err, roster.ErrSessionRevoked)
		w.exec(t, "DELETE FROM roster_passwords")
		refused(t, w.SetPassword(ctx, u.ID, "another horse battery"), roster.ErrSessionRevoked)
	}, func(cfg *usersrepo.Config) { cfg.Protection.Mails.Off = true })
}

// SEC-88, SEC-89, SEC-95: nobody changes by Update how they are reached themselves, and an administrator not how somebody
// stronger is.
func TestUpdateOfOwnContacts(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		boss, bossUser := w.acting(t, "boss", roster.WithSuperuser(true))
		clerk, _ := w.acting(t, "clerk", roster.WithPermissions("users:update"))
		strong := w.add(t, person("strong", "strong@example.com", ""), roster.WithPermissions("*"))
		weak := w.add(t, person("weak", "weak@example.com", ""))
		_, err := w.Update(boss, bossUser.ID, func(p *Person) error {
			p.Email, p.Phone = new("evil@example.com"), new(number)
			return nil
		})
		refused(t, err, roster.ErrValidationFailed, "email:forbidden_field", "phone:forbidden_field")
		rename := func(p *Person) error { p.Username = new("renamed-" + *p.Username); return nil }
		_, err = w.Update(clerk, strong.ID, func(p *Person) error { p.Email = new("evil@example.com"); return nil })
		refused(t, err, roster.ErrForbidden)
		must(w.Update(clerk, weak.ID, rename))(t)
		must(w.Update(boss, strong.ID, rename))(t)
		must(w.Update(boss, bossUser.ID, rename))(t)
	})
}

// CONF-29, CONF-32, CONF-33, SEC-88: the first owner takes back a removal, and what came after a change of the other contact.
func TestTakeBack(t *testing.T) {
	cancelToken := func(t *testing.T, w *world, to string) roster.Secret {
		t.Helper()
		w.post(t)
		for _, m := range w.Mailbox.All() {
			if m.To == to && m.Token != "" && m.Kind != "password_reset" {
				return m.Token
			}
		}
		t.Fatalf("no link went to %s", to)
		return ""
	}
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		ctx, refuseOld := t.Context(), false
		w := found(t, db, func(cfg *usersrepo.Config) {
			cfg.Protection.Mails.Off = true
			cfg.Email.Check = func(_ context.Context, address string) error {
				if refuseOld && address == "anna@example.com" {
					return callbacks.Reject("refused").Field("email")
				}
				return nil
			}
		})
		t.Run("a removal", func(t *testing.T) {
			u := w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(passphrase), roster.WithEmailVerified())
			same(t, nil, w.RequestEmailChange(ctx, u.ID, nil))
			cancel := cancelToken(t, w, "anna@example.com")
			refuseOld = true
			defer func() { refuseOld = false }()
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("evil@example.com")))
			must(w.ConfirmEmailChange(ctx, w.token(t)))(t)
			got := must(w.CancelContactChange(ctx, cancel))(t)
			same(t, "anna@example.com", *got.Email) // which Email.Check has come to refuse
			same(t, true, got.EmailVerifiedAt != nil)
			refused(t, w.enters("evil@example.com"), roster.ErrInvalidCredentials)
		})
		t.Run("what was added meanwhile", func(t *testing.T) {
			u := w.add(t, person("berta", "berta@example.com", ""), roster.WithPassword(passphrase), roster.WithEmailVerified())
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("evil2@example.com")))
			var proof roster.Secret
			for _, m := range w.post(t) {
				if m.To == "evil2@example.com" {
					proof = m.Token
				}
			}
			cancel := cancelToken(t, w, "berta@example.com")
			must(w.ConfirmEmailChange(ctx, proof))(t)
			w.Clock.Advance(time.Second)
			same(t, nil, w.RequestPhoneChange(ctx, u.ID, new("+12025550177")))
			must(w.ConfirmPhoneChange(ctx, u.ID, w.code(t, "+12025550177")))(t)
			got := must(w.CancelContactChange(ctx, cancel))(t)
			if *got.Email != "berta@example.com" || got.Phone != nil || got.PhoneVerifiedAt != nil {
				t.Errorf("%+v", got.User)
			}
		})
		t.Run("by a proven phone, when the address is not proven", func(t *testing.T) {
			u := w.add(t, person("carla", "carla@example.com", "+12025550178"), roster.WithPassword(passphrase), roster.WithPhoneVerified())
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("evil3@example.com")))
			cancelToken(t, w, "+12025550178")
		})
		t.Run("SEC-85 and proves nothing that it was not sent to", func(t *testing.T) {
			u := w.add(t, person("dora", "stranger@example.com", "+12025550179"), roster.WithPassword(passphrase), roster.WithPhoneVerified())
			same(t, nil, w.RequestEmailChange(ctx, u.ID, nil))
			got := must(w.CancelContactChange(ctx, cancelToken(t, w, "+12025550179")))(t)
			if *got.Email != "stranger@example.com" || got.EmailVerifiedAt != nil || got.PhoneVerifiedAt == nil {
				t.Errorf("%+v", got.User)
			}
		})
	})
}

// SEC-15, PROT-37: what is not sent uses up nothing of what may be sent to an address.
func TestAskingForNothing(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(passphrase), roster.WithEmailVerified())
		for range 30 {
			same(t, nil, w.RequestPasswordReset(t.Context(), "anna@example.com"))
		}
		same(t, 1, len(w.post(t))) // the second replaced the first
		w.Clock.Advance(31 * time.Minute)
		same(t, nil, w.RequestPasswordReset(t.Context(), "anna@example.com"))
		same(t, []string{"password_reset to anna@example.com"}, w.posted(t))
	}, func(cfg *usersrepo.Config) { cfg.Protection.AskedMessages.Off = true })
}

// PROT-24, SEC-25: a known device is held up by nobody else, but logs in no more often than people do.
func TestDeviceRate(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.add(t, person("bob", "", ""), roster.WithPassword(secret))
		l, err := w.Login(t.Context(), roster.PasswordCredentials("bob", secret))
		same(t, nil, err)
		entered := 0
		for range 40 {
			if _, err = w.withDevice(t.Context(), "bob", secret, l.DeviceToken); err != nil {
				break
			}
			entered++
		}
		refused(t, err, roster.ErrTooManyRequests)
		same(t, 30, entered)
		w.Clock.Advance(61 * time.Second)
		_, err = w.withDevice(t.Context(), "bob", secret, l.DeviceToken)
		same(t, nil, err)
	})
}

// SEC-79, SEC-115: a permission to send proofs shows nothing of somebody stronger.
func TestConfirmShowsNothing(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		clerk, _ := w.acting(t, "clerk", roster.WithPermissions("users:credentials"))
		boss := w.add(t, person("boss", "boss@example.com", ""), roster.WithSuperuser(true), roster.WithEmailVerified())
		_, err := w.SetEmailConfirmed(clerk, boss.ID, true)
		refused(t, err, roster.ErrForbidden)
		_, err = w.SetPhoneConfirmed(clerk, boss.ID, true)
		refused(t, err, roster.ErrForbidden)
	})
}

// PASS-44, SEC-15: who knows the password and changes it does not keep its owner from resetting it.
func TestResetAfterChange(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(passphrase), roster.WithEmailVerified())
		for _, login := range []string{"anna", "anna@example.com"} {
			for range 3 {
				same(t, nil, w.RequestPasswordReset(ctx, login))
			}
		}
		w.post(t)
		pair := w.issue(t, u.ID)
		thief := roster.WithActor(ctx, roster.Actor{Kind: roster.ActorUser, ID: u.ID, SID: pair.SessionID, AuthTime: w.Clock.Now()})
		must(w.ChangePassword(thief, u.ID, passphrase, "another horse battery"))(t)
		w.post(t)
		same(t, nil, w.RequestPasswordReset(ctx, "anna@example.com"))
		must(w.ResetPassword(ctx, w.token(t), passphrase))(t)
	})
}

// ACCT-28: what a hook of a registration does to the account is no reason to give it no tokens.
func TestRegisterWithRights(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		defer w.On.Create.After(func(ctx context.Context, e *callbacks.Create[*Person]) error {
			_, err := w.AddPermissions(ctx, e.User.ID, []string{"shop:buy"})
			return errors.Join(err, w.Kick(ctx, e.User.ID))
		})()
		_, pair, err := w.Register(t.Context(), person("anna", "", ""), passphrase)
		if err != nil || pair == nil {
			t.Fatal(pair, err)
		}
		_, err = w.VerifyToken(t.Context(), pair.AccessToken)
		same(t, nil, err)
	})
}
