package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// testDevices is PROT-23: at most so many devices of a user, those of one session spared.
func (s *suite) testDevices(t *testing.T) {
	u, other := s.user(t), s.user(t)
	ttl, most := time.Hour, 3
	login := func(user roster.ID, given, fresh string, at time.Time) (store.Session, bool) {
		t.Helper()
		d := store.Device{Fresh: []byte(fresh), ExpiresAt: at.Add(ttl), Most: most}
		if given != "" {
			d.Given = []byte(given)
		}
		if fresh == "" {
			d.Fresh = nil
		}
		x := store.Session{
			ID: newID(), UserID: user, CreatedAt: at, LastUsedAt: at, IdleAt: at.Add(ttl), ExpiresAt: at.Add(ttl), AuthTime: at,
			AMR: "pwd", Generation: 1, SecretHash: []byte("secret"),
		}
		known := false
		noError(t, s.Transact(t.Context(), func(ctx context.Context) error {
			var err error
			_, known, err = s.InsertSession(ctx, &x, store.Admission{Most: 100, Device: d})
			return err
		}))
		return x, known
	}
	owner := func(device string, at time.Time) *roster.ID {
		t.Helper()
		id, err := s.DeviceOwner(t.Context(), []byte(device), at)
		if err != nil {
			fails(t, err, roster.ErrNotFound)
			return nil
		}
		return &id
	}
	devices := func() int { t.Helper(); return s.count(t, s.table("devices"), "user_id = $1", u.ID) }

	_, known := login(u.ID, "", "one", s.now)
	same(t, "known", known, false)
	same(t, "owner", owner("one", s.now), &u.ID)
	same(t, "owner at the end", owner("one", s.now.Add(ttl)), (*roster.ID)(nil))
	_, known = login(u.ID, "one", "unused", s.now.Add(ttl/2)) // slides
	same(t, "known", known, true)
	same(t, "owner after the first end", owner("one", s.now.Add(ttl)), &u.ID)
	same(t, "devices", devices(), 1)
	_, known = login(other.ID, "one", "theirs", s.now)
	same(t, "known to another", known, false)
	_, known = login(u.ID, "", "", s.now)
	same(t, "known without devices", known, false)
	same(t, "devices", devices(), 1)
	for i, name := range []string{"two", "three", "four"} {
		login(u.ID, "", name, s.now.Add(ttl/2+time.Duration(i+1)*time.Second))
	}
	same(t, "devices", devices(), 3)
	same(t, "the oldest", owner("one", s.now), (*roster.ID)(nil))
	_, known = login(u.ID, "one", "five", s.now.Add(ttl/2+time.Minute)) // dropped: a new one
	same(t, "known", known, false)
	same(t, "devices", devices(), 3)
	x, _ := login(u.ID, "", "six", s.now.Add(ttl/2+2*time.Minute))
	noError(t, s.DropDevices(t.Context(), u.ID, x.ID))
	same(t, "devices but the one in use", devices(), 1)
	same(t, "the one in use", owner("six", s.now), &u.ID)
	noError(t, s.DropDevices(t.Context(), u.ID, roster.ID{}))
	same(t, "devices", devices(), 0)
	same(t, "another's", owner("theirs", s.now), &other.ID)

	for _, name := range []string{"seven", "eight", "nine"} {
		login(u.ID, "", name, s.now)
	}
	same(t, "devices of one time", devices(), 3)
	login(u.ID, "", "ten", s.now)
	same(t, "devices when one of them gave way", devices(), 3)
	same(t, "the latest", owner("ten", s.now), &u.ID)
	most = 1
	login(u.ID, "", "eleven", s.now.Add(time.Second))
	same(t, "devices with a lower limit", devices(), 1)
	same(t, "the only one", owner("eleven", s.now), &u.ID)
	same(t, "still another's", owner("theirs", s.now), &other.ID)
}

// testFailures is PROT-27: wrong passwords in a row.
func (s *suite) testFailures(t *testing.T) {
	ctx, u := t.Context(), s.user(t)
	count := func() (int, bool) {
		t.Helper()
		n, closed, err := s.CountFailure(ctx, u.ID, &store.AuditEntry{
			ID: newID(), HappenedAt: s.now, ActorKind: roster.ActorSystem, Action: "login.failed", SubjectID: &u.ID, Result: roster.AuditFailed,
		})
		noError(t, err)
		return n, closed
	}
	n, _ := count()
	same(t, "failures without a password", n, 0)
	noError(t, s.PutPassword(ctx, u.ID, store.Password{Hash: "hash", ChangedAt: s.now}))
	for i := range 5 {
		n, closed := count()
		same(t, "failures", []any{n, closed}, []any{i + 1, false})
	}
	noError(t, s.TouchLastLogin(ctx, u.ID, s.now, 5)) // too many already
	n, _ = count()
	same(t, "failures", n, 6)
	noError(t, s.TouchLastLogin(ctx, u.ID, s.now, 100))
	n, _ = count()
	same(t, "failures after a log-in", n, 1)
	noError(t, s.ForgetFailures(ctx, u.ID, 100))
	n, _ = count()
	same(t, "failures after they were forgotten", n, 1)
	for i := range 3 {
		closes, err := s.ClosePassword(ctx, u.ID, s.now)
		noError(t, err)
		same(t, "closes", closes, i == 0)
	}
	p, err := s.GetPassword(ctx, u.ID)
	noError(t, err)
	same(t, "password", p, store.Password{Hash: "hash", ChangedAt: s.now, Failures: 1, ClosedAt: &s.now})
	noError(t, s.TouchLastLogin(ctx, u.ID, s.now, 100))
	noError(t, s.PutPassword(ctx, u.ID, store.Password{Hash: "other", ChangedAt: s.now}))
	n, closed := count()
	same(t, "closed", []any{n, closed}, []any{2, true})
	noError(t, s.OpenPassword(ctx, u.ID))
	n, closed = count()
	same(t, "open", []any{n, closed}, []any{1, false})
}

// testLockouts is PROT-41, PROT-42: what is written down once, and listed.
func (s *suite) testLockouts(t *testing.T) {
	ctx, id := t.Context(), newID()
	put := func(key string, at time.Time, begins bool) bool {
		t.Helper()
		written, err := s.PutLockout(ctx, store.Lockout{
			Key: key, Kind: roster.LockoutIdentifier, Subject: "A" + key + "%_***", UserID: &id, Failures: 10, Since: at, Until: new(at.Add(time.Minute)),
		}, begins)
		noError(t, err)
		return written
	}
	same(t, "begins", put("a", s.now, true), true)
	same(t, "begins again", put("a", s.now, true), false)
	put("a", s.now.Add(time.Second), false)
	x, err := s.GetLockout(ctx, "a", s.now.Add(time.Minute))
	noError(t, err)
	same(t, "lockout", x, store.Lockout{
		Key: "a", Kind: roster.LockoutIdentifier, Subject: "Aa%_***", UserID: &id, Failures: 10, Since: s.now, Until: new(s.now.Add(61 * time.Second)),
	})
	_, err = s.GetLockout(ctx, "a", s.now.Add(61*time.Second))
	fails(t, err, roster.ErrNotFound)
	same(t, "begins anew", put("a", s.now.Add(61*time.Second), true), true)
	for i := range 5 {
		put(fmt.Sprint("b", i), s.now.Add(time.Duration(i%3)*time.Second), true)
	}
	_, err = s.PutLockout(ctx, store.Lockout{Key: "closed", Kind: roster.LockoutAccount, Subject: "x", Since: s.now.Add(-time.Hour)}, false)
	noError(t, err)
	keys := func(q store.LockoutQuery) string {
		t.Helper()
		var all []string
		for {
			list, err := s.ListLockouts(ctx, q)
			noError(t, err)
			for _, x := range list {
				all = append(all, x.Key)
			}
			if len(list) < q.Limit {
				return strings.Join(all, " ")
			}
			last := list[len(list)-1]
			q.After = &store.Mark{At: last.Since, Key: last.Key}
		}
	}
	for limit := range 4 {
		same(t, "keys", keys(store.LockoutQuery{Now: s.now.Add(time.Second), Limit: limit + 1}), "a b2 b4 b1 b3 b0 closed")
	}
	same(t, "keys later", keys(store.LockoutQuery{Now: s.now.Add(2 * time.Minute), Limit: 10}), "a closed")
	same(t, "keys of accounts", keys(store.LockoutQuery{Now: s.now, Kind: roster.LockoutAccount, Limit: 10}), "closed")
	same(t, "keys by text", keys(store.LockoutQuery{Now: s.now, Text: "AB1%_", Limit: 10}), "b1")
	same(t, "keys by wildcard", keys(store.LockoutQuery{Now: s.now, Text: "a%1", Limit: 10}), "")
	noError(t, s.DeleteLockout(ctx, "a"))
	_, err = s.GetLockout(ctx, "a", s.now)
	fails(t, err, roster.ErrNotFound)
}
