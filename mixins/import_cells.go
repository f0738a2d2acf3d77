package mixins

import (
	"encoding/json"
	"reflect"
	"strconv"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// members gives the cells of a table the types of their fields.
func (x *importer[U]) members(cells map[string]*string) map[string]json.RawMessage {
	list := make(map[string]json.RawMessage, len(cells))
	for name, cell := range cells {
		if value := x.cellValue(x.nameOf(name), cell); value != nil {
			list[name] = value
		}
	}
	return list
}

var null = json.RawMessage("null")

// cellValue is a cell as JSON; nil: as if it were not there. An empty cell is null where a field can be, and so is a text
// without characters, but in a text of the program's own.
func (x *importer[U]) cellValue(name string, cell *string) json.RawMessage {
	f, isField := x.core.Plan.byName[name]
	if !isField {
		if cell == nil || *cell == "" {
			return null
		}
		return factValue(name, *cell)
	}
	isText := deref(f.Type).Kind() == reflect.String
	switch {
	case cell == nil, *cell == "" && (!f.Custom || !isText):
		if f.nullable && f.WritableBy(roster.WriterAdmin) {
			return null
		}
		return nil
	case isText:
		return quoted(*cell)
	case f.kind == store.BoolColumn:
		return boolValue(*cell)
	case f.kind == store.TimeColumn:
		if t, ok := parseTime(*cell); ok {
			return quoted(t.Format(time.RFC3339Nano))
		}
	}
	if raw := json.RawMessage(*cell); json.Valid(raw) && f.decode(x.core.Plan.New(), raw) == "" {
		return raw
	}
	return quoted(*cell)
}

// factValue is the cell of what is no field.
func factValue(name, cell string) json.RawMessage {
	if _, isFact := facts[name]; isFact {
		return boolValue(cell)
	}
	return quoted(cell)
}

// boolValue takes the words of strconv.ParseBool, such as the t and f of PostgreSQL.
func boolValue(cell string) json.RawMessage {
	if b, err := strconv.ParseBool(cell); err == nil {
		return strconv.AppendBool(nil, b)
	}
	return quoted(cell)
}

func quoted(text string) json.RawMessage {
	value, _ := json.Marshal(text) // a text is never refused
	return value
}

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
