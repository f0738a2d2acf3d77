package integration_test

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// USER-63, SEC-48, case 27: a cursor with any character changed, cut or added is refused before the database is asked.
func TestCursorAltered(t *testing.T) {
	t.Parallel()
	w, y := tallied(t)
	for i := range 5 {
		w.add(t, person(fmt.Sprintf("user%d", i), fmt.Sprintf("user%d@example.com", i), ""))
	}
	q := roster.Query{Limit: 2, Sort: []roster.Sort{{Field: "email"}}}
	page, err := w.Search(t.Context(), q)
	if err != nil || page.Next == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	y.taken()
	refuse := func(cursor string) {
		t.Helper()
		q.Cursor = cursor
		_, err := w.Search(t.Context(), q)
		refused(t, err, roster.ErrInvalidCursor)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range page.Next {
		at := strings.IndexByte(alphabet, page.Next[i])
		for _, bit := range []int{1, 2, 4, 8, 16, 32} {
			refuse(page.Next[:i] + string(alphabet[at^bit]) + page.Next[i+1:])
		}
		refuse(page.Next[:i] + page.Next[i+1:])
		if i > 0 {
			refuse(page.Next[:i])
		}
	}
	for _, cursor := range []string{
		page.Next + "A", page.Next + "=", page.Next + "\n", "A" + page.Next, page.Next + page.Next, "x", "\x00", "é", strings.Repeat("A", 1<<20),
		base64.RawURLEncoding.EncodeToString([]byte(`["x","y"]`)),
	} {
		refuse(cursor)
	}
	if texts := y.taken(); len(texts) > 0 {
		t.Errorf("the database was asked %d times: %q", len(texts), texts[0])
	}
	q.Cursor = page.Next
	_, err = w.Search(t.Context(), q)
	same(t, nil, err)
}

// FuzzCursor: whatever a client sends as a cursor, it is refused, and nothing panics.
func FuzzCursor(f *testing.F) {
	w := found(f, rostertest.Open(f, rostertest.SQLite))
	for i := range 3 {
		w.add(f, person(fmt.Sprintf("user%d", i), "", ""))
	}
	page, err := w.Search(f.Context(), roster.Query{Limit: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(page.Next[:len(page.Next)-1])
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, cursor string) {
		_, err := w.Search(t.Context(), roster.Query{Limit: 1, Cursor: cursor})
		if cursor == "" || cursor == page.Next {
			same(t, nil, err)
			return
		}
		refused(t, err, roster.ErrInvalidCursor)
	})
}

// USER-63, SEC-98: the cursors of the other lists are good for the same list, query and table alone.
func TestCursorOfLists(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		var shared usersrepo.Config
		w := found(t, db, func(cfg *usersrepo.Config) { shared = *cfg })
		other := found(t, db, func(cfg *usersrepo.Config) {
			cfg.Secrets = shared.Secrets
			cfg.Store.UsersTable, cfg.Store.Prefix = "staff", "staff_"
		})
		ctx, admin := w.acting(t, "warden", roster.WithPermissions("users:ban"))
		for _, name := range []string{"anna", "berta"} {
			u := w.add(t, person(name, name+"@example.com", ""), roster.WithConfirmation())
			must(w.Ban(ctx, u.ID, roster.Ban{}))(t)
		}
		for range 10 {
			same(t, wrong, w.attempt(t.Context(), "203.0.113.7", "nobody", "wrong"))
		}
		type list func(w *world, limit int, cursor string, changed bool) (next string, err error)
		lists := map[string]list{
			"audit": func(w *world, limit int, cursor string, changed bool) (string, error) {
				q := roster.AuditQuery{Limit: limit, Cursor: cursor, Actor: &admin.ID}
				if changed {
					q.Actor = nil
				}
				page, err := w.ListAudit(t.Context(), q)
				return page.Next, err
			},
			"blacklist": func(w *world, limit int, cursor string, changed bool) (string, error) {
				q := roster.BlacklistQuery{Limit: limit, Cursor: cursor, By: &admin.ID}
				if changed {
					q.By = nil
				}
				page, err := w.GetBlacklist(t.Context(), q)
				return page.Next, err
			},
			"lockouts": func(w *world, limit int, cursor string, changed bool) (string, error) {
				q := roster.LockoutQuery{Limit: limit, Cursor: cursor, Text: "no"}
				if changed {
					q.Text = ""
				}
				page, err := w.ListLockouts(t.Context(), q)
				return page.Next, err
			},
			"messages": func(w *world, limit int, cursor string, changed bool) (string, error) {
				q := roster.MessageQuery{Limit: limit, Cursor: cursor, State: "pending"}
				if changed {
					q.State = ""
				}
				page, err := w.ListMessages(t.Context(), q)
				return page.Next, err
			},
		}
		for name, list := range lists {
			t.Run("USER-63 "+name, func(t *testing.T) {
				cursor := must(list(w, 1, "", false))(t)
				same(t, "", must(list(w, 200, cursor, false))(t))
				for _, bad := range []string{"x", cursor[1:], cursor + "A", cursor + "\n", "\r" + cursor} {
					_, err := list(w, 1, bad, false)
					refused(t, err, roster.ErrInvalidCursor)
				}
				_, err := list(w, 1, cursor, true)
				refused(t, err, roster.ErrInvalidCursor)
				_, err = list(other, 1, cursor, false)
				refused(t, err, roster.ErrInvalidCursor)
				for another, stranger := range lists {
					if another != name {
						_, err := list(w, 1, must(stranger(w, 1, "", false))(t), false)
						refused(t, err, roster.ErrInvalidCursor)
					}
				}
			})
		}
	})
}

// USER-63, SEC-98, case 27: a cursor is good for its own query on its own table, whatever the limit and the asker.
func TestCursorOfAnotherQuery(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		var shared usersrepo.Config
		w := found(t, db, func(cfg *usersrepo.Config) { shared = *cfg })
		other := found(t, db, func(cfg *usersrepo.Config) {
			cfg.Secrets = shared.Secrets
			cfg.Store.UsersTable, cfg.Store.Prefix = "staff", "staff_"
		})
		stranger := found(t, rostertest.Open(t, rostertest.SQLite)) // with other secrets
		for i := range 6 {
			p := person(fmt.Sprintf("user%d", i), "", "")
			p.Score, p.Company, p.Plan = 5_000_000, "Acme", "pro"
			w.add(t, p)
		}
		reader := w.add(t, person("reader", "", ""), roster.WithPermissions("users:read"))
		at := w.Clock.Now()
		score := func(op roster.Op, value any) []roster.Filter {
			return []roster.Filter{{Field: "score", Op: op, Value: value}}
		}
		base := roster.Query{Limit: 2, Text: "user", Filters: score(roster.Gt, 2_000_000), Sort: []roster.Sort{{Field: "company"}}}
		page, err := w.Search(t.Context(), base)
		if err != nil || page.Next == "" {
			t.Fatalf("%+v, %v", page, err)
		}
		if len(page.Next) > 1024 {
			t.Errorf("a cursor of %d bytes", len(page.Next))
		}
		base.Cursor = page.Next
		for name, change := range map[string]func(q *roster.Query){
			"text":            func(q *roster.Query) { q.Text = "use" },
			"no text":         func(q *roster.Query) { q.Text = "" },
			"a number":        func(q *roster.Query) { q.Filters = score(roster.Gt, 3_000_000) },
			"a nearby number": func(q *roster.Query) { q.Filters = score(roster.Gt, 2_000_001) },
			"an operator":     func(q *roster.Query) { q.Filters = score(roster.Gte, 2_000_000) },
			"a field":         func(q *roster.Query) { q.Filters = []roster.Filter{{Field: "company", Op: roster.Eq, Value: "Acme"}} },
			"one filter more": func(q *roster.Query) {
				q.Filters = append(q.Filters, roster.Filter{Field: "plan", Op: roster.Eq, Value: "pro"})
			},
			"a time":    func(q *roster.Query) { q.Filters = []roster.Filter{{Field: "created_at", Op: roster.Lte, Value: at}} },
			"no filter": func(q *roster.Query) { q.Filters = nil },
			"the deleted": func(q *roster.Query) {
				q.Filters = append(q.Filters, roster.Filter{Field: "deleted", Op: roster.Eq, Value: true})
			},
			"another key":         func(q *roster.Query) { q.Sort = []roster.Sort{{Field: "username"}} },
			"the other direction": func(q *roster.Query) { q.Sort = []roster.Sort{{Field: "company", Descending: true}} },
			"one key more":        func(q *roster.Query) { q.Sort = append(q.Sort, roster.Sort{Field: "email"}) },
			"no key":              func(q *roster.Query) { q.Sort = nil },
		} {
			t.Run("USER-63 refuses it with "+name, func(t *testing.T) {
				q := base
				q.Filters, q.Sort = append([]roster.Filter(nil), base.Filters...), append([]roster.Sort(nil), base.Sort...)
				change(&q)
				_, err := w.Search(t.Context(), q)
				refused(t, err, roster.ErrInvalidCursor)
			})
		}
		for name, w := range map[string]*world{"another table": other, "another installation": stranger} {
			t.Run("USER-63 refuses it at "+name, func(t *testing.T) {
				_, err := w.Search(t.Context(), base)
				refused(t, err, roster.ErrInvalidCursor)
			})
		}
		t.Run("USER-63 takes it with another limit, total and asker, at any time", func(t *testing.T) {
			w.Clock.Advance(365 * 24 * time.Hour)
			q := base
			q.Limit, q.Total = 3, roster.TotalExact
			ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorAdmin, ID: reader.ID})
			page, err := w.Search(ctx, q)
			same(t, nil, err)
			same(t, []string{"user2", "user3", "user4"}, usernames(page.Items))
		})
		t.Run("USER-63 makes no cursor that it would refuse", func(t *testing.T) {
			for i, sign := range []string{"z", `"`, "<", "\x01", "🦉"} {
				p := person(fmt.Sprintf("long%d", i), strings.Repeat("x", 64)+fmt.Sprintf("@%s.example", strings.Repeat("y", 60)), "")
				p.Company = strings.Repeat(sign, 400/len(sign))
				if i > 0 {
					p.Email = nil
				}
				w.add(t, p)
			}
			p := person("longer", "", "")
			p.Company = strings.Repeat("z", 401)
			_, err := w.Create(t.Context(), p)
			refused(t, err, roster.ErrValidationFailed, "company:too_long")
			q := roster.Query{Limit: 1, Text: "long", Sort: []roster.Sort{{Field: "company"}, {Field: "email"}}}
			var seen []string
			for {
				page, err := w.Search(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				seen = append(seen, usernames(page.Items)...)
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			slices.Sort(seen)
			same(t, []string{"long0", "long1", "long2", "long3", "long4"}, seen)
			// What was written by other ways may be longer.
			_, err = db.ExecContext(t.Context(), "UPDATE users SET company = $1 WHERE username LIKE 'long%'", strings.Repeat("a", 2000))
			same(t, nil, err)
			_, err = w.Search(t.Context(), roster.Query{Limit: 1, Text: "long", Sort: q.Sort})
			refused(t, err, roster.ErrValidationFailed, "sort:too_long")
		})
		t.Run("USER-63 tells numbers beyond those of characters apart", func(t *testing.T) {
			for _, value := range []int64{math.MinInt64, -1, 0, 0x10FFFF, 0x110000, math.MaxInt64} {
				q := base
				q.Filters = score(roster.Gt, value)
				_, err := w.Search(t.Context(), q)
				refused(t, err, roster.ErrInvalidCursor)
			}
		})
	})
}
