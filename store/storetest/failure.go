package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// secret is a value that no error may repeat.
const secret = "Sesame"

// discreet asks that an error tells neither values nor the text of a statement.
func discreet(t *testing.T, err error) {
	t.Helper()
	for _, s := range []string{secret, strings.ToLower(secret), "INSERT", "SELECT", "UPDATE", "Key (", "Failing row"} {
		if strings.Contains(err.Error(), s) {
			t.Errorf("the error tells %q: %v", s, err)
		}
	}
}

// testFailure makes each column fail in each way that a program's table can.
func (s *suite) testFailure(t *testing.T) {
	postgres := s.Dialect() == store.PostgreSQL
	// Rows that are merely deleted would be indexed below, for the sake of transactions that may still see them.
	s.sql(t, map[bool]string{true: "TRUNCATE %s CASCADE", false: "DELETE FROM %s"}[postgres], s.UsersTable())
	s.sql(t, "ALTER TABLE %s ADD COLUMN sponsor "+map[store.Dialect]string{store.PostgreSQL: "uuid", store.SQLite: "text"}[s.Dialect()]+
		" REFERENCES %s (id)", s.UsersTable(), s.UsersTable())
	s.sql(t, "ALTER TABLE %s ADD COLUMN badge text NOT NULL DEFAULT '' CHECK (badge <> '%s')", s.UsersTable(), secret)
	s.sql(t, "CREATE UNIQUE INDEX users_company_key ON %s (company) WHERE company <> ''", s.UsersTable())
	s.sql(t, "CREATE UNIQUE INDEX users_nickname_key ON %s (lower(nickname))", s.UsersTable())
	s.sql(t, "CREATE UNIQUE INDEX users_seat_key ON %s (seats, score) WHERE seats > 0", s.UsersTable())
	columns := append(Columns(),
		store.Column{Name: "sponsor", Field: "x_sponsor", Custom: true, Nullable: true},
		store.Column{Name: "badge", Field: "x_badge", Custom: true})
	x := *s
	x.Store = s.open(t, s.DB, columns)
	first := x.full()
	first.Nickname, first.Company, first.Seats, first.Score = new(secret), secret, 1, 2
	noError(t, s.insert(t.Context(), first))

	set := func(column string, value any) []store.Assignment {
		return []store.Assignment{{Column: column, Value: value}}
	}
	for name, tt := range map[string]struct {
		set    []store.Assignment
		want   *roster.Error
		fields []string
		only   store.Dialect
	}{
		"a unique column":     {set: set("company", secret), want: roster.ErrConflict, fields: []string{"x_company:taken"}},
		"unique columns":      {set: append(set("seats", 1), set("score", 2)...), want: roster.ErrConflict, fields: []string{"x_score:taken", "x_seats:taken"}},
		"a unique expression": {set: set("nickname", strings.ToUpper(secret)), want: roster.ErrConflict},
		"a canonical e-mail address": {
			set: set("email_canonical", strings.ToLower(*first.Email)), want: roster.ErrIdentifierTaken, fields: []string{"email:taken"},
		},
		"a primary key":           {set: set("id", first.ID), want: roster.ErrConflict, fields: []string{"id:taken"}},
		"a foreign key":           {set: set("sponsor", newID()), want: roster.ErrConflict},
		"a check":                 {set: set("badge", secret), want: roster.ErrConflict},
		"a column without NULL":   {set: set("company", nil), want: roster.ErrValidationFailed, fields: []string{"x_company:required"}},
		"a check of the base":     {set: set("email", nil), want: roster.ErrConflict},
		"a value too long":        {set: set("nickname", strings.Repeat(secret, 10)), want: roster.ErrConflict},
		"an own type's value":     {set: set("tier", faulty), want: roster.ErrValidationFailed, fields: []string{"x_tier:invalid"}},
		"a NUL in a text":         {set: set("company", secret+"\x00"), want: roster.ErrConflict, only: store.PostgreSQL},
		"a text that is no UTF-8": {set: set("company", secret+"\xff"), want: roster.ErrConflict, only: store.PostgreSQL},
		"a number too large":      {set: set("seats", 1e30), want: roster.ErrConflict, only: store.PostgreSQL},
	} {
		if tt.only != "" && tt.only != s.Dialect() {
			continue
		}
		if postgres && name == "a foreign key" { // SQLite names nothing
			tt.want, tt.fields = roster.ErrValidationFailed, []string{"x_sponsor:invalid"}
		}
		t.Run("it names the fault of "+name, func(t *testing.T) {
			a := s.user(t)
			err := x.Transact(t.Context(), func(ctx context.Context) error { return x.UpdateUser(ctx, a.ID, tt.set, store.Holds{}) })
			fails(t, err, tt.want, tt.fields...)
			discreet(t, err)
			same(t, "user", s.get(t, a.ID), a)
		})
	}
	t.Run("it names the fault of a new user", func(t *testing.T) {
		for field, change := range map[string]func(*account){
			"x_company:taken": func(a *account) { a.Company = secret },
			"x_tier:invalid":  func(a *account) { a.Tier = faulty },
		} {
			a := s.account()
			change(a)
			err := s.insert(t.Context(), a)
			want := map[bool]*roster.Error{true: roster.ErrConflict, false: roster.ErrValidationFailed}[field == "x_company:taken"]
			fails(t, err, want, field)
			discreet(t, err)
			if a.Tier == faulty && !errors.Is(err, errTier) {
				t.Errorf("the own type's error is lost: %v", err)
			}
		}
	})
	t.Run("it tells a user that is held by the program's own rows", func(t *testing.T) {
		sponsor, a := s.user(t), s.user(t)
		noError(t, x.UpdateUser(t.Context(), a.ID, set("sponsor", sponsor.ID), store.Holds{}))
		err := s.RemoveUser(t.Context(), sponsor.ID)
		fails(t, err, roster.ErrConflict)
		discreet(t, err)
		same(t, "stored", s.exists(t, sponsor.ID), true)
	})
	t.Run("it tells a trigger of the program's", func(t *testing.T) {
		table := s.UsersTable()
		if postgres {
			name := strings.TrimSuffix(s.table("trigger_test"), "")
			s.sql(t, "CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.company = 'forbidden' THEN RAISE EXCEPTION 'no %s'; END IF; RETURN NEW; END $$", name, secret)
			s.sql(t, "CREATE TRIGGER forbid BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %s()", table, name)
		} else {
			s.sql(t, "CREATE TRIGGER forbid BEFORE UPDATE ON %s WHEN NEW.company = 'forbidden' BEGIN SELECT RAISE(ABORT, 'no %s'); END", table, secret)
		}
		err := s.UpdateUser(t.Context(), s.user(t).ID, set("company", "forbidden"), store.Holds{})
		fails(t, err, roster.ErrConflict)
		discreet(t, err)
		s.sql(t, "DROP TRIGGER forbid%s", map[bool]string{true: " ON " + table}[postgres])
	})
}

// testValues reads what does not fit the struct.
func (s *suite) testValues(t *testing.T) {
	names := func(t *testing.T, err error, column string) {
		t.Helper()
		discreet(t, err)
		if !strings.Contains(err.Error(), `"`+column+`"`) {
			t.Errorf("the error does not name %s: %v", column, err)
		}
	}
	for _, column := range []string{"a_text", "a_null"} {
		s.sql(t, "ALTER TABLE %s ADD COLUMN %s text", s.UsersTable(), column)
	}
	reading := func(t *testing.T, column string, into any) error {
		t.Helper()
		x := s.open(t, s.DB, []store.Column{{Name: "id"}, {Name: column, Field: "x_" + column, Custom: true}})
		a := s.user(t)
		s.sql(t, "UPDATE %s SET a_text = '"+secret+"', tier = '"+secret+"' WHERE id = '"+a.ID.String()+"'", s.UsersTable())
		err := x.GetUser(t.Context(), store.ByID, a.ID, []any{new(roster.ID), into})
		noError(t, s.UpdateUser(t.Context(), a.ID, []store.Assignment{{Column: "tier", Value: free}}, store.Holds{}))
		return err
	}
	t.Run("it names a column that is NULL where the field cannot be", func(t *testing.T) {
		err := reading(t, "a_null", new(string))
		fails(t, err, roster.ErrInternal)
		names(t, err, "a_null")
	})
	t.Run("it names a column whose values the field cannot hold", func(t *testing.T) {
		err := reading(t, "a_text", new(int64))
		fails(t, err, roster.ErrInternal)
		names(t, err, "a_text")
	})
	t.Run("it names the field of an own type that cannot read a value", func(t *testing.T) {
		err := reading(t, "tier", new(tier))
		fails(t, err, roster.ErrValidationFailed, "x_tier:invalid")
		names(t, err, "tier")
		if !errors.Is(err, errTier) {
			t.Errorf("the own type's error is lost: %v", err)
		}
	})
	t.Run("it names a column that is missing", func(t *testing.T) {
		s.sql(t, "ALTER TABLE %s ADD COLUMN short_lived text", s.UsersTable())
		columns := append(Columns(), store.Column{Name: "short_lived", Field: "x_short_lived", Custom: true, Nullable: true})
		x := s.open(t, s.DB, columns)
		a := s.user(t)
		read := func(ctx context.Context) error {
			return x.GetUser(ctx, store.ByID, a.ID, append((&account{}).dest(), new(*string)))
		}
		for range 3 {
			noError(t, read(t.Context()))
		}
		s.sql(t, "ALTER TABLE %s DROP COLUMN short_lived", s.UsersTable())
		for _, err := range []error{
			read(t.Context()),
			x.InTx(t.Context(), read),
			x.UpdateUser(t.Context(), a.ID, []store.Assignment{{Column: "short_lived", Value: secret}}, store.Holds{}),
			func() error {
				_, _, err := x.SearchUsers(t.Context(), s.query(func(q *store.Search) {
					q.Order = []store.OrderKey{{Operand: store.Operand{Name: "short_lived"}}}
				}), func() []any { return append((&account{}).dest(), new(*string)) })
				return err
			}(),
		} {
			if err == nil {
				t.Error("nothing failed")
				continue
			}
			fails(t, err, roster.ErrInternal)
			names(t, err, "short_lived")
		}
	})
	t.Run("it goes on when the type of a column changes", func(t *testing.T) {
		if s.Dialect() == store.SQLite {
			t.Skip("SQLite changes no type")
		}
		a := s.user(t, func(a *account) { a.Nickname = new("nick") })
		for range 8 {
			s.get(t, a.ID)
		}
		s.sql(t, "ALTER TABLE %s ALTER COLUMN nickname TYPE varchar(40)", s.UsersTable())
		for range 3 {
			same(t, "user", s.get(t, a.ID), a)
		}
		s.sql(t, "ALTER TABLE %s ALTER COLUMN nickname TYPE varchar(50)", s.UsersTable())
		for range 3 {
			noError(t, s.Transact(t.Context(), func(ctx context.Context) error { return s.LockUser(ctx, a.ID, (&account{}).dest()) }))
		}
	})
	t.Run("it keeps large and hostile texts as they are", func(t *testing.T) {
		for _, text := range []string{strings.Repeat("x", 1<<20), "'; --", `\'`, "$1", "%s", "{users}", "\u2028\ufeff", "a\tb\r\n"} {
			a := s.user(t, func(a *account) { a.Company = text })
			if got := s.get(t, a.ID).Company; got != text {
				t.Errorf("got %.20q, want %.20q", got, text)
			}
		}
		all := slices.Repeat([]byte{0, '\\', '\'', 0xff}, 1000)
		same(t, "bytes", s.get(t, s.user(t, func(a *account) { a.Avatar = all }).ID).Avatar, all)
	})
}
