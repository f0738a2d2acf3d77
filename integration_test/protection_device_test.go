package integration_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/usersrepo"
)

// withDevice logs in with a device token.
func (w *world) withDevice(ctx context.Context, login string, password, device roster.Secret) (roster.Login[*Person], error) {
	c := roster.PasswordCredentials(login, password)
	c.DeviceToken = &device
	return w.Login(from(ctx, "203.0.113.9"), c)
}

// PROT-23 to PROT-26, ACCT-35, SEC-15, cases 11 and 12: devices that are known.
func TestKnownDevice(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		anna := w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		w.add(t, person("bob", "", ""), roster.WithPassword(secret))
		login := func(name string) roster.Login[*Person] {
			t.Helper()
			l, err := w.Login(ctx, roster.PasswordCredentials(name, secret))
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		first := login("anna")
		device := first.DeviceToken
		bobs := login("bob").DeviceToken
		t.Run("PROT-23 returns a token once", func(t *testing.T) {
			same(t, []any{false, 46, "dt_"}, []any{first.NewDevice, len(device.Reveal()), device.Reveal()[:3]})
			again, err := w.withDevice(ctx, "anna", secret, device)
			same(t, nil, err)
			same(t, []any{roster.Secret(""), false}, []any{again.DeviceToken, again.NewDevice})
			w.posted(t)
			other := login("anna")
			same(t, true, other.NewDevice && other.DeviceToken != "" && other.DeviceToken != device) // ACCT-35
			same(t, []string{"new_device to anna@example.com"}, w.posted(t))
			for _, line := range w.tables(t) {
				if strings.Contains(line, device.Reveal()) {
					t.Error("the token is stored")
				}
			}
		})
		lock := func(name string, failures int) {
			t.Helper()
			for range failures {
				for w.attempt(ctx, "", name, "wrong") == throttled {
					w.Clock.Advance(time.Second)
				}
			}
		}
		t.Run("PROT-24 lets it in while others are held up, case 11", func(t *testing.T) {
			lock("anna", 11)
			for range 35 { // nor does the lock of the address stop it
				w.attempt(ctx, "203.0.113.9", fmt.Sprint("nobody", w.NewID()), "wrong")
			}
			same(t, throttled, w.attempt(ctx, "203.0.113.9", "bob", secret))
			same(t, throttled, w.attempt(ctx, "", "anna", secret))
			_, err := w.withDevice(ctx, "anna", secret, device)
			same(t, nil, err)
			_, err = w.withDevice(ctx, " ANNA@example.com", secret, device)
			same(t, nil, err)
			same(t, throttled, w.attempt(ctx, "", "anna", secret)) // it clears nothing of the others'
			w.Clock.Advance(time.Minute)
			for range 10 {
				_, err = w.withDevice(ctx, "anna", "wrong", device)
				refused(t, err, roster.ErrInvalidCredentials)
			}
			_, err = w.withDevice(ctx, "anna", secret, device)
			refused(t, err, roster.ErrTooManyRequests)
			same(t, "", w.attempt(ctx, "", "anna", secret)) // nor feeds theirs
			w.Clock.Advance(time.Second)
			_, err = w.withDevice(ctx, "anna", secret, device)
			same(t, nil, err)
		})
		t.Run("PROT-25 ignores one that is none, late, or another's, case 12", func(t *testing.T) {
			w.Clock.Advance(time.Hour)
			lock("anna", 10)
			for _, token := range []roster.Secret{bobs, "", "dt_", "x", device + "x", device[1:], first.Tokens.RefreshToken} {
				_, err := w.withDevice(ctx, "anna", secret, token)
				refused(t, err, roster.ErrTooManyRequests)
			}
			w.Clock.Advance(91 * 24 * time.Hour)
			l, err := w.withDevice(ctx, "anna", secret, device)
			same(t, nil, err)
			same(t, true, l.NewDevice)
			device = l.DeviceToken
		})
		t.Run("PROT-26 forgets them with the password, but the one in use, and with the account", func(t *testing.T) {
			second := login("anna")
			ctx := roster.WithActor(ctx, roster.Actor{Kind: roster.ActorSystem, SID: second.Tokens.SessionID})
			for kind, want := range map[roster.PasswordKind]int{roster.PasswordChanged: 1, roster.PasswordSet: 1, roster.PasswordReset: 0} {
				if kind == roster.PasswordReset {
					continue
				}
				same(t, nil, w.StorePassword(ctx, anna.ID, hashed(t, w), kind))
				same(t, want, w.rows(t, "roster_devices WHERE user_id = $1", anna.ID))
			}
			same(t, nil, w.StorePassword(ctx, anna.ID, hashed(t, w), roster.PasswordReset))
			same(t, 0, w.rows(t, "roster_devices WHERE user_id = $1", anna.ID))
			login("anna")
			same(t, nil, w.Delete(ctx, anna.ID, roster.Deactivate))
			same(t, 0, w.rows(t, "roster_devices WHERE user_id = $1", anna.ID))
		})
	})
}

func hashed(t testing.TB, w *world) string {
	t.Helper()
	encoded, err := w.HashPassword(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// PROT-27, PROT-28, PROT-43, SEC-12, SEC-15, SEC-16, STORE-10, STORE-34, case 13: the password that is closed.
func TestClosedPassword(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("bob", "bob@x.org", "+12025550101"), roster.WithPassword(secret), roster.WithEmailVerified())
		l, err := w.Login(ctx, roster.PasswordCredentials("bob", secret))
		same(t, nil, err)
		device := l.DeviceToken
		spellings := []string{"Bob", "bob", "BOB@X.org", "bob@x.org", "+12025550101", "(202) 555-0101", "1 202 555 0101", "１２０２５５５０１０１"}
		n := 0
		fail := func(times int) {
			t.Helper()
			for range times {
				n++
				for w.attempt(ctx, "", spellings[n%len(spellings)], "wrong") == throttled {
					w.Clock.Advance(10 * time.Minute)
				}
			}
		}
		rest := func() { w.Clock.Advance(time.Hour) }
		open := func() roster.Code { t.Helper(); rest(); return w.attempt(ctx, "", "bob", secret) }
		var lockouts []callbacks.Lockout
		defer w.On.Lockout.On(func(_ context.Context, e *callbacks.Lockout) error {
			if e.Kind == roster.LockoutAccount {
				lockouts = append(lockouts, *e)
			}
			return nil
		})()
		fail(99)
		same(t, "", open()) // below a hundred a success forgets them
		same(t, 1, w.rows(t, "roster_passwords WHERE failures = 0"))
		w.posted(t)
		t.Run("PROT-27 closes after a hundred in a row, over all spellings, SEC-12, SEC-16", func(t *testing.T) {
			fail(99)
			same(t, 0, len(lockouts))
			fault := errors.New("undo")
			rest()
			_ = w.InTx(ctx, func(ctx context.Context) error { // STORE-10
				same(t, wrong, w.attempt(ctx, "", "bob@x.org", "wrong"))
				return fault
			})
			same(t, []string{"password_closed to bob@x.org"}, w.posted(t))
			for range 5 {
				same(t, wrong, open())
			}
			w.Clock.Advance(90 * 24 * time.Hour / 2)
			same(t, wrong, open()) // time does not open it
		})
		t.Run("PROT-28 tells the owner once, PROT-41", func(t *testing.T) {
			if len(lockouts) != 1 || *lockouts[0].UserID != u.ID || lockouts[0].Until != nil || lockouts[0].Failures != 100 || lockouts[0].Subject == "bob" {
				t.Errorf("events %+v", lockouts)
			}
			fail(20)
			same(t, []string(nil), w.posted(t))
			same(t, 1, len(lockouts))
		})
		t.Run("PROT-27 lets a known device in, which does not open it, SEC-15", func(t *testing.T) {
			_, err := w.withDevice(ctx, "bob", secret, device)
			same(t, nil, err)
			same(t, wrong, open())
			same(t, nil, w.CheckPassword(ctx, u.ID, secret))
			same(t, nil, w.StorePassword(ctx, u.ID, hashed(t, w), roster.PasswordChanged))
			same(t, wrong, open())
		})
		t.Run("PROT-27 opens by a reset", func(t *testing.T) {
			same(t, nil, w.StorePassword(ctx, u.ID, hashed(t, w), roster.PasswordReset))
			same(t, "", open())
			same(t, 0, w.rows(t, "roster_lockouts WHERE kind = 'account'"))
		})
		t.Run("PROT-43 opens by ClearLockout", func(t *testing.T) {
			fail(100)
			same(t, wrong, open())
			page, err := w.ListLockouts(ctx, roster.LockoutQuery{Kind: roster.LockoutAccount})
			same(t, nil, err)
			if len(page.Items) != 1 || *page.Items[0].UserID != u.ID {
				t.Fatalf("%+v", page)
			}
			same(t, nil, w.ClearLockout(ctx, page.Items[0].Key))
			same(t, "", open())
			refused(t, w.ClearLockout(ctx, page.Items[0].Key), roster.ErrNotFound)
			same(t, 2, len(lockouts))
		})
	}, func(cfg *usersrepo.Config) { cfg.Phone.DefaultRegion = "US" })
}

// PROT-27, SEC-73: no hook of messages decides what a hundredth failure answers, or keeps the password open.
func TestClosedPasswordVeto(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.add(t, person("bob", "bob@x.org", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		defer w.On.Message.Before(rejecting[callbacks.Message[*Person]]("no_mail"))()
		for range 100 {
			same(t, wrong, w.attempt(t.Context(), "", "bob", "wrong"))
		}
		same(t, wrong, w.attempt(t.Context(), "", "bob", secret))
		same(t, 1, w.rows(t, "roster_lockouts WHERE kind = 'account'"))
		same(t, 0, w.rows(t, "roster_links"))
	}, func(cfg *usersrepo.Config) { cfg.Protection.Identifier.Off, cfg.Protection.Pair.Off = true, true })
}

// MAIL-35: an owner is told of a lock-out, where the program wants it; the one who tries learns nothing by it.
func TestLockedOutNotice(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.add(t, person("bob", "bob@x.org", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		w.add(t, person("eve", "eve@x.org", ""), roster.WithPassword(secret))
		written := func(login string) (rows int) {
			before := w.rows(t, "roster_messages")
			for i := range 5 {
				same(t, wrong, w.attempt(ctx, fmt.Sprintf("192.0.2.%d", i), login, "wrong"))
			}
			same(t, throttled, w.attempt(ctx, "192.0.2.99", login, "wrong"))
			return w.rows(t, "roster_messages") - before
		}
		same(t, []int{1, 1, 1}, []int{written("bob"), written("eve"), written("nobody")})
		same(t, []string{"locked_out to bob@x.org"}, w.posted(t))
	}, func(cfg *usersrepo.Config) {
		cfg.Notify.On = []string{"locked_out"}
		cfg.Protection.Identifier.Max = 5
	})
}

// PROT-41 to PROT-43, HOOK-40, HOOK-64, case 22 and 24: what is locked, told once, listed and cleared.
func TestLockouts(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		anna := w.add(t, person("anna", "", ""), roster.WithPassword(secret), roster.WithPermissions("lockouts:read"))
		var told []string
		defer w.On.Lockout.On(func(_ context.Context, e *callbacks.Lockout) error {
			told = append(told, fmt.Sprint(e.Kind, " ", e.Subject, " ", e.Failures))
			return nil
		})()
		defer w.On.Lockout.After(func(context.Context, *callbacks.Lockout) error { return nil })()
		for n, wait := range []time.Duration{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32} { // case 24: failures 1 to 15
			same(t, wrong, w.attempt(ctx, "", "anna", "wrong"))
			if n < 14 {
				w.Clock.Advance(wait * time.Second)
			}
		}
		same(t, []string{"identifier an** 10"}, told)
		for i := range 30 {
			same(t, wrong, w.attempt(ctx, "203.0.113.7", fmt.Sprint("user", i), "wrong"))
		}
		for range 5 {
			same(t, throttled, w.attempt(ctx, "203.0.113.7", "another", "wrong"))
		}
		for range 10 {
			same(t, wrong, w.attempt(ctx, "2001:db8:1:2::9", "nobody", "wrong"))
		}
		same(t, []string{"identifier an** 10", "address 203.0.113.0/24 30", "identifier no**** 10", "pair no**** 2001:db8:1::/48 10"}, told)
		list := func(q roster.LockoutQuery) map[roster.LockoutKind][]string {
			t.Helper()
			page, err := w.ListLockouts(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			kinds := map[roster.LockoutKind][]string{}
			for _, x := range page.Items {
				kinds[x.Kind] = append(kinds[x.Kind], x.Subject)
			}
			return kinds
		}
		page, err := w.ListLockouts(ctx, roster.LockoutQuery{})
		same(t, nil, err)
		same(t, 4, len(page.Items))
		t.Run("PROT-42 pages, filters and masks", func(t *testing.T) {
			var keys, all []string
			q := roster.LockoutQuery{Limit: 1}
			for {
				p, err := w.ListLockouts(ctx, q)
				same(t, nil, err)
				keys = append(keys, p.Items[0].Key)
				if q.Cursor = p.Next; q.Cursor == "" {
					break
				}
			}
			for _, x := range page.Items {
				all = append(all, x.Key)
				if x.Subject == "anna" && (x.UserID == nil || *x.UserID != anna.ID) {
					t.Errorf("%+v", x)
				}
			}
			same(t, all, keys)
			same(t, map[roster.LockoutKind][]string{"pair": {"no**** 2001:db8:1::/48"}}, list(roster.LockoutQuery{Kind: roster.LockoutPair}))
			same(t, map[roster.LockoutKind][]string{"address": {"203.0.113.0/24"}}, list(roster.LockoutQuery{Text: "203."}))
			for _, bad := range []roster.LockoutQuery{{Kind: "x"}, {Limit: -1}, {Limit: 201}} {
				_, err := w.ListLockouts(ctx, bad)
				same(t, true, errors.Is(err, roster.ErrValidationFailed))
			}
			for _, cursor := range []string{"x", "AAAA", page.Items[0].Key} {
				_, err := w.ListLockouts(ctx, roster.LockoutQuery{Cursor: cursor})
				refused(t, err, roster.ErrInvalidCursor)
			}
		})
		t.Run("PROT-43 clears one and no other, case 22", func(t *testing.T) {
			for _, x := range page.Items {
				if x.Kind == roster.LockoutIdentifier && x.UserID != nil {
					same(t, nil, w.ClearLockout(ctx, x.Key))
					refused(t, w.ClearLockout(ctx, x.Key), roster.ErrNotFound)
				}
			}
			same(t, "", w.attempt(ctx, "", "anna", secret))
			same(t, throttled, w.attempt(ctx, "203.0.113.7", "anna", secret))
			same(t, throttled, w.attempt(ctx, "", "nobody", secret))
			for _, key := range []string{"", "x", "identifier:x", page.Items[0].Key + "x", "\x00"} {
				refused(t, w.ClearLockout(ctx, key), roster.ErrNotFound)
			}
		})
		t.Run("PROT-42 lists what is locked still", func(t *testing.T) {
			w.Clock.Advance(2 * time.Second)
			same(t, map[roster.LockoutKind][]string{"address": {"203.0.113.0/24"}}, list(roster.LockoutQuery{}))
			w.Clock.Advance(time.Minute)
			same(t, map[roster.LockoutKind][]string{}, list(roster.LockoutQuery{}))
		})
		t.Run("ADMIN-41 needs a permission for each", func(t *testing.T) {
			_, err := w.ListLockouts(clerk(ctx, anna.ID), roster.LockoutQuery{})
			same(t, nil, err)
			refused(t, w.ClearLockout(clerk(ctx, anna.ID), "x"), roster.ErrForbidden)
			_, err = w.ListLockouts(from(ctx, ""), roster.LockoutQuery{})
			refused(t, err, roster.ErrUnauthenticated)
		})
	})
}

// PROT-33: after three failures of a login string from an address a captcha is asked for, known or not.
func TestCaptcha(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		s.guest(t, "anna")
		for _, login := range []string{"anna", "nobody"} {
			for i := range 5 {
				a := s.do(t, "POST /api/login", fields{"login": login, "password": "wrong", "captcha": "x"})
				a.fails(t, 401, "invalid_credentials")
				same(t, i >= 2, membersOf(t, a.member(t, ""))[0] == "captcha")
			}
			v, err := s.IsBruteforce(t.Context(), "127.0.0.1", login)
			same(t, nil, err)
			same(t, []any{true, true}, []any{v.Allowed, v.Captcha})
			v, err = s.IsBruteforce(t.Context(), "127.0.0.2", login)
			same(t, nil, err)
			same(t, false, v.Captcha)
		}
	})
}

// HTTP-101, HTTP-102: device tokens over HTTP; notify.NewDevice has a text.
func TestHTTPDevice(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.do(t, "POST /api/register", fields{"username": "anna", "password": passphrase, "device_token": "dt_x"}).succeeds(t, 201)
		device := a.text(t, "device_token")
		b := s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase, "device_token": device}).succeeds(t, 200)
		same(t, []string{"new_device", "tokens", "unarchiving", "user"}, membersOf(t, b.member(t, "")))
		same(t, any(false), b.member(t, "new_device"))
		c := s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}).succeeds(t, 200)
		same(t, any(true), c.member(t, "new_device"))
		if c.text(t, "device_token") == device {
			t.Error("the same token")
		}
		s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase, "device_token": 1}).fails(t, 422, "validation_failed", "device_token:wrong_type")
		same(t, "new_device", notify.NewDevice)
	})
}

// ADMIN-41: the endpoints of lockouts.
func TestHTTPLockouts(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		root := s.superuser(t, "root1")
		for range 10 {
			s.do(t, "POST /api/login", fields{"login": "nobody", "password": "wrong"}).fails(t, 401, "invalid_credentials")
		}
		s.do(t, "POST /api/login", fields{"login": "nobody", "password": "wrong"}).fails(t, 429, "too_many_requests")
		a := s.do(t, "GET /admin/lockouts?kind=identifier", nil, root.token()).succeeds(t, 200)
		items := a.member(t, "items").([]any)
		same(t, 1, len(items))
		x := items[0].(map[string]any)
		same(t, []any{"no****", nil, 10.0}, []any{x["subject"], x["user_id"], x["failures"]})
		same(t, any(nil), a.member(t, "next"))
		s.do(t, "GET /admin/lockouts?limit=1", nil, root.token()).succeeds(t, 200).text(t, "next")
		s.do(t, "GET /admin/lockouts?x=1", nil, root.token()).fails(t, 400, "invalid_parameter", "x:invalid")
		s.do(t, "GET /admin/lockouts?kind=x", nil, root.token()).fails(t, 422, "validation_failed", "kind:invalid")
		s.do(t, "GET /admin/lockouts?cursor=x", nil, root.token()).fails(t, 400, "invalid_cursor")
		key := url.PathEscape(x["key"].(string))
		s.do(t, "DELETE /admin/lockouts/"+key, nil, root.token()).succeeds(t, 204)
		s.do(t, "DELETE /admin/lockouts/"+key, nil, root.token()).fails(t, 404, "not_found")
		s.do(t, "DELETE /admin/lockouts/x", nil, root.token()).fails(t, 404, "not_found")
	})
}
