package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// UserKey is a column that names one user.
type UserKey string

// The keys of users. Usernames and e-mail addresses are compared in their canonical form.
const (
	ByID       UserKey = "id"
	ByUsername UserKey = "username_canonical"
	ByEmail    UserKey = "email_canonical"
	ByPhone    UserKey = "phone"
)

// Derived are the columns of a user that no Go field holds: what is compared instead of what is shown.
type Derived struct {
	Username *string // canonical
	Email    *string // canonical
	Search   string  // all that text search looks into
}

// Holds are the keyed hashes under which a username may be held for somebody, at the time Now.
type Holds struct {
	Hashes [][]byte
	Now    time.Time
	// WhileOpen lets nobody be stored while a blackout is closed.
	WhileOpen bool
}

// ErrClosed is what InsertUser answers while a blackout is closed.
var ErrClosed = roster.ErrUnavailable.WithMessage("a blackout is closed")

// GetUser scans the columns of one user into dest.
func (s *Store) GetUser(ctx context.Context, key UserKey, value any, dest []any) error {
	return s.row(ctx, userBy[key], []any{value}, dest...)
}

var userBy = map[UserKey]string{
	ByID:       "SELECT {columns} FROM {users} WHERE id = $1",
	ByUsername: "SELECT {columns} FROM {users} WHERE username_canonical = $1",
	ByEmail:    "SELECT {columns} FROM {users} WHERE email_canonical = $1",
	ByPhone:    "SELECT {columns} FROM {users} WHERE phone = $1",
}

// LockUser scans the columns of one user into dest and keeps others from changing the row until the transaction ends.
func (s *Store) LockUser(ctx context.Context, id roster.ID, dest []any) error {
	return s.row(ctx, "SELECT {columns} FROM {users} WHERE id = $1 {lock}", []any{id}, dest...)
}

// InsertUser stores a user, its values in the order of the columns, and their password; nil: none. A username held for another
// user is taken; holds without hashes are not looked at. On PostgreSQL it is one statement, and one more to look at the holds.
func (s *Store) InsertUser(ctx context.Context, id roster.ID, values []any, derived Derived, holds Holds, password *Password) error {
	args := append(slices.Clip(values), derived.Username, derived.Email, derived.Search)
	template := "INSERT INTO {users} ({columns}, username_canonical, email_canonical, search)\nSELECT " + placeholders(1, len(args))
	template += "\nWHERE TRUE"
	if len(holds.Hashes) > 0 {
		var condition string
		condition, args = holdCondition(holds, id, args)
		template += " AND NOT " + condition
	}
	if holds.WhileOpen {
		args = append(args, holds.Now)
		template += fmt.Sprintf(`
			AND EXISTS (SELECT 1 FROM {state} WHERE NOT blackout_closed OR blackout_until <= $%d)`, len(args))
	}
	together := password != nil && s.dialect == PostgreSQL
	if together {
		args = append(args, password.Hash, password.ChangedAt)
		template = fmt.Sprintf("WITH added AS (%s RETURNING id)\nINSERT INTO {passwords} (user_id, hash, changed_at) SELECT id, $%d, $%d FROM added",
			template, len(args)-1, len(args))
	}
	n, err := s.exec(ctx, template, args...)
	switch {
	case err != nil:
		return s.unwritable(err, s.columnNames(), values)
	case n == 0 && holds.WhileOpen:
		blackout, err := s.GetBlackout(ctx)
		if err == nil && blackout.Closed && (blackout.Until == nil || blackout.Until.After(holds.Now)) {
			err = ErrClosed
		}
		if err != nil {
			return err
		}
		return errUsernameTaken
	case n == 0:
		return errUsernameTaken
	}
	if password != nil && !together {
		if err := s.PutPassword(ctx, id, *password); err != nil {
			return err
		}
	}
	return s.holdsMeanwhile(ctx, id, holds)
}

func (s *Store) columnNames() []string {
	list := make([]string, len(s.columns))
	for i, c := range s.columns {
		list[i] = c.Name
	}
	return list
}

// holdsMeanwhile looks for a hold that was not there when a statement began to take a username, but when it was done:
// the statement waited for the transaction that gave the username up. The row lock of SQLite's one writer rules it out.
func (s *Store) holdsMeanwhile(ctx context.Context, id roster.ID, holds Holds) error {
	if len(holds.Hashes) == 0 || s.dialect == SQLite {
		return nil
	}
	held, err := s.held(ctx, id, holds)
	if err == nil && held {
		return errUsernameTaken
	}
	return err
}

// held reports whether a username is held for another user than id.
func (s *Store) held(ctx context.Context, id roster.ID, holds Holds) (held bool, err error) {
	condition, args := holdCondition(holds, id, nil)
	err = s.row(ctx, "SELECT "+condition, args, &held)
	return held, err
}

var errUsernameTaken = roster.ErrIdentifierTaken.WithFields(roster.FieldError{Field: "username", Code: roster.Taken})

// Assignment is a column and its new value.
type Assignment struct {
	Column string
	Value  any
}

// UpdateUser writes columns of a user whose row is locked. Holds without hashes are not looked at.
func (s *Store) UpdateUser(ctx context.Context, id roster.ID, set []Assignment, holds Holds) error {
	args := []any{id}
	columns, assignments := make([]string, len(set)), make([]string, len(set))
	for i, a := range set {
		args = append(args, a.Value)
		columns[i] = a.Column
		assignments[i] = fmt.Sprintf("%s = $%d", quote(a.Column), len(args))
	}
	template := "UPDATE {users} SET " + strings.Join(assignments, ", ") + "\nWHERE id = $1"
	if len(holds.Hashes) > 0 {
		var condition string
		condition, args = holdCondition(holds, id, args)
		template += " AND NOT " + condition
	}
	n, err := s.exec(ctx, template, args...)
	switch {
	case err != nil:
		return s.unwritable(err, columns, args[1:1+len(set)])
	case n == 0 && len(holds.Hashes) > 0:
		return errUsernameTaken
	case n == 0:
		return roster.ErrNotFound
	}
	if slices.Contains(columns, "epoch") {
		s.revokes(ctx)
	}
	return s.holdsMeanwhile(ctx, id, holds)
}

// TouchLastLogin moves the time of the last log-in to at, never back, and forgets the user's wrong passwords unless
// they are most or more.
func (s *Store) TouchLastLogin(ctx context.Context, id roster.ID, at time.Time, most int) error {
	touch := touchLastLogin("$1", "$2")
	var n int64
	var err error
	if s.dialect == PostgreSQL {
		n, err = s.exec(ctx, "WITH forgotten AS ("+forgetFailuresOf("$1", "$3")+") "+touch, id, at, most)
	} else if n, err = s.exec(ctx, touch, id, at); err == nil {
		err = s.ForgetFailures(ctx, id, most)
	}
	if err == nil && n == 0 {
		return roster.ErrNotFound
	}
	return err
}

// touchLastLogin is the statement of TouchLastLogin on values of whatever numbers.
func touchLastLogin(id, at string) string {
	return "UPDATE {users} SET last_login_at = {greatest}(coalesce(last_login_at, " + at + "), " + at + ")\nWHERE id = " + id
}

// Identifiers are the canonical values that must be unique; nil ones are not asked for.
type Identifiers struct{ Username, Email, Phone *string }

// TakenIdentifiers returns the fields whose value another user than id has, or a username that is held for another.
func (s *Store) TakenIdentifiers(ctx context.Context, id roster.ID, want Identifiers, holds Holds) ([]string, error) {
	taken := map[string]bool{}
	err := s.rows(ctx, `
		SELECT username_canonical, email_canonical, phone FROM {users}
		WHERE (username_canonical = $2 OR email_canonical = $3 OR phone = $4) AND id <> $1`,
		[]any{id, want.Username, want.Email, want.Phone}, func(scan scanFunc) error {
			var got Identifiers
			if err := scan(&got.Username, &got.Email, &got.Phone); err != nil {
				return err
			}
			taken["username"] = taken["username"] || equal(got.Username, want.Username)
			taken["email"] = taken["email"] || equal(got.Email, want.Email)
			taken["phone"] = taken["phone"] || equal(got.Phone, want.Phone)
			return nil
		})
	if err != nil {
		return nil, err
	}
	if want.Username != nil && !taken["username"] && len(holds.Hashes) > 0 {
		if taken["username"], err = s.held(ctx, id, holds); err != nil {
			return nil, err
		}
	}
	var fields []string
	for _, field := range []string{"email", "phone", "username"} {
		if taken[field] {
			fields = append(fields, field)
		}
	}
	return fields, nil
}

func equal(a, b *string) bool { return a != nil && b != nil && *a == *b }

// holdCondition is true when a username is held for another user than id; its values are appended to args.
func holdCondition(holds Holds, id roster.ID, args []any) (string, []any) {
	n := len(args)
	condition := heldFrom(fmt.Sprint("$", n+2), fmt.Sprint("$", n+1), placeholders(n+3, len(holds.Hashes)))
	args = append(args, holds.Now, id)
	for _, hash := range holds.Hashes {
		args = append(args, hash)
	}
	return condition, args
}

// HoldUsername keeps a username, given as a keyed hash, from others until end; with a nil user from everybody.
func (s *Store) HoldUsername(ctx context.Context, hash []byte, user *roster.ID, end time.Time) error {
	_, err := s.exec(ctx, `
		INSERT INTO {holds} (hash, user_id, ends_at) VALUES ($1, $2, $3)
		ON CONFLICT (hash) DO UPDATE SET user_id = excluded.user_id, ends_at = excluded.ends_at`, hash, user, end)
	return err
}

// ReleaseUsername ends the holds of a username that its former owner has taken back.
func (s *Store) ReleaseUsername(ctx context.Context, holds Holds) error {
	if len(holds.Hashes) == 0 {
		return nil
	}
	args := make([]any, len(holds.Hashes))
	for i, hash := range holds.Hashes {
		args[i] = hash
	}
	_, err := s.exec(ctx, "DELETE FROM {holds} WHERE hash IN ("+placeholders(1, len(args))+")", args...)
	return err
}

func placeholders(first, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("$%d", first+i)
	}
	return strings.Join(list, ", ")
}
