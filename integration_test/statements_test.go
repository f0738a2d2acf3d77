package integration_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// tally writes down the statements that reach a PostgreSQL server: those that run, not those that are prepared, and
// none that begins or ends a transaction.
type tally struct {
	// down makes the server seem to be away: every statement fails.
	down atomic.Bool

	breaks atomic.Bool // the connection of the next statement does

	mu     sync.Mutex
	texts  []string
	begins int
}

func (y *tally) add(text string) error {
	if y.down.Load() {
		return driver.ErrBadConn
	}
	if y.breaks.Swap(false) {
		return &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.texts = append(y.texts, text)
	return nil
}

// taken returns the statements since the last look.
func (y *tally) taken() []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	texts := y.texts
	y.texts = nil
	return texts
}

// begun returns how many transactions have begun.
func (y *tally) begun() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.begins
}

// tallied founds a world on a PostgreSQL database whose statements are written down.
func tallied(t testing.TB, settings ...func(*usersrepo.Config)) (*world, *tally) {
	t.Helper()
	connector, err := pq.NewConnector(rostertest.Address(t, rostertest.PostgreSQL))
	if err != nil {
		t.Fatal(err)
	}
	y := &tally{}
	db := sqlx.NewDb(sql.OpenDB(tallyConnector{connector, y}), "postgres")
	t.Cleanup(func() { _ = db.Close() })
	return found(t, db, settings...), y
}

type tallyConnector struct {
	driver.Connector
	tally *tally
}

func (c tallyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.tally.down.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return tallyConn{conn.(pqConn), c.tally}, nil
}

// pqConn is what a connection of lib/pq can do.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type tallyConn struct {
	pqConn
	tally *tally
}

func (c tallyConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	c.tally.mu.Lock()
	c.tally.begins++
	c.tally.mu.Unlock()
	return c.pqConn.BeginTx(ctx, options)
}

func (c tallyConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.tally.add(text); err != nil {
		return nil, err
	}
	return c.pqConn.ExecContext(ctx, text, args)
}

func (c tallyConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.tally.add(text); err != nil {
		return nil, err
	}
	return c.pqConn.QueryContext(ctx, text, args)
}

func (c tallyConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	stmt, err := c.pqConn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return tallyStmt{stmt.(pqStmt), text, c.tally}, nil
}

type pqStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type tallyStmt struct {
	pqStmt
	text  string
	tally *tally
}

func (s tallyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.tally.add(s.text); err != nil {
		return nil, err
	}
	return s.pqStmt.ExecContext(ctx, args)
}

func (s tallyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.tally.add(s.text); err != nil {
		return nil, err
	}
	return s.pqStmt.QueryContext(ctx, args)
}

// USER-65: how many statements an operation costs, once it has run before.
func TestStatements(t *testing.T) {
	t.Parallel()
	w, y := tallied(t, func(cfg *usersrepo.Config) {
		cfg.Protection.Identifier.Off, cfg.Protection.Pair.Off, cfg.Protection.Source.Off = true, true, true
	})
	ctx := t.Context()
	password := roster.Secret("correct horse battery")
	u := w.add(t, person("alice", "alice@example.com", ""), roster.WithPassword(password), roster.WithPermissions("users:read"))
	for i := range 250 {
		w.add(t, person(fmt.Sprintf("user%d", i), "", ""))
	}
	reader := roster.WithActor(ctx, roster.Actor{Kind: roster.ActorAdmin, ID: u.ID})
	pair, err := w.IssueTokens(ctx, u.ID, roster.IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	registered, device := 0, (*roster.Secret)(nil)
	search := func(ctx context.Context, q roster.Query) func() error {
		return func() error { _, err := w.Search(ctx, q); return err }
	}
	for _, tt := range []struct {
		name string
		most int
		call func() error
		want roster.Code
	}{
		{"Get", 1, func() error { _, err := w.Get(ctx, u.ID); return err }, ""},
		{"GetByLogin", 1, func() error { _, err := w.GetByLogin(ctx, "Alice@example.com"); return err }, ""},
		{"Login", 2, func() error { _, err := w.Login(ctx, roster.PasswordCredentials("alice", password)); return err }, ""},
		{"Login from a known device", 3, func() error {
			credentials := roster.PasswordCredentials("alice", password)
			credentials.DeviceToken = device
			login, err := w.Login(ctx, credentials)
			if login.DeviceToken != "" {
				device = &login.DeviceToken
			}
			return err
		}, ""},
		{"Login with a wrong password", 2, func() error { _, err := w.Login(ctx, roster.PasswordCredentials("alice", "wrong")); return err }, "invalid_credentials"},
		{"Login of nobody", 2, func() error { _, err := w.Login(ctx, roster.PasswordCredentials("nobody", "wrong")); return err }, "invalid_credentials"},
		{"Register with a confirmation", 1, func() error {
			registered++
			_, _, err := w.Register(ctx, person("", fmt.Sprintf("new%d@example.com", registered), ""), password)
			return err
		}, ""},
		{"Register with a username", 1, func() error {
			registered++
			_, _, err := w.Register(ctx, person(fmt.Sprintf("new%d", registered), fmt.Sprintf("new%d@example.com", registered), ""), password)
			return err
		}, ""},
		{"RequestPasswordReset", 6, func() error { return w.RequestPasswordReset(ctx, "alice@example.com") }, ""},
		{"ResendEmailConfirmation", 6, func() error { return w.ResendEmailConfirmation(ctx, "alice@example.com") }, ""},
		{"Refresh", 2, func() (err error) { pair, err = w.Refresh(ctx, pair.RefreshToken); return err }, ""},
		{"Search", 1, search(ctx, roster.Query{}), ""},
		{"Search by an administrator", 2, search(reader, roster.Query{}), ""},
		{"Search of 200", 1, search(ctx, roster.Query{Limit: 200}), ""},
		{"Search by conditions, words and keys", 1, search(ctx, roster.Query{
			Text: "user", Sort: []roster.Sort{{Field: "score"}, {Field: "email"}}, Filters: []roster.Filter{{Field: "provider", Op: roster.Eq, Value: "google"}},
		}), ""},
		// Those with a value, which an index walks in order, and those without.
		{"Search by a key that can be empty", 2, search(ctx, roster.Query{Sort: []roster.Sort{{Field: "email"}}, Limit: 200}), ""},
		{"Update", 2, func() error {
			_, err := w.Update(ctx, u.ID, func(p *Person) error { p.Score++; return nil })
			return err
		}, ""},
		{"UpdateLastLogin", 1, func() error { return w.UpdateLastLogin(ctx, u.ID) }, ""},
	} {
		t.Run(fmt.Sprintf("takes at most %d for %s", tt.most, tt.name), func(t *testing.T) {
			for range 3 { // the first runs prepare
				y.taken()
				if got := codeOf(tt.call()); got != tt.want {
					t.Fatalf("%q, want %q", got, tt.want)
				}
			}
			if texts := y.taken(); len(texts) > tt.most {
				t.Errorf("%d statements:\n%q", len(texts), texts)
			}
		})
	}
	t.Run("takes no transaction to register or to log in", func(t *testing.T) {
		before := y.begun()
		_, pair, err := w.Register(ctx, person("onetx", "onetx@example.com", ""), password)
		same(t, nil, err)
		same(t, true, pair != nil)
		_, err = w.Login(ctx, roster.PasswordCredentials("onetx", password))
		same(t, nil, err)
		same(t, before, y.begun())
	})
	t.Run("takes as many whoever fails to log in", func(t *testing.T) { // SEC-73
		var counts []int
		passwordless := w.add(t, person("passwordless", "", ""))
		for _, login := range []string{"alice", *passwordless.Username, "nobody", "nobody@example.com", "+12025550123"} {
			y.taken()
			_, err := w.Login(ctx, roster.PasswordCredentials(login, "wrong"))
			refused(t, err, roster.ErrInvalidCredentials)
			counts = append(counts, len(y.taken()))
		}
		same(t, 1, len(slices.Compact(counts)))
	})
}
