package storetest

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

func newHash() []byte {
	hash := make([]byte, 32)
	_, _ = rand.Read(hash)
	return hash
}

func (s *suite) newSession(user roster.ID) store.Session {
	return store.Session{
		ID: newID(), UserID: user, CreatedAt: s.now, LastUsedAt: s.now, Remember: true,
		IdleAt: s.now.Add(time.Hour), ExpiresAt: s.now.Add(24 * time.Hour), AuthTime: s.now.Add(-time.Minute),
		AMR: "pwd otp", IP: new("2001:db8::1"), UserAgent: new("Mozilla ü"), Generation: 1, SecretHash: newHash(),
	}
}

// session stores a session, one of many.
func (s *suite) session(t *testing.T, user roster.ID, change ...func(*store.Session)) store.Session {
	t.Helper()
	x := s.newSession(user)
	for _, f := range change {
		f(&x)
	}
	_, _, err := s.InsertSession(t.Context(), &x, store.Admission{Most: 1000})
	noError(t, err)
	return x
}

func (s *suite) getSession(t *testing.T, id roster.ID) store.Session {
	t.Helper()
	x, err := s.GetSession(t.Context(), id)
	noError(t, err)
	return x
}

func (s *suite) sessionIDs(t *testing.T, user roster.ID) []roster.ID {
	t.Helper()
	list, err := s.ListSessions(t.Context(), user, s.now)
	noError(t, err)
	var ids []roster.ID
	for _, x := range list {
		ids = append(ids, x.ID)
	}
	return ids
}

// profiled gives a session lives of its own.
func profiled(idle time.Duration) func(*store.Session) {
	return func(x *store.Session) {
		x.Profiles, x.AccessTTL, x.IdleTTL, x.FreshFor = new("desk kiosk"), 90*time.Second, idle, 1500*time.Millisecond
	}
}

func ended(at time.Time, reason roster.RevokeReason) func(*store.Session) {
	return func(x *store.Session) { x.EndedAt, x.EndedReason, x.Successor = &at, &reason, nil }
}

func (s *suite) testSession(t *testing.T) {
	t.Run("it returns what was stored", func(t *testing.T) {
		want := s.session(t, s.user(t).ID)
		same(t, "session", s.getSession(t, want.ID), want)
		short := s.session(t, want.UserID, func(x *store.Session) { x.Remember, x.IP, x.UserAgent = false, nil, nil })
		same(t, "short", s.getSession(t, short.ID), short)
		own := s.session(t, want.UserID, profiled(time.Minute))
		same(t, "with profiles", s.getSession(t, own.ID), own)
		_, err := s.GetSession(t.Context(), newID())
		fails(t, err, roster.ErrNotFound)
		for _, at := range []*time.Time{&want.CreatedAt, &short.AuthTime} {
			inUTC(t, *at)
		}
	})
	t.Run("it lists live sessions, the newest use first", func(t *testing.T) {
		a := s.user(t)
		at := func(d time.Duration) func(*store.Session) {
			return func(x *store.Session) { x.CreatedAt, x.LastUsedAt = s.now.Add(d), s.now.Add(d) }
		}
		newer, oldest := s.session(t, a.ID, at(-time.Minute)), s.session(t, a.ID, at(-time.Hour))
		newest := s.session(t, a.ID, at(0))
		s.session(t, a.ID, func(x *store.Session) { x.IdleAt = s.now })
		s.session(t, a.ID, func(x *store.Session) { x.ExpiresAt = s.now })
		s.session(t, s.user(t).ID)
		over := s.session(t, a.ID)
		done, err := s.EndSession(t.Context(), over.ID, s.now, roster.RevokedByLogout)
		noError(t, err)
		same(t, "ended", done, true)
		same(t, "sessions", s.sessionIDs(t, a.ID), []roster.ID{newest.ID, newer.ID, oldest.ID})
	})
	t.Run("it ends the least recently used beyond the bound", func(t *testing.T) {
		a := s.user(t)
		var ids []roster.ID
		for i := range 4 {
			x := s.session(t, a.ID, func(x *store.Session) { x.CreatedAt, x.LastUsedAt = s.now.Add(time.Duration(i)*time.Second), s.now })
			ids = append(ids, x.ID)
		}
		other := s.session(t, s.user(t).ID)
		x := s.newSession(a.ID)
		x.CreatedAt = s.now.Add(time.Minute)
		evicted, _, err := s.InsertSession(t.Context(), &x, store.Admission{Most: 3})
		noError(t, err)
		hasLength(t, "evicted", len(evicted), 2)
		for _, id := range evicted {
			if id != ids[0] && id != ids[1] {
				t.Errorf("evicted %s", id)
			}
			got := s.getSession(t, id)
			same(t, "reason", *got.EndedReason, roster.RevokedByEviction)
			same(t, "end", *got.EndedAt, x.CreatedAt)
		}
		same(t, "left", s.sessionIDs(t, a.ID), []roster.ID{x.ID, ids[3], ids[2]})
		same(t, "other", s.sessionIDs(t, other.UserID), []roster.ID{other.ID})
		one := s.newSession(a.ID)
		evicted, _, err = s.InsertSession(t.Context(), &one, store.Admission{Most: 1})
		noError(t, err)
		hasLength(t, "all evicted", len(evicted), 3)
	})
	t.Run("it ends a session once", func(t *testing.T) {
		x := s.session(t, s.user(t).ID)
		for i, want := range []bool{true, false} {
			done, err := s.EndSession(t.Context(), x.ID, s.now.Add(time.Duration(i)*time.Hour), roster.RevokedByLogout)
			noError(t, err)
			same(t, "ended", done, want)
		}
		ended(s.now, roster.RevokedByLogout)(&x)
		same(t, "session", s.getSession(t, x.ID), x)
	})
	t.Run("it ends all sessions of a user but one", func(t *testing.T) {
		a := s.user(t)
		first, second, third := s.session(t, a.ID), s.session(t, a.ID), s.session(t, a.ID)
		other := s.session(t, s.user(t).ID)
		ids, err := s.EndSessions(t.Context(), a.ID, second.ID, s.now, roster.RevokedByAdmin)
		noError(t, err)
		hasLength(t, "ended", len(ids), 2)
		same(t, "left", s.sessionIDs(t, a.ID), []roster.ID{second.ID})
		ids, err = s.EndSessions(t.Context(), a.ID, roster.ID{}, s.now, roster.RevokedByAdmin)
		noError(t, err)
		same(t, "the rest", ids, []roster.ID{second.ID})
		same(t, "first", *s.getSession(t, first.ID).EndedReason, roster.RevokedByAdmin)
		inUTC(t, *s.getSession(t, third.ID).EndedAt)
		same(t, "other", s.sessionIDs(t, other.UserID), []roster.ID{other.ID})
	})
	t.Run("a new one has the epoch of all users", func(t *testing.T) {
		s.raiseEpoch(t)
		epoch, err := s.GetGlobalEpoch(t.Context())
		noError(t, err)
		same(t, "epoch", epoch, s.epoch(t))
		same(t, "epoch of a new session", s.session(t, s.user(t).ID).GlobalEpoch, epoch)
	})
}

// raiseEpoch is a blackout.
func (s *suite) raiseEpoch(t *testing.T) {
	t.Helper()
	s.sql(t, "UPDATE %s SET epoch = epoch + 1", s.table("state"))
}

func (s *suite) epoch(t *testing.T) (epoch int64) {
	t.Helper()
	noError(t, s.Direct.QueryRowContext(t.Context(), "SELECT epoch FROM "+s.table("state")).Scan(&epoch))
	return epoch
}

func (s *suite) rotation(x store.Session, next []byte) store.Rotation {
	return store.Rotation{
		SessionID: x.ID, Current: x.SecretHash, Next: next, Successor: []byte("sealed"), Now: s.now.Add(time.Minute),
		IdleAt: s.now.Add(2 * time.Hour), ShortIdleAt: s.now.Add(90 * time.Minute), IP: new("192.0.2.1"),
	}
}

func (s *suite) testRotation(t *testing.T) {
	// What programs may call their own columns must not be taken for ours.
	for _, column := range []string{"user_id", "secret_hash", "expires_at", "idle_at", "ended_at", "global_epoch", "remember", "profiles", "access_ttl", "idle_ttl", "fresh_for", "u", "hash", "expires_on"} {
		s.sql(t, "ALTER TABLE %s ADD COLUMN %s text", s.UsersTable(), column)
	}
	t.Run("it replaces the refresh token and remembers the one before", func(t *testing.T) {
		for remember, idle := range map[bool]time.Duration{true: 2 * time.Hour, false: 90 * time.Minute} {
			a := s.user(t, func(a *account) { a.Permissions = roster.NewPermissions("users:read") })
			x := s.session(t, a.ID, func(x *store.Session) { x.Remember = remember })
			r := s.rotation(x, newHash())
			user := &account{}
			got, err := s.RotateSession(t.Context(), r, user.dest())
			noError(t, err)
			same(t, "user", user.ID, a.ID)
			want := x
			want.Generation, want.SecretHash, want.PreviousHash, want.Successor = 2, r.Next, x.SecretHash, r.Successor
			want.LastUsedAt, want.RotatedAt, want.IdleAt = r.Now, &r.Now, s.now.Add(idle)
			want.IP, want.UserAgent = r.IP, nil
			same(t, "stored", s.getSession(t, x.ID), want)
			same(t, "returned", got, store.Rotated{Session: store.Session{
				ID: x.ID, UserID: x.UserID, Remember: x.Remember, IdleAt: want.IdleAt, ExpiresAt: x.ExpiresAt, AuthTime: x.AuthTime, AMR: x.AMR,
				GlobalEpoch: x.GlobalEpoch, AccessTTL: x.AccessTTL,
			}, Permissions: a.Permissions, Superuser: a.Superuser, Epoch: a.Epoch})
		}
	})
	t.Run("it keeps to the life that a session has of its own", func(t *testing.T) {
		for _, remember := range []bool{true, false} {
			for idle, want := range map[time.Duration]time.Duration{time.Second: time.Minute + time.Second, 24 * time.Hour: 90 * time.Minute} {
				if remember && idle > time.Second {
					want = 2 * time.Hour
				}
				x := s.session(t, s.user(t).ID, profiled(idle), func(x *store.Session) { x.Remember = remember })
				got, err := s.RotateSession(t.Context(), s.rotation(x, newHash()), (&account{}).dest())
				noError(t, err)
				same(t, "idle end", got.IdleAt, s.now.Add(want))
				same(t, "life of access tokens", got.AccessTTL, x.AccessTTL)
				stored := s.getSession(t, x.ID)
				same(t, "lives", []any{*stored.Profiles, stored.AccessTTL, stored.IdleTTL, stored.FreshFor}, []any{"desk kiosk", x.AccessTTL, idle, x.FreshFor})
				same(t, "stored", stored.IdleAt, got.IdleAt)
			}
		}
		x := s.session(t, s.user(t).ID, profiled(24*time.Hour), func(x *store.Session) { x.ExpiresAt = s.now.Add(70 * time.Minute) })
		got, err := s.RotateSession(t.Context(), s.rotation(x, newHash()), (&account{}).dest())
		noError(t, err)
		same(t, "idle end", got.IdleAt, x.ExpiresAt)
	})
	t.Run("it does not move the idle end past the absolute one", func(t *testing.T) {
		x := s.session(t, s.user(t).ID, func(x *store.Session) { x.ExpiresAt = s.now.Add(70 * time.Minute) })
		got, err := s.RotateSession(t.Context(), s.rotation(x, newHash()), (&account{}).dest())
		noError(t, err)
		same(t, "idle end", got.IdleAt, x.ExpiresAt)
	})
	refused := map[string]struct {
		user    func(*account)
		session func(*store.Session)
		change  func(t *testing.T, x store.Session, r *store.Rotation)
	}{
		"another token":          {change: func(_ *testing.T, _ store.Session, r *store.Rotation) { r.Current = newHash() }},
		"an unknown session":     {change: func(_ *testing.T, _ store.Session, r *store.Rotation) { r.SessionID = newID() }},
		"an idle session":        {session: func(x *store.Session) { x.IdleAt = s.now.Add(time.Minute) }},
		"an expired session":     {session: func(x *store.Session) { x.ExpiresAt = s.now.Add(time.Minute) }},
		"a banned user":          {user: func(a *account) { a.BannedAt = &s.now }},
		"a ban that has not run": {user: func(a *account) { a.BannedAt, a.BannedUntil = &s.now, new(s.now.Add(2*time.Minute)) }},
		"an archived user":       {user: func(a *account) { a.ArchivedAt = &s.now }},
		"a deleted user":         {user: func(a *account) { a.DeletedAt = &s.now }},
		"an unverified user":     {change: func(_ *testing.T, _ store.Session, r *store.Rotation) { r.Verified = true }},
		"an ended session": {change: func(t *testing.T, x store.Session, _ *store.Rotation) {
			_, err := s.EndSession(t.Context(), x.ID, s.now, roster.RevokedByLogout)
			noError(t, err)
		}},
		"a token that was spent": {change: func(t *testing.T, x store.Session, r *store.Rotation) {
			_, err := s.RotateSession(t.Context(), s.rotation(x, newHash()), (&account{}).dest())
			noError(t, err)
		}},
		"a session from before a blackout": {change: func(t *testing.T, _ store.Session, _ *store.Rotation) { s.raiseEpoch(t) }},
	}
	for name, tt := range refused {
		t.Run("it refuses "+name, func(t *testing.T) {
			var changes []func(*account)
			if tt.user != nil {
				changes = append(changes, tt.user)
			}
			x := s.session(t, s.user(t, changes...).ID, func(x *store.Session) {
				if tt.session != nil {
					tt.session(x)
				}
			})
			r := s.rotation(x, newHash())
			if tt.change != nil {
				tt.change(t, x, &r)
			}
			before := s.getSession(t, x.ID)
			_, err := s.RotateSession(t.Context(), r, (&account{}).dest())
			fails(t, err, roster.ErrNotFound)
			same(t, "session", s.getSession(t, x.ID), before)
		})
	}
	for name, change := range map[string]func(*account){
		"whose ban has run":               func(a *account) { a.BannedAt, a.BannedUntil = &s.now, new(s.now.Add(time.Minute)) },
		"with a proven e-mail address":    func(a *account) { a.EmailVerifiedAt = &s.now },
		"with a proven phone":             func(a *account) { a.Phone, a.PhoneVerifiedAt = new("+43"+a.ID.String()), &s.now },
		"who has no contact to be proven": func(a *account) { a.Email, a.Username = nil, new("u"+a.ID.String()) },
	} {
		t.Run("it serves a user "+name, func(t *testing.T) {
			r := s.rotation(s.session(t, s.user(t, change).ID), newHash())
			r.Verified = name != "whose ban has run"
			got, err := s.RotateSession(t.Context(), r, nil)
			noError(t, err)
			if !bytes.Equal(s.getSession(t, got.ID).SecretHash, r.Next) {
				t.Error("the token is not the next")
			}
		})
	}
}
