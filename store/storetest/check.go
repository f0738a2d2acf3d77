package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/roster-go/roster/store"
)

func (s *suite) testCheck(t *testing.T) {
	findings := func(t *testing.T, columns ...store.Column) store.SchemaError {
		t.Helper()
		err := s.open(t, s.DB, append(Columns(), columns...)).Check(t.Context())
		var list store.SchemaError
		if err != nil && !errors.As(err, &list) {
			t.Fatalf("got error %v", err)
		}
		return list
	}
	column := func(name string, nullable bool) store.Column {
		return store.Column{Name: name, Field: name, Custom: true, Nullable: nullable, SQLType: func(store.Dialect) string { return "text" }}
	}
	t.Run("it finds nothing wrong with a table that fits", func(t *testing.T) { same(t, "findings", findings(t), store.SchemaError(nil)) })
	t.Run("it finds missing columns, each with the statement that adds it", func(t *testing.T) {
		got := findings(t, column("Missing", true), column("absent", true))
		hasLength(t, "findings", len(got), 2)
		for i, name := range []string{"Missing", "absent"} {
			want := "ALTER TABLE " + s.UsersTable() + ` ADD COLUMN "` + name + `" text`
			same(t, "statement", got[i].SQL, want)
			if !strings.Contains(got.Error(), want) {
				t.Errorf("the error lacks %s:\n%v", want, got)
			}
			s.sql(t, "%s", got[i].SQL)
		}
		same(t, "mended", findings(t, column("Missing", true), column("absent", true)), store.SchemaError(nil))
	})
	t.Run("it finds columns that may be NULL where the field cannot", func(t *testing.T) {
		s.sql(t, "ALTER TABLE %s ADD COLUMN nullable text", s.UsersTable())
		got := findings(t, column("nullable", false))
		hasLength(t, "findings", len(got), 1)
		same(t, "column", got[0].Column, "nullable")
		if s.Dialect() == store.SQLite {
			same(t, "statement", got[0].SQL, "") // SQLite has none
			return
		}
		s.sql(t, "%s", got[0].SQL)
		same(t, "mended", findings(t, column("nullable", false)), store.SchemaError(nil))
		s.sql(t, "ALTER TABLE %s ALTER COLUMN nullable DROP NOT NULL", s.UsersTable())
	})
	t.Run("it finds columns that must be filled and that the struct lacks", func(t *testing.T) {
		s.sql(t, "ALTER TABLE %s ADD COLUMN with_default text NOT NULL DEFAULT 'x'", s.UsersTable())
		same(t, "with a default", findings(t), store.SchemaError(nil))
		if s.Dialect() == store.SQLite {
			t.Skip("SQLite adds no such column to a table")
		}
		s.sql(t, "ALTER TABLE %s ADD COLUMN demanded text NOT NULL", s.UsersTable())
		got := findings(t)
		hasLength(t, "findings", len(got), 1)
		same(t, "column", got[0].Column, "demanded")
		same(t, "known to the struct", findings(t, column("demanded", false)), store.SchemaError(nil))
		s.sql(t, "ALTER TABLE %s DROP COLUMN demanded", s.UsersTable())
	})
	t.Run("it finds missing unique indexes, and what stands in their way", func(t *testing.T) {
		a, b := s.full(), s.full()
		noError(t, s.insert(t.Context(), a))
		noError(t, s.insert(t.Context(), b))
		c := s.user(t)
		index := strings.Trim(s.UsersTable()[strings.LastIndex(s.UsersTable(), ".")+1:], `"`)
		schema := strings.TrimSuffix(s.UsersTable(), `"`+index+`"`)
		for _, suffix := range []string{"email_key", "phone_key"} {
			s.sql(t, `DROP INDEX %s"%s_%s"`, schema, index, suffix)
		}
		got := findings(t)
		hasLength(t, "findings", len(got), 2)
		for i, name := range []string{"email_canonical", "phone"} {
			same(t, "column", got[i].Column, name)
		}
		s.sql(t, "UPDATE %s SET email_canonical = 'jo@doe.example' WHERE id IN ('"+b.ID.String()+"', '"+a.ID.String()+"', '"+c.ID.String()+"')", s.UsersTable())
		got = findings(t)
		hasLength(t, "findings", len(got), 3)
		i := slices.IndexFunc(got, func(f store.Finding) bool { return strings.Contains(f.Problem, a.ID.String()) })
		if i < 0 {
			t.Fatalf("no finding names the users:\n%v", got)
		}
		same(t, "column", got[i].Column, "email_canonical")
		for _, x := range []*account{b, c} {
			if !strings.Contains(got[i].Problem, x.ID.String()) {
				t.Errorf("the finding does not name %s: %s", x.ID, got[i].Problem)
			}
		}
		if strings.Contains(got.Error(), "jo@doe") {
			t.Errorf("the finding shows the address:\n%v", got)
		}
		s.sql(t, "UPDATE %s SET email_canonical = NULL WHERE id IN ('"+b.ID.String()+"', '"+a.ID.String()+"')", s.UsersTable())
		for _, f := range findings(t) {
			s.sql(t, "%s", f.SQL)
		}
		same(t, "mended", findings(t), store.SchemaError(nil))
	})
	t.Run("it tells all at once, sorted by column", func(t *testing.T) {
		got := findings(t, column("zz_missing", true), column("aa_missing", true), column("nullable", false))
		var names []string
		for _, f := range got {
			names = append(names, f.Column)
		}
		same(t, "columns", names, []string{"aa_missing", "nullable", "zz_missing"})
	})
}
