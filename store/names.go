package store

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// ours are Roster's own tables; each is named with the prefix.
var ours = []string{
	"audit", "bans", "changes", "counters", "devices", "identities", "holds", "keys", "links", "lockouts", "messages",
	"migrations", "migrations_lock", "otp_objects", "otps", "passwords", "revocations", "sessions", "state", "tries",
}

// longestSuffix is the longest that the name of an index adds to that of its table.
const longestSuffix = "_identifier_check"

var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// names fills the templates of statements: {users} and {sessions} are tables with their schema, {users.email_key}
// the name of an index or constraint ({schema} belongs before it where an index is dropped), {columns} the columns of a
// user, {u.columns} those of one whose table has the alias u, {lock} what locks the rows of a SELECT.
type names struct {
	words *strings.Replacer
	table map[string]string   // plain names, for messages and for catalogs
	plain map[string]struct{} // all names of tables and columns
}

// has reports whether a word is the name of a table or column.
func (n names) has(word string) bool {
	_, ok := n.plain[word]
	return ok
}

func newNames(dialect Dialect, cfg Config, columns []Column) (names, error) {
	var errs []error
	check := func(what, name string) {
		if !nameForm.MatchString(name) {
			errs = append(errs, fmt.Errorf("%s %q: want a letter or _, then letters, digits and _, at most 63 characters", what, name))
		}
	}
	check("table", cfg.UsersTable)
	check("table prefix", cfg.Prefix)
	for _, name := range []string{cfg.UsersTable, cfg.Prefix + "identities"} {
		if len(name)+len(longestSuffix) > 63 {
			errs = append(errs, fmt.Errorf("table %q: its name is too long for those of its indexes", name))
		}
	}
	if cfg.Schema != "" {
		check("schema", cfg.Schema)
		if dialect == SQLite {
			errs = append(errs, errors.New("a schema is for PostgreSQL; SQLite has none"))
		}
	}
	n := names{table: map[string]string{"users": cfg.UsersTable}, plain: map[string]struct{}{}}
	list := make([]string, len(columns))
	for i, c := range columns {
		check("column", c.Name)
		list[i] = column(dialect, c.Name)
		n.plain[c.Name] = struct{}{}
	}
	for _, name := range ours {
		n.table[name] = cfg.Prefix + name
	}
	words := []string{"{schema}", "", "{columns}", strings.Join(list, ", "), "{u.columns}", "u." + strings.Join(list, ", u.")}
	if cfg.Schema != "" {
		words[1] = quote(cfg.Schema) + "."
	}
	for key, name := range n.table {
		n.plain[name] = struct{}{}
		words = append(words, "{"+key+"}", qualified(cfg.Schema, name), "{"+key+".", `"`+name+"_")
	}
	for word, text := range dialectWords[dialect] {
		words = append(words, word, text)
	}
	// The end of {users.email_key}: no other closing brace is left in a template.
	n.words = strings.NewReplacer(append(words, "}", `"`)...)
	return n, errors.Join(errs...)
}

func (n names) fill(template string) string { return n.words.Replace(template) }

func quote(name string) string { return `"` + name + `"` }

// column is a column in a place where a value could stand as well: there SQLite takes a name in double quotes that is
// no column for a text, but never one in brackets.
func column(d Dialect, name string) string {
	if d == SQLite {
		return "[" + name + "]"
	}
	return quote(name)
}

func qualified(schema, name string) string {
	if schema == "" {
		return quote(name)
	}
	return quote(schema) + "." + quote(name)
}

// UsersTable returns the users table as statements name it.
func (s *Store) UsersTable() string { return s.names.fill("{users}") }
