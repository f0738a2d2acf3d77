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
