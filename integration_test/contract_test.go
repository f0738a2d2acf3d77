package integration_test

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// callLog is what a recorder has seen, in order.
type callLog struct {
	mu    sync.Mutex
	names []string
}

func (l *callLog) note(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, name)
}

// take returns what was seen since the last take.
func (l *callLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := l.names
	l.names = nil
	return names
}

// newRecorder makes a program that overrides every operation.
func newRecorder(t testing.TB, db *sqlx.DB, settings ...func(*usersrepo.Config)) (*recorder[*Person], *rostertest.Kit) {
	t.Helper()
	r := &recorder[*Person]{}
	return r, begin(t, r, db, settings...)
}

// begin initialises a program on an empty database.
func begin[A usersrepo.Embedder[*Person]](t testing.TB, app A, db *sqlx.DB, settings ...func(*usersrepo.Config)) *rostertest.Kit {
	t.Helper()
	cfg, kit := rostertest.Config(t, db)
	for _, set := range settings {
		set(&cfg)
	}
	if err := usersrepo.Init(app, cfg); err != nil {
		t.Fatalf("init: %v", err)
	}
	return kit
}

// HOOK-3: a new operation that the recorder lacks fails here: the call of it would go past the log.
func TestHOOK_3_RecorderIsComplete(t *testing.T) {
	t.Parallel()
	hooks := reflect.TypeFor[callbacks.Lifecycle[*Person]]()
	r := &recorder[*Person]{}
	v := reflect.ValueOf(r)
	var want, got []string
	for m := range reflect.TypeFor[mixins.Self[*Person]]().Methods() {
		if _, isHook := hooks.MethodByName(m.Name); isHook {
			continue
		}
		want = append(want, m.Name)
		fn := v.MethodByName(m.Name)
		args := make([]reflect.Value, fn.Type().NumIn())
		for i := range args {
			args[i] = reflect.Zero(fn.Type().In(i))
			if fn.Type().In(i) == reflect.TypeFor[context.Context]() {
				args[i] = reflect.ValueOf(t.Context())
			}
		}
		if fn.Type().IsVariadic() {
			fn.CallSlice(args)
		} else {
			fn.Call(args)
		}
		got = append(got, r.calls.take()...)
	}
	same(t, want, got)
}

// HOOK-4, cases 1 to 4: what the table names is seen by an override of it, whichever way the outer operation is called.
func TestHOOK_4_ThroughSelf(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		r, kit := newRecorder(t, db, func(cfg *usersrepo.Config) {
			cfg.Account.PasswordlessRegistration = true
			cfg.Protection.Mails.Off = false
		})
		ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, IP: "192.0.2.1"})
		do := func(operation string, err error, want ...string) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", operation, err)
			}
			got := r.calls.take()
			for _, name := range append([]string{operation}, want...) {
				if !slices.Contains(got, name) {
					t.Errorf("%s: an override of %s is not seen; those of %v are", operation, name, got)
				}
			}
		}

		ann, pair, err := r.Register(ctx, person("ann", "ann@example.com", "+12025550123"), "a long passphrase")
		do("Register", err, "Create", "HashPassword", "NewID", "StorePassword", "RequestEmailConfirmation", "IssueTokens", "CheckTimeoutAndIncr")
		bob, _, err := r.Register(ctx, person("", "bob@example.com", ""), "", roster.WithoutPassword())
		do("Register", err, "Create", "RequestPasswordSet")
		_, err = r.CreateSuperuser(t.Context(), person("root1", "", ""))
		do("CreateSuperuser", err, "Create")

		for _, login := range []struct{ text, finds string }{
			{"ann", "GetByUsername"}, {"ann@example.com", "GetByEmail"}, {"+12025550123", "GetByPhone"},
		} {
			_, err = r.GetByLogin(t.Context(), login.text)
			do("GetByLogin", err, login.finds)
			_, err = r.Login(ctx, roster.PasswordCredentials(login.text, "a long passphrase"))
			do("Login", err, "Authenticate", "IsBruteforce", "GetByLogin", login.finds, "CheckPassword", "IssueTokens",
				"UpdateLastLogin", "TokenClaims", "RecordLoginSuccess")
		}
		_, err = r.Authenticate(ctx, roster.PasswordCredentials("ann", "a long passphrase"))
		do("Authenticate", err, "IsBruteforce", "GetByLogin", "CheckPassword", "RecordLoginSuccess")
		if _, err = r.Authenticate(ctx, roster.PasswordCredentials("ann", "wrong")); err == nil {
			t.Fatal("a wrong password is right")
		}
		do("Authenticate", nil, "IsBruteforce", "GetByLogin", "CheckPassword", "RecordLoginFailure")
		if _, err = r.Login(ctx, roster.PasswordCredentials("nobody", "wrong")); err == nil {
			t.Fatal("nobody has logged in")
		}
		do("Login", nil, "Authenticate", "IsBruteforce", "GetByLogin", "RecordLoginFailure")

		issued, err := r.IssueTokens(t.Context(), ann.ID, roster.IssueOptions{})
		do("IssueTokens", err, "UpdateLastLogin", "TokenClaims")
		refreshed, err := r.Refresh(ctx, issued.RefreshToken)
		do("Refresh", err, "TokenClaims")
		do("Logout", r.Logout(ctx, pair.RefreshToken), "RevokeSession")
		_, err = r.Revoke(ctx, refreshed.RefreshToken)
		do("Revoke", err, "RevokeSession")

		_, err = r.UpdateAccount(t.Context(), ann.ID, []byte(`{"company": "Acme"}`))
		do("UpdateAccount", err, "Update", "Patch")
		kit.Clock.Advance(day)
		do("RequestEmailConfirmation", r.RequestEmailConfirmation(t.Context(), ann.ID), "CheckTimeoutAndIncr")
		do("RequestPasswordSet", r.RequestPasswordSet(t.Context(), bob.ID), "CheckTimeoutAndIncr")
		if _, err := r.Deliver(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		mail, ok := kit.Mailbox.Last("bob@example.com")
		if !ok {
			t.Fatal("bob has no mail")
		}
		r.calls.take()
		_, err = r.SetFirstPassword(ctx, mail.Token, "another long passphrase")
		do("SetFirstPassword", err, "HashPassword", "StorePassword", "RevokeSessions")
		do("Delete", r.Delete(t.Context(), ann.ID, roster.Deactivate), "RevokeSessions")
	})
}

const day = 24 * time.Hour

// hearing is what the hooks of a witness do: they note their names and run the functions of a test.
type hearing struct {
	calls callLog

	mu     sync.Mutex
	heard  func(name string, e any)
	script map[string]func(ctx context.Context, e any) error
}

func (h *hearing) hear(ctx context.Context, name string, e any) error {
	h.calls.note(name)
	h.mu.Lock()
	heard, fn := h.heard, h.script[name]
	h.mu.Unlock()
	if heard != nil {
		heard(name, e)
	}
	if fn == nil {
		return nil
	}
	return fn(ctx, e)
}

// during makes one hook of a witness run fn: during(w, "BeforeCreate", func(ctx, e *callbacks.Create[*Person]) error {…}).
// It is done with by fn == nil.
func during[E any](w *witness[*Person], name string, fn func(ctx context.Context, e *E) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.script == nil {
		w.script = map[string]func(context.Context, any) error{}
	}
	w.script[name] = nil
	if fn != nil {
		w.script[name] = func(ctx context.Context, e any) error { return fn(ctx, e.(*E)) }
	}
}

// newWitness makes a program that has every hook.
func newWitness(t testing.TB, db *sqlx.DB, settings ...func(*usersrepo.Config)) (*witness[*Person], *rostertest.Kit) {
	t.Helper()
	w := &witness[*Person]{}
	return w, begin(t, w, db, settings...)
}
