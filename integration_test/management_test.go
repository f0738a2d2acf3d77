package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/usersrepo"
)

// acting is a context in which an administrator with permissions acts.
func (w *world) acting(t testing.TB, name string, options ...roster.CreateOption) (context.Context, *Person) {
	t.Helper()
	u := w.add(t, person(name, name+"@example.com", ""), append([]roster.CreateOption{roster.WithEmailVerified()}, options...)...)
	return roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorAdmin, ID: u.ID, RequestID: "r-" + name, Reason: "asked"}), u
}

func (w *world) enters(login string) error {
	_, err := w.Login(context.Background(), roster.PasswordCredentials(login, passphrase))
	return err
}

// MGMT-2, MGMT-13 to MGMT-17, MGMT-20, MGMT-21, SESS-35, SEC-36, cases 1 to 5.
func TestBan(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ann := w.add(t, person("annie", "ann@example.com", ""), roster.WithPassword(passphrase), roster.WithConfirmation())
		end := w.Clock.Now().Add(time.Hour)
		ban := roster.Ban{Reason: "spam", Note: "ticket 7", Until: &end}
		t.Run("MGMT-14 ends all at once, case 1", func(t *testing.T) {
			pair := w.issue(t, ann.ID)
			w.fired()
			record := must(w.Ban(t.Context(), ann.ID, ban))(t)
			same(t, roster.BanRecord{Ban: ban, At: w.Clock.Now().UTC()}, record)
			same(t, []string{"BeforeBan", "AfterSessionRevoke", "AfterBan", "OnSessionRevoke", "OnBan"}, w.fired()) // HOOK-62
			_, err := w.VerifyToken(t.Context(), pair.AccessToken)
			refused(t, err, roster.ErrSessionRevoked)
			_, err = w.Refresh(t.Context(), pair.RefreshToken)
			refused(t, err, roster.ErrBanned)
			same(t, 1, w.rows(t, "roster_sessions WHERE ended_reason = 'ban'"))
			same(t, 1, w.rows(t, "roster_links WHERE voided_at IS NULL")) // CONF-15: the confirmation stays
			same(t, int64(1), w.read(t, ann.ID).Epoch)
		})
		t.Run("MGMT-13 MGMT-20 tells why after a right password alone", func(t *testing.T) {
			err := w.enters("annie")
			refused(t, err, roster.ErrBanned)
			e, _ := errors.AsType[*roster.Error](err)
			same(t, map[string]any{"reason": "spam", "until": end}, e.Details)
			_, err = w.Login(t.Context(), roster.PasswordCredentials("annie", "wrong"))
			_, nobody := w.Login(t.Context(), roster.PasswordCredentials("nobody", "wrong"))
			same(t, nobody.Error(), err.Error())
			_, err = w.Create(t.Context(), person("Annie", "", "")) // MGMT-21
			refused(t, err, roster.ErrIdentifierTaken, "username:taken")
			refused(t, w.RequestEmailConfirmation(t.Context(), ann.ID), roster.ErrConflict)
		})
		t.Run("MGMT-15 replaces, and does nothing twice, case 2", func(t *testing.T) {
			w.fired()
			before := w.tables(t)
			must(w.Ban(t.Context(), ann.ID, ban))(t)
			same(t, before, w.tables(t))
			same(t, []string(nil), w.fired())
			var seen *callbacks.Ban[*Person]
			defer w.On.Ban.On(func(_ context.Context, e *callbacks.Ban[*Person]) error { seen = e; return nil })()
			must(w.Ban(t.Context(), ann.ID, roster.Ban{Reason: "worse"}))(t)
			same(t, []string{"BeforeBan", "AfterBan", "OnBan"}, w.fired())
			same(t, true, seen.Changed)
			same(t, int64(1), w.read(t, ann.ID).Epoch)
		})
		t.Run("MGMT-16 revives nothing, SEC-36, case 3", func(t *testing.T) {
			w.exec(t, "UPDATE users SET banned_at = NULL")
			pair := w.issue(t, ann.ID)
			must(w.Ban(t.Context(), ann.ID, roster.Ban{}))(t)
			w.fired()
			for range 2 {
				same(t, nil, w.Unban(t.Context(), ann.ID))
			}
			same(t, []string{"BeforeUnban", "AfterUnban", "OnUnban"}, w.fired())
			w.dead(t, pair)
			_, err := w.Refresh(t.Context(), pair.RefreshToken)
			refused(t, err, roster.ErrSessionRevoked)
			same(t, nil, w.enters("annie"))
			same(t, 0, w.rows(t, "roster_bans"))
		})
		t.Run("MGMT-17 ends by itself, case 4", func(t *testing.T) {
			pair := w.issue(t, ann.ID)
			end := w.Clock.Now().Add(time.Hour)
			must(w.Ban(t.Context(), ann.ID, roster.Ban{Until: &end}))(t)
			w.fired()
			w.Clock.Advance(time.Hour - time.Microsecond)
			refused(t, w.enters("annie"), roster.ErrBanned)
			w.Clock.Advance(time.Microsecond)
			same(t, nil, w.enters("annie"))
			page := must(w.GetBlacklist(t.Context(), roster.BlacklistQuery{}))(t)
			same(t, 0, len(page.Items))
			_, err := w.Refresh(t.Context(), pair.RefreshToken)
			refused(t, err, roster.ErrSessionRevoked)
			if slices.Contains(w.fired(), "OnUnban") {
				t.Error("an event has fired")
			}
		})
		t.Run("MGMT-13 judges what it is given, case 5", func(t *testing.T) {
			before := w.tables(t)
			now := w.Clock.Now()
			_, err := w.Ban(t.Context(), ann.ID, roster.Ban{Reason: strings.Repeat("ä", 201), Note: strings.Repeat("n", 2001), Until: &now})
			refused(t, err, roster.ErrValidationFailed, "note:too_long", "reason:too_long", "until:invalid")
			_, err = w.Ban(t.Context(), ann.ID, roster.Ban{Reason: "a\x00"})
			refused(t, err, roster.ErrValidationFailed, "reason:invalid")
			same(t, before, w.tables(t))
		})
		t.Run("MGMT-4 finds nobody, case 6", func(t *testing.T) {
			gone := w.add(t, person("gone1", "", ""))
			same(t, nil, w.Delete(t.Context(), gone.ID, roster.Anonymise))
			before := w.tables(t)
			for _, id := range []roster.ID{{}, w.NewID(), gone.ID} {
				_, err := w.Ban(t.Context(), id, roster.Ban{})
				refused(t, err, roster.ErrNotFound)
				_, err = w.ToggleBlacklist(t.Context(), id)
				refused(t, err, roster.ErrNotFound)
				refused(t, w.Unban(t.Context(), id), roster.ErrNotFound)
				refused(t, w.Kick(t.Context(), id), roster.ErrNotFound)
				_, err = w.AddPermissions(t.Context(), id, []string{"a"})
				refused(t, err, roster.ErrNotFound)
				_, err = w.SetSuperuser(t.Context(), id, true)
				refused(t, err, roster.ErrNotFound)
				_, err = w.ArchiveUser(t.Context(), id, "")
				refused(t, err, roster.ErrNotFound)
			}
			same(t, before, w.tables(t))
		})
		t.Run("MGMT-5 leaves what was when a hook refuses, case 22", func(t *testing.T) {
			pair := w.issue(t, ann.ID)
			for _, add := range []func(callbacks.Func[*callbacks.Ban[*Person]]) func(){w.On.Ban.Before, w.On.Ban.After} {
				remove := add(rejecting[callbacks.Ban[*Person]]("no_ban"))
				before := w.tables(t)
				_, err := w.Ban(t.Context(), ann.ID, roster.Ban{})
				wantCode(t, err, "no_ban")
				same(t, before, w.tables(t))
				remove()
			}
			w.alive(t, pair)
		})
	})
}

// MGMT-18, MGMT-19, ADMIN-30, case 7.
func TestBlacklist(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		t.Run("MGMT-18 flips, and two at once are two flips", func(t *testing.T) {
			u := w.add(t, person("flipped", "", ""))
			same(t, true, must(w.ToggleBlacklist(t.Context(), u.ID))(t))
			same(t, false, must(w.ToggleBlacklist(t.Context(), u.ID))(t))
			var mu sync.Mutex
			banned := 0
			same(t, map[roster.Code]int{"": 64}, atOnce(64, func(int) error {
				now, err := w.ToggleBlacklist(t.Context(), u.ID)
				mu.Lock()
				defer mu.Unlock()
				if now {
					banned++
				}
				return err
			}))
			same(t, 32, banned)
			same(t, false, w.read(t, u.ID).Banned(w.Clock.Now()))
		})
		t.Run("MGMT-19 pages, newest first, case 7", func(t *testing.T) {
			ctx, admin := w.acting(t, "warden", roster.WithPermissions("users:ban", "users:read"))
			var want []string
			for i := range 45 {
				u := w.add(t, person(fmt.Sprintf("user%d", i), "", ""))
				if i%3 == 0 {
					w.Clock.Advance(time.Minute)
				}
				must(w.Ban(ctx, u.ID, roster.Ban{Reason: fmt.Sprint(i)}))(t)
				want = append(want, fmt.Sprint(i))
			}
			var sizes []int
			var got []string
			var query roster.BlacklistQuery
			for {
				page := must(w.GetBlacklist(ctx, query))(t)
				sizes = append(sizes, len(page.Items))
				for _, b := range page.Items {
					got = append(got, b.Reason)
					same(t, admin.ID, *b.By)
					same(t, w.Clock.Now().Sub(b.At) < 10*time.Minute, b.Current)
				}
				if query.Cursor = page.Next; page.Next == "" {
					break
				}
				late := w.add(t, person(fmt.Sprintf("late%d", len(sizes)), "", ""))
				must(w.Ban(ctx, late.ID, roster.Ban{}))(t)
			}
			same(t, []int{20, 20, 5}, sizes)
			slices.Sort(want)
			slices.Sort(got)
			same(t, want, got)
			for name, q := range map[string]roster.BlacklistQuery{
				"by": {By: new(w.NewID())}, "since": {Since: new(w.Clock.Now().Add(time.Second))}, "until": {Until: new(time.Unix(0, 0))},
			} {
				if n := len(must(w.GetBlacklist(ctx, q))(t).Items); n != 0 {
					t.Errorf("%s: %d", name, n)
				}
			}
			current := must(w.GetBlacklist(ctx, roster.BlacklistQuery{Current: new(false), Limit: 200}))(t)
			same(t, false, slices.ContainsFunc(current.Items, func(b roster.Banned[*Person]) bool { return b.Current }))
			_, err := w.GetBlacklist(ctx, roster.BlacklistQuery{Limit: 201})
			refused(t, err, roster.ErrValidationFailed, "limit:invalid")
			first := must(w.GetBlacklist(ctx, roster.BlacklistQuery{}))(t).Next
			for _, cursor := range []string{"x", first[1:], first + "A"} {
				_, err = w.GetBlacklist(ctx, roster.BlacklistQuery{Cursor: cursor})
				refused(t, err, roster.ErrInvalidCursor)
			}
			_, err = w.GetBlacklist(ctx, roster.BlacklistQuery{Cursor: first, By: &admin.ID})
			refused(t, err, roster.ErrInvalidCursor)
		})
	})
}

// MGMT-24 to MGMT-27, SESS-3, SESS-55, cases 8 and 9.
func TestKick(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ann := w.add(t, person("annie", "", ""), roster.WithPassword(passphrase))
		var kicks []int
		w.On.Kick.On(func(_ context.Context, e *callbacks.Kick) error { kicks = append(kicks, e.Sessions); return nil })
		old := w.issue(t, ann.ID)
		t.Run("MGMT-24 ends what was, and lets the next in at the same instant, SESS-3, SESS-55, case 8", func(t *testing.T) {
			same(t, nil, w.Kick(t.Context(), ann.ID))
			fresh := w.issue(t, ann.ID)
			w.dead(t, old)
			w.alive(t, fresh)
			same(t, 1, w.rows(t, "roster_sessions WHERE ended_reason = 'kick'"))
			same(t, nil, w.enters("annie"))
		})
		t.Run("MGMT-25 holds for the whole life of a token, case 9", func(t *testing.T) {
			w.Clock.Advance(11 * time.Minute)
			_, err := w.Refresh(t.Context(), old.RefreshToken)
			refused(t, err, roster.ErrSessionRevoked)
		})
		t.Run("MGMT-26 kicks who has no session, and twice", func(t *testing.T) {
			kicks = nil
			for range 3 {
				same(t, nil, w.Kick(t.Context(), ann.ID))
			}
			same(t, []int{2, 0, 0}, kicks)
			same(t, int64(4), w.read(t, ann.ID).Epoch)
		})
		t.Run("PROT-26 forgets the devices that the user is known by", func(t *testing.T) {
			must(w.Login(t.Context(), roster.PasswordCredentials("annie", passphrase)))(t)
			same(t, true, w.rows(t, "roster_devices") > 0)
			same(t, nil, w.Kick(t.Context(), ann.ID))
			same(t, 0, w.rows(t, "roster_devices"))
		})
		t.Run("MGMT-27 leaves no live token of an older epoch", func(t *testing.T) {
			var mu sync.Mutex
			var pairs []roster.TokenPair
			atOnce(24, func(i int) error {
				if i%4 == 0 {
					return w.Kick(t.Context(), ann.ID)
				}
				pair, err := w.IssueTokens(t.Context(), ann.ID, roster.IssueOptions{})
				if err == nil && i%2 == 0 {
					pair, err = w.Refresh(t.Context(), pair.RefreshToken)
				}
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					pairs = append(pairs, pair)
				}
				return nil
			})
			epoch := w.read(t, ann.ID).Epoch
			for _, pair := range pairs {
				if claims, err := w.VerifyToken(t.Context(), pair.AccessToken); err == nil && claims.Epoch != epoch {
					t.Errorf("a token of epoch %d lives in %d", claims.Epoch, epoch)
				}
			}
		})
	})
}

// MGMT-22, MGMT-23, SEC-34, cases 20 and 21.
func TestArchiveUser(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ann := w.add(t, person("annie", "", ""), roster.WithPassword(passphrase))
		pair := w.issue(t, ann.ID)
		w.exec(t, "UPDATE users SET archived_at = created_at, archived_by = 'self' WHERE id = $1", ann.ID)
		w.fired()
		t.Run("MGMT-22 takes over what the user put aside", func(t *testing.T) {
			u := must(w.ArchiveUser(t.Context(), ann.ID, "unused"))(t)
			same(t, w.read(t, ann.ID), u)
			same(t, roster.ArchivedByAdmin, *u.ArchivedBy)
			same(t, []string{"BeforeArchive", "AfterSessionRevoke", "AfterArchive", "OnSessionRevoke", "OnArchive"}, w.fired())
			must(w.ArchiveUser(t.Context(), ann.ID, "again"))(t)
			same(t, []string(nil), w.fired())
			_, err := w.ArchiveUser(t.Context(), ann.ID, strings.Repeat("x", 201))
			refused(t, err, roster.ErrValidationFailed, "reason:too_long")
		})
		t.Run("MGMT-22 SEC-34 is lifted by no log-in, case 20", func(t *testing.T) {
			refused(t, w.enters("annie"), roster.ErrArchived)
			_, err := w.Refresh(t.Context(), pair.RefreshToken)
			refused(t, err, roster.ErrArchived)
			must(w.Ban(t.Context(), ann.ID, roster.Ban{}))(t)
			refused(t, w.enters("annie"), roster.ErrBanned) // MGMT-1, case 21
			same(t, nil, w.Unban(t.Context(), ann.ID))
			refused(t, w.enters("annie"), roster.ErrArchived)
		})
		t.Run("MGMT-23 lifts both kinds, SEC-36", func(t *testing.T) {
			w.fired()
			for range 2 {
				same(t, (*time.Time)(nil), must(w.UnarchiveUser(t.Context(), ann.ID))(t).ArchivedAt)
			}
			same(t, []string{"BeforeUnarchive", "AfterUnarchive", "OnUnarchive"}, w.fired())
			same(t, nil, w.enters("annie"))
			w.dead(t, pair)
			w.exec(t, "UPDATE users SET archived_at = created_at, archived_by = 'self' WHERE id = $1", ann.ID)
			must(w.UnarchiveUser(t.Context(), ann.ID))(t)
			same(t, nil, w.enters("annie"))
		})
	})
}

// MGMT-28 to MGMT-34, cases 11 to 14.
func TestBlackout(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx, boss := w.acting(t, "boss", roster.WithSuperuser(true), roster.WithPassword(passphrase))
		ann := w.add(t, person("annie", "", ""), roster.WithPassword(passphrase))
		t.Run("MGMT-32 MGMT-33 knows when none is set, case 12", func(t *testing.T) {
			_, err := w.GetBlackout(ctx)
			refused(t, err, roster.ErrNotFound)
			w.fired()
			same(t, nil, w.DeleteBlackout(ctx))
			same(t, []string(nil), w.fired())
		})
		old := []roster.TokenPair{w.issue(t, ann.ID), w.issue(t, boss.ID)}
		var between roster.TokenPair
		t.Run("MGMT-28 MGMT-29 ends every token, and lets people in at once, cases 11 and 14", func(t *testing.T) {
			w.fired()
			got := must(w.SetBlackout(ctx, roster.Blackout{Message: "moved"}))(t)
			same(t, []string{"BeforeBlackout", "AfterBlackout", "OnBlackout"}, w.fired())
			same(t, roster.Blackout{SetAt: w.Clock.Now().UTC(), By: &boss.ID, Message: "moved"}, got)
			same(t, got, must(w.GetBlackout(ctx))(t))
			for _, pair := range old {
				w.dead(t, pair)
				_, err := w.Refresh(t.Context(), pair.RefreshToken)
				refused(t, err, roster.ErrSessionRevoked)
			}
			between = w.issue(t, ann.ID)
			w.alive(t, between)
		})
		t.Run("MGMT-31 counts each, also of many at once", func(t *testing.T) {
			same(t, map[roster.Code]int{"": 16}, atOnce(16, func(int) error {
				_, err := w.SetBlackout(ctx, roster.Blackout{})
				return err
			}))
			w.dead(t, between)
			same(t, 1, w.rows(t, "roster_state WHERE epoch = 17"))
		})
		end := w.Clock.Now().Add(time.Hour)
		t.Run("MGMT-29 closes the door to all but superusers, case 13", func(t *testing.T) {
			must(w.SetBlackout(ctx, roster.Blackout{Message: "back soon", Closed: true, Until: &end}))(t)
			users := w.rows(t, "users")
			_, _, registering := w.Register(t.Context(), person("newcomer", "", ""), passphrase)
			_, issuing := w.IssueTokens(t.Context(), ann.ID, roster.IssueOptions{})
			for _, err := range []error{w.enters("annie"), registering, issuing} {
				refused(t, err, roster.ErrUnavailable)
				if e, _ := errors.AsType[*roster.Error](err); e == nil || e.Message != "back soon" || e.RetryAfter != time.Hour {
					t.Errorf("%+v", err)
				}
			}
			same(t, users, w.rows(t, "users"))
			_, err := w.Login(t.Context(), roster.PasswordCredentials("annie", "wrong"))
			refused(t, err, roster.ErrInvalidCredentials)
			same(t, nil, w.enters("boss"))
		})
		t.Run("MGMT-29 SESS-28 spends no refresh token meanwhile", func(t *testing.T) {
			same(t, nil, w.DeleteBlackout(ctx))
			pair := w.issue(t, ann.ID)
			w.exec(t, "UPDATE roster_state SET blackout_at = $1, blackout_closed = true, blackout_until = $2", w.Clock.Now(), end)
			_, err := w.Refresh(t.Context(), pair.RefreshToken)
			refused(t, err, roster.ErrUnavailable)
			w.Clock.Advance(time.Hour) // MGMT-30
			must(w.Refresh(t.Context(), pair.RefreshToken))(t)
			same(t, nil, w.enters("annie"))
		})
		t.Run("MGMT-33 SEC-36 revives nothing", func(t *testing.T) {
			same(t, nil, w.DeleteBlackout(ctx))
			for _, pair := range append(old, between) {
				_, err := w.Refresh(t.Context(), pair.RefreshToken)
				refused(t, err, roster.ErrSessionRevoked)
			}
		})
		t.Run("MGMT-30 judges what it is given", func(t *testing.T) {
			_, err := w.SetBlackout(ctx, roster.Blackout{Message: strings.Repeat("x", 501), Until: new(w.Clock.Now())})
			refused(t, err, roster.ErrValidationFailed, "message:too_long", "until:invalid")
		})
		t.Run("MGMT-34 needs a superuser", func(t *testing.T) {
			clerk, _ := w.acting(t, "clerk", roster.WithPermissions("*"))
			_, err := w.SetBlackout(clerk, roster.Blackout{})
			refused(t, err, roster.ErrForbidden)
			refused(t, w.DeleteBlackout(clerk), roster.ErrForbidden)
		})
	})
}

// MGMT-9, MGMT-35 to MGMT-43, SEC-94, SEC-95, SESS-8, SESS-21, cases 16 to 19 and 23.
func TestPermissions(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ann := w.add(t, person("annie", "", ""), roster.WithPassword(passphrase))
		get := func(want ...string) {
			t.Helper()
			same(t, append(roster.Permissions{}, want...), must(w.GetPermissions(t.Context(), ann.ID))(t))
		}
		t.Run("MGMT-38 MGMT-39 keeps a sorted list without doubles", func(t *testing.T) {
			must(w.SetPermissions(t.Context(), ann.ID, []string{"b", "a", "b"}))(t)
			get("a", "b")
			must(w.AddPermissions(t.Context(), ann.ID, []string{"b", "c"}))(t)
			must(w.RemovePermissions(t.Context(), ann.ID, []string{"a", "x"}))(t)
			get("b", "c")
			must(w.SetPermissions(t.Context(), ann.ID, nil))(t)
			get()
		})
		t.Run("MGMT-39 loses none of fifty at once", func(t *testing.T) {
			same(t, map[roster.Code]int{"": 50}, atOnce(50, func(i int) error {
				_, err := w.AddPermissions(t.Context(), ann.ID, []string{fmt.Sprintf("p%d", i)})
				return err
			}))
			same(t, 50, len(must(w.GetPermissions(t.Context(), ann.ID))(t)))
		})
		t.Run("MGMT-40 MGMT-41 acts on a change alone, SESS-21, cases 18 and 23", func(t *testing.T) {
			must(w.SetPermissions(t.Context(), ann.ID, []string{"a", "b"}))(t)
			pair, before := w.issue(t, ann.ID), w.read(t, ann.ID)
			w.fired()
			must(w.SetPermissions(t.Context(), ann.ID, []string{"b", "a"}))(t)
			same(t, before, w.read(t, ann.ID))
			same(t, []string(nil), w.fired())
			must(w.AddPermissions(t.Context(), ann.ID, []string{"c"}))(t)
			w.alive(t, pair)
			var seen *callbacks.PermissionsChange[*Person]
			defer w.On.PermissionsChange.On(func(_ context.Context, e *callbacks.PermissionsChange[*Person]) error { seen = e; return nil })()
			must(w.RemovePermissions(t.Context(), ann.ID, []string{"a"}))(t)
			same(t, roster.Permissions{"a"}, seen.Removed)
			same(t, roster.Permissions{"b", "c"}, seen.New)
			_, err := w.VerifyToken(t.Context(), pair.AccessToken)
			refused(t, err, roster.ErrTokenExpired)
			pair = must(w.Refresh(t.Context(), pair.RefreshToken))(t)
			same(t, roster.Permissions{"b", "c"}, must(w.VerifyToken(t.Context(), pair.AccessToken))(t).Permissions)
		})
		t.Run("MGMT-35 refuses what is none, case 17", func(t *testing.T) {
			var many []string
			for i := range 201 {
				many = append(many, fmt.Sprint(i))
			}
			for _, list := range [][]string{{"bad perm"}, {strings.Repeat("x", 101)}, many, {"a:*:b"}, {""}} {
				_, err := w.AddPermissions(t.Context(), ann.ID, list)
				if !errors.Is(err, roster.ErrValidationFailed) {
					t.Errorf("%.40v: %v", list, err)
				}
			}
			get("b", "c")
		})
		t.Run("MGMT-9 hands out nothing that the actor lacks, SEC-95, case 16", func(t *testing.T) {
			clerk, self := w.acting(t, "clerk", roster.WithPermissions("users:permissions", "shop:*"))
			for _, call := range []func() error{
				func() error {
					_, err := w.AddPermissions(clerk, ann.ID, []string{"shop:sell", "users:ban"})
					return err
				},
				func() error { _, err := w.AddPermissions(clerk, self.ID, []string{"users:ban"}); return err },
				func() error { _, err := w.RemovePermissions(clerk, ann.ID, []string{"b"}); return err },
				func() error { _, err := w.SetPermissions(clerk, ann.ID, []string{"c"}); return err },
			} {
				refused(t, call(), roster.ErrForbidden, "permissions:not_held")
			}
			_, err := w.SetSuperuser(clerk, ann.ID, true)
			refused(t, err, roster.ErrForbidden)
			get("b", "c")
			must(w.AddPermissions(clerk, ann.ID, []string{"shop:sell", "b"}))(t)
			get("b", "c", "shop:sell")
		})
		t.Run("MGMT-7 keeps those who may less from the accounts of those who may more", func(t *testing.T) {
			clerk, _ := w.acting(t, "helper", roster.WithPermissions("users:update"))
			above := w.add(t, person("", "above@example.com", ""), roster.WithPermissions("users:ban"))
			refused(t, w.RequestPasswordSet(clerk, above.ID), roster.ErrForbidden)
			_, err := w.Update(clerk, above.ID, func(p *Person) error { p.Email = new("mine@example.com"); return nil })
			refused(t, err, roster.ErrForbidden)
			must(w.Update(clerk, above.ID, func(p *Person) error { p.Company = "Acme"; return nil }))(t)
			below := w.add(t, person("", "below@example.com", ""))
			same(t, nil, w.RequestPasswordSet(clerk, below.ID))
			must(w.Update(clerk, below.ID, func(p *Person) error { p.Email = new("other@example.com"); return nil }))(t)
		})
		t.Run("MGMT-6 SEC-94 SESS-8 takes a right away at once, case 19", func(t *testing.T) {
			clerk, self := w.acting(t, "demoted", roster.WithPermissions("users:ban"))
			must(w.Ban(clerk, ann.ID, roster.Ban{}))(t)
			must(w.SetPermissions(t.Context(), self.ID, nil))(t)
			refused(t, w.Unban(clerk, ann.ID), roster.ErrForbidden)
		})
		t.Run("MGMT-43 writes no rights by an update", func(t *testing.T) {
			_, err := w.Update(t.Context(), ann.ID, func(p *Person) error {
				p.Superuser, p.Permissions, p.BannedAt = true, roster.Permissions{"a"}, nil
				return nil
			})
			refused(t, err, roster.ErrValidationFailed, "banned_at:forbidden_field", "permissions:forbidden_field", "superuser:forbidden_field")
		})
	})
}

// MGMT-36
func TestPermissionWildcards(t *testing.T) {
	t.Parallel()
	for held, covers := range map[string]string{"a:*": "a a:b a:b:c", "*": "a a:b", "a.*": "a.b"} {
		for name := range strings.FieldsSeq(covers) {
			same(t, true, roster.Permissions{held}.Covers(name))
		}
	}
	same(t, false, roster.Permissions{"a:*"}.Covers("ab"))
}

// MGMT-37, ADMIN-4: settings of permissions.
func TestPermissionSettings(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ann := w.add(t, person("annie", "", ""))
		_, err := w.AddPermissions(t.Context(), ann.ID, []string{"shop:sell", "blog:write"})
		refused(t, err, roster.ErrValidationFailed, "permissions:unknown_permission")
		_, err = w.Create(t.Context(), person("bobby", "", ""), roster.WithPermissions("blog:write"))
		refused(t, err, roster.ErrValidationFailed, "permissions:unknown_permission")
		must(w.AddPermissions(t.Context(), ann.ID, []string{"shop:sell", "shop:*", "users:read", "moderation:ban"}))(t)
		renamed, _ := w.acting(t, "renamed", roster.WithPermissions("moderation:ban"))
		must(w.Ban(renamed, ann.ID, roster.Ban{}))(t)
		former, _ := w.acting(t, "former", roster.WithPermissions("users:ban"))
		refused(t, w.Unban(former, ann.ID), roster.ErrForbidden)
	}, func(cfg *usersrepo.Config) {
		cfg.Management.KnownPermissions = []string{"shop:sell"}
		cfg.Management.Permissions = map[string]string{"users:ban": "moderation:ban"}
	})
}

// MGMT-8, MGMT-11, MGMT-42, SEC-96, case 15.
func TestSuperuser(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx, boss := w.acting(t, "boss", roster.WithSuperuser(true))
		t.Run("MGMT-8 nobody does it to themselves, case 15", func(t *testing.T) {
			_, err := w.Ban(ctx, boss.ID, roster.Ban{})
			refused(t, err, roster.ErrForbidden)
			_, err = w.ToggleBlacklist(ctx, boss.ID)
			refused(t, err, roster.ErrForbidden)
			_, err = w.ArchiveUser(ctx, boss.ID, "")
			refused(t, err, roster.ErrForbidden)
			_, err = w.SetSuperuser(ctx, boss.ID, false)
			refused(t, err, roster.ErrForbidden)
			same(t, nil, w.Kick(ctx, boss.ID))
		})
		t.Run("MGMT-11 keeps the last, case 15", func(t *testing.T) {
			_, err := w.Ban(t.Context(), boss.ID, roster.Ban{})
			refused(t, err, roster.ErrLastSuperuser)
			_, err = w.ArchiveUser(t.Context(), boss.ID, "")
			refused(t, err, roster.ErrLastSuperuser)
			_, err = w.SetSuperuser(t.Context(), boss.ID, false)
			refused(t, err, roster.ErrLastSuperuser)
		})
		t.Run("MGMT-7 keeps others from a superuser, case 15", func(t *testing.T) {
			clerk, _ := w.acting(t, "clerk", roster.WithPermissions("*"))
			_, err := w.Ban(clerk, boss.ID, roster.Ban{})
			refused(t, err, roster.ErrForbidden)
			refused(t, w.Kick(clerk, boss.ID), roster.ErrForbidden)
			_, err = w.SetPermissions(clerk, boss.ID, []string{"a"})
			refused(t, err, roster.ErrForbidden)
			_, err = w.ArchiveUser(clerk, boss.ID, "")
			refused(t, err, roster.ErrForbidden)
		})
		t.Run("MGMT-42 tells the user and all other superusers", func(t *testing.T) {
			deputy := w.add(t, person("deputy", "deputy@example.com", ""), roster.WithEmailVerified())
			pair := w.issue(t, deputy.ID)
			w.fired()
			for range 2 {
				same(t, true, must(w.SetSuperuser(ctx, deputy.ID, true))(t).Superuser)
			}
			same(t, 2, w.rows(t, "roster_messages WHERE kind = 'superuser_changed' AND recipient IN ('deputy@example.com', 'boss@example.com')"))
			w.alive(t, pair)
			must(w.SetSuperuser(ctx, deputy.ID, false))(t)
			_, err := w.VerifyToken(t.Context(), pair.AccessToken)
			refused(t, err, roster.ErrTokenExpired) // MGMT-41
		})
	})
}

// SEC-96: two superusers take each other away, by all pairs of operations at once: one is left.
func TestSEC_96_LastSuperuserRace(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ways := map[string]func(ctx context.Context, id roster.ID) error{
			"ban":     func(ctx context.Context, id roster.ID) error { _, err := w.Ban(ctx, id, roster.Ban{}); return err },
			"toggle":  func(ctx context.Context, id roster.ID) error { _, err := w.ToggleBlacklist(ctx, id); return err },
			"archive": func(ctx context.Context, id roster.ID) error { _, err := w.ArchiveUser(ctx, id, ""); return err },
			"demote":  func(ctx context.Context, id roster.ID) error { _, err := w.SetSuperuser(ctx, id, false); return err },
			"delete":  func(ctx context.Context, id roster.ID) error { return w.Delete(ctx, id, roster.Deactivate) },
		}
		round := 0
		for one, first := range ways {
			for other, second := range ways {
				round++
				w.exec(t, "UPDATE users SET superuser = false")
				a, annie := w.acting(t, fmt.Sprintf("a%d", round+100), roster.WithSuperuser(true))
				b, bob := w.acting(t, fmt.Sprintf("b%d", round+100), roster.WithSuperuser(true))
				atOnce(2, func(i int) error {
					if i == 0 {
						return first(a, bob.ID)
					}
					return second(b, annie.ID)
				})
				left := w.rows(t, "users WHERE superuser AND banned_at IS NULL AND archived_at IS NULL AND deleted_at IS NULL")
				if left != 1 {
					t.Errorf("%s against %s: %d are left", one, other, left)
				}
			}
		}
	})
}

// MGMT-12, SEC-97
func TestSEC_97_FreshInstallHasNobody(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		same(t, 0, w.rows(t, "users"))
		same(t, 0, w.rows(t, "roster_passwords"))
		ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser})
		_, err := w.CreateSuperuser(ctx, person("boss", "", ""))
		refused(t, err, roster.ErrForbidden)
		must(w.CreateSuperuser(t.Context(), person("boss", "", "")))(t)
	})
}
