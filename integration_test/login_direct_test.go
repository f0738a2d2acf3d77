package integration_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// ACCT-27: a log-in whose caller goes away at any moment is answered by an error and leaves nothing, or is done and told.
func TestLoginGoneAway(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		w := found(t, db, func(cfg *usersrepo.Config) {
			cfg.Protection.Identifier.Off, cfg.Protection.Pair.Off, cfg.Protection.Source.Off = true, true, true
			cfg.Session.MaxPerUser = 10_000
		})
		w.add(t, person("gone", "", ""), roster.WithPassword(passphrase))
		var told atomic.Int64
		w.On.Login.On(func(context.Context, *callbacks.Login[*Person]) error { told.Add(1); return nil })
		const whole = 20
		began := time.Now()
		for range whole {
			same(t, nil, w.enters("gone"))
		}
		took := time.Since(began) / whole
		answered := whole
		for range 500 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.Int64N(int64(2*took))))
			if _, err := w.Login(ctx, roster.PasswordCredentials("gone", passphrase)); err == nil {
				answered++
			}
			cancel()
		}
		same(t, answered, w.rows(t, "roster_sessions"))
		same(t, answered, w.rows(t, "roster_audit WHERE action = 'login.ok'"))
		same(t, int64(answered), told.Load())
	})
}

// ACCT-19: what a back end of the program's own writes before it passes is what the next one judges by.
func TestBackendThatSetsPassword(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		var w *world
		var u *Person
		migrate := roster.BackendFunc(func(ctx context.Context, c roster.Credentials) (roster.Judgement, error) {
			return roster.Pass(), w.SetPassword(ctx, u.ID, *c.Password)
		})
		w = found(t, db, func(cfg *usersrepo.Config) { cfg.Account.Backends = []roster.Backend{migrate, roster.PasswordBackend} })
		u = w.add(t, person("old", "", ""))
		_, err := w.Authenticate(t.Context(), roster.PasswordCredentials("old", passphrase))
		same(t, nil, err)
	})
}

// The mail about a new device knows the log-in that it is about.
func TestNewDeviceTellsOfItsLogin(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		w := found(t, db)
		w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(passphrase), roster.WithEmailVerified())
		same(t, nil, w.enters("anna"))
		w.Clock.Advance(time.Hour)
		var of []time.Time
		w.On.Message.On(func(_ context.Context, e *callbacks.Message[*Person]) error {
			of = append(of, e.Data.User.LastLoginAt.UTC())
			return nil
		})
		same(t, nil, w.enters("anna"))
		same(t, []time.Time{w.Clock.Now().UTC()}, of)
	})
}
