package storetest

import (
	"context"
	"strings"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// newUser is an account as it is stored with others.
func newUser(a *account, more ...any) store.NewUser {
	return store.NewUser{ID: a.ID, Values: append(a.values(), more...), Derived: a.derived(), Hash: "$" + a.ID.String()}
}

// testTogether stores several users at once.
func (s *suite) testTogether(t *testing.T) {
	insert := func(t *testing.T, x *store.Store, holds store.Holds, list ...store.NewUser) error {
		t.Helper()
		return x.InTx(t.Context(), func(ctx context.Context) error { return x.InsertUsers(ctx, list, holds) })
	}
	now := store.Holds{Now: s.now}
	t.Run("it stores what it would one after the other", func(t *testing.T) {
		want := []*account{s.full(), s.account(), s.full(), s.account()}
		want[0].Username = new(`"quoted" \back, {NULL}` + want[0].ID.String())
		want[1].Nickname, want[2].Nickname, want[3].Nickname = new(""), new("NULL"), new("null")
		var list []store.NewUser
		var wanted store.Wanted
		for _, a := range want {
			list = append(list, newUser(a))
			switch {
			case a.Username != nil:
				wanted.Usernames = append(wanted.Usernames, *lower(a.Username))
			default:
				wanted.Emails = append(wanted.Emails, *lower(a.Email))
			}
		}
		noError(t, insert(t, s.Store, now, list...))
		for _, a := range want {
			same(t, "stored", s.get(t, a.ID), a)
			password, err := s.GetPassword(t.Context(), a.ID)
			noError(t, err)
			same(t, "password", password.Hash, "$"+a.ID.String())
		}
		found := 0
		wanted.IDs, wanted.Phones = []roster.ID{want[0].ID, newID()}, []string{*want[2].Phone}
		noError(t, s.FindUsers(t.Context(), wanted, func() []any { found++; return (&account{}).dest() }))
		same(t, "found", found, len(want))
	})
	t.Run("it stores one, and several who are much the same", func(t *testing.T) {
		a, b, c := s.account(), s.account(), s.account()
		noError(t, insert(t, s.Store, now, newUser(a)))
		noError(t, insert(t, s.Store, now, newUser(b), newUser(c)))
		for _, want := range []*account{a, b, c} {
			same(t, "stored", s.get(t, want.ID), want)
		}
	})
	t.Run("it stores bytes in a column of texts", func(t *testing.T) {
		s.sql(t, "ALTER TABLE %s ADD COLUMN raw text", s.UsersTable())
		x := s.open(t, s.DB, append(Columns(), store.Column{Name: "raw", Field: "x_raw", Custom: true, Nullable: true}))
		a, b := s.full(), s.account()
		noError(t, insert(t, x, now, newUser(a, []byte(`\x41`)), newUser(b, []byte(nil))))
		same(t, "stored", s.get(t, a.ID), a)
		same(t, "raw", s.count(t, s.UsersTable(), `id = $1 AND CAST(raw AS text) = '\x41'`, a.ID), 1)
		same(t, "null", s.count(t, s.UsersTable(), "id = $1 AND raw IS NULL", b.ID), 1)
	})
	t.Run("it stores nobody when one cannot be stored", func(t *testing.T) {
		for name, spoil := range map[string]func(a *account){
			"too long":    func(a *account) { a.Nickname = new(strings.Repeat("x", 21)) },
			"a type's":    func(a *account) { a.Tier = faulty },
			"constraint":  func(a *account) { a.Seats = -1 },
			"one's email": func(a *account) { a.Email = s.user(t).Email },
		} {
			a, b := s.account(), s.account()
			spoil(b)
			if err := insert(t, s.Store, now, newUser(a), newUser(b)); err == nil {
				t.Errorf("%s: it was stored", name)
			}
			same(t, name, s.exists(t, a.ID), false)
		}
	})
	t.Run("it refuses a username that is held", func(t *testing.T) {
		a, b := s.full(), s.full()
		noError(t, s.HoldUsername(t.Context(), hashOf(b.Username), nil, s.now.Add(1e9)))
		holds := store.Holds{Now: s.now, Hashes: [][]byte{hashOf(a.Username), hashOf(b.Username)}}
		fails(t, insert(t, s.Store, holds, newUser(a), newUser(b)), roster.ErrIdentifierTaken, "username:taken")
		same(t, "stored", s.exists(t, a.ID), false)
		holds.Hashes = holds.Hashes[:1]
		noError(t, insert(t, s.Store, holds, newUser(a), newUser(s.account())))
	})
}
