package store

// Dialect is a database that Roster speaks to.
type Dialect string

// The databases.
const (
	PostgreSQL Dialect = "postgres" // 14 or newer
	SQLite     Dialect = "sqlite"   // 3.38 or newer
)

// dialectWords are the words of a template that differ. SQLite locks the whole database when a transaction begins.
var dialectWords = map[Dialect]map[string]string{
	PostgreSQL: {"{lock}": "FOR UPDATE", "{skip_locked}": "FOR UPDATE SKIP LOCKED", "{greatest}": "greatest", "{least}": "least", "{bytes}": "bytea", "{microsecond}": "interval '1 microsecond'", "{u.version}": "cast(u.xmin AS text)"},
	SQLite:     {"{lock}": "", "{skip_locked}": "", "{greatest}": "max", "{least}": "min", "{bytes}": "blob", "{microsecond}": "1", "{u.version}": "''"},
}
