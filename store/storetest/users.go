package storetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// full is an account with a value in every column.
func (s *suite) full() *account {
	a := s.account()
	username := "N" + strings.ReplaceAll(a.ID.String(), "-", "")
	a.User = roster.User{
		ID: a.ID, Username: &username, Email: a.Email, Phone: new("+49" + a.ID.String()),
		EmailVerifiedAt: new(s.now.Add(time.Microsecond)), PhoneVerifiedAt: new(s.now.Add(-time.Hour)),
		Permissions: roster.NewPermissions("users:read", "a:*"), Superuser: true,
		Language: new("de-AT"), TimeZone: new("Europe/Vienna"),
		BannedAt: new(s.now.Add(1)), BannedUntil: new(s.now.Add(time.Hour)),
		ArchivedAt: new(s.now), ArchivedBy: new(roster.ArchivedByAdmin),
		DeletedAt: new(s.now), DeleteMode: new(roster.Deactivate),
		LastLoginAt: new(s.now), CreatedAt: s.now.Add(-time.Hour), UpdatedAt: s.now, Version: 7, Epoch: 1 << 40,
	}
	a.BannedAt = new(s.now)
	a.Company, a.Nickname = `O'Neil; DROP TABLE users; -- "%_\`, new("ÄÖÜ \U0001F600")
	a.Seats, a.Score, a.Active = 1<<62, -0.1, true
	a.JoinedAt, a.LeftAt = s.now.Add(time.Microsecond), new(time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC))
	a.Avatar, a.Tenant, a.Tier = []byte{0, 1, 0xff, '\\'}, newID(), gold
	return a
}

func (s *suite) testUsers(t *testing.T) {
	t.Run("it returns what was stored, by every key", func(t *testing.T) {
		want := s.full()
		noError(t, s.insert(t.Context(), want))
		for key, value := range map[store.UserKey]any{
			store.ByID: want.ID, store.ByUsername: *lower(want.Username), store.ByEmail: *lower(want.Email), store.ByPhone: *want.Phone,
		} {
			got := &account{}
			noError(t, s.GetUser(t.Context(), key, value, got.dest()))
			same(t, string(key), got.utc(), want)
		}
		same(t, "without values", s.get(t, s.user(t).ID).Username, (*string)(nil))
	})
	t.Run("it tells absent values from empty ones", func(t *testing.T) {
		absent, empty := s.user(t), s.user(t, func(a *account) { a.Avatar, a.Nickname = []byte{}, new("") })
		if got := s.get(t, absent.ID); got.Avatar != nil || got.Nickname != nil || got.LeftAt != nil {
			t.Errorf("absent: got %v, %v, %v", got.Avatar, got.Nickname, got.LeftAt)
		}
		// SQLite's driver reads empty bytes as nil.
		if got := s.get(t, empty.ID); got.Avatar == nil && s.Dialect() != store.SQLite || got.Nickname == nil {
			t.Errorf("empty: got %v, %v", got.Avatar, got.Nickname)
		}
		same(t, "stored", s.count(t, s.UsersTable(), "id = $1 AND avatar IS NOT NULL", empty.ID), 1)
	})
	t.Run("it keeps times in UTC and whole microseconds, whatever the zone that they came in", func(t *testing.T) {
		zone := time.FixedZone("far", -11*60*60)
		a := s.user(t, func(a *account) { a.JoinedAt = s.now.Add(time.Microsecond).In(zone) })
		same(t, "joined", s.get(t, a.ID).JoinedAt, s.now.Add(time.Microsecond))
		if s.Dialect() == store.SQLite {
			where := "id = $1 AND typeof(joined_at) = 'integer' AND joined_at = $2"
			same(t, "rows", s.count(t, s.UsersTable(), where, a.ID, s.now.UnixMicro()+1), 1)
		}
	})
	t.Run("it finds nobody by what nobody has", func(t *testing.T) {
		for _, key := range []store.UserKey{store.ByUsername, store.ByEmail, store.ByPhone} {
			fails(t, s.GetUser(t.Context(), key, "nobody", (&account{}).dest()), roster.ErrNotFound)
		}
		fails(t, s.GetUser(t.Context(), store.ByID, newID(), (&account{}).dest()), roster.ErrNotFound)
	})
	t.Run("it updates the columns that are named, and no other", func(t *testing.T) {
		s.sql(t, "ALTER TABLE %s ADD COLUMN theirs text DEFAULT 'untouched'", s.UsersTable())
		want := s.full()
		noError(t, s.insert(t.Context(), want))
		want.Company, want.Nickname, want.Seats, want.Tier, want.Version = "Other", nil, 3, free, 8
		noError(t, s.UpdateUser(t.Context(), want.ID, []store.Assignment{
			{Column: "company", Value: want.Company},
			{Column: "nickname"},
			{Column: "seats", Value: want.Seats},
			{Column: "tier", Value: want.Tier},
			{Column: "version", Value: want.Version},
		}, store.Holds{}))
		same(t, "user", s.get(t, want.ID), want)
		same(t, "further column", s.count(t, s.UsersTable(), "id = $1 AND theirs = 'untouched'", want.ID), 1)
		fails(t, s.UpdateUser(t.Context(), newID(), []store.Assignment{{Column: "seats", Value: 1}}, store.Holds{}), roster.ErrNotFound)
	})
	t.Run("it moves the last log-in forward only, and nothing beside", func(t *testing.T) {
		want := s.user(t)
		for _, at := range []time.Time{s.now, s.now.Add(time.Second), s.now.Add(-time.Hour)} {
			noError(t, s.TouchLastLogin(t.Context(), want.ID, at, 100))
		}
		want.LastLoginAt = new(s.now.Add(time.Second))
		same(t, "user", s.get(t, want.ID), want)
		fails(t, s.TouchLastLogin(t.Context(), newID(), s.now, 100), roster.ErrNotFound)
	})
	t.Run("it tells which identifiers others have", func(t *testing.T) {
		a, b := s.full(), s.full()
		noError(t, s.insert(t.Context(), a))
		noError(t, s.insert(t.Context(), b))
		all := store.Identifiers{Username: lower(a.Username), Email: lower(b.Email), Phone: a.Phone}
		for name, tt := range map[string]struct {
			id   roster.ID
			want store.Identifiers
			got  []string
		}{
			"a third one":     {newID(), all, []string{"email", "phone", "username"}},
			"the first":       {a.ID, all, []string{"email"}},
			"the second":      {b.ID, all, []string{"phone", "username"}},
			"nothing asked":   {newID(), store.Identifiers{}, nil},
			"nobody has them": {newID(), store.Identifiers{Username: new("free"), Email: new("free"), Phone: new("free")}, nil},
		} {
			got, err := s.TakenIdentifiers(t.Context(), tt.id, tt.want, store.Holds{Now: s.now})
			noError(t, err)
			same(t, name, got, tt.got)
		}
	})
	t.Run("it refuses a second user with an identifier", func(t *testing.T) {
		first := s.full()
		noError(t, s.insert(t.Context(), first))
		for field, change := range map[string]func(*account){
			"username": func(a *account) { a.Username = new(strings.ToUpper(*first.Username)) },
			"email":    func(a *account) { a.Email = new(strings.ToUpper(*first.Email)) },
			"phone":    func(a *account) { a.Phone = first.Phone },
		} {
			a := s.account()
			change(a)
			fails(t, s.insert(t.Context(), a), roster.ErrIdentifierTaken, field+":taken")
			b := s.user(t)
			set := []store.Assignment{{Column: map[string]string{
				"username": "username_canonical", "email": "email_canonical", "phone": "phone",
			}[field], Value: map[string]*string{
				"username": lower(first.Username), "email": lower(first.Email), "phone": first.Phone,
			}[field]}}
			fails(t, s.UpdateUser(t.Context(), b.ID, set, store.Holds{}), roster.ErrIdentifierTaken, field+":taken")
		}
		again := s.account()
		again.ID = first.ID
		fails(t, s.insert(t.Context(), again), roster.ErrConflict, "id:taken")
	})
}

func (s *suite) testHolds(t *testing.T) {
	name := func(change ...func(*account)) *account {
		a := s.account()
		a.Username = new("Held" + a.ID.String())
		for _, f := range change {
			f(a)
		}
		return a
	}
	hold := func(t *testing.T, a *account, owner *roster.ID, end time.Duration) {
		t.Helper()
		noError(t, s.HoldUsername(t.Context(), hashOf(a.Username), owner, s.now.Add(end)))
	}
	rename := func(ctx context.Context, id roster.ID, username *string) error {
		return s.UpdateUser(ctx, id, []store.Assignment{
			{Column: "username", Value: username}, {Column: "username_canonical", Value: lower(username)},
		}, store.Holds{Now: s.now, Hashes: [][]byte{[]byte("another key"), hashOf(username)}})
	}
	t.Run("it keeps a username from others until the hold ends", func(t *testing.T) {
		former, other := s.user(t), s.user(t)
		a := name()
		hold(t, a, &former.ID, time.Minute)
		fails(t, s.insert(t.Context(), a), roster.ErrIdentifierTaken, "username:taken")
		fails(t, rename(t.Context(), other.ID, a.Username), roster.ErrIdentifierTaken, "username:taken")
		taken, err := s.TakenIdentifiers(t.Context(), other.ID, store.Identifiers{Username: lower(a.Username)},
			store.Holds{Now: s.now, Hashes: [][]byte{hashOf(a.Username)}})
		noError(t, err)
		same(t, "taken", taken, []string{"username"})
		if s.exists(t, a.ID) {
			t.Error("the user was stored")
		}
		hold(t, a, &former.ID, 0)
		noError(t, rename(t.Context(), other.ID, a.Username))
	})
	t.Run("it tells a username that another user has from one that is held", func(t *testing.T) {
		owner, other := s.user(t, func(a *account) { a.Username = new("Owner") }), s.user(t)
		fails(t, rename(t.Context(), other.ID, owner.Username), roster.ErrIdentifierTaken, "username:taken")
	})
	t.Run("it lets the former owner have it back", func(t *testing.T) {
		former, a := s.user(t), name()
		hold(t, a, &former.ID, time.Minute)
		noError(t, rename(t.Context(), former.ID, a.Username))
		noError(t, s.ReleaseUsername(t.Context(), store.Holds{Hashes: [][]byte{hashOf(a.Username)}}))
		same(t, "holds", s.count(t, s.table("holds"), "hash = $1", hashOf(a.Username)), 0)
	})
	t.Run("it keeps a username of nobody from everybody", func(t *testing.T) {
		a := name()
		hold(t, a, nil, time.Minute)
		fails(t, s.insert(t.Context(), a), roster.ErrIdentifierTaken, "username:taken")
	})
	t.Run("it replaces a hold by the next", func(t *testing.T) {
		former, a := s.user(t), name()
		hold(t, a, nil, time.Minute)
		hold(t, a, &former.ID, time.Hour)
		noError(t, rename(t.Context(), former.ID, a.Username))
	})
	t.Run("it asks for no hold when there are no hashes", func(t *testing.T) {
		a := name()
		noError(t, s.InsertUser(t.Context(), a.ID, a.values(), a.derived(), store.Holds{Now: s.now}, nil))
		taken, err := s.TakenIdentifiers(t.Context(), newID(), store.Identifiers{Username: new("nobody has it")}, store.Holds{})
		noError(t, err)
		same(t, "taken", taken, []string(nil))
		noError(t, s.ReleaseUsername(t.Context(), store.Holds{}))
	})
	t.Run("it keeps a username that is given up while another user takes it", func(t *testing.T) {
		s.needsTwoWriters(t)
		for way, take := range map[string]func(ctx context.Context, username *string) error{
			"create": func(ctx context.Context, username *string) error {
				a := s.account()
				a.Username = username
				return s.insert(ctx, a)
			},
			"rename": func(ctx context.Context, username *string) error { return rename(ctx, s.user(t).ID, username) },
		} {
			former := s.user(t, func(a *account) { a.Username = new("Given up by " + way) })
			taken := make(chan error, 1)
			noError(t, s.InTx(t.Context(), func(ctx context.Context) error {
				noError(t, rename(ctx, former.ID, new("Other "+way)))
				noError(t, s.HoldUsername(ctx, hashOf(former.Username), &former.ID, s.now.Add(time.Hour)))
				go func() {
					taken <- s.Transact(t.Context(), func(ctx context.Context) error { return take(ctx, former.Username) })
				}()
				s.waitUntilBlocked(ctx, t)
				return nil
			}))
			fails(t, <-taken, roster.ErrIdentifierTaken, "username:taken")
		}
	})
}
