package store

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// PostgreSQL takes many rows fastest as an array for each column: a statement with a parameter for each value takes it
// longer to read than the rows to write. The elements are texts, as they would stand in a literal.

// insertArrays writes rows in one statement. It reports false, and has done nothing, when a value is of bytes that the
// type of the column alone could tell how to write. The first column differs from row to row.
func (s *Store) insertArrays(ctx context.Context, table string, columns []string, rows [][]any) (done bool, err error) {
	types, err := s.columnTypes(ctx, table)
	if err != nil {
		return false, err
	}
	var arrays, names []string // one for each column whose values differ
	values := make([]string, len(columns))
	args := make([]any, len(columns))
	for i, column := range columns {
		list, ok, err := textsOf(rows, i, types[column])
		if !ok || err != nil {
			return false, err
		}
		value := fmt.Sprintf("$%d", i+1)
		if i > 0 && allEqual(list) {
			args[i] = list[0]
		} else {
			arrays, names = append(arrays, value+"::text[]"), append(names, fmt.Sprintf("c%d", i+1))
			args[i], value = arrayOf(list), names[len(names)-1]
		}
		values[i] = "CAST(" + value + " AS " + types[column] + ")"
	}
	return true, s.execOnce(ctx, s.insertOf(table, columns)+"\nSELECT "+strings.Join(values, ", ")+
		"\nFROM unnest("+strings.Join(arrays, ", ")+") AS r ("+strings.Join(names, ", ")+")", args)
}

// columnTypes are the types of a table's columns. Their lengths are left out: a cast would cut what is too long for one,
// where the column refuses it.
func (s *Store) columnTypes(ctx context.Context, table string) (map[string]string, error) {
	types := map[string]string{}
	err := s.rows(ctx, `
		SELECT attname, format_type(atttypid, -1) FROM pg_attribute
		WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`, []any{s.names.fill(table)}, func(scan scanFunc) error {
		var column, name string
		err := scan(&column, &name)
		types[column] = name
		return err
	})
	return types, err
}

// textsOf writes the values of a column as texts; nil is NULL.
func textsOf(rows [][]any, column int, columnType string) (list []*string, ok bool, err error) {
	list = make([]*string, len(rows))
	for i, row := range rows {
		value, err := driver.DefaultParameterConverter.ConvertValue(row[column])
		if err != nil {
			return nil, false, err
		}
		switch v := value.(type) {
		case nil:
		case string:
			list[i] = &v
		case bool:
			list[i] = new(strconv.FormatBool(v))
		case int64:
			list[i] = new(strconv.FormatInt(v, 10))
		case float64:
			list[i] = new(strconv.FormatFloat(v, 'g', -1, 64))
		case time.Time:
			list[i] = new(string(pq.FormatTimestamp(v)))
		case []byte:
			switch {
			case v == nil:
			case columnType != "bytea":
				return nil, false, nil
			default:
				list[i] = new(byteaOf(v))
			}
		}
	}
	return list, true, nil
}

func byteaOf(value []byte) string { return `\x` + hex.EncodeToString(value) }

func allEqual(list []*string) bool {
	return !slices.ContainsFunc(list, func(text *string) bool {
		return text != list[0] && !equal(text, list[0])
	})
}

var arrayEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// arrayOf writes an array as PostgreSQL reads it.
func arrayOf(list []*string) string {
	var text strings.Builder
	text.WriteByte('{')
	for i, element := range list {
		if i > 0 {
			text.WriteByte(',')
		}
		if element == nil {
			text.WriteString("NULL")
			continue
		}
		text.WriteByte('"')
		_, _ = arrayEscapes.WriteString(&text, *element)
		text.WriteByte('"')
	}
	text.WriteByte('}')
	return text.String()
}
