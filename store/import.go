package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roster-go/roster"
)

// Wanted are ids and canonical identifiers that users are looked for by.
type Wanted struct {
	IDs                       []roster.ID
	Usernames, Emails, Phones []string
}

// FindUsers scans the columns of all users who have one of these, each into what dest returns.
func (s *Store) FindUsers(ctx context.Context, want Wanted, dest func() []any) error {
	ids := make([]string, len(want.IDs))
	for i, id := range want.IDs {
		ids[i] = id.String()
	}
	var args []any
	var conditions []string
	for _, list := range []struct {
		key    UserKey
		values []string
		array  string // its type
	}{{ByID, ids, "uuid[]"}, {ByUsername, want.Usernames, "text[]"}, {ByEmail, want.Emails, "text[]"}, {ByPhone, want.Phones, "text[]"}} {
		if len(list.values) > 0 {
			var condition string
			condition, args = s.isOneOf(list.array, list.values, args)
			conditions = append(conditions, string(list.key)+condition)
		}
	}
	if len(conditions) == 0 {
		return nil
	}
	return s.rowsOf(ctx, adhoc, "SELECT {columns} FROM {users}\nWHERE "+strings.Join(conditions, " OR "), args,
		func(scan scanFunc) error { return scan(dest()...) })
}

// isOneOf is the end of a condition: that what stands before it is one of some values, which are appended to args.
func (s *Store) isOneOf(arrayType string, values []string, args []any) (string, []any) {
	if s.dialect == PostgreSQL {
		list := make([]*string, len(values))
		for i := range values {
			list[i] = &values[i]
		}
		args = append(args, arrayOf(list))
		return fmt.Sprintf(" = ANY($%d::%s)", len(args), arrayType), args
	}
	for _, value := range values {
		args = append(args, value)
	}
	return " IN (" + placeholders(len(args)-len(values)+1, len(values)) + ")", args
}

// NewUser is a user to be stored with others.
type NewUser struct {
	ID      roster.ID
	Values  []any // in the order of the columns
	Derived Derived
	Hash    string // of the password; "" for none
}

// InsertUsers stores several users at once, with their passwords: all of them, or none when one cannot be stored. A
// username that is held for somebody is taken.
func (s *Store) InsertUsers(ctx context.Context, list []NewUser, holds Holds) error {
	rows := make([][]any, len(list))
	var hashes [][]any
	for i, u := range list {
		rows[i] = append(append(make([]any, 0, len(u.Values)+3), u.Values...), u.Derived.Username, u.Derived.Email, u.Derived.Search)
		if u.Hash != "" {
			hashes = append(hashes, []any{u.ID, u.Hash, holds.Now})
		}
	}
	if err := s.insertRows(ctx, "{users}", append(s.columnNames(), "username_canonical", "email_canonical", "search"), rows); err != nil {
		return err
	}
	if err := s.insertRows(ctx, "{passwords}", []string{"user_id", "hash", "changed_at"}, hashes); err != nil {
		return err
	}
	return s.noneHeld(ctx, holds)
}

// maxHolds bounds how many holds one statement asks for.
const maxHolds = 1000

// noneHeld is an error when one of some usernames is held, for whomever.
func (s *Store) noneHeld(ctx context.Context, holds Holds) error {
	for len(holds.Hashes) > 0 {
		n := min(maxHolds, len(holds.Hashes))
		args := []any{holds.Now}
		for _, hash := range holds.Hashes[:n] {
			args = append(args, hash)
		}
		holds.Hashes = holds.Hashes[n:]
		var held bool
		err := s.rowsOf(ctx, adhoc, "SELECT EXISTS (SELECT 1 FROM {holds} WHERE ends_at > $1 AND hash IN ("+placeholders(2, n)+"))", args,
			func(scan scanFunc) error { return scan(&held) })
		if err != nil {
			return err
		}
		if held {
			return errUsernameTaken
		}
	}
	return nil
}

// InsertAudits adds entries to the audit trail.
func (s *Store) InsertAudits(ctx context.Context, list []*AuditEntry) error {
	rows := make([][]any, len(list))
	for i, e := range list {
		rows[i] = e.values()
	}
	return s.insertRows(ctx, "{audit}", strings.Fields(strings.ReplaceAll(auditColumns, ",", " ")), rows)
}

// maxBound is how many values one statement may bind: SQLite takes 32,766, PostgreSQL twice that.
const maxBound = 30_000

// insertRows writes rows of values, in as few statements as can be.
func (s *Store) insertRows(ctx context.Context, table string, columns []string, rows [][]any) error {
	if s.dialect == PostgreSQL && len(rows) > 0 {
		if done, err := s.insertArrays(ctx, table, columns, rows); done || err != nil {
			return err
		}
	}
	for part := range slices.Chunk(rows, maxBound/len(columns)) {
		var text strings.Builder
		text.WriteString(s.insertOf(table, columns) + "\nVALUES ")
		args := make([]any, 0, len(part)*len(columns))
		for i, row := range part {
			if i > 0 {
				text.WriteString(", ")
			}
			text.WriteString("(" + placeholders(len(args)+1, len(row)) + ")")
			args = append(args, row...)
		}
		if err := s.execOnce(ctx, text.String(), args); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) insertOf(table string, columns []string) string {
	quoted := make([]string, len(columns))
	for i, name := range columns {
		quoted[i] = column(s.dialect, name)
	}
	return "INSERT INTO " + table + " (" + strings.Join(quoted, ", ") + ")"
}

// execOnce runs a statement that is not worth keeping prepared.
func (s *Store) execOnce(ctx context.Context, template string, args []any) error {
	inner, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	run, text, err := s.runner(inner, adhoc, template)
	if err == nil {
		_, err = run.ExecContext(inner, text, args...)
	}
	return s.failure(ctx, err)
}
