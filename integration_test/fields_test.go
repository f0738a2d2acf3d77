package integration_test

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// tags are a type with a column format of its own.
type tags []string

func (v tags) Value() (driver.Value, error) { return strings.Join(v, ","), nil }

func (v *tags) Scan(src any) error {
	*v = nil
	if text, _ := src.(string); text != "" {
		if strings.Contains(text, "broken") {
			return errors.New("broken tags")
		}
		*v = strings.Split(text, ",")
	}
	return nil
}

type level string

// address is a part of a user, whose fields are the user's.
type address struct {
	Street string  `db:"street" json:"street" roster:"create,update,search"`
	City   *string `db:"city" json:"city" roster:"create,update,filter"`
}

// wide is a user with a field of every sort.
type wide struct {
	roster.User
	address0
	address
	Active  bool       `db:"active" json:"active" roster:"update,filter"`
	Ratio   float64    `db:"ratio" json:"ratio" roster:"update,filter,sort"`
	Small   int8       `db:"small" json:"small" roster:"update,filter,sort"`
	Large   uint32     `db:"large" json:"large" roster:"update"`
	Blob    []byte     `db:"blob_data" json:"blob" roster:"update"`
	Tags    tags       `db:"tags" json:"tags" roster:"update"`
	Born    time.Time  `db:"born" json:"born" roster:"update,filter"`
	Ref     roster.ID  `db:"ref" json:"ref" roster:"update,filter"`
	Friend  *roster.ID `db:"friend" json:"friend" roster:"update"`
	Level   level      `db:"level" json:"level" roster:"update,filter"`
	Unnamed string     `db:"unnamed" json:",omitzero" roster:"update"`
	Secret  string     `db:"secret" json:"-" roster:"keep"`
	Skipped string     `db:"-" json:"skipped"`
	Untold  string     `json:"untold"`
	private string
}

// address0 has nothing that is stored.
type address0 struct{ Comment string }

func newOf[U roster.Model](t testing.TB, db *sqlx.DB, settings ...func(*usersrepo.Config)) (*usersrepo.UsersRepo[U], *rostertest.Kit) {
	t.Helper()
	cfg, kit := rostertest.Config(t, db)
	for _, set := range settings {
		set(&cfg)
	}
	repo, err := usersrepo.New[U](cfg)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	return repo, kit
}

// USER-40, USER-42: fields of every sort are stored, found, changed and cleared.
func TestFieldTypes(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		repo, kit := newOf[*wide](t, db)
		ctx, now := t.Context(), kit.Clock.Now()
		u := &wide{
			User: roster.User{Username: new("alice")}, address: address{"High Street", new("Vienna")}, Active: true, Ratio: 0.1, Small: -128,
			Large: 1<<32 - 1, Blob: []byte("\x00\xff"), Tags: tags{"a", "b"}, Born: now, Ref: repo.NewID(), Friend: new(repo.NewID()),
			Level: "gold", Unnamed: "un", Secret: "hush", Skipped: "skip", Untold: "untold", private: "mine",
		}
		created, err := repo.Create(ctx, u)
		if err != nil {
			t.Fatal(err)
		}
		same(t, []string{"skip", "untold", "mine"}, []string{created.Skipped, created.Untold, created.private})
		compare := func(want *wide) {
			t.Helper()
			got, err := repo.Get(ctx, want.ID)
			if err != nil {
				t.Fatal(err)
			}
			// What is not stored is not read.
			w := *want
			w.Skipped, w.Untold, w.private, w.Comment = "", "", "", ""
			same(t, fmt.Sprintf("%+v", show(&w)), fmt.Sprintf("%+v", show(got)))
		}
		compare(created)
		raw := json.RawMessage(`{"active":false,"ratio":-2.5e10,"small":127,"large":0,"blob":"AQI=","tags":["x"],"born":"2001-02-03T04:05:06.789012+01:00",
			"ref":"018f0000-0000-7000-8000-000000000000","friend":null,"level":"tin","Unnamed":"now","street":"Low","city":null}`)
		changed, err := repo.UpdateAccount(ctx, u.ID, raw)
		if !errors.Is(err, roster.ErrNotFound) { // u was not changed: it has no id
			t.Errorf("%v, %v", changed, err)
		}
		changed, err = repo.UpdateAccount(ctx, created.ID, raw)
		if err != nil {
			t.Fatal(err)
		}
		same(t, []any{false, -2.5e10, int8(127), uint32(0), []byte{1, 2}, tags{"x"}, level("tin"), "now", "Low"},
			[]any{changed.Active, changed.Ratio, changed.Small, changed.Large, changed.Blob, changed.Tags, changed.Level, changed.Unnamed, changed.Street})
		same(t, "2001-02-03 03:05:06.789012 +0000 UTC", changed.Born.String())
		compare(changed)
		for _, f := range []roster.Filter{
			{Field: "active", Op: roster.Eq, Value: false},
			{Field: "ratio", Op: roster.Lt, Value: 0},
			{Field: "small", Op: roster.In, Value: []int8{127}},
			{Field: "born", Op: roster.Eq, Value: changed.Born},
			{Field: "ref", Op: roster.Eq, Value: changed.Ref},
			{Field: "level", Op: roster.Eq, Value: level("tin")},
			{Field: "city", Op: roster.IsNull, Value: true},
		} {
			page, err := repo.Search(ctx, roster.Query{Filters: []roster.Filter{f}, Text: "low"})
			if err != nil || len(page.Items) != 1 {
				t.Errorf("%+v: %v, %v", f, page, err)
			}
		}
		// USER-36: faults of each sort.
		for document, fault := range map[string]string{
			`{"small":128}`: "small:wrong_type", `{"large":-1}`: "large:wrong_type", `{"blob":"?"}`: "blob:invalid", `{"tags":"x"}`: "tags:wrong_type",
			`{"born":"today"}`: "born:invalid", `{"ref":"x"}`: "ref:invalid", `{"ref":null}`: "ref:required", `{"active":"true"}`: "active:wrong_type",
			`{"skipped":"x"}`: "skipped:unknown_field", `{"untold":"x"}`: "untold:unknown_field", `{"private":"x"}`: "private:unknown_field",
			`{"secret":"x"}`: "secret:unknown_field", `{"Street":"x"}`: "Street:unknown_field", `{"active":null}`: "active:required",
		} {
			_, err := repo.UpdateAccount(ctx, created.ID, json.RawMessage(document))
			refused(t, err, roster.ErrValidationFailed, fault)
		}
		// USER-69: all is cleared but what is to be kept, also where a column of an own type takes no NULL.
		if db.DriverName() == "postgres" {
			if _, err := db.ExecContext(ctx, "ALTER TABLE users ALTER COLUMN tags SET NOT NULL"); err != nil {
				t.Fatal(err)
			}
		}
		if err := repo.Delete(ctx, created.ID, roster.Anonymise); err != nil {
			t.Fatal(err)
		}
		got, err := repo.Get(ctx, created.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := &wide{Secret: "hush"}
		want.User = got.User
		same(t, fmt.Sprintf("%+v", show(want)), fmt.Sprintf("%+v", show(got)))
	})
}

// show is a user as text: with what pointers point to, and none for an empty list.
func show(u *wide) []any {
	list := []any{
		u.ID, u.Version, u.Street, u.Active, u.Ratio, u.Small, u.Large, fmt.Sprintf("%x", u.Blob), len(u.Tags), u.Born.UTC(), u.Ref, u.Level, u.Unnamed, u.Secret,
		u.Skipped, u.Untold, u.private, u.Comment,
	}
	if u.City != nil {
		list = append(list, *u.City)
	}
	if u.Friend != nil {
		list = append(list, *u.Friend)
	}
	return list
}

// USER-37, STORE-6: constraints of the program's own table.
func TestFieldConstraints(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.exec(t, "CREATE UNIQUE INDEX by_company ON users (company) WHERE company <> ''")
		u := w.add(t, person("alice", "", ""))
		bob := person("bob", "", "")
		bob.Company = "Acme"
		w.add(t, bob)
		for name, err := range map[string]error{
			"update": func() error {
				_, err := w.Update(t.Context(), u.ID, func(p *Person) error { p.Company = "Acme"; return nil })
				return err
			}(),
			"create": func() error {
				p := person("carla", "", "")
				p.Company = "Acme"
				_, err := w.Create(t.Context(), p)
				return err
			}(),
			"update of an account": func() error {
				_, err := w.UpdateAccount(t.Context(), u.ID, json.RawMessage(`{"company":"Acme"}`)) // ACCT-49
				return err
			}(),
		} {
			if strings.Contains(err.Error(), "UPDATE") || strings.Contains(err.Error(), "Acme") {
				t.Errorf("%s: the error shows too much: %v", name, err)
			}
			if w.DB.DriverName() == "postgres" {
				refused(t, err, roster.ErrConflict, "company:taken")
			} else if !errors.Is(err, roster.ErrConflict) { // SQLite names the columns of plain indexes only
				t.Errorf("%s: %v", name, err)
			}
		}
		same(t, u, w.read(t, u.ID))
	})
}

// USER-37: an own type that cannot be read.
func TestFieldScan(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		repo, _ := newOf[*wide](t, db)
		u, err := repo.Create(t.Context(), &wide{User: roster.User{Username: new("alice")}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), "UPDATE users SET tags = 'broken'"); err != nil {
			t.Fatal(err)
		}
		if _, err := repo.Get(t.Context(), u.ID); err == nil || strings.Contains(err.Error(), "SELECT") {
			t.Errorf("%v, want an error without SQL", err)
		}
	})
}

// USER-42, HOOK-66: custom fields are in events and mails, with their types.
func TestFieldsInMails(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		var seen []string
		see := func(p *Person) { seen = append(seen, fmt.Sprintf("%s %d %s", p.Company, p.Score+1, p.Note)) }
		w.On.Create.Before(func(_ context.Context, e *callbacks.Create[*Person]) error { see(e.User); return nil })
		w.On.Create.After(func(_ context.Context, e *callbacks.Create[*Person]) error { see(e.User); return nil })
		w.On.Create.On(func(_ context.Context, e *callbacks.Create[*Person]) error { see(e.User); return nil })
		w.On.Message.Before(func(_ context.Context, e *callbacks.Message[*Person]) error { see(e.Data.User); return nil })
		p := person("alice", "alice@example.com", "")
		p.Company, p.Score, p.Note, p.JoinedAt = "Acme", 41, "hush", new(w.Clock.Now())
		w.add(t, p, roster.WithConfirmation())
		same(t, []string{"Acme 42 hush", "Acme 42 hush", "Acme 42 hush", "Acme 42 hush"}, seen)
		sent := w.post(t)
		if len(sent) != 1 {
			t.Fatal(sent)
		}
		same(t, "Hello alice of Acme, 41, hush, "+fmt.Sprint(w.Clock.Now().Year()), strings.TrimSpace(sent[0].Text))
	}, func(cfg *usersrepo.Config) {
		cfg.Notify.Templates = fstest.MapFS{"email_confirm/en.txt": {Data: []byte(
			`Hello {{.Name}} of {{.User.Company}}, {{.User.Score}}, {{.User.Note}}{{with .User.JoinedAt}}, {{.Year}}{{end}}`,
		)}}
	})
}

// odd is a user that writes its JSON itself.
type odd struct {
	roster.User
	Company string `db:"company" json:"company" roster:"create,update"`
}

func (o odd) MarshalJSON() ([]byte, error) { return json.Marshal([]string{"odd", o.Company}) }

// USER-40: a struct with its own MarshalJSON works in every operation.
func TestOwnMarshalJSON(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		repo, kit := newOf[*odd](t, db, func(cfg *usersrepo.Config) {
			cfg.Notify.Templates = fstest.MapFS{"email_confirm/en.txt": {Data: []byte(`{{.Name}} of {{.User.Company}}`)}}
		})
		ctx := t.Context()
		u, err := repo.Create(ctx, &odd{User: roster.User{Username: new("alice"), Email: new("alice@example.com")}, Company: "Acme"}, roster.WithConfirmation())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := repo.UpdateAccount(roster.AsSystem(ctx), u.ID, json.RawMessage(`{"company":"Else"}`)); err != nil {
			t.Fatal(err)
		}
		if u, err = repo.Get(ctx, u.ID); err != nil || u.Company != "Else" {
			t.Errorf("%+v, %v", u, err)
		}
		document, err := json.Marshal(u)
		same(t, nil, err)
		same(t, `["odd","Else"]`, string(document))
		if _, err := repo.Deliver(ctx, 10); err != nil {
			t.Fatal(err)
		}
		m, ok := kit.Mailbox.Last("alice@example.com")
		if !ok || strings.TrimSpace(m.Text) != "alice of Acme" {
			t.Errorf("%q, %v", m.Text, ok)
		}
	})
}
