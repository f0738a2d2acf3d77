package integration_test

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

// Person is the user of these tests, with a field of the program's own for each rule that they tell apart.
type Person struct {
	roster.User
	Company  string     `db:"company" json:"company" roster:"create,update,search,filter,sort"`
	Nick     *string    `db:"nick" json:"nick" roster:"create,update,filter,sort"`
	Plan     string     `db:"plan" json:"plan" roster:"admin,filter"`
	Score    int64      `db:"score" json:"score" roster:"update,filter,sort"`
	JoinedAt *time.Time `db:"joined_at" json:"joined_at" roster:"create,filter,sort"`
	Badge    string     `db:"badge" json:"badge" roster:"keep"`
	Note     string     `db:"note" json:"-"`
}

// world is a repo of people with what stands around it.
type world struct {
	*usersrepo.UsersRepo[*Person]
	*rostertest.Kit
	events *rostertest.Recorder // nil until somebody asks what has fired
}

// found makes a world on an empty database.
func found(t testing.TB, db *sqlx.DB, settings ...func(*usersrepo.Config)) *world {
	t.Helper()
	cfg, kit := rostertest.Config(t, db)
	for _, set := range settings {
		set(&cfg)
	}
	repo, err := usersrepo.New[*Person](cfg)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	return &world{repo, kit, nil}
}

// inEach founds a world on each kind of database.
func inEach(t *testing.T, test func(t *testing.T, w *world), settings ...func(*usersrepo.Config)) {
	t.Helper()
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) { test(t, found(t, db, settings...)) })
}

// person is a user with the identifiers that are not "".
func person(username, email, phone string) *Person {
	p := &Person{}
	for slot, value := range map[**string]string{&p.Username: username, &p.Email: email, &p.Phone: phone} {
		if value != "" {
			*slot = &value
		}
	}
	return p
}

// add stores a user.
func (w *world) add(t testing.TB, p *Person, options ...roster.CreateOption) *Person {
	t.Helper()
	u, err := w.Create(t.Context(), p, options...)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return u
}

// read returns a user as it is stored.
func (w *world) read(t testing.TB, id roster.ID) *Person {
	t.Helper()
	u, err := w.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return u
}

// exec runs a statement of the test's own.
func (w *world) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	if _, err := w.DB.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// rows counts the rows of a table, or of what follows FROM.
func (w *world) rows(t testing.TB, from string, args ...any) int {
	t.Helper()
	var n int
	if err := w.DB.GetContext(t.Context(), &n, "SELECT count(*) FROM "+from, args...); err != nil {
		t.Fatalf("count %s: %v", from, err)
	}
	return n
}

// fired returns the events since the last look. They are recorded from the first look on.
func (w *world) fired() []string {
	if w.events == nil {
		w.events = rostertest.Record(&w.On)
	}
	list := w.events.Events()
	w.events.Reset()
	return list
}

// refused checks that an error has a code and names just these faults, each as field:code.
func refused(t testing.TB, err error, want error, faults ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
		return
	}
	var got []string
	if e := (*roster.Error)(nil); errors.As(err, &e) {
		for _, f := range e.Fields {
			got = append(got, f.String())
		}
	}
	if diff := cmp.Diff(faults, got); diff != "" {
		t.Errorf("faults of %v (-want +got):\n%s", err, diff)
	}
}

func same[T any](t testing.TB, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// tables returns everything in the database, a line for each row, but for the audit trail: what is refused changes
// nothing, and is written there.
func (w *world) tables(t testing.TB) []string {
	t.Helper()
	return slices.DeleteFunc(w.everything(t), func(line string) bool {
		table, _, _ := strings.Cut(line, "|")
		return table == "roster_audit" || table == "roster_revocations" || table == "sqlite_sequence"
	})
}

// everything returns the audit trail too.
func (w *world) everything(t testing.TB) []string {
	t.Helper()
	list := "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
	if w.DB.DriverName() != "postgres" {
		list = "SELECT name FROM sqlite_master WHERE type = 'table'"
	}
	var names []string
	if err := w.DB.SelectContext(context.WithoutCancel(t.Context()), &names, list); err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	var dump []string
	for _, name := range names {
		dump = append(dump, w.table(t, name)...)
	}
	return dump
}

func (w *world) table(t testing.TB, name string) []string {
	t.Helper()
	rows, err := w.DB.QueryxContext(context.WithoutCancel(t.Context()), "SELECT * FROM "+name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var lines []string
	for rows.Next() {
		values, err := rows.SliceScan()
		if err != nil {
			t.Fatal(err)
		}
		line := name
		for _, value := range values {
			if b, ok := value.([]byte); ok {
				line += fmt.Sprintf("|%s|%x", b, b)
			} else {
				line += fmt.Sprintf("|%v", value)
			}
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// USER-1 to USER-10: what holds for every record.
func TestRecord(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		t.Run("USER-1 needs an identifier, in the database too", func(t *testing.T) {
			_, err := w.Create(t.Context(), &Person{Company: "Acme"})
			refused(t, err, roster.ErrValidationFailed, ":required")
			_, err = w.DB.ExecContext(t.Context(), "INSERT INTO users (id, created_at, updated_at) VALUES ($1, $2, $2)", w.NewID(), w.Clock.Now())
			if err == nil || !strings.Contains(err.Error(), "users_identifier_check") {
				t.Errorf("insert: %v, want a violation of users_identifier_check", err)
			}
		})
		t.Run("USER-2 takes no blank for an absent identifier", func(t *testing.T) {
			u := w.add(t, person("blank", "blank@example.com", "+12025550199"))
			for _, blank := range []string{"", " ", "\u3000\t"} {
				for field, set := range map[string]func(p *Person){
					"username": func(p *Person) { p.Username = &blank },
					"email":    func(p *Person) { p.Email = &blank },
					"phone":    func(p *Person) { p.Phone = &blank },
				} {
					p := person("other", "other@example.com", "+12025550198")
					set(p)
					_, err := w.Create(t.Context(), p)
					refused(t, err, roster.ErrValidationFailed, field+":invalid")
					_, err = w.Update(t.Context(), u.ID, func(p *Person) error { set(p); return nil })
					refused(t, err, roster.ErrValidationFailed, field+":invalid")
					raw, _ := json.Marshal(map[string]string{field: blank})
					_, err = w.Update(t.Context(), u.ID, func(p *Person) error { return w.Patch(t.Context(), p, raw, roster.WriterAdmin) })
					refused(t, err, roster.ErrValidationFailed, field+":invalid")
				}
			}
			same(t, u, w.read(t, u.ID))
		})
		t.Run("USER-4 begins with the defaults", func(t *testing.T) {
			u := w.add(t, person("default", "default@example.com", "+12025550197"))
			now := w.Clock.Now()
			want := person("default", "default@example.com", "+12025550197")
			want.ID, want.Permissions, want.CreatedAt, want.UpdatedAt, want.Version = u.ID, roster.Permissions{}, now, now, 1
			same(t, want, u)
			same(t, want, w.read(t, u.ID))
		})
		t.Run("USER-7 shows no secret", func(t *testing.T) {
			u := w.add(t, person("discreet", "", ""), roster.WithPassword("correct horse battery"))
			var hash string
			if err := w.DB.GetContext(t.Context(), &hash, "SELECT hash FROM roster_passwords WHERE user_id = $1", u.ID); err != nil {
				t.Fatal(err)
			}
			for _, u := range []*Person{u, w.read(t, u.ID)} {
				document, err := json.Marshal(u)
				if err != nil {
					t.Fatal(err)
				}
				for _, text := range []string{string(document), fmt.Sprintf("%+v %#v", u, u)} {
					if strings.Contains(text, hash) || strings.Contains(text, "horse") {
						t.Errorf("a secret is in %s", text)
					}
				}
			}
		})
		t.Run("USER-9 keeps times in UTC, to the microsecond", func(t *testing.T) {
			w.Clock.Advance(1234567 * time.Nanosecond)
			joined := w.Clock.Now().In(time.FixedZone("", 3600))
			p := person("timely", "timely@example.com", "")
			p.JoinedAt = &joined
			u := w.add(t, p, roster.WithEmailVerified())
			want := w.Clock.Now().Truncate(time.Microsecond)
			for _, u := range []*Person{u, w.read(t, u.ID)} {
				for _, got := range []time.Time{u.CreatedAt, u.UpdatedAt, *u.EmailVerifiedAt, *u.JoinedAt} {
					if got != want {
						t.Errorf("%v, want %v", got, want)
					}
				}
			}
		})
		t.Run("USER-10 is shown by the first identifier", func(t *testing.T) {
			u := w.add(t, person("Shown", "shown@example.com", "+12025550196"))
			for _, want := range []string{"Shown", "shown@example.com", "+12025550196", u.ID.String()} {
				same(t, want, u.DisplayName())
				for _, slot := range []**string{&u.Username, &u.Email, &u.Phone} {
					if *slot != nil {
						*slot = nil
						break
					}
				}
			}
		})
	})
}

// USER-8: an id that nobody has, or has no more.
func TestUnknownUser(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		removed := w.add(t, person("removed", "", "")).ID
		if err := w.Delete(t.Context(), removed, roster.Remove); err != nil {
			t.Fatal(err)
		}
		w.fired()
		before := w.tables(t)
		for operation, call := range map[string]func(ctx context.Context, id roster.ID) error{
			"Get": func(ctx context.Context, id roster.ID) error { _, err := w.Get(ctx, id); return err },
			"Update": func(ctx context.Context, id roster.ID) error {
				_, err := w.Update(ctx, id, func(*Person) error { t.Error("the edit was called"); return nil })
				return err
			},
			"Delete":          func(ctx context.Context, id roster.ID) error { return w.Delete(ctx, id, roster.Deactivate) },
			"Restore":         func(ctx context.Context, id roster.ID) error { _, err := w.Restore(ctx, id); return err },
			"UpdateLastLogin": w.UpdateLastLogin,
			"LinkSocial": func(ctx context.Context, id roster.ID) error {
				return w.LinkSocial(ctx, id, roster.SocialAccount{Provider: "google", Subject: "1"})
			},
			"UnlinkSocial":  func(ctx context.Context, id roster.ID) error { return w.UnlinkSocial(ctx, id, "google", "1") },
			"ListSocial":    func(ctx context.Context, id roster.ID) error { _, err := w.ListSocial(ctx, id); return err },
			"CheckPassword": func(ctx context.Context, id roster.ID) error { return w.CheckPassword(ctx, id, "x") },
			"StorePassword": func(ctx context.Context, id roster.ID) error {
				return w.StorePassword(ctx, id, "x", roster.PasswordFirst)
			},
			"StorePassword of a Create": func(ctx context.Context, id roster.ID) error {
				return w.StorePassword(ctx, id, "x", roster.PasswordCreated)
			},
			"RequestPasswordSet":       w.RequestPasswordSet,
			"RequestEmailConfirmation": w.RequestEmailConfirmation,
			"IssueTokens": func(ctx context.Context, id roster.ID) error {
				_, err := w.IssueTokens(ctx, id, roster.IssueOptions{})
				return err
			},
			"ListSessions":   func(ctx context.Context, id roster.ID) error { _, err := w.ListSessions(ctx, id); return err },
			"RevokeSession":  func(ctx context.Context, id roster.ID) error { return w.RevokeSession(ctx, id, w.NewID()) },
			"RevokeSessions": func(ctx context.Context, id roster.ID) error { _, err := w.RevokeSessions(ctx, id); return err },
			"RevokeOtherSessions": func(ctx context.Context, id roster.ID) error {
				_, err := w.RevokeOtherSessions(ctx, id, w.NewID())
				return err
			},
			"UpdateAccount": func(ctx context.Context, id roster.ID) error {
				_, err := w.UpdateAccount(ctx, id, json.RawMessage(`{"company":"x"}`))
				return err
			},
		} {
			t.Run("USER-8 is not found by "+operation, func(t *testing.T) {
				for _, id := range []roster.ID{w.NewID(), removed, {}} {
					if err := call(t.Context(), id); !errors.Is(err, roster.ErrNotFound) {
						t.Errorf("%s: %v, want not_found", id, err)
					}
				}
			})
		}
		same(t, []string(nil), w.fired())
		same(t, before, w.tables(t))
	})
}
