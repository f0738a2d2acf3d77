package store

// ColumnsSQL returns the statements that add the program's own columns to a users table that has none of them.
func (s *Store) ColumnsSQL() []string {
	var list []string
	for _, c := range s.columns {
		if c.Custom {
			list = append(list, s.addColumn(c))
		}
	}
	return list
}

// ColumnType is the type of a column for values of a kind, with its default, on each dialect. A column that cannot be NULL
// has the zero value of Go as default, for the users that are there already.
func ColumnType(kind ColumnKind, nullable, bytes bool) func(Dialect) string {
	return func(d Dialect) string {
		text := columnTypes[kind][d]
		if bytes {
			text = map[Dialect]string{PostgreSQL: "bytea", SQLite: "blob"}[d]
		}
		if !nullable {
			text += " NOT NULL DEFAULT " + zeroValue(kind, d)
		}
		return text
	}
}

var columnTypes = map[ColumnKind]map[Dialect]string{
	TextColumn:  {PostgreSQL: "text", SQLite: "text"},
	IntColumn:   {PostgreSQL: "bigint", SQLite: "integer"},
	FloatColumn: {PostgreSQL: "double precision", SQLite: "real"},
	BoolColumn:  {PostgreSQL: "boolean", SQLite: "boolean"},
	TimeColumn:  {PostgreSQL: "timestamptz", SQLite: "TIMESTAMP"},
	IDColumn:    {PostgreSQL: "uuid", SQLite: "text"},
}

func zeroValue(kind ColumnKind, d Dialect) string {
	switch kind {
	case IntColumn, FloatColumn:
		return "0"
	case BoolColumn:
		return "false"
	case IDColumn:
		return "'00000000-0000-0000-0000-000000000000'"
	case TimeColumn:
		if d == SQLite {
			return "-62135596800000000" // the zero time.Time in microseconds
		}
		return "'0001-01-01 00:00:00+00'"
	case TextColumn:
	}
	return "''"
}
