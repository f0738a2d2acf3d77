package integration_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/internal/servers"
	"github.com/roster-go/roster/usersrepo"
)

// longest is how long an answer may take while servers fail: the time limit of routes, and what gives connections up.
const longest = 15 * time.Second

// closely gives nodes one cache, and little patience with a database that does not answer.
func closely() func(i int, cfg *usersrepo.Config) {
	shared := cache.NewMemory(cache.MemoryConfig{Now: time.Now})
	return func(_ int, cfg *usersrepo.Config) {
		cfg.Cache = shared
		cfg.Session.MaxStaleness = 2 * time.Second
		// In an outage a wrong password may be counted, and the right one after it not come through.
		cfg.Protection.Identifier.Off, cfg.Protection.Pair.Off = true, true
	}
}

// pairs logs somebody in on each node.
func (f fleet) pairs(t testing.TB) []roster.TokenPair {
	t.Helper()
	list := make([]roster.TokenPair, len(f))
	for i, n := range f {
		list[i] = n.issue(t, n.member(t).ID)
	}
	return list
}

// judged waits until a node says of a token what it is to say, and takes no answer for right but those before and then.
func (n *node) judged(t testing.TB, what string, pair roster.TokenPair, before, then error) {
	t.Helper()
	within(t, returns, what, func() bool {
		err := n.verdict(t, pair)
		if !errors.Is(err, before) && !errors.Is(err, then) {
			t.Fatalf("%s: got %v, want %v and then %v", what, err, before, then)
		}
		return errors.Is(err, then)
	})
}

// outage checks what nodes answer while the database is away: tokens are good for so long and then unknown, and none is
// spent or refused for good.
func (f fleet) outage(t testing.TB, live []roster.TokenPair) {
	t.Helper()
	for i, n := range f {
		a := n.refresh(live[i].RefreshToken)
		if !a.unavailable() || a.wait != "1" {
			t.Errorf("STORE-40: refresh without a database: %v, Retry-After %q", a, a.wait)
		}
		n.judged(t, "STORE-41: unknown after a time", live[i], nil, roster.ErrUnavailable)
		for what, token := range map[string]roster.Secret{"good": live[i].AccessToken, "bad": live[i].AccessToken + "x"} {
			if a := n.me(token); !a.unavailable() {
				t.Errorf("STORE-41: a %s token: %v", what, a)
			}
		}
		if a := n.ask("GET /.well-known/jwks.json", nil); !a.is(http.StatusOK) {
			t.Errorf("STORE-43: JWKS: %v", a)
		}
	}
}

// recovers checks that all is as before: what was alive is, and a token that was sent in vain was not spent.
func (f fleet) recovers(t testing.TB, live []roster.TokenPair) {
	t.Helper()
	for i, n := range f {
		n.judged(t, "tokens are judged again", live[i], roster.ErrUnavailable, nil)
		var a answer
		within(t, returns, "refreshing goes on", func() bool {
			a = n.refresh(live[i].RefreshToken)
			return !a.unavailable()
		})
		if !a.is(http.StatusOK) {
			t.Fatalf("SESS-36: the token that was sent while there was no database: %v", a)
		}
		live[i].AccessToken, live[i].RefreshToken = a.secret("access_token"), a.secret("refresh_token")
	}
}

// STORE-40, STORE-41, STORE-43, STORE-55, SESS-36, cases 17 and 21: PostgreSQL is stopped and started again, and killed.
func TestFaultPostgresRestarted(t *testing.T) {
	t.Parallel()
	server := ownPostgres(t)
	f := newFleet(t, server.Address("postgres"), 3, closely())
	live := f.pairs(t)
	gone := f[0].issue(t, f[0].member(t).ID)
	if _, err := f[0].Revoke(t.Context(), gone.RefreshToken); err != nil {
		t.Fatal(err)
	}
	l := f.begin(t, 4)
	for _, end := range []func(){server.Stop, server.Kill} {
		time.Sleep(500 * time.Millisecond) // of load
		early, late := f[0].member(t), f[0].member(t)
		if a := f[0].ask("POST /password/forgot", fields{"login": early.name}, someAddress()); !a.is(http.StatusAccepted) {
			t.Errorf("forgot: %v", a)
		}
		end()
		f.outage(t, live)
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.recovers(t, live)
		f.refuses(t, gone)
		within(t, returns, "a mail that was accepted is not lost", func() bool {
			_, sent := f[0].Mailbox.Last(early.name + "@example.com")
			return sent || f[0].rows(t, "roster_messages WHERE user_id = $1 AND kind = 'password_reset'", early.ID) > 0
		})
		f[1].sends(t, late)
	}
	time.Sleep(500 * time.Millisecond)
	l.done(t, longest, true)
	within(t, returns, "the outbox goes on", func() bool {
		return f[0].rows(t, "roster_messages WHERE state IN ('pending', 'sending') AND attempts = 0 AND kind = 'password_reset'") == 0
	})
}

// sends checks that somebody who has forgotten their password gets a mail.
func (n *node) sends(t testing.TB, m *member) {
	t.Helper()
	to := m.name + "@example.com"
	if a := n.ask("POST /password/forgot", fields{"login": m.name}, someAddress()); !a.is(http.StatusAccepted) {
		t.Errorf("forgot: %v", a)
	}
	within(t, 3*returns, "a mail is sent", func() bool { _, sent := n.Mailbox.Last(to); return sent })
}

// STORE-40, STORE-47, STORE-51, STORE-55, SESS-45 to SESS-47: a synchronous standby takes over from a primary that is killed.
// Nodes find it behind an address that moves, and by naming both. What was answered holds, the ended stays ended, and nothing
// is written where writes are not replicated. Transaction ids that come again are TestFaultPostgresBehind.
func TestFaultPostgresFailover(t *testing.T) {
	t.Parallel()
	primary := ownPostgres(t, "synchronous_commit=remote_apply")
	standby, err := primary.Standby(t.Context(), "second")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Close)
	admin, err := primary.Open("postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	for _, text := range []string{"ALTER SYSTEM SET synchronous_standby_names = 'second'", "SELECT pg_reload_conf()"} {
		if _, err := admin.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	floating, err := servers.StartProxy(primary.Host())
	if err != nil {
		t.Fatal(err)
	}
	defer floating.Cut()
	behind := strings.Replace(primary.Address("postgres"), primary.Host(), floating.Host(), 1)
	both := fmt.Sprintf("postgres://postgres@/postgres?host=127.0.0.1,127.0.0.1&port=%d,%d&sslmode=disable&target_session_attrs=read-write",
		primary.Port, standby.Port)
	shared := closely()
	f := newFleet(t, behind, 3, func(i int, cfg *usersrepo.Config) {
		shared(i, cfg)
		if i == 2 {
			cfg.DB = openAddress(t, both)
		}
	})
	live := f.pairs(t)
	l := f.begin(t, 4)
	time.Sleep(time.Second)
	primary.Kill()
	if err := floating.Turn(standby.Host()); err != nil { // before it is promoted: it has all, and takes nothing
		t.Fatal(err)
	}
	m := &member{name: "nobody", password: passphrase}
	if a := f[0].login(m.name, m.password); !a.unavailable() {
		t.Errorf("STORE-47: a log-in on a standby: %v", a)
	}
	f.outage(t, live)
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.recovers(t, live)
	after := f[0].issue(t, f[0].member(t).ID)
	if _, err := f[0].Revoke(t.Context(), after.RefreshToken); err != nil {
		t.Fatal(err)
	}
	f.refuses(t, after)
	time.Sleep(time.Second)
	l.done(t, longest, true)
}

// STORE-58: what a standby has not got, or a backup, is not there; a node that followed the old server begins anew on the one
// that takes over, and misses nothing of what is revoked there, although its transaction ids are behind. A refresh token from
// after the copy is refused and ends nothing.
func TestFaultPostgresBehind(t *testing.T) {
	t.Parallel()
	primary := ownPostgres(t)
	network, err := servers.StartProxy(primary.Host())
	if err != nil {
		t.Fatal(err)
	}
	defer network.Cut()
	f := newFleet(t, strings.Replace(primary.Address("postgres"), primary.Host(), network.Host(), 1), 2, closely())
	live := f.pairs(t)
	backup, err := primary.Standby(t.Context(), "backup")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backup.Close)
	admin := openAddress(t, backup.Address("postgres"))
	within(t, returns, "the copy has what was there", func() bool {
		var n int
		return admin.GetContext(t.Context(), &n, "SELECT count(*) FROM roster_sessions") == nil && n >= len(live)
	})
	if err := backup.Promote(t.Context()); err != nil { // from here on it hears nothing of the other
		t.Fatal(err)
	}
	newer, err := f[0].Refresh(t.Context(), live[0].RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		f[1].issue(t, f[1].member(t).ID)
	}
	nextID := func(db *sqlx.DB) (n int64) {
		if err := db.GetContext(t.Context(), &n, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if there, here := nextID(f[0].DB), nextID(admin); here+50 > there {
		t.Fatalf("the copy gives transaction ids from %d on, and the old server from %d: none comes again", here, there)
	}
	primary.Kill()
	if err := network.Turn(backup.Host()); err != nil {
		t.Fatal(err)
	}
	within(t, returns, "it answers", func() bool {
		_, err = f[0].Refresh(t.Context(), newer.RefreshToken)
		return !errors.Is(err, roster.ErrUnavailable)
	})
	refused(t, err, roster.ErrInvalidRefresh)
	if err := f[0].Kick(t.Context(), f[0].claims(t, live[1]).Subject); err != nil {
		t.Fatal(err)
	}
	f.refuses(t, live[1])
	if _, err := f[1].Refresh(t.Context(), live[0].RefreshToken); err != nil {
		t.Errorf("the session from before the copy: %v", err)
	}
}

// claims are those of a live token.
func (n *node) claims(t testing.TB, pair roster.TokenPair) roster.Claims {
	t.Helper()
	var claims roster.Claims
	within(t, returns, "a token is judged", func() bool {
		got, err := n.VerifyToken(context.WithoutCancel(t.Context()), pair.AccessToken)
		if err != nil && !errors.Is(err, roster.ErrUnavailable) {
			t.Fatal(err)
		}
		claims = got
		return err == nil
	})
	return claims
}

// STORE-47: a database that takes no writes, in any table, as one without room or one that an operator holds, is unavailable for
// what writes, and answers what only reads. Nothing is spent meanwhile.
func TestFaultPostgresReadOnly(t *testing.T) {
	t.Parallel()
	server := ownPostgres(t)
	f := newFleet(t, server.Address("postgres"), 2, closely())
	live := f.pairs(t)
	m := f[0].member(t)
	admin := openAddress(t, server.Address("postgres"))
	// A trigger on every table fails each write as a full disk does.
	run(t, admin, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = 'disk_full'; END $$`)
	eachTable := func(text string) {
		t.Helper()
		run(t, admin, `DO $$ DECLARE x name; BEGIN FOR x IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP EXECUTE format('`+text+`', x); END LOOP; END $$`)
	}
	eachTable("CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON %I EXECUTE FUNCTION full_disk()")
	f.refusesWrites(t, m, live)
	eachTable("DROP TRIGGER full_disk ON %I")
	run(t, admin, "ALTER SYSTEM SET default_transaction_read_only = on")
	run(t, admin, "SELECT pg_reload_conf()")
	within(t, returns, "it takes no writes", func() bool { return f[0].refresh(live[0].RefreshToken).unavailable() })
	if a := f[1].me(live[1].AccessToken); !a.is(http.StatusOK) {
		t.Errorf("a read: %v", a)
	}
	run(t, admin, "BEGIN READ WRITE; SELECT 1; COMMIT")
	run(t, admin, "ALTER SYSTEM RESET default_transaction_read_only")
	run(t, admin, "SELECT pg_reload_conf()")
	f.recovers(t, live)
	if a := f[0].login(m.name, m.password); !a.is(http.StatusOK) {
		t.Errorf("a log-in afterwards: %v", a)
	}
}

func (f fleet) refusesWrites(t testing.TB, m *member, live []roster.TokenPair) {
	t.Helper()
	for i, n := range f {
		for what, a := range map[string]answer{
			"log in": n.login(m.name, m.password), "refresh": n.refresh(live[i].RefreshToken),
			"register": n.ask("POST /register", fields{"username": "somebody", "password": passphrase}, someAddress()),
			"log out":  n.ask("POST /token/revoke", fields{"refresh_token": live[i].RefreshToken.Reveal()}, someAddress()),
		} {
			if !a.unavailable() {
				t.Errorf("%s: %v", what, a)
			}
		}
		if a := n.me(live[i].AccessToken); !a.is(http.StatusOK) {
			t.Errorf("a read: %v", a)
		}
	}
}

func run(t testing.TB, db *sqlx.DB, text string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
