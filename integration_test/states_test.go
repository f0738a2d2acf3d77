package integration_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/usersrepo"
)

// state is what an account can be in.
type state struct {
	name  string
	enter func(id roster.ID) error
	// refusals are what the ways answer that do not let pass, by their names.
	refusals map[string]roster.Code
}

// way is how somebody gets at an account. prepare does what has to be done beforehand, and returns the try.
type way struct {
	name    string
	prepare func(t *testing.T, u *Person) (try func() error)
}

func (w *world) states(t *testing.T) []state {
	ctx := t.Context()
	blackout := func(roster.ID) error { _, err := w.SetBlackout(ctx, roster.Blackout{}); return err }
	ban := func(id roster.ID) error { _, err := w.Ban(ctx, id, roster.Ban{}); return err }
	archive := func(id roster.ID) error { _, err := w.ArchiveUser(ctx, id, ""); return err }
	// leave lets them do it, by their password if they have one.
	leave := func(do func(context.Context, roster.ID, roster.Secret) error) func(roster.ID) error {
		return func(id roster.ID) error {
			err := do(ctx, id, passphrase)
			if errors.Is(err, roster.ErrInvalidPassword) {
				err = do(ctx, id, "")
			}
			return err
		}
	}
	remove := func(mode roster.DeleteMode) func(roster.ID) error {
		return func(id roster.ID) error { return w.Delete(ctx, id, mode) }
	}
	out := func(code roster.Code) map[string]roster.Code {
		return map[string]roster.Code{
			"password": code, "refresh": code, "access": "session_revoked", "reset": "invalid_token", "first password": "invalid_token",
			"change of e-mail": "invalid_token", "change of phone": "invalid_code",
			"code to confirm": "invalid_code", "code to reset": "invalid_code", "app-issued": code, "administrator": "forbidden",
			"e-mail code": "invalid_credentials", "SMS code": "invalid_credentials", "step-up": "invalid_code", "social": code,
		}
	}
	gone := map[string]roster.Code{
		"password": "invalid_credentials", "refresh": "session_revoked", "access": "session_revoked", "reset": "invalid_token",
		"first password": "invalid_token", "confirmation": "invalid_token", "code to confirm": "invalid_code", "code to reset": "invalid_code",
		"change of e-mail": "invalid_token", "change of phone": "invalid_code", "app-issued": "not_found", "administrator": "forbidden",
		"e-mail code": "invalid_credentials", "SMS code": "invalid_credentials", "step-up": "invalid_code", "social": "not_found",
	}
	without := maps.Clone(gone)
	without["code to confirm"], without["code to reset"], without["step-up"] = "not_found", "not_found", "not_found"
	ended := map[string]roster.Code{"refresh": "session_revoked", "access": "session_revoked"}
	kicked := maps.Clone(ended)
	kicked["step-up"] = "session_revoked"
	aside := maps.Clone(kicked)
	aside["administrator"] = "forbidden"
	return []state{
		{"active", func(roster.ID) error { return nil }, nil},
		{"banned", ban, out("banned")},
		{"archived by an administrator", archive, out("archived")},
		{archivedByThemselves, leave(w.Archive), aside},
		{"archived by themselves and banned", func(id roster.ID) error { return errors.Join(leave(w.Archive)(id), ban(id)) }, out("banned")},
		{"archived by themselves and by an administrator", func(id roster.ID) error { return errors.Join(leave(w.Archive)(id), archive(id)) }, out("archived")},
		{"banned and archived", func(id roster.ID) error { return errors.Join(ban(id), archive(id)) }, out("banned")},
		{"closed by themselves", leave(w.Close), gone},
		{"deactivated", remove(roster.Deactivate), gone},
		{"anonymised", remove(roster.Anonymise), gone},
		{"removed", remove(roster.Remove), without},
		{"kicked", func(id roster.ID) error { return w.Kick(ctx, id) }, kicked},
		{"under blackout", blackout, ended},
		{"unverified", func(id roster.ID) error { _, err := w.SetEmailConfirmed(ctx, id, false); return err }, map[string]roster.Code{
			"password": "not_verified", "refresh": "not_verified", "app-issued": "not_verified", "social": "not_verified",
		}},
		{"locked out", func(id roster.ID) error {
			u, err := w.Get(ctx, id)
			for range 10 {
				w.attempt(ctx, "192.0.2.1", *u.Username, "wrong")
			}
			return err
		}, map[string]roster.Code{"password": "too_many_requests"}},
		{"with a closed password", func(id roster.ID) error {
			for range 100 {
				if err := w.RecordLoginFailure(ctx, "", "nobody", &id, roster.FailedPassword); err != nil {
					return err
				}
			}
			return nil
		}, map[string]roster.Code{"password": "invalid_credentials", "reset": "invalid_token"}}, // a newer link was mailed
	}
}

// ways are those there are. Each is tried by a user of its own, who has a password, a proven address and an unproven number.
func (w *world) ways(t *testing.T) []way {
	ignore := func(_ any, err error) error { return err }
	// sent asks for a message, and returns what uses the token or the code in it.
	sent := func(ask func(ctx context.Context, u *Person) error, use func(ctx context.Context, u *Person, secret roster.Secret) error) func(*testing.T, *Person) func() error {
		return func(t *testing.T, u *Person) func() error {
			w.post(t)
			if err := ask(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			for _, m := range w.post(t) {
				if secret := cmp.Or(m.Token, m.Code); secret != "" && m.Kind != notify.EmailChangeOld && m.Kind != notify.PhoneChangeOld {
					return func() error { return use(t.Context(), u, secret) }
				}
			}
			t.Fatal("no secret was sent")
			return nil
		}
	}
	held := func(use func(ctx context.Context, pair roster.TokenPair) error) func(*testing.T, *Person) func() error {
		return func(t *testing.T, u *Person) func() error {
			pair := w.issue(t, u.ID)
			return func() error { return use(t.Context(), pair) }
		}
	}
	now := func(try func(ctx context.Context, u *Person) error) func(*testing.T, *Person) func() error {
		return func(t *testing.T, u *Person) func() error { return func() error { return try(t.Context(), u) } }
	}
	return []way{
		{"password", now(func(_ context.Context, u *Person) error { return w.enters(*u.Username) })},
		{"refresh", held(func(ctx context.Context, pair roster.TokenPair) error {
			return ignore(w.Refresh(ctx, pair.RefreshToken))
		})},
		{"access", held(func(ctx context.Context, pair roster.TokenPair) error {
			return ignore(w.VerifyToken(ctx, pair.AccessToken))
		})},
		{"reset", sent(func(ctx context.Context, u *Person) error { return w.RequestPasswordReset(ctx, *u.Username) },
			func(ctx context.Context, _ *Person, token roster.Secret) error {
				return ignore(w.ResetPassword(ctx, token, passphrase))
			})},
		{"first password", sent(func(ctx context.Context, u *Person) error {
			w.exec(t, "DELETE FROM roster_passwords WHERE user_id = $1", u.ID)
			return w.RequestPasswordSet(ctx, u.ID)
		}, func(ctx context.Context, _ *Person, token roster.Secret) error {
			return ignore(w.SetFirstPassword(ctx, token, passphrase))
		})},
		{"confirmation", sent(func(ctx context.Context, u *Person) error {
			return errors.Join(ignore(w.SetEmailConfirmed(ctx, u.ID, false)), w.RequestEmailConfirmation(ctx, u.ID))
		}, func(ctx context.Context, _ *Person, token roster.Secret) error {
			return ignore(w.ConfirmEmail(ctx, token))
		})},
		{"code to confirm", sent(func(ctx context.Context, u *Person) error { return w.SendPhoneCode(ctx, u.ID, roster.CodeVerify) },
			func(ctx context.Context, u *Person, code roster.Secret) error {
				return ignore(w.CheckPhoneCode(ctx, u.ID, roster.CodeVerify, code))
			})},
		{"code to reset", sent(func(ctx context.Context, u *Person) error { return w.SendEmailCode(ctx, u.ID, roster.CodeReset) },
			func(ctx context.Context, u *Person, code roster.Secret) error {
				return ignore(w.CheckEmailCode(ctx, u.ID, roster.CodeReset, code))
			})},
		{"change of e-mail", sent(func(ctx context.Context, u *Person) error {
			return w.RequestEmailChange(ctx, u.ID, new("new-"+*u.Email))
		}, func(ctx context.Context, _ *Person, token roster.Secret) error {
			return ignore(w.ConfirmEmailChange(ctx, token))
		})},
		{"change of phone", sent(func(ctx context.Context, u *Person) error {
			return w.RequestPhoneChange(ctx, u.ID, new(strings.Replace(*u.Phone, "+1202", "+1212", 1)))
		}, func(ctx context.Context, u *Person, code roster.Secret) error {
			return ignore(w.ConfirmPhoneChange(ctx, u.ID, code))
		})},
		{"e-mail code", sent(func(ctx context.Context, u *Person) error {
			return w.SendCode(ctx, byLogin(*u.Email), roster.CodeLogin)
		}, func(ctx context.Context, u *Person, code roster.Secret) error {
			return ignore(w.Login(ctx, withCode(*u.Email, code)))
		})},
		{"SMS code", sent(func(ctx context.Context, u *Person) error {
			return errors.Join(ignore(w.SetPhoneConfirmed(ctx, u.ID, true)), w.SendCode(ctx, byLogin(*u.Phone), roster.CodeLogin))
		}, func(ctx context.Context, u *Person, code roster.Secret) error {
			return ignore(w.Login(ctx, withCode(*u.Phone, code)))
		})},
		{"step-up", func(t *testing.T, u *Person) func() error {
			session := w.within(t, w.issue(t, u.ID))
			return sent(func(_ context.Context, _ *Person) error {
				return w.SendCode(session, roster.ContactRef{}, roster.CodeStepUp)
			},
				func(_ context.Context, u *Person, code roster.Secret) error {
					return ignore(w.CheckEmailCode(session, u.ID, roster.CodeStepUp, code))
				})(t, u)
		}},
		{"social", func(t *testing.T, u *Person) func() error {
			w.link(t, u.ID, "google", u.ID.String(), nil)
			return func() error {
				u, err := w.GetBySocial(t.Context(), "google", u.ID.String())
				if err != nil {
					return err
				}
				return ignore(w.IssueTokens(t.Context(), u.ID, roster.IssueOptions{Via: roster.ViaSocial}))
			}
		}},
		{"app-issued", now(func(ctx context.Context, u *Person) error {
			return ignore(w.IssueTokens(ctx, u.ID, roster.IssueOptions{}))
		})},
		{"administrator", now(func(ctx context.Context, u *Person) error {
			return w.Authorize(roster.WithActor(ctx, roster.Actor{Kind: roster.ActorAdmin, ID: u.ID}), "users:read")
		})},
	}
}

// archivedByThemselves is the one state that logging in ends, by whichever of logIns.
const archivedByThemselves = "archived by themselves"

var logIns = []string{"password", "e-mail code", "SMS code", "social", "app-issued"}

// ACCT-22, ACCT-31, ACCT-40, ACCT-41, MGMT-1, MGMT-2, MGMT-3, MGMT-10, MGMT-22, SEC-33, case 24: each state on each path, and nothing that is tried lifts a state.
func TestSEC_33_StatePath(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		n := 0
		for _, s := range w.states(t) {
			for _, x := range w.ways(t) {
				t.Run(s.name+", "+x.name, func(t *testing.T) {
					n++
					name := fmt.Sprintf("user%d", n)
					u := w.add(t, person(name, name+"@example.com", fmt.Sprintf("+1202555%04d", 1000+n)), roster.WithPassword(passphrase),
						roster.WithEmailVerified(), roster.WithPermissions("users:read"))
					try := x.prepare(t, u)
					if err := s.enter(u.ID); err != nil {
						t.Fatal(err)
					}
					same(t, s.refusals[x.name], codeOf(try()))
					if s.refusals[x.name] != "" && try() == nil {
						t.Error("passes the second time")
					}
					if s.name == archivedByThemselves {
						same(t, slices.Contains(logIns, x.name), w.read(t, u.ID).ArchivedAt == nil)
					}
				})
			}
		}
	}, func(cfg *usersrepo.Config) {
		cfg.Account.RequireConfirmed = true
		cfg.Protection.Pair.Off, cfg.Protection.Mails.Off = true, true
	})
}
