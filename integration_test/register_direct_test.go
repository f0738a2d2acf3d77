package integration_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// withoutLimits lets one address register as often as it likes.
func withoutLimits(cfg *usersrepo.Config) {
	cfg.Protection.Registration.Off, cfg.Protection.Mails.Off = true, true
}

// ACCT-5: a registration leaves the same rows whether it is made by one statement or, for a hook's sake, by several.
func TestRegisterDirectly(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		w := found(t, db, withoutLimits)
		ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, IP: "192.0.2.7", UserAgent: "Firefox"})
		register := func(name string) (*Person, *roster.TokenPair) {
			t.Helper()
			u, pair, err := w.Register(ctx, person(name, name+"@example.com", ""), passphrase, roster.WithClient("web"))
			same(t, nil, err)
			same(t, true, pair.DeviceToken != "" && !pair.NewDevice)
			claims, err := w.VerifyToken(ctx, pair.AccessToken)
			same(t, nil, err)
			same(t, u.ID, claims.Subject)
			return u, pair
		}
		one, _ := register("ann")
		w.On.Create.Before(func(context.Context, *callbacks.Create[*Person]) error { return nil })
		other, _ := register("bob")
		for _, row := range []string{
			"concat_ws('|', language, superuser, permissions, version, epoch, (last_login_at IS NULL), (email_verified_at IS NULL)) FROM users WHERE id = $1",
			"concat_ws('|', failures, (hash LIKE '$%'), (closed_at IS NULL)) FROM roster_passwords WHERE user_id = $1",
			"concat_ws('|', remember, amr, ip, user_agent, generation, global_epoch, (device IS NULL), coalesce(profiles, '-')) FROM roster_sessions WHERE user_id = $1",
			"cast(count(*) AS text) FROM roster_devices WHERE user_id = $1",
			"concat_ws('|', purpose, replace(address, 'bob', 'ann'), (used_at IS NULL)) FROM roster_links WHERE user_id = $1",
			"concat_ws('|', kind, channel, replace(recipient, 'bob', 'ann'), language, priority, state, attempts, (link_hash IS NULL), (dedupe_key IS NULL)) FROM roster_messages WHERE user_id = $1",
			"concat_ws('|', action, result, actor_kind, (session_id IS NULL)) FROM roster_audit WHERE subject_id = $1",
		} {
			same(t, w.text(t, row, other.ID), w.text(t, row, one.ID))
		}
		same(t, w.read(t, one.ID).LastLoginAt, one.LastLoginAt)
	})
}

// text is the one value of a statement, as text.
func (w *world) text(t *testing.T, from string, args ...any) string {
	t.Helper()
	var s string
	if err := w.DB.GetContext(t.Context(), &s, "SELECT "+from, args...); err != nil {
		t.Fatalf("%s: %v", from, err)
	}
	return s
}

// ACCT-7: of 32 who want a name, or an address, at once one gets it; the others are told, and nothing of them is left.
func TestRegisterDirectlyAtOnce(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		w := found(t, db, withoutLimits, func(cfg *usersrepo.Config) { cfg.Protection.Mails.Off = false })
		var won atomic.Int64
		var all sync.WaitGroup
		for i := range 64 {
			all.Go(func() {
				p := person("wanted", fmt.Sprintf("w%d@example.com", i), "")
				if i%2 == 0 { // and of so many who want an address, whose mails are counted
					p = person("", "wanted@example.com", "")
				}
				_, _, err := w.Register(t.Context(), p, passphrase)
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, roster.ErrIdentifierTaken):
					t.Errorf("register: %v", err)
				}
			})
		}
		all.Wait()
		same(t, int64(2), won.Load())
		for _, table := range []string{"users", "roster_sessions", "roster_devices", "roster_links", "roster_messages", "roster_passwords"} {
			same(t, 2, w.rows(t, table))
		}
	})
}

// ACCT-8: one whose caller goes away at any moment leaves nothing, or a whole account.
func TestRegisterGoneAway(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		w := found(t, db, withoutLimits)
		began := time.Now()
		_, _, err := w.Register(t.Context(), person("", "first@example.com", ""), passphrase)
		same(t, nil, err)
		took := time.Since(began)
		answered := 1
		for i := range 200 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.Int64N(int64(2*took))))
			if _, _, err := w.Register(ctx, person("", fmt.Sprintf("p%d@example.com", i), ""), passphrase); err == nil {
				answered++
			}
			cancel()
		}
		for _, table := range []string{"users", "roster_sessions", "roster_links", "roster_messages", "roster_passwords"} {
			same(t, answered, w.rows(t, table))
		}
	})
}

// ACCT-8: who asks for an address that is taken, or for a name, spends none of the mails to it.
func TestRefusedRegistrationSpendsNoMail(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		w := found(t, db, func(cfg *usersrepo.Config) { cfg.Protection.Registration.Off, cfg.Protection.Mails.Max = true, 2 })
		w.add(t, person("taken", "taken@example.com", ""))
		for range 5 {
			for _, p := range []*Person{person("free", "taken@example.com", ""), person("taken", "free@example.com", "")} {
				_, _, err := w.Register(t.Context(), p, passphrase)
				same(t, true, errors.Is(err, roster.ErrIdentifierTaken))
			}
		}
		_, _, err := w.Register(t.Context(), person("free", "free@example.com", ""), passphrase)
		same(t, nil, err)
	})
}
