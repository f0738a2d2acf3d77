package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/usersrepo"
)

// faultsOf are what Init says of a user struct before it looks at the database. It makes no repo: to compile all of Roster
// for each struct takes longer than all tests together.
func faultsOf[U roster.Model]() string {
	_, err := mixins.NewPlan[U]()
	if err == nil {
		return ""
	}
	return err.Error()
}

type (
	badWords struct {
		roster.User
		A string `db:"a" json:"a" roster:"creat"`
		B string `db:"b" json:"b" roster:"create,Update"`
		C string `db:"c" json:"c" roster:"update, filter ,"`
	}
	noColumn struct {
		roster.User
		A string `json:"a" roster:"create"`
		B string `db:"-" roster:"update"`
		c string `db:"c" roster:"update"`
	}
	doubled struct {
		roster.User
		A string `db:"same" json:"a"`
		B string `db:"same" json:"b"`
		part
		D string `db:"d" json:"name"`
	}
	// part is a part of a user.
	part struct {
		C string `db:"c" json:"name"`
	}
	ofBase struct {
		roster.User
		Email2   string `db:"email" json:"email2"`
		Search   string `db:"search" json:"search"`
		Username string `db:"nick" json:"username"`
		Derived  string `db:"derived" json:"email_verified"`
		Password string `db:"pw" json:"password"`
	}
	hiddenRules struct {
		roster.User
		A string `db:"a" json:"-" roster:"create"`
	}
	byPointer struct {
		roster.User
		*Extra
	}
	// Extra is a part of a user.
	Extra struct {
		A string `db:"a" json:"a"`
	}
	badNames struct {
		roster.User
		A string `db:"a b" json:"a"`
		B string `db:"drop\";" json:"b"`
	}
)

// USER-39: all that is wrong with a struct, by the names of its fields.
func TestFieldFaults(t *testing.T) {
	t.Parallel()
	cfg, _ := rostertest.Config(t, rostertest.Open(t, rostertest.SQLite))
	_, badColumns := usersrepo.New[*badNames](cfg)
	for name, tt := range map[string]struct {
		got  string
		want []string
	}{
		"unknown words":              {faultsOf[*badWords](), []string{"field A", `"creat"`, "field B", `"Update"`}},
		"rules without a column":     {faultsOf[*noColumn](), []string{"field A", "field B", "field c"}},
		"one column or name twice":   {faultsOf[*doubled](), []string{`"same"`, "field name"}},
		"what is the base user's":    {faultsOf[*ofBase](), []string{"field email2", `"email"`, `"search"`, "field username", `"email_verified"`, `"password"`}},
		"rules that nobody can name": {faultsOf[*hiddenRules](), []string{"field A"}},
		"a pointer to a struct":      {faultsOf[*byPointer](), []string{"Extra", "by value"}},
		"columns that are no names":  {fmt.Sprint(badColumns), []string{`"a b"`, `drop`}},
	} {
		t.Run("USER-39 names "+name, func(t *testing.T) {
			for _, want := range tt.want {
				if !strings.Contains(tt.got, want) {
					t.Errorf("%q does not say %s", tt.got, want)
				}
			}
		})
	}
	_ = noColumn{}.c
}

// USER-41: a table with further columns, and one without those of the struct.
func TestFieldColumns(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		var shared []secrets.Secret
		strict := func(cfg *usersrepo.Config) { cfg.AutoMigrate, cfg.Secrets = false, shared }
		base, kit := newOf[*roster.User](t, db, func(cfg *usersrepo.Config) { shared = cfg.Secrets })
		exec := func(statement string) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		t.Run("USER-41 leaves further columns alone", func(t *testing.T) {
			exec("ALTER TABLE users ADD COLUMN foreign_to_us text DEFAULT 'kept'")
			u, err := base.Create(t.Context(), &roster.User{Username: new("alice")})
			if err != nil {
				t.Fatal(err)
			}
			exec("UPDATE users SET foreign_to_us = 'changed'")
			kit.Clock.Advance(time.Minute)
			if _, err := base.Update(t.Context(), u.ID, func(u *roster.User) error { u.Language = new("de"); return nil }); err != nil {
				t.Fatal(err)
			}
			var got string
			if err := db.GetContext(t.Context(), &got, "SELECT foreign_to_us FROM users"); err != nil || got != "changed" {
				t.Errorf("%q, %v", got, err)
			}
		})
		fails := func(t *testing.T, want ...string) {
			t.Helper()
			cfg, _ := rostertest.Config(t, db)
			strict(&cfg)
			_, err := usersrepo.New[*Person](cfg)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %s", err, want)
				}
			}
		}
		t.Run("USER-41 says how to add each missing column", func(t *testing.T) {
			fails(t, `ADD COLUMN "company" text NOT NULL DEFAULT ''`, `ADD COLUMN "nick" text`, `ADD COLUMN "plan" text`, `ADD COLUMN "score" `,
				`ADD COLUMN "joined_at" `, `ADD COLUMN "badge" text`, `ADD COLUMN "note" text`)
		})
		t.Run("USER-41 is content once what it says is done", func(t *testing.T) {
			cfg, _ := rostertest.Config(t, db)
			strict(&cfg)
			_, err := usersrepo.New[*Person](cfg)
			for line := range strings.Lines(err.Error()) {
				if line = strings.TrimSpace(line); strings.HasPrefix(line, "ALTER TABLE") {
					exec(line)
				}
			}
			repo, err := usersrepo.New[*Person](cfg)
			if err != nil {
				t.Fatal(err)
			}
			u, err := repo.GetByUsername(t.Context(), "alice")
			if err != nil || u.Company != "" || u.JoinedAt != nil {
				t.Errorf("%+v, %v", u, err)
			}
		})
		t.Run("USER-41 names a column without a default that the struct lacks", func(t *testing.T) {
			exec("DELETE FROM users")
			exec("ALTER TABLE users ADD COLUMN needed text NOT NULL DEFAULT 'x'")
			if db.DriverName() == "postgres" {
				exec("ALTER TABLE users ALTER COLUMN needed DROP DEFAULT")
				fails(t, "column needed is NOT NULL without a default")
			}
		})
	})
}

// Case 32: a missing column, a bad word and a doubled name.
func TestFieldFaultsTogether(t *testing.T) {
	t.Parallel()
	type wrong struct {
		roster.User
		part
		Bad   string `db:"bad" json:"bad" roster:"bad"`
		Twice string `db:"twice" json:"name"`
	}
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		newOf[*roster.User](t, db)
		cfg, _ := rostertest.Config(t, db)
		cfg.AutoMigrate = false
		_, err := usersrepo.New[*wrong](cfg)
		_, missingErr := usersrepo.New[*Person](cfg)
		for want, err := range map[string]error{
			`field Bad: unknown word "bad"`: err, "field name: two fields have this name": err, `ADD COLUMN "nick"`: missingErr,
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %s", err, want)
			}
		}
	})
}
