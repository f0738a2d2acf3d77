package routes

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/roster-go/roster"
)

// viewSchema is what a view shows beside the base user; open when only the program knows.
type viewSchema struct {
	fields []viewField
	open   bool
}

func (v *view[U]) schema() viewSchema { return viewSchema{v.custom, v.own != nil} }

// The schemas of users in answers.
var answerSchemas = []string{"User", "AdminUser"}

// The schemas of users in requests, with who writes them.
var requestSchemas = map[string]roster.Writer{
	"Registration": roster.WriterSignup,
	"AccountPatch": roster.WriterSelf,
	"NewUser":      roster.WriterAdmin,
	"UserPatch":    roster.WriterAdmin,
}

// addFields puts the program's own fields into the schemas of users.
func (p openAPIParts) addFields(fields []roster.Field, shown viewSchema) error {
	schemas := p.components["schemas"]
	for _, name := range answerSchemas {
		schema := schemas[name]
		if schema == nil {
			return fmt.Errorf("the OpenAPI document lacks the schema %s", name)
		}
		if shown.open {
			schemas[name] = openAPIValue{"type": "object", "description": schema["description"], "additionalProperties": true}
			continue
		}
		properties, required := schema["properties"].(map[string]any), schema["required"].([]any)
		for _, f := range shown.fields {
			properties[f.name] = schemaOf(f.typ)
			if !f.optional {
				required = append(required, f.name)
			}
		}
		schema["required"] = required
	}
	for name, writer := range requestSchemas {
		schema := schemas[name]
		if schema == nil {
			return fmt.Errorf("the OpenAPI document lacks the schema %s", name)
		}
		for _, f := range fields {
			if f.Custom && f.WritableBy(writer) {
				schema["properties"].(map[string]any)[f.Name] = schemaOf(f.Type)
			}
		}
	}
	return nil
}

// schemaOf describes how encoding/json writes a Go type; what it cannot tell may be anything.
func schemaOf(t reflect.Type) map[string]any { return schemaWithin(t, 8) }

// schemaWithin is schemaOf down to a depth: a type may hold itself.
func schemaWithin(t reflect.Type, depth int) map[string]any {
	if depth == 0 {
		return map[string]any{}
	}
	if t.Kind() == reflect.Pointer {
		return nullable(schemaWithin(t.Elem(), depth-1))
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[roster.ID]():
		return map[string]any{"type": "string", "format": "uuid"}
	}
	pointer := reflect.PointerTo(t)
	switch {
	case pointer.Implements(reflect.TypeFor[json.Marshaler]()):
		return map[string]any{}
	case pointer.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Array:
		return map[string]any{"type": "array", "items": schemaWithin(t.Elem(), depth-1)}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return nullable(map[string]any{"type": "string", "contentEncoding": "base64"})
		}
		return nullable(map[string]any{"type": "array", "items": schemaWithin(t.Elem(), depth-1)})
	case reflect.Map:
		return nullable(map[string]any{"type": "object", "additionalProperties": schemaWithin(t.Elem(), depth-1)})
	default:
		return map[string]any{}
	}
}

func nullable(schema map[string]any) map[string]any {
	if kind, ok := schema["type"].(string); ok {
		schema["type"] = []any{kind, "null"}
	}
	return schema
}
