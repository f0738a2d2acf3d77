package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// world is a repo with one user of each kind, and what the user has in hand.
type world struct {
	*usersrepo.UsersRepo[*roster.User]
	strict  *usersrepo.UsersRepo[*roster.User] // where nobody gets in before a contact is proven
	kit     *rostertest.Kit
	id      roster.ID
	tokens  roster.TokenPair
	confirm roster.Secret // the token of a mailed link
}

const password = roster.Secret("a long enough secret of mine")

func newWorld(t *testing.T, db *sqlx.DB) *world {
	t.Helper()
	cfg, kit := rostertest.Config(t, db)
	p := &cfg.Protection
	p.Source.Off, p.Identifier.Off, p.Pair.Off, p.Registration.Off, p.Mails.Off = true, true, true, true, true
	repo, err := usersrepo.New[*roster.User](cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Account.RequireConfirmed = true
	strict, err := usersrepo.New[*roster.User](cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &world{UsersRepo: repo, strict: strict, kit: kit}
}

// found makes a new user, with all that the operations of this test work on.
func (w *world) found(t *testing.T) {
	t.Helper()
	name := "u" + strings.ReplaceAll(w.NewID().String(), "-", "")[:20]
	u, err := w.Create(t.Context(), &roster.User{Username: &name, Email: new(name + "@example.com")},
		roster.WithPassword(password), roster.WithConfirmation())
	if err != nil {
		t.Fatal(err)
	}
	w.id = u.ID
	if w.tokens, err = w.IssueTokens(t.Context(), u.ID, roster.IssueOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.LinkSocial(t.Context(), u.ID, roster.SocialAccount{Provider: "x", Subject: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Deliver(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	mail, ok := w.kit.Mailbox.Last(*u.Email)
	_, token, found := strings.Cut(mail.Text, "#")
	if !ok || !found {
		t.Fatalf("no link was mailed: %q", mail.Text)
	}
	token, _, _ = strings.Cut(token, "\n")
	if _, value, named := strings.Cut(token, "="); named {
		token = value
	}
	w.confirm = roster.Secret(strings.TrimSpace(token))
}

// operations are those that write.
var operations = map[string]func(ctx context.Context, w *world) error{
	"Register": func(ctx context.Context, w *world) error {
		name := "r" + strings.ReplaceAll(w.NewID().String(), "-", "")[:20]
		// With tokens it is two transactions: they come after the commit (ACCT-10).
		_, _, err := w.strict.Register(ctx, &roster.User{Username: &name, Email: new(name + "@example.com")}, password)
		return err
	},
	"Login": func(ctx context.Context, w *world) error {
		u, err := w.Get(ctx, w.id)
		if err != nil {
			return err
		}
		_, err = w.Login(ctx, roster.PasswordCredentials(*u.Email, password))
		return err
	},
	"UpdateAccount": func(ctx context.Context, w *world) error {
		_, err := w.UpdateAccount(ctx, w.id, json.RawMessage(`{"language": "de"}`))
		return err
	},
	"Update": func(ctx context.Context, w *world) error {
		_, err := w.Update(ctx, w.id, func(u *roster.User) error {
			*u.Username += "x"
			*u.Email = "x" + *u.Email
			return nil
		})
		return err
	},
	"ConfirmEmail":             func(ctx context.Context, w *world) error { _, err := w.ConfirmEmail(ctx, w.confirm); return err },
	"RequestEmailConfirmation": func(ctx context.Context, w *world) error { return w.RequestEmailConfirmation(ctx, w.id) },
	"StorePassword": func(ctx context.Context, w *world) error {
		return w.StorePassword(ctx, w.id, "$insecure$x$y", roster.PasswordCreated)
	},
	"LinkSocial": func(ctx context.Context, w *world) error {
		return w.LinkSocial(ctx, w.id, roster.SocialAccount{Provider: "y", Subject: w.id.String()})
	},
	"UnlinkSocial": func(ctx context.Context, w *world) error {
		list, err := w.ListSocial(ctx, w.id)
		if err != nil {
			return err
		}
		return w.UnlinkSocial(ctx, w.id, "x", list[0].Subject)
	},
	"Refresh":            func(ctx context.Context, w *world) error { _, err := w.Refresh(ctx, w.tokens.RefreshToken); return err },
	"Logout":             func(ctx context.Context, w *world) error { return w.Logout(ctx, w.tokens.RefreshToken) },
	"RevokeSessions":     func(ctx context.Context, w *world) error { _, err := w.RevokeSessions(ctx, w.id); return err },
	"Delete: deactivate": func(ctx context.Context, w *world) error { return w.Delete(ctx, w.id, roster.Deactivate) },
	"Delete: anonymise":  func(ctx context.Context, w *world) error { return w.Delete(ctx, w.id, roster.Anonymise) },
	"Delete: remove":     func(ctx context.Context, w *world) error { return w.Delete(ctx, w.id, roster.Remove) },
	"two in one by InTx": func(ctx context.Context, w *world) error {
		return w.InTx(ctx, func(ctx context.Context) error {
			return errors.Join(w.UpdateLastLogin(ctx, w.id), w.Delete(ctx, w.id, roster.Deactivate))
		})
	},
}

// STORE-9, SEC-31, case 5: whatever statement of an operation fails, nothing of it is left.
func TestFaults(t *testing.T) {
	t.Parallel()
	injected := errors.New("injected fault")
	for _, kind := range []rostertest.Kind{rostertest.SQLite, rostertest.PostgreSQL} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db, spy := openSpied(t, rostertest.Address(t, kind))
			w := newWorld(t, db)
			for _, name := range sortedKeys(operations) {
				operation := operations[name]
				t.Run(name, func(t *testing.T) {
					for range 3 { // until all is prepared: it is no fault when that fails
						w.found(t)
						if err := operation(t.Context(), w); err != nil {
							t.Fatalf("without a fault: %v", err)
						}
					}
					for _, table := range []string{"users", "roster_messages", "roster_holds"} {
						execute(t, db, "DELETE FROM "+table)
					}
					w.found(t)
					w.kit.Clock.Advance(time.Second)
					before := dump(t, db)
					for n := 1; ; n++ {
						if n > 60 {
							t.Fatal("there is no end of statements")
						}
						var err error
						notes := spy.during(n, injected, func() { err = operation(t.Context(), w) })
						if len(notes) < n {
							if err != nil {
								t.Fatalf("without a fault: %v", err)
							}
							t.Logf("%d statements", n-1)
							return
						}
						if readsRevocations(notes[n-1].text) {
							return // after the commit: the operation is done, and the node asks again before it believes a token
						}
						if err == nil {
							t.Errorf("fault at statement %d (%s): the operation succeeds", n, notes[n-1].text)
						}
						if diff := cmp.Diff(before, dump(t, db)); diff != "" {
							t.Errorf("fault at statement %d (%s): what is left (-before +after):\n%s", n, notes[n-1].text, diff)
						}
					}
				})
			}
		})
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// dump returns all rows of all tables.
func dump(t *testing.T, db *sqlx.DB) map[string][]string {
	t.Helper()
	tables := map[string][]string{}
	for _, table := range []string{
		"users", "roster_identities", "roster_holds", "roster_keys", "roster_links", "roster_messages", "roster_passwords", "roster_sessions",
		"roster_state",
	} {
		tables[table] = rows(t, db, table)
	}
	return tables
}

// rows returns those of a table, in an order of its own.
func rows(t *testing.T, db *sqlx.DB, table string) (lines []string) {
	t.Helper()
	rows, err := db.QueryxContext(t.Context(), "SELECT * FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		values, err := rows.SliceScan()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s", values))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// readsRevocations tells the statement by which a repo learns of what it has committed.
func readsRevocations(text string) bool { return strings.Contains(text, "keys_epoch, ") }
